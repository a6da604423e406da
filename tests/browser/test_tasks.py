"""A region is drawn on the picture of a segmentation, and a box of a detection picked, in the browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.cells import explore, prepare
from tests.browser.explorer_page import ExplorerPage
from tests.browser.lab import Lab, Trouble, ask

SETUP = """
import torch, numpy as np, cnnwidgets as cw
from tests.explorer.test_tasks import Segmenter, Detector
picture = cw.demo.photographs()['chelsea'].convert('RGB').resize((240, 160))
tensor = torch.from_numpy(np.asarray(picture).copy()).permute(2, 0, 1)[None].float() / 255
Detector.boxes = torch.tensor([[20., 10, 120, 100], [90, 60, 220, 150], [0, 0, 3, 3]])
"""


@pytest.fixture(scope="module")
def opened(jupyter: Lab) -> Iterator[tuple[ExplorerPage, Trouble]]:
    with jupyter.open(jupyter.notebook("tasks", "", ""), run=False, height=1300, fresh=False) as (page, trouble):
        prepare(page)
        assert ask(page, SETUP) == ""
        yield ExplorerPage(page), trouble


def _point(e: ExplorerPage, row: float, column: float, size: tuple[int, int]) -> tuple[float, float]:
    box = e.overlay.locator(".cnnw-ho-map").bounding_box()
    assert box is not None
    return box["x"] + column / size[1] * box["width"], box["y"] + row / size[0] * box["height"]


def test_a_region_is_drawn(e: ExplorerPage, artefacts: Path) -> None:
    explore(e.page, "cw.explore(Segmenter().eval(), tensor, labels=['background', 'road', 'tree'])")
    e.wait_until_complete()
    sentence = e.overlay.locator(".cnnw-ho-explains")
    expect(sentence).to_contain_text("over the whole picture")
    before = e.scores.locator(".cnnw-class-scores-bars").inner_text()
    e.overlay.locator(".cnnw-ho-map").scroll_into_view_if_needed()
    e.page.mouse.move(*_point(e, 40.5, 60.5, (160, 240)))
    e.page.mouse.down()
    e.page.mouse.move(*_point(e, 60.5, 80.5, (160, 240)), steps=4)
    e.page.mouse.move(*_point(e, 79.5, 119.5, (160, 240)), steps=4)
    e.page.mouse.up()
    e.wait_for_trait("region", [40, 60, 40, 60])
    expect(sentence).to_contain_text("in the box of 40 × 60 pixels (height × width) at row 40, column 60")
    e.wait_until_ready()
    assert e.scores.locator(".cnnw-class-scores-bars").inner_text() != before
    expect(e.overlay.locator(".cnnw-ho-region")).to_be_visible()
    e.root.screenshot(path=artefacts / "task-region.png")
    e.page.mouse.click(*_point(e, 100.5, 200.5, (160, 240)))
    e.wait_for_trait("region", [100, 200])
    expect(sentence).to_contain_text("in the segment around row 100, column 200")
    e.wait_until_ready()
    e.root.screenshot(path=artefacts / "task-segment.png")
    e.overlay.get_by_role("button", name="Whole picture").click()
    e.wait_for_trait("region", [])
    expect(sentence).to_contain_text("over the whole picture")


def test_a_detection_is_picked(e: ExplorerPage, artefacts: Path) -> None:
    explore(e.page, "cw.explore(Detector().eval(), tensor, labels=['none', 'cat', '<b>dog</b>'])")
    e.wait_until_complete()
    marks = e.overlay.locator(".cnnw-ho-mark")
    expect(marks).to_have_count(2)
    expect(marks.nth(1)).to_contain_text("<b>dog</b>")
    expect(marks.nth(0)).to_have_attribute("aria-pressed", "true")
    e.overlay.locator(".cnnw-ho-map").scroll_into_view_if_needed()
    e.page.mouse.click(*_point(e, 140, 200, (160, 240)))
    e.wait_for_trait("target", 1)
    expect(marks.nth(1)).to_have_attribute("aria-pressed", "true")
    e.wait_until_ready()
    expect(e.overlay.locator(".cnnw-ho-explains")).to_contain_text("box 2")
    e.root.screenshot(path=artefacts / "task-detection.png")
    marks.nth(0).focus()
    e.page.keyboard.press("Enter")
    e.wait_for_trait("target", 0)
