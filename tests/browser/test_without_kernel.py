"""A notebook that is reopened, and whose kernel is gone."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import nbformat
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.cells import PREPARE
from tests.browser.lab import Lab, idle

STILL = 'img[src^="data:image/png"]'
CELLS = {
    "explorer": "cw.explore(nets.plain(), torch.rand(1, 3, 48, 48))",
    "overlay": "cw.HeatmapOverlay(np.full((32, 32, 3), 90, np.uint8), np.eye(4), caption='a caption', unit='units')",
    "scores": "cw.ClassScores([0.0, 2.0], labels=['cat', 'dog'])",
}


def _saved(page: Page, lab: Lab, name: str) -> nbformat.NotebookNode:
    page.evaluate("jupyterapp.shell.currentWidget.context.save()")
    return nbformat.read(lab.folder / name, as_version=4)


@pytest.fixture(scope="module")
def notebook(jupyter: Lab, artefacts: Path) -> str:
    """Run, looked at while it lives, and saved."""
    name = jupyter.notebook("kept", PREPARE, *CELLS.values())
    with jupyter.open(name) as (page, trouble):
        page.locator(".cnnw-explorer").wait_for()
        page.locator(".cnnw-class-scores button[data-class]").first.wait_for()
        idle(page)
        # The pictures are there, and only the live widgets are seen.
        stills = page.locator(f".jp-OutputArea-child {STILL}")
        expect(stills).to_have_count(len(CELLS))
        for place in range(len(CELLS)):
            expect(stills.nth(place)).to_be_hidden()
        page.screenshot(path=artefacts / "with_kernel.png")
        book = _saved(page, jupyter, name)
        assert (trouble.console, trouble.external, trouble.failed) == ([], [], [])
    for cell in book.cells[1:]:
        first, second = cell.outputs
        assert "needs a running kernel: run the cell again" in first.data["text/plain"]
        picture = base64.b64decode(second.data["image/png"])
        assert len(picture) < 150_000
        assert np.ptp(np.asarray(Image.open(io.BytesIO(picture)).convert("L"))) > 100
    return name


@pytest.mark.parametrize("dark", [False, True])
def test_without_its_kernel_a_widget_is_a_picture_and_a_sentence(
    jupyter: Lab, notebook: str, artefacts: Path, dark: bool
) -> None:
    with jupyter.open(notebook, run=False, dark=dark) as (page, _):
        page.wait_for_timeout(1500)
        stills = page.locator(f".jp-OutputArea-child {STILL}")
        expect(stills).to_have_count(len(CELLS))
        for place in range(len(CELLS)):
            stills.nth(place).scroll_into_view_if_needed()
            expect(stills.nth(place)).to_be_visible()
        page.evaluate("document.querySelector('.jp-Notebook').scrollTop = 0")
        page.screenshot(path=artefacts / f"without_kernel{'_dark' * dark}.png", full_page=True)
