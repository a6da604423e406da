"""The same trial in several versions of a package, each in a folder of its own."""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path


def try_each(
    description: str | None,
    package: str,
    versions: list[str],
    trial: Callable[[str, Path], str],
    *failures: type[Exception],
) -> int:
    """Print a line on each version, those of the command line or ``versions``; an exit code of 1 where one failed."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("versions", nargs="*", default=versions)
    failed = False
    for version in parser.parse_args().versions:
        with tempfile.TemporaryDirectory() as folder:
            try:
                print(trial(version, Path(folder)), flush=True)
            except (RuntimeError, subprocess.CalledProcessError, *failures) as error:
                failed = True
                print(f"{package} {version}: {type(error).__name__}: {error}", flush=True)
    return int(failed)
