"""Debian's Chromium, headless."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from playwright.sync_api import Browser, sync_playwright

from tools.chromium import find

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def path() -> str:
    """Where the browser is; a machine without one fails the test."""
    found = find()
    assert found, "no Chromium: run `make test`, which installs one"
    return found


@contextlib.contextmanager
def started() -> Iterator[Browser]:
    """A browser for as long as the block runs. Playwright allows one at a time in a process."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path(), args=FLAGS)
        yield browser
        browser.close()
