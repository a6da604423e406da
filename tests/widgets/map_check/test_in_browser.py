"""The built widget in headless Chromium: states, pixels, clicks, names, charts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from cnnwidgets.widgets.map_check import MapCheck
from tests.browser.looks import WRITTEN, axe
from tests.canvas import rgba
from tests.widgets.plain_page import Open, follow, pages


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    with pages(browser, tmp_path) as open_page:
        yield open_page


def pixels(view: Page, stage: int) -> list[list[int]]:
    canvas = view.locator(f'[data-stage="{stage}"] canvas').first
    colours: list[list[int]] = rgba(canvas)[..., :3].reshape(-1, 3).tolist()
    return colours


def with_maps(**options: Any) -> MapCheck:
    check = MapCheck()
    check.begin()
    maps = np.array([[[0.0, 3.0]], [[7.0, -7.0]], [[np.nan, 1.0]]])
    check.show_maps(maps, ["classifier", "blocks.5.3.conv_pw"], [0.41, np.nan], **options)
    return check


def test_a_click_asks_for_the_check_and_another_cancels_it(opened: Open) -> None:
    check = MapCheck()
    view = opened(check)
    button = view.get_by_role("button", name="Check this map")
    assert button.is_disabled()
    assert view.get_by_text("There is no map to check.").is_visible()
    check.offer()
    follow(view, check)
    assert view.get_by_text(
        "Does the map react to random weights, and the score to hiding what the map marks?"
    ).is_visible()
    button.click()
    assert view.evaluate("sent.at(-1).op") == "check"
    check.begin("Copying the network …")
    check.busy = True
    check.show_progress(0.25, "Randomising the weights 50 % · 3 s left")
    follow(view, check)
    assert button.is_disabled(), "it keeps its place"
    assert view.locator(".cnnw-map-check").get_attribute("aria-busy") == "true"
    assert view.locator("progress").evaluate("bar => bar.value") == 0.25
    assert view.get_by_text("3 s left").is_visible()
    view.get_by_role("button", name="Cancel").click()
    assert view.evaluate("sent.at(-1).op") == "cancel"
    assert view.get_by_role("button", name="Cancel").is_disabled()
    check.busy = False
    check.stop("The check was stopped.", "in part")
    follow(view, check)
    assert view.locator(".cnnw-map-check").get_attribute("aria-busy") is None
    assert view.get_by_role("button", name="Check again").is_enabled()
    assert not view.get_by_role("button", name="Cancel").is_visible()


def test_a_strip_that_was_stopped_says_how_much_there_is(opened: Open) -> None:
    check = with_maps(total=8)
    view = opened(check)
    said = view.get_by_text("Partial: stopped at 2 of 8 stages.")
    assert not said.is_visible(), "more is to come"
    check.stop("The check was stopped.")
    follow(view, check)
    assert said.is_visible()
    view.close()
    check = with_maps()
    check.stop("The check was stopped.")
    assert not opened(check).get_by_text("Partial").is_visible()


def test_maps_are_painted_on_their_own_scales(opened: Open) -> None:
    view = opened(with_maps())
    dark, bright = pixels(view, 0)
    assert (sum(dark), sum(bright)) == (4, 252 + 255 + 164)  # the ends of inferno, #000004 and #fcffa4
    assert pixels(view, 1) == [bright, dark]
    broken, top = pixels(view, 2)
    assert top == bright
    assert broken[0] == broken[2] > broken[1], "magenta or its shade"
    view.close()
    view = opened(with_maps(signed=True))
    red, blue = pixels(view, 1)
    assert red[0] > red[2] + 60
    assert blue[2] > blue[0] + 60
    assert view.get_by_text("Red speaks for the class").is_visible()


def test_a_map_keeps_its_shape(opened: Open) -> None:
    check = MapCheck()
    check.show_maps(np.zeros((2, 4, 8)), ["fc"], [0.5])
    for canvas in opened(check).locator(".mc-cell canvas").all():
        box = canvas.bounding_box()
        assert box
        assert box["width"] == pytest.approx(2 * box["height"], abs=0.1)


def test_each_map_carries_its_layer_and_its_similarity(opened: Open) -> None:
    view = opened(with_maps())
    cells = view.get_by_role("listitem")
    assert [cell.inner_text().split() for cell in cells.all()] == [
        ["original"],
        ["1", "classifier", "0.41"],
        ["2", "blocks.5.3.conv_pw", "–"],
    ]
    assert cells.nth(1).get_attribute("title") == (
        "Stage 1: random weights from the output down to classifier; similarity 0.41 to the original"
    )


def test_the_reading_its_badge_and_its_notes(opened: Open) -> None:
    check = with_maps(details=[["1", "classifier", "0.41", "−0.02", "0.9", "3.1"]])
    check.conclude("The map hardly changes.", "checked: similarity 0.94", "warn", ["A note."])
    view = opened(check)
    sentence = view.locator(".mc-sentence[role=status]")
    assert sentence.inner_text() == "The map hardly changes."
    assert int(sentence.evaluate("e => getComputedStyle(e).fontWeight")) >= 600
    assert view.locator(".mc-badge").get_attribute("data-level") == "warn"
    assert view.get_by_text("A note.").is_visible()
    assert view.get_by_role("button").all_inner_texts() == ["Save"]
    assert not view.locator("table").is_visible()
    view.get_by_text("All numbers").click()
    assert view.locator("tbody tr").inner_text().split() == ["1", "classifier", "0.41", "−0.02", "0.9", "3.1"]
    check.offer()
    follow(view, check)
    view.evaluate("deliver", [{"op": "data", "kind": "maps", "id": 10**9, "arrays": []}, []])
    assert view.locator("canvas").count() == view.locator("table").count() == 0
    assert view.get_by_role("button", name="Check this map").is_enabled()


def test_an_error_is_an_alert(opened: Open) -> None:
    check = MapCheck()
    check.show_error(ValueError("no <b>such</b> thing"))
    view = opened(check)
    assert "no <b>such</b> thing" in view.get_by_role("alert").inner_text()
    assert view.get_by_role("button", name="Check this map").is_enabled()


@pytest.mark.parametrize("dark", [False, True])
def test_save_writes_what_is_checked_maps_scale_and_curves(opened: Open, tmp_path: Path, dark: bool) -> None:
    check = with_maps(details=[["1", "classifier", "0.41", "−0.02", "0.9", "3.1"]])
    check.caption, check.photograph, check.network = "Grad-CAM · bn2 → cat (282)", "chelsea", "lite0"
    view = opened(check, dark=dark)
    save = view.get_by_role("button", name="Save")
    assert not save.is_visible(), "more is to come"
    x = np.linspace(0, 1, 3)
    check.show_curves(x, 1 - x, x, [[1, 0, 0]], [[0, 0, 1]], unit="probability")
    check.conclude("The map hardly changes.", "not passed", "warn", ["A note."])
    follow(view, check)
    assert axe(view, "#root") == []
    view.evaluate(WRITTEN)
    with view.expect_download() as download:
        save.click()
    assert download.value.suggested_filename == "Check-of-a-map-Grad-CAM-bn2-cat-282-chelsea-lite0.png"
    written = view.evaluate("written")
    assert written[:4] == [
        "Check of a map · Grad-CAM · bn2 → cat (282) · chelsea · lite0",
        "not passed",
        "The map hardly changes.",
        "A note.",
    ]
    assert written[4:10] == ["0 original", "", "1 classifier", "0.41", "2 blocks.5.3.conv_pw", "–"]
    assert written[10:13] == ["0", "", "largest number of each map"]
    assert "Bright is large; each map is on its own scale. Under a map: its similarity to the original." in written
    assert "Deletion: probability, area 0.5 (random" in " ".join(written)
    assert written.count("50 %") == 2
    download.value.save_as(tmp_path / "saved.png")
    saved = np.asarray(Image.open(tmp_path / "saved.png").convert("RGB")).astype(int)
    assert saved.shape[1] == 2 * (9 * 124 - 12 + 2 * 24)
    assert saved[0, 0].tolist() == [255] * 3
    line, grey = (np.abs(saved - colour).sum(-1) == 0 for colour in ([11, 107, 203], [139, 148, 158]))
    assert line.any(0).nonzero()[0].min() < saved.shape[1] / 3 < 2 * saved.shape[1] / 3 < line.any(0).nonzero()[0].max()
    assert grey.any(), "the random orders"
    first = saved[2 * (24 + 20 + 3 * 20 + 10)]  # a row of the first map, 0 at its left, its largest at its right
    np.testing.assert_allclose([first[2 * 24 + 20], first[2 * (24 + 112) - 20]], [[0, 0, 4], [252, 255, 164]], atol=2)


def test_a_check_that_was_stopped_without_a_result_has_nothing_to_save(opened: Open) -> None:
    check = MapCheck()
    check.stop("The check was stopped before there was a result.")
    assert not opened(check).get_by_role("button", name="Save").is_visible()


@pytest.mark.parametrize("width", [340, 660])
def test_names_are_text_and_nothing_is_wider_than_the_panel(opened: Open, width: int) -> None:
    name = "<img src=x onerror='window.bad = 1'>" + "a.very.long.name." * 20
    check = MapCheck()
    check.show_maps(np.zeros((9, 2, 2)), [name] * 8, np.zeros(8), details=[[name] * 6])
    check.conclude(
        f"With random weights down to {name}.", "checked: similarity 0.91 half-way, 0.11 after", "ok", [name]
    )
    view = opened(check, width)
    view.get_by_text("All numbers").click()
    assert view.evaluate("window.bad") is None
    assert view.evaluate("document.getElementById('root').scrollWidth") == width


def test_undo_leaves_no_listener_and_no_element(opened: Open) -> None:
    view = opened(with_maps())
    view.evaluate("undo()")
    assert view.evaluate("listening()") == 1, "the channel of the model stays, for other views"
    assert view.evaluate("document.getElementById('root').children.length") == 0


LEGEND = "Grey: the same map put at other places."
LIGHT, DARK = ["rgb(11, 107, 203)", "rgb(110, 119, 129)"], ["rgb(88, 166, 255)", "rgb(139, 148, 158)"]


@pytest.mark.parametrize(("dark", "colours"), [(False, LIGHT), (True, DARK)])
def test_the_charts_are_drawn_in_the_colours_of_the_theme(opened: Open, dark: bool, colours: list[str]) -> None:
    check = MapCheck()
    check.show_maps(np.zeros((3, 2, 2)), ["fc", "conv"], [0.5, 0.1])
    x = np.linspace(0, 1, 5)
    grey = [[1, 1, 1, 1, 0], [1, 0, 0, 0, 0]], [[0, 0, 0, 0, 1]]
    check.show_curves(x, 1 - x, x, *grey, unit="probability")
    view = opened(check, dark=dark)
    lines = view.locator(".mc-chart polyline")
    strokes = lines.evaluate_all("lines => lines.map(line => getComputedStyle(line).stroke)")
    assert [strokes.count(colour) for colour in colours] == [3, 3]
    deletion = view.locator(".mc-chart").nth(1)
    assert deletion.locator("figcaption").inner_text().startswith("Deletion: probability, area 0.5 (random 0.5)")
    points = deletion.locator("polyline").evaluate_all("lines => lines.map(line => line.getAttribute('points'))")
    assert points == ["0,0 25,0 50,0 75,0 100,100", "0,0 25,100 50,100 75,100 100,100", "0,0 25,25 50,50 75,75 100,100"]
    assert deletion.locator(".mc-up").all_inner_texts() == ["0", "0.5", "1"]
    assert deletion.locator(".mc-across").all_inner_texts() == ["0 %", "50 %", "100 %"]
    assert view.locator(".mc-chart").first.locator(".mc-across").all_inner_texts() == ["0", "1", "2"]
    dots = view.locator(".mc-dots").evaluate_all("paths => paths.map(path => path.getAttribute('d'))")
    assert dots == ["M0,0h0M50,50h0M100,90h0"], "a dot a stage: similarity 1, 0.5 and 0.1"
    labels = view.locator(".mc-across").evaluate_all("all => all.map(e => e.getClientRects().length + e.offsetHeight)")
    assert len(set(labels)) == 1, "none on two lines"
    tops = "() => new Set([...document.querySelectorAll('.mc-plot')].map(e => e.getBoundingClientRect().y)).size"
    assert view.get_by_text(LEGEND).is_visible()
    assert view.evaluate(tops) == 1, "side by side where there is room"
    view.evaluate("document.getElementById('root').style.width = '340px'")
    assert view.evaluate(tops) == 3
    check.stop("The check was stopped.")
    follow(view, check)
    assert not view.get_by_text("Partial").first.is_visible(), "all of it is there"
    view.evaluate("deliver", [{"op": "data", "kind": "charts", "id": 10**9, "arrays": []}, []])
    assert view.locator(".mc-chart").count() == 0
    assert not view.get_by_text(LEGEND).is_visible()


def test_a_chart_that_was_stopped_is_in_the_colour_of_warnings(opened: Open) -> None:
    check = MapCheck()
    check.show_curves([0, 0.5, 1], [1, np.nan, 0], [0, 0.5, 1])
    check.stop("The check was stopped.")
    strokes = opened(check).locator("polyline").evaluate_all("all => all.map(line => getComputedStyle(line).stroke)")
    assert strokes == ["rgb(125, 82, 0)", "rgb(11, 107, 203)"]
