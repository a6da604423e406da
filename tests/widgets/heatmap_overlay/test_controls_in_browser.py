"""What the controls say: of saving, of the strip's tiles, of a list that is longer than its box, of each fact once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from cnnwidgets.widgets.heatmap_overlay import HeatmapOverlay
from tests.browser.looks import axe
from tests.widgets.plain_page import Open, deliver, frame, pages

from .test_in_browser import METHODS, PICTURE, set_trait


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    with pages(browser, tmp_path) as open_page:
        yield open_page


def slow_png(view: Page, outcome: str) -> None:
    """Encoding waits for `go()`, and then gives ``outcome``, an expression with the true one as ``blob``."""
    view.evaluate(f"""() => {{
      const encode = HTMLCanvasElement.prototype.toBlob;
      HTMLCanvasElement.prototype.toBlob = function (done, type) {{
        window.go = () => encode.call(this, (blob) => done({outcome}), type);
      }};
    }}""")


def test_save_says_that_it_works_and_that_it_is_done(opened: Open) -> None:
    view = opened(HeatmapOverlay(PICTURE, np.eye(2), caption="layer4"))
    slow_png(view, "blob")
    save = view.get_by_role("button", name="Save", exact=True)
    save.focus()
    view.keyboard.press("Enter")
    working = view.get_by_role("button", name="Saving …")
    working.wait_for()
    assert working.is_disabled()
    assert working.get_attribute("aria-busy") == "true"
    assert working.inner_text() == "Saving …"
    view.wait_for_function("() => window.go !== undefined")
    with view.expect_download() as download:
        view.evaluate("go()")
    assert download.value.suggested_filename == "layer4.png"
    view.get_by_text("✓ Saved").wait_for()
    assert view.locator(".cnnw-saved").get_attribute("title") == "Saved as layer4.png"
    assert save.is_enabled()
    assert save.get_attribute("aria-busy") is None
    assert save.evaluate("e => document.activeElement === e"), "a button that is disabled loses the focus"


def test_save_says_that_it_failed(opened: Open) -> None:
    view = opened(HeatmapOverlay(PICTURE, np.eye(2)))
    slow_png(view, "null")
    save = view.get_by_role("button", name="Save", exact=True)
    save.click()
    view.wait_for_function("() => window.go !== undefined")
    view.evaluate("go()")
    alert = view.get_by_role("alert")
    alert.wait_for()
    assert alert.inner_text().startswith("Not saved: the browser makes no PNG of")
    assert save.is_enabled()


def test_grey_tiles_of_the_strip_say_what_they_mean(opened: Open) -> None:
    widget = HeatmapOverlay(PICTURE, layers=["a", "b", "c"], layer="c", sign="positive")
    widget.show([[1.0, 2.0]])
    widget.show_strip(["a", "b", "c"], [[[1.0, 2.0]], [[-1.0, -2.0]], [[0.0, 0.0]]])
    view = opened(widget)
    said = view.locator(".cnnw-ho-grey")
    grey = "els => els.map((one) => one.value)"
    assert said.inner_text() == "2 grey: nothing in the map is positive"
    assert view.locator(".cnnw-ho-thumbs .is-grey").evaluate_all(grey) == ["b", "c"]
    assert view.get_by_role("radio", name="b: −2.00 to −1.00 (grey: nothing in the map is positive)").is_visible()
    assert axe(view, "#root") == []
    set_trait(view, "sign", "signed")
    assert said.inner_text() == "1 grey: the map is 0 everywhere"
    assert view.locator(".cnnw-ho-thumbs .is-grey").evaluate_all(grey) == ["c"]
    widget.show_strip(["a"], [[[1.0, 2.0]]])
    deliver(view, widget, "strip")
    assert not said.is_visible()


def test_a_list_longer_than_its_box_says_how_much_is_below(opened: Open) -> None:
    methods = [[f"m{i}", f"Method {i}", "Why?", "cam"] for i in range(33)]
    view = opened(HeatmapOverlay(PICTURE, np.eye(2), methods=methods, method="m0"))
    view.get_by_role("button", name="More methods").click()
    cue, box = view.locator(".cnnw-ho-cue"), view.get_by_role("listbox")
    seen = """(list) => {
      const bottom = list.querySelector(".cnnw-ho-cue").getBoundingClientRect().top;
      return [...list.querySelectorAll("[role=option]")].filter((one) => {
        const { top, height } = one.getBoundingClientRect();
        return top + height / 2 > bottom;
      }).length;
    }"""
    below = box.evaluate(seen)
    assert below > 10
    assert cue.inner_text() == f"▾ {below} more"
    assert axe(view, "#root") == []
    for _ in range(20):
        view.keyboard.press("ArrowDown")
        frame(view)
        option, line = view.locator(".is-at").bounding_box(), cue.bounding_box()
        assert option
        assert line
        assert not cue.is_visible() or option["y"] + option["height"] <= line["y"] + 1, "the cue covers nothing chosen"
    view.keyboard.press("End")
    frame(view)
    assert not cue.is_visible()
    assert view.locator(".cnnw-ho-option").last.is_visible()
    view.keyboard.press("Home")
    frame(view)
    before = cue.inner_text()
    cue.click()
    frame(view)
    assert cue.inner_text() != before
    assert box.is_visible()


def test_a_list_that_fits_has_no_cue(opened: Open) -> None:
    view = opened(HeatmapOverlay(PICTURE, np.eye(2), methods=METHODS, method="grad_cam"))
    view.get_by_role("button", name="More methods").click()
    assert not view.locator(".cnnw-ho-cue").is_visible()


def test_one_fact_is_said_once(opened: Open) -> None:
    widget = HeatmapOverlay(PICTURE)
    widget.show([[-1.0, -2.0], [-1.0, -2.0]], notes=["map is negative everywhere before ReLU", "another note"])
    view = opened(widget)
    said = view.locator(".cnnw-ho-note").all_inner_texts()
    assert len(said) == 2
    assert said[0].startswith("The map is negative everywhere: nothing speaks for this class here.")
    assert said[1] == "another note"
    set_trait(view, "sign", "signed")
    assert view.locator(".cnnw-ho-note").all_inner_texts() == ["map is negative everywhere before ReLU", "another note"]
