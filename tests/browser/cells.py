"""Cells of an open notebook: write one, run it, wait."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

from tests.browser.lab import ask, command, idle

ROOT = Path(__file__).parent.parent.parent

WRITE = """([index, source]) => {
  const {content} = jupyterapp.shell.currentWidget;
  content.activeCellIndex = index;
  content.activeCell.model.sharedModel.setSource(source);
}"""

PREPARE = f"""import sys
sys.path.insert(0, {str(ROOT)!r})
import cnnwidgets as cw
import numpy as np, torch, ipywidgets
from tests.explorer import nets"""


def run_cell(page: Page, index: int, source: str) -> None:
    """Put ``source`` into the cell at ``index``, run it, and wait for the kernel."""
    page.evaluate(WRITE, [index, source])
    command(page, "notebook:run-cell", 120)
    idle(page, 120_000)


def prepare(page: Page) -> None:
    """Import what the tests' cells use, beside the notebook."""
    said = ask(page, PREPARE)
    assert said == "", said


EXPLORE = """try:
    e.close()
except NameError:
    pass
e = {call}
e.feature_maps.sort = "index"  # so that a channel's number is its place
e"""


def explore(page: Page, call: str, index: int = 0) -> None:
    """Show the Explorer that ``call`` makes in the cell at ``index``, in place of the one before; its name is e."""
    run_cell(page, index, EXPLORE.format(call=call))
