"""What is below a note or another method's controls stays where it is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.explorer_page import ExplorerPage
from tests.browser.lab import Lab, Trouble, ask


@pytest.fixture(scope="module")
def opened(jupyter: Lab) -> Iterator[tuple[ExplorerPage, Trouble]]:
    notebook = jupyter.notebook("still", "import cnnwidgets as cw\ne = cw.explore()\ne")
    with jupyter.open(notebook, width=1440, height=1300) as (page, trouble):
        e = ExplorerPage(page)
        e.wait_until_complete()
        yield e, trouble


def _tops(e: ExplorerPage) -> list[float]:
    """Of what is below the choice of method: display, notes, check, and the end of the Explorer."""
    places = [
        e.overlay.locator(".cnnw-ho-stage"),
        e.overlay.get_by_text("Display", exact=True),
        e.overlay.locator(".cnnw-ho-notes"),
        e.root.get_by_role("button", name="Check this map"),
        e.maps,
    ]
    boxes = [place.bounding_box() for place in places]
    bounds = e.root.bounding_box()
    assert bounds
    return [*(box["y"] if box else -1 for box in boxes), bounds["y"] + bounds["height"]]


def test_another_method_layer_or_class_moves_nothing(e: ExplorerPage) -> None:
    at_first = _tops(e)
    for method in ("Saliency", "LayerCAM", "Integrated gradients", "Guided backprop"):
        before = e.painted_id()
        e.choose_method(method)
        e.wait_for_new_map(before)
        e.wait_until_ready()
        assert _tops(e) == pytest.approx(at_first, abs=1), method  # less than a pixel is not seen
    e.choose_method("Grad-CAM")
    e.wait_until_ready()
    e.class_button("lynx").press("Enter")
    e.wait_until_ready()
    assert _tops(e) == pytest.approx(at_first, abs=1)
    e.node("classifier").locator(".cnnw-ag-box").click()
    e.page.wait_for_timeout(500)
    assert _tops(e) == pytest.approx(at_first, abs=1)
    e.root.get_by_role("button", name="Follow the top class").click()
    e.wait_until_ready()


def test_notes_that_do_not_fit_fold_behind_one_line_and_open_on_demand(e: ExplorerPage) -> None:
    e.choose_method("Grad-CAM")
    e.wait_until_ready()
    at_first = _tops(e)
    notes = [
        {"level": "ok", "text": "all is well"},
        *(
            {"level": "warn", "text": f"note {i} " + "that goes on and on, over the width of the panel " * 2}
            for i in range(4)
        ),
    ]
    ask(e.page, f"e.overlay.notes = {notes!r}")
    more = e.overlay.get_by_role("button", name="more notes")
    expect(more).to_have_text("⚠ 4 more notes")
    assert _tops(e) == pytest.approx(at_first, abs=1)
    assert e.overlay.locator(".cnnw-ho-note").first.inner_text().startswith("note 0"), "warnings come first"
    more.click()
    expect(e.overlay.get_by_text("all is well")).to_be_visible()
    less = e.overlay.get_by_role("button", name="Fewer notes")
    less.click()
    assert _tops(e) == pytest.approx(at_first, abs=1)
