"""The built gallery in headless Chromium: pixels, clicks, keys, order, saving."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

import cnnwidgets as cw
from tests.widgets.plain_page import Open, colours, follow, pages


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    with pages(browser, tmp_path) as open_page:
        yield open_page


def gallery() -> cw.FilterGallery:
    patches = np.zeros((5, 3, 3, 3), np.uint8)
    patches[:, ..., 0] = np.arange(5)[:, None, None] * 50
    photographs = np.full((5, 2, 2, 3), (0, 200, 0), np.uint8)
    return cw.FilterGallery(
        patches,
        layer="layer1.<b>conv</b>",
        channels=[3, 7, 10, 20, 30],
        values=[1.0, 5.0, 3.0, np.nan, 4.0],
        ratios=[2.0, 0.5, 1.0, np.nan, 1.5],
        beside=photographs,
        synthetic=True,
        about="512 steps, seed 7",
    )


def channels(view: Page) -> list[int]:
    numbers: list[int] = view.eval_on_selector_all(
        "[data-channel]", "cells => cells.map(c => Number(c.dataset.channel))"
    )
    return numbers


def test_cells_have_their_pictures_and_numbers(opened: Open) -> None:
    view = opened(gallery())
    assert channels(view) == [3, 7, 10, 20, 30]
    assert colours(view, '[data-channel="10"] canvas', 0)[1][1] == [100, 0, 0]
    assert colours(view, '[data-channel="10"] canvas', 1)[1][1] == [0, 200, 0]
    assert view.get_by_role("option", name="Filter 7, activation 5.00, 0.500 times the largest of a photograph").count()
    assert view.get_by_text("layer1.<b>conv</b>").is_visible(), "text, not HTML"
    assert view.locator(".cnnw-filter-gallery").count() == 1
    view.get_by_label("Sort").select_option("value")
    assert channels(view) == [7, 30, 10, 3, 20]


def test_click_and_keys_select(opened: Open) -> None:
    view = opened(gallery(), width=480)
    view.locator('[data-channel="7"]').click()
    assert view.evaluate("model.get('channel')") == 7
    assert view.locator('[data-channel="7"]').get_attribute("aria-selected") == "true"
    view.locator('[data-channel="7"]').focus()
    columns = view.eval_on_selector_all("[data-channel]", "c => c.filter(o => o.offsetTop === c[0].offsetTop).length")
    assert columns == 3
    view.keyboard.press("ArrowDown")
    assert view.evaluate("document.activeElement.dataset.channel") == "30"
    assert view.evaluate("model.get('channel')") == 7, "moving is not choosing"
    view.keyboard.press("Enter")
    assert view.evaluate("model.get('channel')") == 30
    view.keyboard.press("Home")
    assert view.evaluate("document.activeElement.dataset.channel") == "3"


def test_an_empty_gallery_says_so(opened: Open) -> None:
    empty = cw.FilterGallery()
    view = opened(empty)
    assert view.get_by_text("There are no pictures of filters yet.").is_visible()
    assert view.get_by_role("button", name="Save").is_disabled()
    empty.clear("Layer 'pool' has no filters.", layer="pool")
    follow(view, empty)
    assert view.get_by_role("status").filter(has_text="has no filters").is_visible()
    assert view.get_by_role("button", name="Save").is_disabled()
    view.evaluate("undo()")
    assert view.evaluate("listening()") == 1, "the channel's own"


@pytest.mark.parametrize("dark", [False, True])
def test_the_sheet_is_saved(opened: Open, tmp_path: Path, dark: bool) -> None:
    view = opened(gallery(), dark=dark)
    with view.expect_download() as download:
        view.get_by_role("button", name="Save").click()
    assert download.value.suggested_filename == "Filters-of-layer1.-b-conv-b.png"
    file = tmp_path / "sheet.png"
    download.value.save_as(file)
    sheet = np.asarray(Image.open(file).convert("RGB"))
    for colour in ([200, 0, 0], [0, 200, 0], [255, 255, 255]):
        assert (sheet == colour).all(-1).sum() > 1000
    view.get_by_role("status").filter(has_text="Saved").wait_for()


def test_images_are_made_and_cancelled_and_what_is_off_is_said(opened: Open) -> None:
    widget = gallery()
    widget.makes = True
    view = opened(widget, width=360)
    view.get_by_role("button", name="Make more images").click()
    assert view.evaluate("sent.at(-1).op") == "start"
    widget.show_progress(0.4, "8 images, 1 of 3 · 20 s left")
    follow(view, widget)
    assert view.get_by_text("20 s left").is_visible()
    assert view.get_by_role("button", name="Make more images").is_hidden()
    view.get_by_role("button", name="Cancel").click()
    assert view.evaluate("sent.at(-1).op") == "cancel"
    widget.clear("Nothing yet.", layer="layer2")
    widget.show_error(RuntimeError("no such luck"))
    widget.switched = "Without <b>2</b> channels of layer2."
    follow(view, widget)
    assert view.get_by_role("button", name="Make images").is_visible()
    assert view.get_by_role("alert").get_by_text("no such luck", exact=True).is_visible()
    assert view.get_by_text("Without <b>2</b> channels").is_visible(), "text, not HTML"
    view.get_by_role("button", name="Switch all on").click()
    assert view.evaluate("sent.at(-1).op") == "switch_all_on"
