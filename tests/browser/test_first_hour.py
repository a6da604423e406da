"""A laptop's first minutes: what is in sight, what answers a click, and what stays where it is."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Locator, expect

from tests.browser.explorer_page import ExplorerPage
from tests.browser.lab import Lab, Trouble
from tests.canvas import rgba

Box = tuple[float, float, float, float]


@pytest.fixture(scope="module")
def opened(jupyter: Lab) -> Iterator[tuple[ExplorerPage, Trouble]]:
    notebook = jupyter.notebook("first_hour", "import cnnwidgets as cw\ne = cw.explore()\ne", *["# below"] * 40)
    with jupyter.open(notebook, width=1440, height=900, fresh=False) as (page, trouble):
        e = ExplorerPage(page)
        e.wait_until_complete()
        yield e, trouble


@pytest.fixture(autouse=True)
def at_the_top(e: ExplorerPage) -> None:
    """The cell with the Explorer is where it is when it has run."""
    e.page.evaluate("document.querySelector('.jp-WindowedPanel-outer').scrollTo(0, 0)")
    e.page.mouse.move(5, 300)


def box(place: Locator) -> Box:
    """Left, top, right and bottom on the screen."""
    bounds = place.bounding_box()
    assert bounds
    return bounds["x"], bounds["y"], bounds["x"] + bounds["width"], bounds["y"] + bounds["height"]


def test_maps_and_overlay_answer_a_click_in_sight(e: ExplorerPage) -> None:
    before = e.painted_id()
    e.node("blocks.4").locator(".cnnw-ag-box").click()
    e.wait_for_maps_of("blocks.4")
    e.wait_for_new_map(before)
    bottom = 900 - 32  # JupyterLab's line of status
    stage, first_maps = e.overlay.locator(".cnnw-ho-stage"), e.maps.locator("[data-channel]").first
    for place in (e.node("blocks.4"), stage, first_maps, e.scores.locator("[data-class]").first):
        assert 0 < box(place)[1] < box(place)[3] < bottom
    assert box(stage)[2] < box(first_maps)[0], "beside each other"
    expect(e.overlay.locator(".cnnw-ho-caption")).to_have_text("Grad-CAM · blocks.4 → tiger cat (282)")
    assert e.root.bounding_box()["height"] < 1000  # type: ignore[index]


def test_graph_and_slider_never_disagree_unless_the_overlay_is_pinned(e: ExplorerPage) -> None:
    thumb = e.overlay.locator(".cnnw-ho-thumbs button").last
    thumb.click()
    e.wait_for_maps_of("bn2")
    assert e.trait("graph.selected") == e.trait("layer") == e.trait("overlay.layer") == "bn2"
    e.overlay.get_by_label("Pin").check()
    e.node("blocks.2").locator(".cnnw-ag-box").click()
    e.wait_for_maps_of("blocks.2")
    expect(e.overlay.locator(".cnnw-ho-caption")).to_contain_text("bn2")
    e.overlay.get_by_label("Pin").uncheck()
    expect(e.overlay.locator(".cnnw-ho-caption")).to_contain_text("blocks.2")


def test_a_click_on_the_classifier_says_why_nothing_changes(e: ExplorerPage) -> None:
    e.node("classifier").locator(".cnnw-ag-box").click()
    expect(e.maps).to_contain_text("1000 numbers")
    expect(e.overlay).to_contain_text("classifier has no map of the score. The overlay stays at")
    e.node("blocks.5").locator(".cnnw-ag-box").click()
    e.wait_for_maps_of("blocks.5")
    expect(e.overlay).not_to_contain_text("classifier has no map")


def test_the_wheel_reads_on_over_the_maps_and_scrolls_them_once_they_are_used(e: ExplorerPage) -> None:
    scrolled = "document.querySelector('.jp-WindowedPanel-outer').scrollTop"
    grid = e.maps.locator(".fm-scroll")
    left, top, _, _ = box(grid)
    e.page.evaluate("document.activeElement.blur()")
    e.page.mouse.move(left + 60, top + 60)
    e.page.mouse.wheel(0, 120)
    e.page.wait_for_function(f"{scrolled} >= 100")
    assert grid.evaluate("(grid) => grid.scrollTop") == 0
    e.page.evaluate("document.querySelector('.jp-WindowedPanel-outer').scrollTo(0, 0)")
    e.maps.locator("[data-channel]").first.click()
    before = e.page.evaluate(scrolled)
    e.page.mouse.move(left + 60, top + 60)
    e.page.mouse.wheel(0, 120)
    e.page.wait_for_function("document.querySelector('.cnnw-feature-maps .fm-scroll').scrollTop > 0")
    assert e.page.evaluate(scrolled) == before
    e.page.keyboard.press("Escape")


def test_nothing_in_the_header_moves_while_something_is_computed(e: ExplorerPage) -> None:
    places = [e.bar.get_by_role("button", name="Upload"), e.bar.get_by_label("Photograph"), e.scores, e.graph, e.root]
    at_rest = [box(place) for place in places]
    e.choose_method("Occlusion")
    cancel = e.bar.get_by_role("button", name="Cancel")
    cancel.wait_for()
    assert [box(place) for place in places] == at_rest
    left, top, right, bottom = box(cancel)
    cancel.click()
    e.wait_until_ready()
    under = e.page.evaluate(
        "([x, y]) => document.elementFromPoint(x, y).closest('button, select, input')?.className ?? ''",
        [(left + right) / 2, (top + bottom) / 2],
    )
    assert under == "", "a second click on Cancel hits nothing"
    assert [box(place) for place in places] == at_rest
    e.choose_method("Grad-CAM")
    e.wait_until_ready()


def test_where_the_map_says_nothing_the_photograph_is_as_it_is(e: ExplorerPage) -> None:
    e.node("blocks.2").locator(".cnnw-ag-box").click()
    e.wait_for_maps_of("blocks.2")
    e.page.wait_for_function(
        "(caption) => caption.textContent.includes('blocks.2')",
        arg=e.overlay.locator(".cnnw-ho-caption").element_handle(),
    )
    e.wait_until_ready()
    alpha = rgba(e.overlay.locator("canvas.cnnw-ho-map"))[..., 3]
    assert (alpha == 0).any()
    assert (alpha < 255).mean() > 0.2
    assert alpha.max() == 255
    assert len(np.unique(alpha)) > 20


def test_the_whole_photograph_shows_what_was_cropped(e: ExplorerPage) -> None:
    button = e.overlay.get_by_role("button", name="Cropped: sees 51 %")  # 262 of 300 by 262 of 451 pixels
    below = [e.overlay.locator(".cnnw-ho-bar"), e.overlay.locator(".cnnw-ho-methods"), e.root]
    at_rest = [box(place) for place in below]
    button.click()
    assert [box(place) for place in below] == at_rest
    assert e.trait("overlay.photograph") == "chelsea, cropped to 51 %", "also in saved pictures"
    whole = e.overlay.locator(".cnnw-ho-whole")
    left, top, right, bottom = box(whole)
    assert (right - left) / (bottom - top) == pytest.approx(451 / 300, rel=0.02)
    frame = box(whole.locator(".cnnw-ho-seen-frame"))
    assert (frame[2] - frame[0]) / (right - left) == pytest.approx(0.875 * 300 / 451, abs=0.01)
    expect(e.overlay.locator(".cnnw-ho-stage")).to_be_hidden()
    button.click()
    expect(whole).to_be_hidden()
    expect(e.overlay.locator(".cnnw-ho-stage")).to_be_visible()


def test_the_numbers_of_a_method_are_set_beside_the_picture(e: ExplorerPage) -> None:
    before = e.painted_id()
    e.overlay.get_by_role("button", name="More methods").click()
    e.overlay.locator(".cnnw-ho-option", has_text="Integrated gradients").click()
    e.wait_for_new_map(before)
    e.wait_until_ready()
    e.overlay.get_by_text("Settings").click()
    before = e.painted_id()
    field = e.overlay.get_by_label("Steps")
    assert field.input_value() == "50"
    field.fill("8")
    field.press("Enter")
    e.wait_for_new_map(before)
    e.wait_until_ready()
    assert [setting["value"] for setting in e.trait("overlay.settings")] == [8]
    e.choose_method("Grad-CAM")
    e.wait_until_ready()


@pytest.mark.parametrize("width", [600, 820, 1260, 1720])
def test_the_header_has_a_place_for_everything(e: ExplorerPage, width: int) -> None:
    e.root.evaluate("(root, width) => { root.style.width = `${width}px`; root.style.maxWidth = 'none'; }", width)
    line = e.bar.locator(".cnnw-explorer-line")
    height = box(line)[3] - box(line)[1]
    assert height <= (27 if width > 860 else 66)
    e.bar.evaluate("(bar) => { bar.querySelector('.cnnw-work').hidden = false; }")
    assert box(line)[3] - box(line)[1] == height
    e.bar.evaluate("(bar) => { bar.querySelector('.cnnw-work').hidden = true; }")
    if width == 600:
        assert box(e.graph)[1] < box(e.maps)[1], "the architecture is not the last thing on the page"
    e.root.evaluate("(root) => { root.style.width = ''; root.style.maxWidth = ''; }")
