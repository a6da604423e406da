"""The notebooks in a JupyterLab: opened, run as a whole, and a cell of theirs run again and again."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.explorer_page import ExplorerPage
from tests.browser.lab import ROOT, Lab, ask, command, idle, run_all

NOTEBOOKS = ("01_explore.ipynb", "02_methods.ipynb")
ALL = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
# Each cell of code: its number, whether it failed, and whether it shows a widget.
CELLS = """jupyterapp.shell.currentWidget.content.widgets
  .map((cell, index) => [index, cell.model.type === "code" ? cell.model.outputs.toJSON() : []])
  .map(([index, outputs]) => ({
    index,
    errors: outputs.filter((output) => output.output_type === "error").map((output) => output.evalue),
    widgets: outputs.filter((output) => "application/vnd.jupyter.widget-view+json" in (output.data ?? {})).length,
  }))"""
# Of the canvases on show those that nobody has painted.
UNPAINTED = """(root) => [...root.querySelectorAll("canvas")]
  .filter((canvas) => !canvas.closest(".is-grey"))  // nothing in the map is positive
  .filter((canvas) => canvas.checkVisibility() && canvas.getBoundingClientRect().width > 1)
  .filter((canvas) => {
    const {width, height} = canvas;
    return !canvas.getContext("2d").getImageData(0, 0, width, height).data.some((value) => value > 0);
  })
  .map((canvas) => canvas.className || canvas.parentElement.className)"""
MEMORY = """
import ctypes, gc, re
for _ in range(3): gc.collect()
ctypes.CDLL(None).malloc_trim(0)
print(int(re.search(r"VmRSS:\\s+(\\d+)", open("/proc/self/status").read())[1]) // 1024)
"""


def _hash(lab: Lab, name: str) -> str:
    return hashlib.sha256((lab.folder / name).read_bytes()).hexdigest()


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_look_at_a_notebook_leaves_its_file_as_it_is(jupyter: Lab, name: str) -> None:
    before = _hash(jupyter, name)
    with jupyter.open(name, run=False) as (page, trouble):
        idle(page)
        page.mouse.wheel(0, 2000)
        page.wait_for_timeout(2000)  # the kernel has told its language by then
        assert page.evaluate("jupyterapp.shell.currentWidget.context.model.dirty") is False
        assert _hash(jupyter, name) == before
        command(page, "docmanager:save")  # out of habit
        page.wait_for_timeout(1000)
        assert (trouble.console, trouble.external, trouble.failed) == ([], [], [])
    assert _hash(jupyter, name) == before


@pytest.mark.parametrize("name", ALL)
def test_run_all_paints_every_widget(jupyter: Lab, name: str, artefacts: Path) -> None:
    (jupyter.folder / f"run_{name}").write_bytes((jupyter.folder / name).read_bytes())
    dark = ALL.index(name) % 2 == 1  # every second one
    with jupyter.open(f"run_{name}", run=False, width=1440, dark=dark, fresh=False) as (page, trouble):
        run_all(page, 300_000)
        cells = page.evaluate(CELLS)
        assert [cell["errors"] for cell in cells if cell["errors"]] == []
        shown = [cell["index"] for cell in cells if cell["widgets"]]
        assert len(shown) >= 2
        for index in shown:
            page.evaluate("(i) => jupyterapp.shell.currentWidget.content.scrollToItem(i, 'start')", index)
            # The box of several widgets has the others in it.
            root = page.locator(f".jp-Cell[data-windowed-list-index='{index}'] .jp-OutputArea-output .cnnw").first
            expect(root).to_be_visible(timeout=60_000)
            expect(root.locator(".cnnw-error, .cnnw-gone")).to_have_count(0)
            box = root.bounding_box()
            assert box is not None
            assert box["height"] > 60
            _until_painted(page, root)
        if name in EXPLORERS:
            assert _explorers(page) == EXPLORERS[name]
            assert ask(page, "print({type(w).__name__: w.status for w in [e]})") == "{'Explorer': 'ready'}"
        page.evaluate("jupyterapp.shell.currentWidget.content.scrollToItem(0, 'start')")
        page.set_viewport_size({"width": 1440, "height": 9000})
        page.wait_for_timeout(3000)
        page.screenshot(path=artefacts / f"notebook_{name.removesuffix('.ipynb')}.png")
        assert (trouble.console, trouble.external, trouble.failed) == ([], [], [])


EXPLORERS = {NOTEBOOKS[0]: 3, NOTEBOOKS[1]: 1}


def _explorers(page: Page) -> int:
    """How many cells show an Explorer, of which each has its graph."""
    cells = page.evaluate(
        """jupyterapp.shell.currentWidget.content.widgets
          .map((cell, i) => (cell.model.type === "code" ? [i, cell.model.sharedModel.source] : [i, ""]))
          .filter(([, source]) => source.includes("cw.explore(")).map(([i]) => i)"""
    )
    for cell in cells:
        page.evaluate("(i) => jupyterapp.shell.currentWidget.content.scrollToItem(i, 'start')", cell)
        root = page.locator(f".jp-Cell[data-windowed-list-index='{cell}'] .cnnw-explorer")
        expect(root.locator("[data-layer]").first).to_be_visible(timeout=60_000)
    return len(cells)


def _until_painted(page: Page, root: Locator, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while unpainted := root.evaluate(UNPAINTED):
        assert time.monotonic() < end, unpainted
        page.wait_for_timeout(200)


def test_a_cell_that_runs_again_does_not_fill_the_memory(jupyter: Lab) -> None:
    notebook = jupyter.notebook("again", "import cnnwidgets as cw\ncw.explore()")
    with jupyter.open(notebook, run=False) as (page, _):
        megabytes = []
        for _ in range(6):
            run_all(page)
            ExplorerPage(page).wait_until_complete()
            megabytes.append(int(ask(page, MEMORY)))
        print(megabytes)
        # An Explorer of this network holds about 125 MB of maps and caches.
        assert megabytes[5] - megabytes[2] < 3 * 30, megabytes
        assert megabytes[2] - megabytes[0] < 125, megabytes
