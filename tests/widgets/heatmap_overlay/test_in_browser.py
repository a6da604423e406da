"""The built overlay in headless Chromium: the list of methods, the clip, the channels, the strip."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser, Page

from cnnwidgets.widgets.heatmap_overlay import HeatmapOverlay
from tests.browser.looks import axe, texts, too_wide
from tests.canvas import rgba
from tests.widgets.plain_page import Open, deliver, frame, pages

from .test_widget import attribution

PICTURE = np.full((128, 128, 3), 200, np.uint8)
METHODS = [
    ["grad_cam", "Grad-CAM", "Which places?", "cam"],
    ["saliency", "Saliency", "Which pixels?", "gradient"],
    ["occlusion", "Occlusion", "Which parts?", "perturbation"],
    ["lrp", "LRP", "Mine?", "relevance"],
    ["guided_backprop", "Guided backprop", "Which details of the image excite the filters?", "gradient"],
    ["grad_cam_pp", "Grad-CAM++", "Which places, more evenly?", "cam"],
    ["score_cam", "Score-CAM", "Which maps, shown alone?", "cam"],
]
RANDOM = np.random.default_rng(0).normal(size=(1, 3, 128, 128)).astype(np.float32) ** 3


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    with pages(browser, tmp_path) as open_page:
        yield open_page


def get(view: Page, trait: str) -> Any:
    return view.evaluate("name => model.get(name)", trait)


def set_trait(view: Page, trait: str, value: Any) -> None:
    view.evaluate("([name, value]) => model.set(name, value)", [trait, value])
    frame(view)


def at(view: Page) -> str:
    return view.locator(".cnnw-ho-option.is-at").get_attribute("data-method") or ""


def the_map(view: Page) -> np.ndarray:
    return rgba(view.locator("canvas.cnnw-ho-map"))


def ends(view: Page) -> list[str]:
    return view.locator(".cnnw-ho-ends span").all_inner_texts()


@pytest.mark.parametrize("width", [340, 1000])
def test_the_list_of_methods_is_grouped_and_fits(opened: Open, width: int) -> None:
    view = opened(HeatmapOverlay(PICTURE, np.eye(2), methods=METHODS, method="grad_cam"), width)
    assert view.get_by_role("radio", name="Saliency").is_visible()
    view.get_by_role("button", name="More methods").click()
    lines = view.locator(".cnnw-ho-family, .cnnw-ho-name").all_inner_texts()
    assert lines == ["Gradients", "Guided backprop", "Class activation maps", "Grad-CAM++", "Score-CAM", "Yours", "LRP"]
    box, row = view.get_by_role("listbox").bounding_box(), view.locator(".cnnw-ho-methods").bounding_box()
    assert box
    assert row
    assert (box["x"], box["width"]) == pytest.approx((row["x"], row["width"]), abs=1)
    assert view.get_by_role("option", name="Score-CAM").is_visible()
    assert axe(view, "#root") == []
    view.locator(".cnnw-ho-option", has=view.get_by_text("Score-CAM", exact=True)).click()
    assert get(view, "method") == "score_cam"
    assert not view.get_by_role("listbox").is_visible()
    assert view.get_by_role("button", name="More methods: Score-CAM").is_visible()
    assert view.locator(".cnnw-ho-methods > p").inner_text() == "Which maps, shown alone?"


def test_the_list_of_methods_by_keyboard(opened: Open) -> None:
    view = opened(HeatmapOverlay(PICTURE, np.eye(2), methods=METHODS, method="grad_cam"))
    button, focused = view.get_by_role("button", name="More methods"), "document.activeElement.className"
    button.focus()
    view.keyboard.press("ArrowDown")
    assert at(view) == "guided_backprop"
    view.keyboard.press("ArrowDown")
    view.keyboard.press("End")
    assert at(view) == "lrp"
    view.keyboard.type("gr")
    assert at(view) == "grad_cam_pp"
    view.keyboard.press("Escape")
    assert not view.get_by_role("listbox").is_visible()
    assert "cnnw-ho-more" in view.evaluate(focused)
    assert get(view, "method") == "grad_cam"
    view.keyboard.press("Enter")
    view.keyboard.press("s")
    view.keyboard.press("Enter")
    assert get(view, "method") == "score_cam"
    frame(view)
    assert "cnnw-ho-more" in view.evaluate(focused), "the answer must not take the focus"
    view.keyboard.press("Enter")
    assert at(view) == "score_cam"
    view.mouse.click(5, 500)
    assert not view.get_by_role("listbox").is_visible()


@pytest.mark.parametrize("clip", [0.5, 1.0, 5.0])
def test_the_clip_is_numpys_percentile_and_is_said(opened: Open, clip: float) -> None:
    widget = HeatmapOverlay(PICTURE, clip=clip, colormap="gray", smooth=False)
    widget.show_attribution(attribution(torch.tensor(RANDOM)))
    view = opened(widget)
    magnitude = np.abs(RANDOM[0]).max(0)
    limit = np.percentile(magnitude.astype(np.float64), 100 - clip)
    assert ends(view) == ["0", "gradient of the score", f"≥ {limit:.2f}"]
    assert f"The {clip:g} % largest values are drawn as the largest colour, {limit:.2f}" in view.inner_text("#root")
    wanted = np.floor(np.minimum(magnitude / limit, 1) * 255 + 0.5)
    painted = the_map(view).astype(int)
    painted = painted[:: painted.shape[0] // 128, :: painted.shape[1] // 128]
    levels, alpha = painted[..., 0], painted[..., 3]
    assert np.abs(levels - wanted)[wanted > 0.3 * 255].max() <= 1
    # Below 0.3 of the scale the photograph shows through, the more the smaller the value.
    np.testing.assert_allclose(alpha, np.minimum(wanted / 0.3, 255), atol=1)


def test_without_clip_nothing_is_said_and_the_slider_sets_it(opened: Open) -> None:
    view = opened(HeatmapOverlay(PICTURE, np.abs(RANDOM[0, 0]), unit="u"))
    assert "≥" not in view.inner_text("#root")
    view.get_by_text("Display").click()
    view.get_by_label("Clip").focus()
    view.keyboard.press("ArrowRight")
    frame(view)
    assert get(view, "clip") == 0.5
    assert "≥" in ends(view)[2]


def test_colour_shows_the_three_channels_around_grey(opened: Open) -> None:
    widget = HeatmapOverlay(PICTURE, rgb=True, clip=0, smooth=False)
    widget.show_attribution(attribution(torch.tensor(RANDOM)))
    view = opened(widget)
    limit = float(np.abs(RANDOM).max())
    wanted = 127.5 + RANDOM[0].transpose(1, 2, 0) / limit * 127.5
    painted = the_map(view)[::2, ::2]
    assert painted.shape[:2] == (128, 128)
    assert np.abs(painted[..., :3] - wanted).max() <= 1
    assert ends(view)[1:] == ["0", f"+{limit:.2f}" if limit < 100 else f"+{limit:.1f}"]
    assert "0 is mid grey" in view.locator(".cnnw-ho-unit").inner_text()
    assert view.get_by_label("Opacity").is_disabled()
    style = "document.querySelector('.cnnw-ho-stage').style.getPropertyValue('--opacity')"
    assert view.evaluate(style) == "1", "the photograph's colours are not the map's"
    view.get_by_text("Display").click()
    view.get_by_role("radio", name="Merged").click()
    frame(view)
    assert get(view, "rgb") is False
    assert view.evaluate(style) == "0.55"
    assert ends(view)[0] == "0"


def test_other_maps_offer_no_channels(opened: Open) -> None:
    view = opened(HeatmapOverlay(PICTURE, np.eye(2), rgb=True))
    assert view.get_by_role("radio", name="Colour").count() == 0


def with_strip(**traits: Any) -> HeatmapOverlay:
    widget = HeatmapOverlay(
        PICTURE, layers=["a", "b", "c"], layer="c", method="grad_cam", colormap="gray", smooth=False, **traits
    )
    maps = {"a": [[0.0, 2.0]], "b": [[4.0, 0.0]], "c": [[8.0, 8.0]]}
    values = torch.tensor([maps["c"]])
    widget.show_attribution(attribution(values, method="grad_cam", layer="c"), notes=["about c"])
    widget.show_strip(list(maps), list(maps.values()), caption="{layer} → cat", unit="u", method="grad_cam")
    return widget


def thumbs(view: Page) -> list[list[int]]:
    canvases = view.locator(".cnnw-ho-thumbs canvas").all()
    return [[int(rgba(one)[0, 0, 0]), int(rgba(one)[0, -1, 0])] for one in canvases]


def test_the_strip_shows_each_layer_on_its_own_or_one_scale(opened: Open) -> None:
    view = opened(with_strip())
    assert thumbs(view) == [[0, 255], [255, 0], [255, 255]]
    assert view.get_by_text("Each map on its own scale").is_visible()
    view.get_by_label("One scale").check()
    frame(view)
    assert get(view, "strip_scale") == "shared"
    assert thumbs(view) == [[0, 64], [128, 0], [255, 255]]
    assert view.get_by_text("All on one scale, 0 to 8.00").is_visible()
    assert view.locator('.cnnw-ho-thumbs [aria-checked="true"]').get_attribute("title") == "c: 8.00 to 8.00"
    assert axe(view, "#root") == []


def test_moving_the_slider_paints_before_python_answers(opened: Open) -> None:
    widget = with_strip()
    view = opened(widget)
    slider = view.get_by_label("Layer", exact=True)
    slider.focus()
    view.keyboard.press("ArrowLeft")
    frame(view)
    assert (get(view, "layer"), ends(view)[2]) == ("b", "4.00")
    assert the_map(view)[0, [0, -1], 0].tolist() == [255, 0]
    assert view.locator(".cnnw-ho-caption").inner_text() == "b → cat"
    assert view.get_by_text("about c").count() == 0, "the notes are about another map"
    view.keyboard.press("ArrowLeft")
    frame(view)
    assert the_map(view)[0, [0, -1], 0].tolist() == [0, 255]
    # Late, about b: the slider has moved on.
    widget.show_attribution(attribution(torch.tensor([[[4.0, 0.0]]]), method="grad_cam", layer="b"))
    deliver(view, widget, "map")
    assert ends(view)[2] == "2.00"
    # And then about a: Python's word counts, whatever the strip said.
    widget.show_attribution(attribution(torch.tensor([[[7.0, 0.0]]]), method="grad_cam", layer="a"), notes=["about a"])
    deliver(view, widget, "map")
    set_trait(view, "notes", widget.notes)
    assert ends(view)[2] == "7.00"
    assert view.get_by_text("about a").is_visible()


def test_a_thumbnail_chooses_its_layer(opened: Open) -> None:
    view = opened(with_strip())
    view.get_by_role("radio", name="a", exact=True).click()
    frame(view)
    assert (get(view, "layer"), ends(view)[2]) == ("a", "2.00")
    view.keyboard.press("ArrowRight")
    frame(view)
    assert get(view, "layer") == "b"
    assert view.evaluate("document.activeElement.value") == "b"


def test_the_strip_of_another_method_is_not_shown(opened: Open) -> None:
    view = opened(with_strip())
    set_trait(view, "method", "layer_cam")
    assert not view.locator(".cnnw-ho-thumbs").is_visible()
    set_trait(view, "layer", "a")
    assert ends(view)[2] == "8.00", "the strip's map is another method's"
    set_trait(view, "method", "grad_cam")
    set_trait(view, "layers", [])
    assert not view.locator(".cnnw-ho-thumbs").is_visible()


def test_clicks_are_not_lost_when_a_cleared_overlay_has_a_strip(opened: Open) -> None:
    widget = with_strip()
    widget.clear("No map.")
    view = opened(widget)
    assert view.get_by_text("No map.").is_visible()
    assert view.locator(".cnnw-ho-bar").is_hidden()


@pytest.mark.parametrize("dark", [False, True])
def test_long_names_fit_in_340_px(opened: Open, dark: bool) -> None:
    names = [f"features.denseblock{i}.denselayer{i}.a_very_long_name" for i in range(60)]
    methods = [[f"m{i}", f"A method with a long name {i}", "?" * 90, "cam"] for i in range(9)]
    widget = HeatmapOverlay(PICTURE, layers=names, layer=names[-1], methods=methods, method="m8")
    widget.show([[1.0, 2.0]], caption=names[-1] * 2)
    widget.show_strip(names, [np.eye(3)] * len(names))
    view = opened(widget, 340, dark=dark)
    root = view.locator("#root")
    assert too_wide(root) == []
    assert [text for text in texts(root) if text["cut"]] == []
    assert axe(view, "#root") == []
    last = view.locator(".cnnw-ho-thumbs button").last.bounding_box()
    assert last
    assert last["x"] + last["width"] <= 348, "the chosen layer's thumbnail is in view"


def test_what_is_saved_says_the_clip(opened: Open, tmp_path: Path) -> None:
    widget = HeatmapOverlay(PICTURE, clip=1)
    widget.show_attribution(attribution(torch.tensor(RANDOM)), caption="x")
    view = opened(widget)
    sizes = []
    for clip in (1, 0):
        set_trait(view, "clip", clip)
        with view.expect_download() as download:
            view.get_by_role("button", name="Save").click()
        download.value.save_as(tmp_path / "saved.png")
        sizes.append(Image.open(tmp_path / "saved.png").height)
    assert sizes[0] > sizes[1], "a line of text more"


def test_what_is_saved_names_method_class_photograph_and_network(opened: Open, tmp_path: Path) -> None:
    names = {"photograph": "chelsea.png", "network": "lite0"}
    heights = []
    for made in ({}, {"patch": (16, 16), "grid": np.zeros((1, 3, 4)), "fill": "mean"}):
        widget = HeatmapOverlay(PICTURE, **names)
        shown = attribution(torch.ones(1, 4, 4), method="grad_cam", layer="layer4")
        widget.show_attribution(SimpleNamespace(**vars(shown), **made), caption="layer4 → cat (1)")
        view = opened(widget)
        with view.expect_download() as download:
            view.get_by_role("button", name="Save").click()
        assert download.value.suggested_filename == "Grad-CAM-layer4-cat-1-chelsea.png-lite0.png"
        download.value.save_as(tmp_path / "saved.png")
        heights.append(Image.open(tmp_path / "saved.png").height)
    assert heights[1] == heights[0] + 2 * 26, "one line more on patch and fill"


def test_undo_leaves_no_listener_and_no_element(opened: Open) -> None:
    view = opened(with_strip(methods=METHODS))
    view.get_by_role("button", name="More methods").click()
    view.evaluate("undo()")
    assert view.evaluate("listening()") == 1, "the channel of the model stays, for other views"
    assert view.evaluate("document.getElementById('root').children.length") == 0
