"""Every word on the page that a beginner may not know has a tooltip, and so has every control."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.explorer_page import ExplorerPage
from tests.browser.lab import Lab, Trouble
from tests.browser.looks import WRITTEN, unexplained, untold

TERMS = [
    "^Clip$",
    "^Smooth$",
    "One scale",
    "MACs",
    "parameters",
    "stride",
    "patch",
    "weighted activation",
    "gradient of the score",
    "receptive field",
    "contribution",
    "zeros",
    "channels",
    "^Pin$",
    "Opacity",
    "^Fill$",
    "Steps",
    "Randomis",
    "random order",
    "similarity",
    "Spearman",
    "drop of the score",
    "Cropped",
    "^Activation$",
    "^Kernel",
    "^Groups$",
    "^Fall of the",
    "^products$",
]


@pytest.fixture(scope="module")
def opened(jupyter: Lab) -> Iterator[tuple[ExplorerPage, Trouble]]:
    notebook = jupyter.notebook("words", "import cnnwidgets as cw\ne = cw.explore()\ne")
    with jupyter.open(notebook, width=1440, height=1300, fresh=False) as (page, trouble):
        e = ExplorerPage(page)
        e.wait_until_complete()
        yield e, trouble


def _all_told(e: ExplorerPage) -> None:
    assert untold(e.root) == []
    assert unexplained(e.root, TERMS) == []


def test_the_card_of_a_layer_says_what_such_a_layer_does(e: ExplorerPage) -> None:
    e.node("bn2").hover()
    card = e.graph.get_by_role("tooltip")
    expect(card).to_contain_text("Small filters slide over the image")
    expect(card).to_contain_text("/2 the step (stride)")
    expect(card).to_contain_text("851 × 851 px of the image go into one number")
    e.page.mouse.move(5, 300)


def test_the_map_and_its_settings(e: ExplorerPage) -> None:
    e.maps.locator("[data-channel]").nth(2).click()
    e.overlay.get_by_text("Display", exact=True).click()
    e.page.wait_for_timeout(300)
    _all_told(e)
    for method in ("Saliency", "Occlusion"):
        before = e.painted_id()
        e.choose_method(method)
        e.wait_for_new_map(before)
        if method == "Occlusion":
            e.overlay.get_by_text("Settings", exact=True).click()
            _all_told(e)  # while it runs
            e.bar.get_by_role("button", name="Cancel").click()
        e.wait_until_ready()
        _all_told(e)
    e.choose_method("Grad-CAM")
    e.wait_until_ready()


def test_the_check(e: ExplorerPage) -> None:
    e.root.get_by_role("button", name="Check this map").click()
    e.page.wait_for_timeout(500)
    _all_told(e)
    e.wait_until_ready(180_000)
    e.root.get_by_text("All numbers").click()
    _all_told(e)


def test_what_does_it_look_for(e: ExplorerPage) -> None:
    e.root.get_by_role("tab", name="What does it look for?").click()
    _all_told(e)
    e.maps.locator("[data-channel]").nth(2).click()
    e.wait_until_ready(120_000)
    e.root.get_by_role("button", name="Find groups").click()
    e.wait_until_ready()
    _all_told(e)
    e.page.evaluate(WRITTEN)
    with e.page.expect_download():
        e.root.locator(".fp-head").get_by_role("button", name="Save").click()
    colours = "Colours of the kernel: − its largest weight · 0 · + its largest weight."
    assert colours in e.page.evaluate("written"), "so says the saved picture"


def test_hide_a_part(e: ExplorerPage) -> None:
    e.root.get_by_role("tab", name="Hide a part").click()
    e.wait_until_ready()
    _all_told(e)


def test_compare(e: ExplorerPage) -> None:
    e.root.get_by_role("tab", name="Compare").click()
    e.page.wait_for_timeout(500)
    e.wait_until_ready(120_000)
    for choice in e.root.locator(".cnnw-cmp-choice > summary").filter(visible=True).all():
        choice.click()
    _all_told(e)


def test_a_class_that_was_chosen_and_switched_off_maps(e: ExplorerPage) -> None:
    e.root.get_by_role("tab", name="Where did it look?").click()
    e.class_button("Egyptian cat").press("Enter")
    e.wait_until_ready()
    e.maps.get_by_role("button", name="Switch off").click()
    e.maps.get_by_role("button", name="Switch all on").wait_for()
    e.wait_until_ready()
    _all_told(e)
