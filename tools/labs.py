"""The Explorer in earlier versions of JupyterLab, in a browser: `make labs`; needs a package index.

Each version is installed, without what it depends on, into a folder that goes before this environment's own, which
stays as it is. What is tried in it is what `make test` tries in Notebook 7 and Voila.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.browser.lab import lab
from tests.browser.test_front_ends import CELL, assert_alive
from tests.chromium import started
from tools.versions import try_each

VERSIONS = ["4.2.7", "4.4.10"]


def tried(version: str, folder: Path) -> str:
    """A line on what was tried in this version; raises where something did not work."""
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder / "lab")]
    subprocess.run([*install, f"jupyterlab=={version}"], check=True)
    work = folder / "work"
    work.mkdir()
    with (
        started() as browser,
        lab(work, browser, version=folder / "lab") as running,
        running.open(running.notebook("earlier", CELL)) as (page, trouble),
    ):
        own = page.evaluate("jupyterapp.version")
        if own != version:
            raise RuntimeError(f"the page is of JupyterLab {own}, not {version}")
        assert_alive(page, trouble)
    return f"JupyterLab {version}: layer, class, method and a large map were chosen"


if __name__ == "__main__":
    sys.exit(try_each(__doc__, "JupyterLab", VERSIONS, tried, AssertionError))
