"""Runs every check, goes on after a failure, and fails at the end if one failed.

python tools/test.py            everything
python tools/test.py types unit only these
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import chromium

ROOT = Path(__file__).parent.parent
PYTHON = sys.executable
PYTEST = [PYTHON, "-m", "pytest", "-q"]
# Two processes on two cores; a shard takes its next test from the other's rest.
COVERED = [PYTHON, "-m", "coverage", "run", *PYTEST[1:], "-n", "2", "--dist", "worksteal"]

STEPS: dict[str, list[str]] = {
    "bundle": [PYTHON, "tools/frontend.py", "build"],
    "ruff": [PYTHON, "-m", "ruff", "check", "."],
    "format": [PYTHON, "-m", "ruff", "format", "--check", "."],
    "mypy": [PYTHON, "-m", "mypy"],
    "house": [PYTHON, "tools/house.py"],
    "docs": [PYTHON, "-m", "mkdocs", "build", "--strict", "--quiet"],
    "types": [PYTHON, "tools/frontend.py", "types"],
    "biome": [PYTHON, "tools/frontend.py", "lint"],
    "typescript": [PYTHON, "tools/frontend.py", "test"],
    "notebooks": [*PYTEST, "-o", "addopts=", "--nbval-lax", "notebooks"],
    "unit": [*COVERED, "cnnwidgets", "tests", "--ignore=tests/browser", "--ignore=tests/packaging"],
    "packaging": [*PYTEST, "tests/packaging"],
    "browser": [*PYTEST, "tests/browser"],
}


def covered() -> str:
    """The share of the package's lines that the step ``unit`` ran, in percent."""
    coverage = [PYTHON, "-m", "coverage"]
    subprocess.run([*coverage, "combine", "--quiet"], cwd=ROOT, check=False)
    report = [*coverage, "report", "--format=total"]
    return subprocess.run(report, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip() or "?"


def main(wanted: list[str]) -> int:
    unknown = [name for name in wanted if name not in STEPS]
    if unknown:
        sys.exit(f"No step {unknown[0]!r}. Steps: {', '.join(STEPS)}.")
    # Idle OpenMP threads that spin take the two cores from the browser and the server: a pass is ten times as long.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("NO_MKDOCS_2_WARNING", "1")
    environment = {**os.environ, "PATH": f"{Path(PYTHON).parent}{os.pathsep}{os.environ['PATH']}"}
    if not wanted or {"unit", "packaging", "browser"} & set(wanted):
        environment["CHROMIUM"] = chromium.ensure()
    failed = []
    for name, command in STEPS.items():
        if wanted and name not in wanted:
            continue
        print(f"== {name}", flush=True)
        start = time.monotonic()
        result = subprocess.run(command, cwd=ROOT, env=environment, check=False)
        print(
            f"== {name}: {'ok' if result.returncode == 0 else 'FAILED'} in {time.monotonic() - start:.0f} s", flush=True
        )
        if result.returncode:
            failed.append(name)
    if not wanted or "unit" in wanted:
        print(f"== coverage: {covered()} % of the package's lines ran in the unit tests", flush=True)
    print(f"== failed: {', '.join(failed)}" if failed else "== all passed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
