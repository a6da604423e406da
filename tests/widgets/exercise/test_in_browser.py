"""The built exercise in headless Chromium: by keyboard alone, text that stays text, an answer from the kernel."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

import cnnwidgets as cw
from tests.browser.looks import axe, too_wide
from tests.widgets.plain_page import Open, follow, pages

ANSWERS = {"<b>9</b>": "3 × 3 <i>weights</i>.", "3": "One side only.", "27": "With three channels."}


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    with pages(browser, tmp_path) as open_page:
        yield open_page


def exercise() -> cw.Exercise:
    return cw.Exercise("How many <em>weights</em>?", ANSWERS, "<b>9</b>")


def selected(view: Page) -> object:
    return view.evaluate("model.get('selected')")


def test_by_keyboard_alone(opened: Open) -> None:
    view = opened(exercise())
    status = view.get_by_role("status")
    expect(view.get_by_role("group", name="How many <em>weights</em>?")).to_be_visible()
    expect(view.get_by_role("button", name="Check")).to_be_disabled()
    view.keyboard.press("Tab")
    view.keyboard.press("ArrowDown")  # moves from answer to answer, and gives nothing away
    assert (selected(view), status.inner_text()) == (None, "")
    expect(view.get_by_label("3", exact=True)).to_be_checked()
    view.keyboard.press("Enter")
    assert selected(view) == "3"
    expect(status).to_have_text("✗ Not so. One side only.")
    view.keyboard.press("ArrowUp")
    expect(status).to_have_text("")
    view.keyboard.press("Tab")
    expect(view.get_by_role("button", name="Check")).to_be_focused()
    view.keyboard.press("Space")
    assert selected(view) == "<b>9</b>"
    expect(status).to_have_text("✓ Right. 3 × 3 <i>weights</i>.")
    expect(view.get_by_role("button", name="Check")).to_be_focused()


def test_text_stays_text_and_narrow_dark_pages_hold_it(opened: Open) -> None:
    widget = cw.Exercise("Why " + "x" * 200, {"<img src=x>" * 20: "a " * 300, "b": "c"}, "b")
    for dark in (False, True):
        view = opened(widget, 300, dark)
        view.get_by_role("radio").first.check()
        view.get_by_role("button", name="Check").click()
        root = view.locator(".cnnw-exercise")
        if dark:  # as JupyterLab's theme has it
            view.evaluate("document.body.style.setProperty('--jp-layout-color1', '#111')")
        assert root.locator("img").count() == 0
        assert too_wide(root) == []
        assert axe(view, ".cnnw-exercise") == []


def test_an_answer_in_the_kernel_is_shown(opened: Open) -> None:
    widget = exercise()
    view = opened(widget)
    widget.answer("27")
    follow(view, widget)
    expect(view.get_by_label("27")).to_be_checked()
    expect(view.get_by_role("status")).to_have_text("✗ Not so. With three channels.")
    view.evaluate("undo()")
    assert view.locator("#root").inner_html() == ""
