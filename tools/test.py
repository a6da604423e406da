"""Runs every check, goes on after a failure, and fails at the end if one failed.

Two cores run a browser, a server and two processes of tests beside each other, and a test may run out of time for it:
the files of what failed run once more at the end, alone. Both are said. A test that hangs ends its process, which
xdist replaces (``faulthandler_exit_on_timeout`` in pyproject.toml), and fails.

python tools/test.py            everything
python tools/test.py types unit only these
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import chromium

ROOT = Path(__file__).parent.parent
PYTHON = sys.executable
PYTEST = [PYTHON, "-m", "pytest", "-q"]
# Two processes on two cores; a file's tests stay together, as some follow one another on one page.
SHARED_OUT = [*PYTEST, "-n", "2", "--dist", "loadfile"]
ONE_BY_ONE = [PYTHON, "-m", "pytest", "-v", "-n", "1", "--dist", "loadfile"]

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
    # The Chinese ones have the same code: tests/notebooks compares them.
    "notebooks": [*SHARED_OUT, "-o", "addopts=", "--nbval-lax", "notebooks", "--ignore=notebooks/zh"],
    "unit": [
        *SHARED_OUT,
        "-p",
        "tools.covered",
        "cnnwidgets",
        "tests",
        "--ignore=tests/browser",
        "--ignore=tests/gpu",
        "--ignore=tests/packaging",
    ],
    "packaging": [*ONE_BY_ONE, "tests/packaging"],
    "browser": [*ONE_BY_ONE, "tests/browser"],
}


# They wait for pip and for pages: they run one after the other beside the rest, a line a test.
WAITING = ("packaging", "browser")
TIMED = ("unit", *WAITING)
MOST_FILES_AGAIN = 6  # more is no matter of time


@dataclass(frozen=True)
class Outcome:
    """How a step ended."""

    name: str
    ok: bool
    seconds: float


def run(name: str, environment: dict[str, str]) -> Outcome:
    """The step ``name``."""
    start = time.monotonic()
    command = [*STEPS[name], *(_cache(name) if name in TIMED else [])]
    result = subprocess.run(command, cwd=ROOT, env=environment, check=False)
    return Outcome(name, result.returncode == 0, time.monotonic() - start)


def _cache(name: str) -> list[str]:
    return ["-o", f"cache_dir=.pytest_cache/{name}"]


def run_again(name: str, environment: dict[str, str]) -> bool:
    """Whether the files of the tests of the step ``name`` that failed pass alone."""
    memory = ROOT / ".pytest_cache" / name / "v" / "cache" / "lastfailed"
    files = sorted({test.partition("::")[0] for test in json.loads(memory.read_text())}) if memory.exists() else []
    print(f"== {name}: once more, alone: {', '.join(files) or 'no file to be read'}", flush=True)
    if not 0 < len(files) <= MOST_FILES_AGAIN:
        return False
    return subprocess.run([*PYTEST, "-v", *files], cwd=ROOT, env=environment, check=False).returncode == 0


def report(outcome: Outcome) -> None:
    """Say how a step ended."""
    print(f"== {outcome.name}: {'ok' if outcome.ok else 'FAILED'} in {outcome.seconds:.0f} s", flush=True)


def run_all(names: list[str], environment: dict[str, str]) -> list[str]:
    """Names of the steps that failed."""
    outcomes = []
    in_turn = [name for name in names if name not in WAITING]
    with ThreadPoolExecutor(1) as thread:
        beside: list[Future[Outcome]] = []
        for name in in_turn or names:
            print(f"== {name}", flush=True)
            outcomes.append(run(name, environment))
            report(outcomes[-1])
            if [name] == in_turn[:1]:  # the bundles are there
                beside = [thread.submit(run, other, environment) for other in names if other in WAITING]
        for future in beside:
            outcomes.append(future.result())
            report(outcomes[-1])
    failed = [outcome.name for outcome in outcomes if not outcome.ok]
    return [name for name in failed if name not in TIMED or not run_again(name, environment)]


def covered() -> str:
    """The share of the package's lines that ran in the step ``unit``, not counting kernels and scripts, in percent."""
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
    # One thread a process: three processes that compute wait for each other's threads otherwise.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("NO_MKDOCS_2_WARNING", "1")
    environment = {**os.environ, "PATH": f"{Path(PYTHON).parent}{os.pathsep}{os.environ['PATH']}"}
    if not wanted or {"unit", "packaging", "browser"} & set(wanted):
        environment["CHROMIUM"] = chromium.ensure()
    names = [name for name in STEPS if not wanted or name in wanted]
    failed = run_all(names, environment)
    if not wanted or "unit" in wanted:
        print(f"== coverage: {covered()} % of the package's lines ran in the unit tests", flush=True)
    print(f"== failed: {', '.join(failed)}" if failed else "== all passed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
