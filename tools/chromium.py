"""Where Chromium is; installs Debian's where there is none."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from debian import install

# The first has no window, tabs or side panels to draw, which take half of the others' time.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find() -> str | None:
    """Path of a Chromium, ``$CHROMIUM`` first."""
    return os.environ.get("CHROMIUM") or next((path for name in NAMES if (path := shutil.which(name))), None)


def ensure() -> str:
    """Path of a Chromium, installed if need be, with fonts to draw text with."""
    if not find():
        install("chromium-headless-shell", "fonts-dejavu-core")
    found = find()
    if not found:
        sys.exit("No Chromium found after installing it. Set CHROMIUM=/path/to/chromium.")
    return found


if __name__ == "__main__":
    print(ensure())
