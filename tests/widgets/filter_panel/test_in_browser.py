"""The built panel in headless Chromium: patches, buttons, cancelling, saving."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser

import cnnwidgets as cw
from tests.widgets.plain_page import Open, colours, follow, pages

BLUE = np.full((96, 96, 3), (0, 0, 200), np.uint8)


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    with pages(browser, tmp_path) as open_page:
        yield open_page


def panel() -> cw.FilterPanel:
    widget = cw.FilterPanel()
    widget.view.makes = True
    widget.show_filter("layer2.<i>conv</i>", 17)
    # On the scale of the strongest, 4, the left half of the first patch is at its end and the right half at 0.
    maps = [np.array([[4.0, 4.0, 4.0, 0.0, 0.0, 0.0]]), np.full((2, 2), 4.0)]  # of 4 cells nothing is drawn
    crops = [SimpleNamespace(pixels=BLUE, activation=values, value=4.0, image=at) for at, values in enumerate(maps)]
    widget.show_places(crops, source="From two photographs.", notes=["Only two."])
    widget.show_sentence("A shape: it keeps 90 % without colour.")
    return widget


def test_patches_carry_their_activation_on_one_scale(opened: Open) -> None:
    widget = panel()
    view = opened(widget.view, box="cnnw cnnw-filter-panel")
    first, second = (colours(view, ".fp-place canvas", number) for number in (0, 1))
    # 0.6 of inferno's last colour, (252, 255, 164), over 0.4 of the patch.
    np.testing.assert_allclose(first[5][5], [151, 153, 178], atol=2)
    assert first[5][90] == second[5][5] == [0, 0, 200], "where the filter is silent the patch is as it is"
    view.get_by_role("checkbox", name="Activation").uncheck()
    assert colours(view, ".fp-place canvas", 0)[5][5] == [0, 0, 200]
    assert view.get_by_role("listitem").count() == 2
    assert view.get_by_role("img", name="1. image 0: activation 4.00").is_visible()
    for text in ("From two photographs.", "Only two.", "A shape: it keeps"):
        assert view.get_by_text(text).first.is_visible(), text
    assert view.get_by_text("layer2.<i>conv</i>").is_visible(), "text, not HTML"


def test_an_image_is_made_and_cancelled(opened: Open) -> None:
    widget = panel()
    view = opened(widget.view, box="cnnw cnnw-filter-panel")
    view.get_by_role("button", name="Make the image that maximises it").click()
    assert view.evaluate("[sent.at(-1).op, sent.at(-1).job]") == ["start", "image"]
    widget.begin("image", "Making the image …")
    widget.busy = True
    widget.show_image(np.full((3, 8, 8), 0.5), about="seed 3", partial=True)
    widget.show_progress(0.25, "25 % · 9 s left")
    follow(view, widget.view)
    assert view.locator(".cnnw-filter-panel").first.get_attribute("aria-busy") == "true"
    assert view.get_by_text("9 s left").filter(visible=True).is_visible()
    assert colours(view, ".fp-picture canvas")[0][0] == [128, 128, 128]
    assert not view.get_by_role("button", name="Make the image").is_visible()
    view.get_by_role("button", name="Cancel").click()
    assert view.evaluate("sent.at(-1).op") == "cancel"
    widget.stop("Stopped: this image is not finished.")
    widget.busy = False
    follow(view, widget.view)
    assert view.get_by_text("this image is not finished").is_visible()
    assert view.get_by_role("button", name="Make it again").is_visible()
    widget.show_image(np.ones((3, 8, 8)), peak=8.0, largest=4.0, about="fourier · 128 px · seed 3", notes=["A note."])
    follow(view, widget.view)
    for text in ("2.00 times the largest of a photograph (4.00)", "seed 3", "A note.", "Borowski et al. 2021"):
        assert view.get_by_text(text).is_visible(), text
    assert not view.get_by_text("this image is not finished").is_visible()


def test_states_without_patches(opened: Open) -> None:
    widget = cw.FilterPanel()
    view = opened(widget.view, box="cnnw cnnw-filter-panel", width=380)
    assert view.get_by_text("Click a feature map to see").is_visible()
    assert view.get_by_role("button").filter(visible=True).count() == 0
    widget.show_filter("conv", 0)
    widget.begin("places", "Looking for places …")
    follow(view, widget.view)
    assert view.get_by_text("Looking for places").filter(visible=True).is_visible()
    widget.stop("The search was stopped.")
    follow(view, widget.view)
    assert view.get_by_text("The search was stopped.").is_visible()
    view.get_by_role("button", name="Find its places").click()
    assert view.evaluate("[sent.at(-1).op, sent.at(-1).job]") == ["start", "places"]
    widget.show_error(cw.InputError("The data set is empty."))
    follow(view, widget.view)
    assert view.get_by_role("alert").filter(has_text="The data set is empty.").is_visible()


@pytest.mark.parametrize("dark", [False, True])
def test_the_panel_and_the_image_are_saved(opened: Open, tmp_path: Path, dark: bool) -> None:
    widget = panel()
    widget.show_image(np.broadcast_to(np.array([1.0, 0, 0])[:, None, None], (3, 8, 8)), peak=8.0, largest=4.0)
    view = opened(widget.view, box="cnnw cnnw-filter-panel", dark=dark)
    names = []
    for number in (0, 1):
        with view.expect_download() as download:
            view.get_by_role("button", name="Save").nth(number).click()
        names.append(download.value.suggested_filename)
        download.value.save_as(tmp_path / f"{number}.png")
        saved = np.asarray(Image.open(tmp_path / f"{number}.png").convert("RGB"))
        assert (saved == [255, 0, 0]).all(-1).sum() > 10_000, "the image that was made"
        assert ((saved == [0, 0, 200]).all(-1).sum() > 10_000) == (number == 0), "the patches"
    assert names == ["Filter-17-of-layer2.-i-conv-i.png", "Filter-17-of-layer2.-i-conv-i-made.png"]
