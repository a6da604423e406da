"""``make soak``: 10,000 random actions; nothing wrong, nothing left, memory flat within 5 %.

``make soak ARGS=--browser``: 500 by mouse and keyboard on a page of JupyterLab, after 500 that open everything once.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

from tests.browser.lab import lab
from tests.chromium import started
from tests.soak.actions import Soak
from tests.soak.on_a_page import PageSoak
from tests.soak.state import assert_like_a_fresh_one, hooks, megabytes, own_threads

_FLAT = 1.05
_WARM = 5
"""Tenths of the actions on a page, in which each panel and method has been opened for the first time."""
_FEW = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "20"}
"""Of each new size of maps, oneDNN keeps the code it made, of 1,024 of them at most: 100 MB that are not ours."""


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--actions", type=int, help="10,000, or 1,000 in a browser")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--browser", action="store_true")
    options = parser.parse_args()
    if options.browser:
        in_browser(options.seed, options.actions or 1000)
    else:
        in_kernel(options.seed, options.actions or 10_000)


def in_browser(seed: int, actions: int) -> None:
    """Clicks, drags, keys and choices."""
    os.environ.update(_FEW)
    with tempfile.TemporaryDirectory() as folder, started() as browser, lab(Path(folder), browser) as running:
        notebook = running.notebook("soak", "", "")
        with running.open(notebook, run=False, width=1440, height=1300) as (page, trouble):
            soak = PageSoak(page, seed)
            first, part = 0.0, max(1, actions // 10)
            for number in range(1, 11):
                soak.run(part)
                soak.assert_nothing_is_stale()
                kernel, threads, heap = soak.figures()
                first = kernel if number <= _WARM else first
                said = f"{number * part:6d} actions  kernel {kernel:7.1f} MB  {threads} threads  page {heap:6.1f} MB"
                print(said, flush=True)
            assert (trouble.console, trouble.external, trouble.failed) == ([], [], [])
            assert kernel <= _FLAT * first, f"memory grew from {first:.0f} to {kernel:.0f} MB"


def in_kernel(seed: int, actions: int) -> None:
    """The messages of a page, without one."""
    soak = Soak(seed)
    part = max(1, actions // 10)
    first, began = 0.0, time.monotonic()
    for number in range(1, 11):
        soak.run(part)
        assert_like_a_fresh_one(soak)
        assert not hooks(soak.net)
        now = megabytes()
        first = first or now  # after the first part everything has been loaded
        threads = own_threads()
        seconds = time.monotonic() - began
        print(f"{number * part:6d} actions  {seconds:6.0f} s  {now:7.1f} MB  {threads} threads", flush=True)
    assert now <= _FLAT * first, f"memory grew from {first:.0f} to {now:.0f} MB"
    soak.explorer.close()


if __name__ == "__main__":
    main()
