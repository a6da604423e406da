"""What is below a note or another method's controls stays where it is, and a second click hits no other button."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.explorer_page import ExplorerPage
from tests.browser.lab import Lab, Trouble, ask

UNDER = """([x, y]) => {
  const control = document.elementFromPoint(x, y)?.closest("button, select, input, summary, [role=radio], [role=tab]");
  return control?.getAttribute("aria-label") || control?.textContent || "";
}"""


@pytest.fixture(scope="module")
def opened(jupyter: Lab) -> Iterator[tuple[ExplorerPage, Trouble]]:
    notebook = jupyter.notebook("still", "import cnnwidgets as cw\ne = cw.explore()\ne")
    with jupyter.open(notebook, width=1440, height=1300, fresh=False) as (page, trouble):
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
    place = e.overlay.locator(".cnnw-ho-notes")
    place.evaluate("notes => { notes.style.width = '3000px'; }")
    expect(more).to_have_text(re.compile("[123] more note"))
    place.evaluate("notes => { notes.style.width = ''; }")
    expect(more).to_have_text("⚠ 4 more notes")
    place.evaluate("notes => { notes.style.display = 'none'; }")
    ask(e.page, f"e.overlay.notes = {[*notes, notes[1] | {'text': 'one more'}]!r}")
    place.evaluate("notes => { notes.style.display = ''; }")
    expect(more).to_have_text("⚠ 5 more notes")


def _hits_nothing_else(e: ExplorerPage, control: Locator) -> None:
    """Click ``control``; at the same place there is then itself, or nothing to press."""
    control.scroll_into_view_if_needed()
    box = control.bounding_box()
    assert box
    name = control.get_attribute("aria-label") or control.inner_text()
    middle = [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]
    e.page.mouse.click(*middle)
    for wait in (150, 600):
        e.page.wait_for_timeout(wait)
        under = e.page.evaluate(UNDER, middle)
        assert under in ("", name, *PAIRS.get(name, ())), f"{name}: then {under}"
    e.wait_until_ready(120_000)
    under = e.page.evaluate(UNDER, middle)
    assert under in ("", name, *PAIRS.get(name, ())), f"{name}: in the end {under}"


PAIRS = {
    "Switch off": ("Switch on",),
    "Copy as Python": ("Copied",),
    "More classes": ("Fewer classes",),
    "Fewer classes": ("More classes",),
    "Save": ("Saving …",),
    "Check this map": ("Check again",),
}
"""What a control is called once it has been pressed."""


WIDER = ["", "letter-spacing: 3px", "font-size: 16px"]
"""Declarations that make text as wide as other fonts do; empty: the fonts of this machine."""


FORGET_CHECKS = "e.wait(60); e._panels.checking.sleep(); e.map_check.offer()"
"""What is known of a map already is shown at once, without the button."""


@pytest.fixture(params=WIDER)
def widened(request: pytest.FixtureRequest, e: ExplorerPage) -> Iterator[None]:
    rule = f".cnnw-explorer :is(.cnnw, .cnnw *) {{ {request.param or '--as: is'} !important }}"
    style = e.page.add_style_tag(content=rule)
    e.root.get_by_role("tab", name="Where did it look?").click()
    e.wait_until_ready()
    yield
    style.evaluate("style => style.remove()")


@pytest.mark.usefixtures("widened")
def test_check_this_map_keeps_its_place_however_wide_text_is(e: ExplorerPage) -> None:
    ask(e.page, FORGET_CHECKS)
    _hits_nothing_else(e, e.root.get_by_role("button", name="Check this map"))


@pytest.mark.usefixtures("widened")
def test_no_button_slides_under_the_pointer(e: ExplorerPage) -> None:
    e.node("blocks.6").locator(".cnnw-ag-box").click()
    e.wait_for_maps_of("blocks.6")
    e.maps.locator("[data-channel]").nth(1).click()
    for control in (
        e.maps.get_by_role("button", name="Switch off"),
        e.maps.get_by_role("button", name="Switch all on"),
        e.scores.get_by_role("button", name="More classes"),
        e.scores.get_by_role("button", name="Fewer classes"),
        e.bar.get_by_role("button", name="Copy as Python"),
    ):
        _hits_nothing_else(e, control)
    ask(e.page, FORGET_CHECKS)
    for control in (
        e.root.get_by_role("button", name="Check this map"),
        e.overlay.get_by_role("button", name="Cropped: sees 51 %"),
        e.overlay.get_by_role("button", name="Cropped: sees 51 %"),
    ):
        _hits_nothing_else(e, control)
    e.class_button("lynx").press("Enter")
    e.wait_until_ready()
    _hits_nothing_else(e, e.root.get_by_role("button", name="Follow the top class"))
    e.bar.locator("input[type=file]").set_input_files(
        [{"name": "bad.png", "mimeType": "image/png", "buffer": b"no picture"}]
    )
    dismiss = e.bar.get_by_role("button", name="Dismiss")
    dismiss.wait_for()
    _hits_nothing_else(e, dismiss)
    e.root.get_by_role("tab", name="Compare").click()
    e.wait_until_ready(120_000)
    _hits_nothing_else(e, e.root.get_by_role("button", name="Compare", exact=True))


def test_the_first_comparison_of_a_photograph_moves_nothing(e: ExplorerPage) -> None:
    e.root.get_by_role("tab", name="Compare").click()
    e.wait_until_ready(120_000)
    ask(e.page, "e.comparison.set_picture(e._scene.picture.pixels)")  # as another photograph does
    maps, compare = e.root.locator(".cnnw-cmp-cell"), e.root.get_by_role("button", name="Compare", exact=True)
    expect(maps).to_have_count(0)
    before = compare.bounding_box()
    compare.click()
    expect(maps).not_to_have_count(0)
    e.wait_until_ready(120_000)
    assert compare.bounding_box() == before


def test_a_second_click_on_cancel_hits_nothing(e: ExplorerPage) -> None:
    e.root.get_by_role("tab", name="Where did it look?").click()
    e.choose_method("Occlusion")  # Ablation-CAM may be done before the button is pressed
    cancel = e.bar.get_by_role("button", name="Cancel")
    cancel.wait_for()
    _hits_nothing_else(e, cancel)
    e.choose_method("Grad-CAM")
    e.wait_until_ready()
