"""The built ranking in headless Chromium: bars, switches by mouse and keys, groups, saving."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser

from cnnwidgets.widgets.filter_ranking import FilterRanking
from tests.widgets.plain_page import Open, colours, follow, pages


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    with pages(browser, tmp_path) as open_page:
        yield open_page


def ranked() -> FilterRanking:
    widget = FilterRanking(switchable=True, hideable=True)
    drops = np.linspace(-0.5, 2.0, 30)
    widget.show_ranking("layer4", drops, target_name="tiger <i>cat</i>", score=5.0, notes=["A note."])
    return widget


def grouped(widget: FilterRanking) -> None:
    widget.set_picture(np.full((300, 300, 3), 255, np.uint8))
    maps = np.zeros((2, 1, 2))
    maps[0, 0, 0] = maps[1, 0, 1] = 3
    widget.show_groups(maps, np.eye(2, 30), explained=0.8, weights=[1.5, -0.5])


def test_of_no_layer_there_is_nothing_to_rank(opened: Open) -> None:
    view = opened(FilterRanking())
    assert view.locator("#root").inner_text().strip() == ""
    view.evaluate("undo()")


def test_bars_and_switches(opened: Open) -> None:
    widget = ranked()
    view = opened(widget)
    rows = view.locator(".fr-bars li")
    assert rows.count() == 10
    assert rows.first.get_attribute("data-channel") == "29"
    assert view.get_by_text("Fall of the logit of 5.00 without the filter").is_visible()
    assert view.get_by_text("tiger <i>cat</i>").is_visible(), "text, not HTML"
    assert rows.first.locator("i").evaluate("bar => bar.style.width") == "100%"
    view.get_by_role("button", name="More filters").click()
    assert rows.count() == 30
    assert rows.last.locator("i").get_attribute("class") == "fr-negative"
    view.get_by_role("switch", name="Filter 29 is on").focus()
    view.keyboard.press("Space")
    assert view.evaluate("[sent.at(-1).op, sent.at(-1).channel, sent.at(-1).off]") == ["switch", 29, True]
    widget.off, widget.effect = [29], "1 map switched off: cat 50 % → 40 %"
    follow(view, widget)
    assert "fr-off" in (rows.first.get_attribute("class") or "")
    assert view.evaluate("document.activeElement.dataset.switch") == "29", "the focus stays"
    assert view.get_by_text("cat 50 % → 40 %").is_visible()
    rows.nth(1).get_by_role("button").click()
    assert view.evaluate("[sent.at(-1).op, sent.at(-1).channel]") == ["choose", 28]


def test_work_and_cancelling(opened: Open) -> None:
    widget = FilterRanking()
    widget.show_layer("layer4", "cat")
    view = opened(widget, width=360)
    view.get_by_role("button", name="Rank the filters").click()
    assert view.evaluate("[sent.at(-1).op, sent.at(-1).job]") == ["start", "ranking"]
    widget.begin("ranking", "Ranking the filters · 3 s left")
    follow(view, widget)
    assert view.get_by_text("3 s left").filter(visible=True).is_visible()
    view.get_by_role("button", name="Cancel").filter(visible=True).click()
    assert view.evaluate("sent.at(-1).op") == "cancel"
    widget.stop("Stopped.")
    follow(view, widget)
    assert view.get_by_text("Stopped.").is_visible()
    assert view.get_by_role("button", name="Rank the filters").is_visible()
    widget.show_layer("relu", "cat", "relu is a torch call.")
    follow(view, widget)
    assert view.get_by_text("relu is a torch call.").is_visible()
    assert view.get_by_role("button").filter(visible=True).count() == 1, "Save, which is disabled"


@pytest.mark.parametrize("dark", [False, True])
def test_groups_are_colours_that_can_be_hidden_and_saved(opened: Open, tmp_path: Path, dark: bool) -> None:
    widget = ranked()
    grouped(widget)
    view = opened(widget, dark=dark)
    # 200 of 255 of the group's colour over white.
    pixels = colours(view, ".fr-photo")
    np.testing.assert_allclose(pixels[100][10], np.array([230, 159, 0]) * 200 / 255 + 55, atol=2)
    np.testing.assert_allclose(pixels[100][290], np.array([86, 180, 233]) * 200 / 255 + 55, atol=2)
    assert view.get_by_text("The groups make up 80.0 % of the layer's maps.").is_visible()
    assert view.get_by_text("−0.500 of the score").is_visible()
    view.get_by_role("checkbox", name="Group 1").uncheck()
    assert view.evaluate("model.get('hidden')") == [0]
    np.testing.assert_allclose(colours(view, ".fr-photo")[100][10], [255, 255, 255], atol=2)
    with view.expect_download() as download:
        view.get_by_role("button", name="Save").click()
    assert download.value.suggested_filename == "Filters-of-layer4-tiger-i-cat-i.png"
    download.value.save_as(tmp_path / "ranking.png")
    saved = np.asarray(Image.open(tmp_path / "ranking.png").convert("RGB"))
    assert (saved == [11, 107, 203]).all(-1).sum() > 1000, "the bars"


def test_groups_have_their_places_beside_them(opened: Open) -> None:
    widget = ranked()
    grouped(widget)
    reds = [np.full((4, 4, 3), (50 * number, 0, 0), np.uint8) for number in range(3)]
    crops = [SimpleNamespace(pixels=pixels, value=4.0 - at, image=at) for at, pixels in enumerate(reds)]
    widget.show_group_places([crops[:1], crops[1:]])
    view = opened(widget)
    first, second = view.locator("[data-group]").all()
    assert (first.locator("canvas").count(), second.locator("canvas").count()) == (1, 2)
    assert colours(view, "[data-group] canvas", 2)[1][1] == [100, 0, 0]
    assert view.get_by_role("img", name="Place that excites group 2, image 1: 3.00").is_visible()
