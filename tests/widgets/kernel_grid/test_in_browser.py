"""The built kernel grid in headless Chromium: pixels, hover, keys, Save."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

import cnnwidgets as cw
from tests.canvas import rgba
from tests.widgets.plain_page import Open, pages


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    with pages(browser, tmp_path) as open_page:
        yield open_page


def pixels(view: Page, channel: int) -> np.ndarray:
    return rgba(view.locator(f'[data-channel="{channel}"] canvas').first).astype(int)


def order(view: Page) -> list[int]:
    return view.eval_on_selector_all("[data-channel]", "cells => cells.map(cell => Number(cell.dataset.channel))")


def get(view: Page, trait: str) -> object:
    return view.evaluate("name => model.get(name)", trait)


def test_signed_colours_per_filter_and_per_layer(opened: Open) -> None:
    kernels = np.array([[[[1.0, -1.0]]], [[[4.0, 0.0]]], [[[np.nan, 2.0]]]])
    view = opened(cw.KernelGrid(kernels, layer="conv1"), 900)
    red, blue = pixels(view, 0)[0, :, :3]
    assert red[0] > 100 > red[2]
    assert blue[2] > 80 > blue[0]
    assert pixels(view, 2)[0, 0, :3].tolist() == [255, 0, 255]
    assert "1 weight is NaN" in view.locator(".kg-note").inner_text()
    ends = view.locator(".cnnw-ends span")
    assert ends.all_inner_texts() == ["− its largest weight", "0", "+ its largest weight"]
    view.get_by_label("Scale").select_option("layer")
    view.wait_for_timeout(50)
    assert ends.all_inner_texts() == ["−4.00", "0", "+4.00"]
    paler = pixels(view, 0)[0, 0, :3]
    assert paler[1] > red[1], "1 of 4 is paler than 1 of 1"
    assert pixels(view, 1)[0, 0, :3].tolist() == red.tolist()


def test_three_inputs_are_colours_or_one_at_a_time(opened: Open) -> None:
    kernels = np.zeros((2, 3, 1, 2))
    kernels[0, :, 0, 0] = [2.0, 0.0, -2.0]
    kernels[1] = 1
    view = opened(cw.KernelGrid(kernels), 900)
    assert pixels(view, 0)[0, :, :3].tolist() == [[255, 128, 1], [128, 128, 128]]
    assert "red, green and blue" in view.locator(".kg-bar").inner_text()
    view.locator('[data-channel="0"] canvas').hover(position={"x": 12, "y": 28})
    assert view.locator(".kg-reading").inner_text() == "filter 0, row 0, column 0: red 2.00, green 0, blue −2.00"
    view.get_by_label("Input channel").select_option("2")
    view.wait_for_timeout(50)
    assert get(view, "input") == 2
    assert pixels(view, 0).shape == (1, 2, 4)
    blue = pixels(view, 0)[0, 0, :3]
    assert blue[2] > blue[0]
    view.locator('[data-channel="0"] canvas').hover(position={"x": 12, "y": 28})
    assert view.locator(".kg-reading").inner_text() == "filter 0, input 2, row 0, column 0: −2.00"


def test_sort_click_keys_and_the_large_filter(opened: Open) -> None:
    rng = np.random.default_rng(0)
    kernels = rng.normal(size=(20, 5, 3, 3))
    kernels[7] *= 9
    kernels[3] = 0
    kernels[9] = -kernels[4]
    view = opened(cw.KernelGrid(kernels, layer="conv"), 900)
    assert order(view) == list(range(20))
    view.get_by_label("Sort").select_option("norm")
    view.wait_for_timeout(50)
    norms = np.sqrt((kernels**2).sum((1, 2, 3)))
    assert order(view)[0] == 7
    assert order(view)[-1] == 3
    assert (np.diff(norms[order(view)]) <= 1e-6).all()
    assert view.locator('[data-channel="3"] .kg-mark').inner_text() == "dead"
    assert view.locator(".kg-mark").count() == 3
    view.locator('[data-channel="4"]').click()
    assert get(view, "channel") == 4
    assert "nearly a multiple of 9 (cosine −1.00)" in view.locator(".kg-about").inner_text()
    large = view.locator(".kg-large")
    box = large.bounding_box()
    assert box
    # 7 × 11 pixels, fitted in the middle of the box: the first of them is that of input 0.
    factor = min(box["width"] / 7, box["height"] / 11)
    large.hover(position={"x": (box["width"] - 7 * factor) / 2 + 4, "y": 4})
    value = f"{kernels[4, 0, 0, 0]:.3g}".replace("-", "−")
    assert view.locator(".kg-reading").inner_text() == f"filter 4, input 0, row 0, column 0: {value}"
    here = order(view).index(4)
    view.keyboard.press("ArrowRight")
    focused = "Number(document.activeElement.dataset.channel)"
    assert view.evaluate(focused) == order(view)[here + 1]
    view.keyboard.press("Enter")
    assert get(view, "channel") == order(view)[here + 1]
    view.keyboard.press("Home")
    assert view.evaluate(focused) == 7
    view.keyboard.press("ArrowDown")
    across = order(view).index(view.evaluate(focused))
    assert across > 1
    tops = view.eval_on_selector_all("[data-channel]", "cells => cells.map(cell => cell.offsetTop)")
    assert tops[across] > tops[across - 1]
    view.keyboard.press("Escape")
    assert get(view, "channel") is None
    assert not view.locator(".kg-detail").is_visible()
    assert view.locator('[tabindex="0"][data-channel]').count() == 1


def test_save(opened: Open) -> None:
    kernels = np.random.default_rng(0).normal(size=(12, 3, 5, 5))
    view = opened(cw.KernelGrid(kernels, layer="features.0", network="vgg16"), 900)
    with view.expect_download() as download:
        view.get_by_role("button", name="Save").click()
    assert download.value.suggested_filename == "Kernels-of-features.0-vgg16.png"
    image = Image.open(io.BytesIO(Path(download.value.path()).read_bytes()))
    colours = len(np.unique(np.asarray(image.convert("RGB")).reshape(-1, 3), axis=0))
    assert image.width == 2 * 1048
    assert colours > 100, "the kernels are in it"


def test_empty_and_undone(opened: Open) -> None:
    view = opened(cw.KernelGrid(), 900)
    assert view.get_by_text("No kernels yet.").is_visible()
    assert not view.locator(".kg-body").is_visible()
    view.evaluate("undo()")
    assert view.evaluate("listening()") <= 1
    assert view.evaluate("document.getElementById('root').childElementCount") == 0


@pytest.mark.parametrize("shape", [(6, 1, 3, 3), (6, 2, 2, 3, 3), (6, 4, 7), (6, 40), (300, 64, 1, 1)])
def test_other_layers(opened: Open, shape: tuple[int, ...]) -> None:
    view = opened(cw.KernelGrid(np.random.default_rng(0).normal(size=shape), layer="x"), 500)
    assert len(order(view)) == shape[0]
    assert (pixels(view, 0)[..., 3] > 0).any()
    wide = view.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0
