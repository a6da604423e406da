"""Patches over the photograph, in a real JupyterLab: dragged by mouse and keyboard, swept, cancelled, reloaded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from playwright.sync_api import Locator, expect

import cnnwidgets as cw
from tests.browser.cells import explore, prepare
from tests.browser.explorer_page import ExplorerPage
from tests.browser.lab import Lab, Trouble, ask, command, idle


@pytest.fixture(scope="module")
def opened(jupyter: Lab) -> Iterator[tuple[ExplorerPage, Trouble]]:
    with jupyter.open(jupyter.notebook("hide", "", ""), run=False, width=1440, height=1300, fresh=False) as (
        page,
        trouble,
    ):
        prepare(page)
        explore(page, "cw.explore()")
        explorer = ExplorerPage(page)
        explorer.wait_until_complete()
        explorer.root.get_by_role("tab", name="Hide a part").click()
        yield explorer, trouble


def _occluder(e: ExplorerPage) -> Locator:
    return e.root.locator(".cnnw-occluder")


def _patches(e: ExplorerPage) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(ask(e.page, "import json; print(json.dumps(e.occluder.patches))"))
    return found


def _share(demo: cw.demo.Demo, patches: list[dict[str, Any]]) -> float:
    """Of tiger cat, by the whole model on the photograph with mid-grey patches."""
    grey = (127.5 / 255 - 0.498) / 0.502
    x = demo.preprocess.apply(demo.images["chelsea"]).clone()
    for patch in patches:
        top, left = patch["top"], patch["left"]
        rows, columns = slice(max(0, top), top + patch["height"]), slice(max(0, left), left + patch["width"])
        x[..., rows, columns] = grey
    with torch.no_grad():
        return float(demo.model(x).softmax(1)[0, 282])


def _shown_share(e: ExplorerPage) -> float:
    """Percent beside tiger cat in the Explorer's bars."""
    return float(
        ask(e.page, "import numpy as np; z = e.scores._logits; p = np.exp(z - z.max()); print(100 * p[282] / p.sum())")
    )


def _settled(e: ExplorerPage) -> None:
    e.page.wait_for_timeout(300)
    e.wait_until_ready()


def test_the_mouse_drags_a_patch_and_the_bars_follow(e: ExplorerPage, demo: cw.demo.Demo, artefacts: Path) -> None:
    stage = _occluder(e).locator(".oc-stage")
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 4, box["y"] + box["height"] / 4
    e.page.mouse.move(x, y)
    e.page.mouse.down()
    e.page.mouse.move(x + 60, y + 50, steps=25)
    e.page.mouse.up()
    _settled(e)
    (patch,) = _patches(e)
    assert _shown_share(e) == pytest.approx(100 * _share(demo, [patch]), abs=0.15)
    expect(_occluder(e)).to_contain_text("37.9 %")  # what it was
    e.root.screenshot(path=artefacts / "hide.png")


def test_the_keyboard_moves_and_resizes_it_and_undo_takes_it_back(e: ExplorerPage, demo: cw.demo.Demo) -> None:
    (before,) = _patches(e)
    _occluder(e).locator(".oc-stage").focus()
    e.page.keyboard.press("ArrowRight")
    e.page.keyboard.press("ArrowDown")
    e.page.keyboard.press("+")
    _settled(e)
    (after,) = _patches(e)
    assert after["left"] != before["left"]
    assert after["height"] > before["height"]
    assert _shown_share(e) == pytest.approx(100 * _share(demo, [after]), abs=0.15)
    undo = _occluder(e).get_by_role("button", name="Undo")
    while undo.is_enabled():
        undo.click()
        e.page.wait_for_timeout(50)  # the button follows in the next frame
    _settled(e)
    assert _patches(e) == []
    assert _shown_share(e) == pytest.approx(37.9, abs=0.05)


def test_a_sweep_is_cancelled_and_what_is_done_stays(e: ExplorerPage) -> None:
    occluder = _occluder(e)
    occluder.get_by_label("Stride").fill("4")
    occluder.get_by_label("Stride").press("Enter")
    occluder.get_by_role("button", name="Sweep").click()
    cancel = occluder.get_by_role("button", name="Cancel")
    expect(cancel).to_be_visible()
    occluder.locator("[data-drawn]").wait_for(timeout=20_000)
    cancel.click()
    expect(cancel).to_be_hidden()
    expect(occluder).to_contain_text("Stopped at")
    expect(occluder.locator("[data-drawn]")).to_be_visible()
    e.wait_until_ready()


def test_a_page_reloaded_in_the_middle_of_a_sweep_shows_it_again(e: ExplorerPage) -> None:
    _occluder(e).get_by_label("Stride").fill("7")
    _occluder(e).get_by_label("Stride").press("Enter")
    _occluder(e).get_by_role("button", name="Sweep").click()
    _occluder(e).get_by_role("button", name="Cancel").wait_for()
    command(e.page, "docmanager:save")
    e.page.wait_for_timeout(500)
    e.page.reload()
    e.page.wait_for_function("window.jupyterapp?.shell?.currentWidget?.context?.isReady", timeout=60_000)
    e.root.wait_for(timeout=60_000)
    idle(e.page)
    assert ask(e.page, "print(e.panel)") == "hide"
    occluder = _occluder(e)
    occluder.locator("[data-drawn]").wait_for(timeout=60_000)
    expect(occluder.get_by_role("button", name="Cancel")).to_be_hidden(timeout=120_000)
    e.wait_until_ready()
    expect(occluder).not_to_contain_text("Stopped at")
    assert ask(e.page, "print(e.status)") == "ready"
