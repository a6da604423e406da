"""Hiding a part in an Explorer in JupyterLab: mouse, keys, a sweep that is cancelled, a page that is reloaded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.cells import PREPARE
from tests.browser.lab import Lab, Trouble, ask, idle

# While there is a file "slow", each forward waits for a file "turn", and takes it.
CELL = f"""{PREPARE}
import time
from pathlib import Path
class Slow(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nets.plain()
        self.rest = 0.0
    def forward(self, x):
        while self.rest and Path("slow").exists():
            try:
                Path("turn").unlink()
                break
            except FileNotFoundError:
                time.sleep(self.rest)
        return self.inner(x)
torch.manual_seed(1)
model = Slow().eval()
labels = ["ant", "bee", "cat", "dog", "eel"]
e = cw.explore(model, torch.rand(1, 3, 40, 40), labels=labels)
e.panel = "hide"
e"""


@pytest.fixture(scope="module")
def folder(jupyter: Lab) -> Path:
    """Where the notebook runs."""
    return jupyter.folder


@pytest.fixture(scope="module")
def shown(jupyter: Lab) -> Iterator[tuple[Page, Trouble]]:
    with jupyter.open(jupyter.notebook("occluder", CELL), width=1300, height=1000) as (page, trouble):
        page.locator(".cnnw-occluder .oc-stage").wait_for(timeout=60_000)
        idle(page)
        yield page, trouble
        assert trouble.console == []
        assert trouble.external == []


def trait(page: Page, name: str) -> Any:
    return json.loads(ask(page, f"import json; print(json.dumps(e.occluder.{name}))"))


def expected(page: Page) -> dict[int, float]:
    """The probabilities of the edited image by the whole model, in the kernel."""
    code = """import json
from cnnwidgets.explorer.panels.filling import Filling
picture = e._scene.picture
image = Filling(picture.tensor, picture.pixels).edited(e.occluder.patches)
with torch.no_grad():
    print(json.dumps(model(image)[0].softmax(0).tolist()))"""
    return dict(enumerate(json.loads(ask(page, code))))


def bars(page: Page) -> dict[int, float]:
    rows = page.locator(".cnnw-occluder .oc-bars li").evaluate_all("all => all.map((e) => ({ ...e.dataset }))")
    return {int(row["class"]): float(row["after"]) for row in rows}


def settled(page: Page) -> None:
    """Nothing is computed, nothing is asked."""
    page.wait_for_timeout(300)
    page.wait_for_function("document.querySelector('.cnnw-occluder').ariaBusy !== 'true'", timeout=60_000)
    page.wait_for_function("document.querySelector('.cnnw-occluder').getAttribute('aria-busy') !== 'true'")
    idle(page)
    page.wait_for_timeout(100)


SWEPT = "print(e.occluder._pushed['sweep'][0]['id'] if 'sweep' in e.occluder._pushed else 0)"


def sweep_until_drawn(page: Page, folder: Path) -> None:
    """Let the network run, one forward at a time, until the sweep has sent what it has measured since."""
    before = ask(page, SWEPT)
    while ask(page, SWEPT) == before:
        (folder / "turn").touch()


def cancel(page: Page, folder: Path) -> None:
    """Press Cancel; the network runs on once Python knows of it."""
    page.locator(".cnnw-occluder").get_by_role("button", name="Cancel").click()
    ask(page, "")  # the kernel reads in turn: what is answered comes after the click
    (folder / "slow").unlink()
    settled(page)
    assert trait(page, "sweep") == "stopped"


def test_the_mouse_drags_and_the_bars_follow(shown: tuple[Page, Trouble]) -> None:
    page, _ = shown
    stage = page.locator(".cnnw-occluder .oc-stage")
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.3)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + box["height"] * 0.5, steps=40)
    page.mouse.up()
    settled(page)
    (patch,) = trait(page, "patches")
    assert abs(patch["left"] + patch["width"] / 2 - 28) <= 1
    assert abs(patch["top"] + patch["height"] / 2 - 20) <= 1
    assert bars(page) == pytest.approx(expected(page), abs=1e-5)
    asked = int(ask(page, "print(e.occluder._pushed['scores'][0]['move'])"))
    assert asked > 0
    assert page.locator(".cnnw-occluder .oc-heat").is_visible()


def test_keys_move_it_and_undo_brings_it_back(shown: tuple[Page, Trouble]) -> None:
    page, _ = shown
    before = trait(page, "patches")
    page.locator(".cnnw-occluder .oc-stage").focus()
    for key in ("ArrowLeft", "ArrowLeft", "Shift+ArrowUp", "+"):
        page.keyboard.press(key)
    settled(page)
    moved = trait(page, "patches")
    assert moved[0]["width"] == before[0]["width"] + 1
    assert moved[0]["top"] < before[0]["top"] - 3
    assert bars(page) == pytest.approx(expected(page), abs=1e-5)
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    settled(page)
    assert trait(page, "patches") == before
    assert bars(page) == pytest.approx(expected(page), abs=1e-5)
    ask(page, "e.occluder.patches = [[5, 6, 7, 8]]")
    settled(page)
    assert bars(page) == pytest.approx(expected(page), abs=1e-5), "a script moves it as well"


def test_a_sweep_is_cancelled_and_what_is_done_stays(shown: tuple[Page, Trouble], folder: Path) -> None:
    page, _ = shown
    ask(page, "model.rest = 0.01; e.occluder.size = 4; e.occluder.stride = 1")
    (folder / "slow").touch()
    page.get_by_role("button", name="Sweep", exact=True).click()
    sweep_until_drawn(page, folder)
    page.locator(".cnnw-occluder .oc-map").wait_for(timeout=20_000)
    assert page.locator(".cnnw-occluder .cnnw-work").is_visible()
    cancel(page, folder)
    assert page.get_by_text("Stopped at ").is_visible()
    known = """from tests.explorer.shown import pushed
known = pushed(e.occluder, "sweep")[1]["known"]
print(int(known.sum()), known.size)"""
    measured, places = map(int, ask(page, known).split())
    assert 0 < measured < places == 37 * 37


def test_a_page_that_is_reloaded_in_a_sweep_shows_where_it_is(shown: tuple[Page, Trouble], folder: Path) -> None:
    page, _ = shown
    (folder / "slow").touch()
    page.get_by_role("button", name="Sweep", exact=True).click()
    sweep_until_drawn(page, folder)
    page.locator(".cnnw-occluder .oc-map").wait_for(timeout=20_000)
    page.evaluate("jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_function("!jupyterapp.shell.currentWidget.context.model.dirty")
    page.reload()
    page.wait_for_function("window.jupyterapp?.shell?.currentWidget?.context?.isReady", timeout=60_000)
    page.locator(".cnnw-occluder .oc-map").wait_for(timeout=60_000)
    assert trait(page, "sweep") == "running", "the test's sweep is too short"
    assert page.locator(".cnnw-occluder .cnnw-work").is_visible()
    drawn = page.locator(".cnnw-occluder .oc-sweep")
    before = int(drawn.get_attribute("data-drawn") or 0)
    sweep_until_drawn(page, folder)
    page.wait_for_function(
        "(before) => Number(document.querySelector('.cnnw-occluder .oc-sweep').dataset.drawn) > before", arg=before
    )
    (patch,) = trait(page, "patches")
    assert f'"top":{patch["top"]},"left":{patch["left"]}' in (
        page.locator(".cnnw-occluder").get_attribute("data-patches") or ""
    )
    cancel(page, folder)
