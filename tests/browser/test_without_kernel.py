"""A notebook that is reopened, and whose kernel is gone."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from ipywidgets.embed import dependency_state
from nbconvert import HTMLExporter
from nbformat.sign import NotebookNotary
from PIL import Image
from playwright.sync_api import Browser, Page, expect

import cnnwidgets as cw
from tests.browser.cells import PREPARE
from tests.browser.lab import Lab, idle, within
from tests.widgets.test_still import MAKERS

STILL = 'img[src^="data:image/png"]'
CELLS = {
    "explorer": "cw.explore(nets.plain(), torch.rand(1, 3, 48, 48))",
    "overlay": "cw.HeatmapOverlay(np.full((32, 32, 3), 90, np.uint8), np.eye(4), caption='a caption', unit='units')",
    "scores": "cw.ClassScores([0.0, 2.0], labels=['cat', 'dog'])",
}


def _saved(page: Page, lab: Lab, name: str) -> nbformat.NotebookNode:
    page.evaluate(within("jupyterapp.shell.currentWidget.context.save()", 60))
    return nbformat.read(lab.folder / name, as_version=4)


@pytest.fixture(scope="module")
def notebook(jupyter: Lab, artefacts: Path) -> str:
    """Run, looked at while it lives, and saved."""
    name = jupyter.notebook("kept", PREPARE, *CELLS.values())
    with jupyter.open(name, fresh=False) as (page, trouble):
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


SENTENCE = "The live widget needs a running kernel: run the cell again."


def _training() -> cw.TrainingView:
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.Flatten(), torch.nn.Linear(144, 2))
    view = cw.TrainingView(net, "0", images=torch.rand(2, 1, 8, 8))
    view.step(epoch=1, loss=0.5)
    return view


WIDGETS = {
    **{kind: MAKERS[kind] for kind in ("explorer", "overlay", "filter", "filters", "stepper")},
    "image input": MAKERS["image input"],
    "training": _training,
    "exercise": lambda: cw.Exercise("1 + 1?", {"11": "Side by side.", "2": "Added."}, "2"),
}


def _book(folder: Path, with_state: bool) -> Path:
    """A notebook with an output of each widget, as a kernel would have left it."""
    widgets = {kind: make() for kind, make in WIDGETS.items()}
    book = nbformat.v4.new_notebook(metadata={"kernelspec": {"display_name": "Python 3", "name": "python3"}})
    for widget in widgets.values():
        data, _ = widget._repr_mimebundle_()
        picture = {"image/png": data.pop("image/png")}
        outputs = [nbformat.v4.new_output("display_data", data) for data in (data, picture)]
        book.cells.append(nbformat.v4.new_code_cell("", outputs=outputs))
    if with_state:
        state = dependency_state(list(widgets.values()), drop_defaults=False)
        held = {"version_major": 2, "version_minor": 0, "state": state}
        book.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": held}
    for widget in widgets.values():
        widget.close()
    nbformat.write(book, folder / "book.ipynb")
    return folder / "book.ipynb"


def test_saved_with_its_state_a_widget_says_what_it_needs_and_an_exercise_goes_on(
    jupyter: Lab, artefacts: Path
) -> None:
    book = _book(jupyter.folder, with_state=True)
    NotebookNotary(data_dir=str(jupyter.folder / ".home" / "data")).sign(nbformat.read(book, 4))  # trusted
    with jupyter.open(book.name, run=False, height=6000) as (page, trouble):
        exercise = page.locator(".cnnw-exercise")
        exercise.wait_for()
        page.wait_for_timeout(1000)
        outputs = page.locator(".jp-OutputArea:has(.cnnw)")
        expect(outputs).to_have_count(len(WIDGETS))
        for kind, output in zip(WIDGETS, outputs.all(), strict=True):
            asleep = kind != "exercise"
            assert output.get_by_text(SENTENCE).filter(visible=True).count() == asleep, kind
            assert output.locator(STILL).filter(visible=True).count() == asleep, kind
            controls = output.locator(":is(button, input, select, summary, textarea, [tabindex]):not([inert] *)")
            assert controls.filter(visible=True).count() == (0 if asleep else 3), kind
            assert output.get_by_text("Waiting for").filter(visible=True).count() == 0, kind
        exercise.get_by_label("11").check()
        exercise.get_by_role("button", name="Check").click()
        expect(exercise.get_by_role("status")).to_have_text("✗ Not so. Side by side.")
        page.screenshot(path=artefacts / "without_kernel_with_state.png")
        assert (trouble.console, trouble.failed) == ([], [])


@pytest.mark.parametrize("with_state", [False, True])
def test_exported_to_html_the_pictures_stand_there_without_a_network(
    browser: Browser, tmp_path: Path, with_state: bool
) -> None:
    html, _ = HTMLExporter().from_filename(_book(tmp_path, with_state))
    (tmp_path / "page.html").write_text(html)
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.goto((tmp_path / "page.html").as_uri(), wait_until="domcontentloaded")
    stills = page.locator(STILL)
    expect(stills).to_have_count(len(WIDGETS))
    for still in stills.all():
        expect(still).to_be_visible()
        assert still.evaluate("async (e) => { await e.decode(); return e.naturalWidth; }") > 100
    assert page.get_by_text("model not found").count() == page.get_by_text("Waiting for").count() == 0
    context.close()
