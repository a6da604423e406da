"""The notebooks in a JupyterLab: opened, run as a whole, and a cell of theirs run again and again."""

from __future__ import annotations

import hashlib

import pytest
from playwright.sync_api import expect

from tests.browser.explorer_page import ExplorerPage
from tests.browser.lab import Lab, ask, idle, run_all

NOTEBOOKS = ("01_explore.ipynb", "02_methods.ipynb")
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
        page.evaluate("jupyterapp.commands.execute('docmanager:save')")  # out of habit
        page.wait_for_timeout(1000)
        assert (trouble.console, trouble.external, trouble.failed) == ([], [], [])
    assert _hash(jupyter, name) == before


@pytest.mark.parametrize(("name", "explorers"), [(NOTEBOOKS[0], 3), (NOTEBOOKS[1], 1)])
def test_run_all_leaves_the_explorers_on_show(jupyter: Lab, name: str, explorers: int) -> None:
    (jupyter.folder / f"run_{name}").write_bytes((jupyter.folder / name).read_bytes())
    with jupyter.open(f"run_{name}", run=False) as (page, trouble):
        run_all(page)
        cells = page.evaluate(
            """jupyterapp.shell.currentWidget.content.widgets
              .map((cell, i) => (cell.model.type === "code" ? [i, cell.model.sharedModel.source] : [i, ""]))
              .filter(([, source]) => source.includes("cw.explore(")).map(([i]) => i)"""
        )
        assert len(cells) == explorers
        for cell in cells:
            page.evaluate("(i) => jupyterapp.shell.currentWidget.content.scrollToItem(i, 'start')", cell)
            root = page.locator(f".jp-Cell[data-windowed-list-index='{cell}'] .cnnw-explorer")
            expect(root.locator("[data-layer]").first).to_be_visible(timeout=60_000)
            expect(root.locator(".cnnw-gone")).to_have_count(0)
        assert ask(page, "print({type(w).__name__: w.status for w in [e]})") == "{'Explorer': 'ready'}"
        assert (trouble.console, trouble.external, trouble.failed) == ([], [], [])


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
