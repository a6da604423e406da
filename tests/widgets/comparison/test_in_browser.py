"""The built comparison in headless Chromium: pixels on shared scales, what is missing, what is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page

from cnnwidgets.widgets.comparison import Comparison
from tests.browser.looks import WRITTEN, axe, texts, too_wide
from tests.canvas import rgba
from tests.widgets.plain_page import Open, deliver, frame, pages

PICTURE = np.full((128, 128, 3), 200, np.uint8)
METHODS = [
    ["grad_cam", "Grad-CAM", "Which places?", "cam"],
    ["saliency", "Saliency", "Which pixels?", "gradient"],
    ["lrp", "LRP", "Mine?", "relevance"],
]
CHOICES: dict[str, Any] = {
    "methods": METHODS,
    "layers": ["layer1", "layer2", "layer3"],
    "classes": [[3, "cat"], [7, "<b>dog</b>"]],
    "chosen_methods": ["saliency"],
    "chosen_layers": ["layer1", "layer3"],
    "chosen_classes": [7],
}


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    with pages(browser, tmp_path) as open_page:
        yield open_page


def two_by_two(**traits: Any) -> Comparison:
    widget = Comparison(PICTURE, colormap="gray", opacity=1, clip=0, **traits)
    widget.start(["Grad-CAM", "LayerCAM"], ["layer3", "layer4"], caption="cat")
    widget.show_cell(0, 0, [[1.0]], unit="activation")
    widget.show_cell(0, 1, [[4.0]], unit="activation")
    widget.show_cell(1, 0, [[8.0]], unit="gradient")
    return widget


def cell(view: Page, row: int, column: int) -> Locator:
    return view.locator(f'[data-cell="{row},{column}"]')


def level(view: Page, row: int, column: int) -> int:
    return int(rgba(cell(view, row, column).locator("canvas"))[40, 40, 0])


def over_the_photograph(share: float) -> float:
    """The grey of a value that is ``share`` of its scale: below 0.3 the photograph shows through."""
    alpha = min(1.0, share / 0.3)
    return 255 * share * alpha + float(PICTURE[0, 0, 0]) * (1 - alpha)


def bars(view: Page) -> list[str]:
    return [bar.inner_text().replace("\n", " ") for bar in view.locator(".cnnw-cmp-bar").all() if bar.is_visible()]


def test_maps_share_the_scale_that_is_chosen_and_the_words_say_which(opened: Open) -> None:
    view = opened(two_by_two())
    assert [level(view, 0, 1), level(view, 1, 0)] == [255, 255]
    assert abs(level(view, 0, 0) - over_the_photograph(1 / 4)) <= 1
    assert bars(view) == ["0 activation 4.00", "0 gradient 8.00"]
    assert view.get_by_text("compare colours within a method, not between two").is_visible()
    view.get_by_label("Scale").select_option("all")
    frame(view)
    assert [level(view, 0, 1), level(view, 1, 0)] == [128, 255]
    assert abs(level(view, 0, 0) - over_the_photograph(1 / 8)) <= 1
    assert bars(view) == ["0 activation; gradient 8.00"]
    assert view.locator(".cnnw-cmp-words .is-warn").count() == 1
    view.get_by_label("Scale").select_option("own")
    frame(view)
    assert [level(view, 0, 0), level(view, 0, 1), level(view, 1, 0)] == [255, 255, 255]
    assert bars(view) == []
    assert cell(view, 0, 1).inner_text() == "0 to 4.00"


def test_each_cell_has_its_range_and_its_warning(opened: Open) -> None:
    widget = two_by_two()
    widget.show_cell(1, 1, [[-2.0, 3.0]], ["2 of 17 ReLUs could not be guided"], unit="gradient")
    view = opened(widget)
    assert cell(view, 1, 1).locator("figcaption span").first.inner_text() == "−2.00 to 3.00"
    assert cell(view, 1, 1).get_by_role("img", name="Warning: 2 of 17 ReLUs could not be guided").is_visible()
    assert cell(view, 0, 0).locator(".cnnw-cmp-mark").is_hidden()
    assert cell(view, 1, 1).locator("canvas").get_attribute("aria-label") == "LayerCAM, layer4: −2.00 to 3.00"
    assert axe(view, "#root") == []


def test_the_photograph_shows_through(opened: Open) -> None:
    view = opened(two_by_two())
    view.evaluate("model.set('opacity', 0.5)")
    frame(view)
    assert abs(level(view, 0, 1) - (255 + 200) / 2) <= 1


def test_an_input_gradient_is_clipped_as_numpy_does(opened: Open) -> None:
    widget = Comparison(PICTURE)
    widget.start(["Saliency"], ["cat"])
    gradient = np.random.default_rng(0).normal(size=(3, 64, 64)).astype(np.float32) ** 3
    widget.show_cell(0, 0, gradient, unit="gradient of the score")
    view = opened(widget)
    limit = np.percentile(np.abs(gradient).max(0).astype(np.float64), 99)
    assert bars(view) == [f"0 gradient of the score ≥ {limit:.2f}"]
    assert view.get_by_text("the 1 % largest values may lie past the end").is_visible()
    assert view.get_by_text("the largest magnitude over the channels").is_visible()


def test_cells_fill_in_one_by_one_fail_and_stop(opened: Open) -> None:
    widget = Comparison(PICTURE, busy=True, **CHOICES)
    widget.start(["Grad-CAM", {"label": "Saliency", "note": "one map.", "single": True}], ["layer1", "layer3"])
    view = opened(widget)
    assert view.locator(".is-waiting").count() == 3
    assert view.locator("#root").get_attribute("aria-busy") == "true"
    widget.show_cell(0, 1, [[1.0]])
    deliver(view, widget, "cell:0:1")
    assert (view.locator(".is-waiting").count(), view.locator("#root").get_attribute("data-filled")) == (2, "1")
    widget.fail_cell(0, 0, "No layer 'layer1'. Closest: 'layer2'.")
    deliver(view, widget, "cell:0:0")
    failed = cell(view, 0, 0).locator(".cnnw-cmp-none")
    assert failed.inner_text() == failed.get_attribute("title") == "No layer 'layer1'. Closest: 'layer2'."
    view.evaluate("model.set('busy', false)")
    frame(view)
    assert cell(view, 1, 0).inner_text() == "not computed"
    assert view.locator(".is-waiting").count() == 0
    stale = widget._pushed["cell:0:1"]
    widget.start(["Grad-CAM"], ["layer1", "layer3"])
    deliver(view, widget, "grid")
    widget._pushed["cell:0:1"] = (stale[0] | {"id": stale[0]["id"] + 1000}, stale[1])
    deliver(view, widget, "cell:0:1")
    assert view.locator("#root").get_attribute("data-filled") == "0", "a cell of the grid before"


def test_the_choice_goes_with_the_press(opened: Open) -> None:
    view = opened(Comparison(PICTURE, **CHOICES))
    view.locator("summary", has_text="Methods").click()
    assert view.locator("legend").all_inner_texts()[:3] == ["Gradients", "Class activation maps", "Yours"]
    view.get_by_label("Grad-CAM").check()
    view.get_by_role("radio", name="Classes").click()
    frame(view)
    view.locator("summary", has_text="Classes").click()
    assert axe(view, "#root") == []
    view.get_by_label("cat (3)").check()
    view.get_by_role("button", name="Compare").click()
    asked = [message for message in view.evaluate("sent") if message["op"] == "compare"]
    assert [message | {"id": 0} for message in asked] == [
        {
            "op": "compare",
            "id": 0,
            "methods": ["saliency", "grad_cam"],
            "axis": "classes",
            "layers": ["layer1", "layer3"],
            "classes": [3, 7],
        }
    ]
    assert view.get_by_label("<b>dog</b> (7)").is_checked()
    assert view.evaluate("saved.at(-1).chosen_classes") == [3, 7]


def test_progress_and_cancel(opened: Open) -> None:
    widget = Comparison(PICTURE, **CHOICES)
    view = opened(widget)
    assert not view.get_by_role("button", name="Cancel").is_visible()
    view.evaluate(
        "[['busy', true], ['progress', 0.4], ['progress_text', '5 of 12 · 8 s left']].forEach((a) => model.set(...a))"
    )
    frame(view)
    assert view.get_by_text("5 of 12 · 8 s left").is_visible()
    assert view.get_by_role("progressbar").evaluate("bar => bar.value") == 0.4
    assert view.get_by_role("button", name="Compare").is_disabled()
    view.get_by_role("button", name="Cancel").click()
    assert view.evaluate("sent.at(-1).op") == "cancel"


def test_the_same_map_in_every_column_is_pointed_out(opened: Open) -> None:
    widget = two_by_two()
    widget.show_cell(0, 1, [[1.0]], unit="activation")
    view = opened(widget)
    assert view.locator(".cnnw-cmp-note").all_inner_texts() == ["The same map in every column.", ""]


@pytest.mark.parametrize("width", [340, 660, 1000])
@pytest.mark.parametrize("dark", [False, True])
def test_long_names_fit(opened: Open, width: int, dark: bool) -> None:
    names = [f"features.denseblock{i}.denselayer{i}.a_very_long_name" for i in range(60)]
    widget = Comparison(PICTURE, methods=METHODS, layers=names, chosen_layers=names[:4], chosen_methods=["lrp"])
    widget.start(["Grad-CAM"], names[:4], caption=" ".join(names))
    for column in range(3):
        widget.show_cell(0, column, np.eye(3) * 1e-9, ["a note"], unit="weighted activation")
    widget.fail_cell(0, 3, "x" * 400)
    view = opened(widget, width, dark=dark)
    view.locator("summary", has_text="Layers").click()
    assert too_wide(view.locator("#root")) == []
    assert [text for text in texts(view.locator("#root")) if text["cut"]] == []
    assert axe(view, "#root") == []
    assert view.evaluate("document.getElementById('root').scrollWidth") == width


def test_save_writes_the_whole_grid(opened: Open, tmp_path: Path) -> None:
    view = opened(two_by_two())
    with view.expect_download() as download:
        view.get_by_role("button", name="Save").click()
    assert download.value.suggested_filename == "Compare-Grad-CAM-LayerCAM-layer3-layer4-cat.png"
    download.value.save_as(tmp_path / "saved.png")
    saved = np.asarray(Image.open(tmp_path / "saved.png").convert("RGB")).astype(int)[::2, ::2]  # it is twice as large
    middles = [saved[24 + 60 + 120, x] for x in (24 + 120, 24 + 250 + 120)]
    np.testing.assert_allclose(middles, [[over_the_photograph(1 / 4)] * 3, [255] * 3], atol=2)
    assert saved.shape[1] == 2 * 24 + 2 * 240 + 10


def test_a_saved_grid_says_what_is_compared_and_cuts_nothing(opened: Open) -> None:
    reason = "no map can be made here, since the layer's places were mixed before it was reached " * 6
    widget = two_by_two(photograph="chelsea.png", network="lite0")
    widget.start(
        ["Grad-CAM", "LayerCAM", "A method of mine with a long name"], ["layer3", "layer4" * 12], caption="cat"
    )
    widget.show_cell(0, 0, [[1.0]], unit="activation")
    for cell_of_row in ((0, 1), (1, 0), (1, 1)):
        widget.fail_cell(*cell_of_row, reason)
    view = opened(widget)
    view.evaluate(WRITTEN)
    with view.expect_download() as download:
        view.get_by_role("button", name="Save").click()
    name = download.value.suggested_filename
    assert name.startswith("Compare-Grad-CAM-LayerCAM-A-method-of-mine")
    assert name.endswith("cat-chelsea.png-lite0.png")
    written = view.evaluate("written")
    assert not any("…" in text for text in written)
    everything = " ".join(written)
    for whole in ("Compare · Grad-CAM, LayerCAM, A method of mine", "A method of mine with a long name", "activation"):
        assert whole in everything
    assert everything.replace(" ", "").count(reason.replace(" ", "")) == 2, "once in its cell, once for all of a row"
    assert everything.replace(" ", "").count("layer4" * 12) == 2, "in the title and over its column"


@pytest.mark.parametrize("scale", ["own", "method", "all"])
def test_a_saved_grid_says_what_its_numbers_are(opened: Open, scale: str) -> None:
    widget = two_by_two(scale=scale)
    widget.start(["Grad-CAM", "Occlusion"], ["layer3"], caption="cat")
    widget.show_cell(0, 0, [[1.0]], unit="weighted activation")
    widget.show_cell(1, 0, [[1.0]], unit="drop of the score")
    view = opened(widget)
    view.evaluate(WRITTEN)
    with view.expect_download():
        view.get_by_role("button", name="Save").click()
    written = " ".join(view.evaluate("written"))
    under_maps = written.partition("⚠")[0]
    assert all(under_maps.count(unit) == 1 for unit in ("weighted activation", "drop of the score")), written


def test_a_grid_alone_has_no_choices_and_an_empty_one_says_so(opened: Open) -> None:
    view = opened(two_by_two())
    assert not view.get_by_role("button", name="Compare").is_visible()
    assert view.get_by_role("button", name="Save").is_visible()
    empty = opened(Comparison())
    assert empty.get_by_text("No maps yet").is_visible()
    assert not empty.get_by_role("button", name="Save").is_visible()


def test_undo_leaves_no_listener_and_no_element(opened: Open) -> None:
    view = opened(two_by_two(**CHOICES))
    view.evaluate("undo()")
    assert view.evaluate("listening()") == 1, "the channel of the model stays, for other views"
    assert view.evaluate("document.getElementById('root').children.length") == 0
