"""FilterGallery: what is sent, what is refused, and what is said of made images alone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import traitlets
from PIL import Image

import cnnwidgets as cw
from cnnwidgets.widgets._maps.mosaic import activations, pixels_of, reduced
from cnnwidgets.widgets._still.publish import newest_push, still_png
from cnnwidgets.widgets.filter_gallery.still import split_mosaic
from cnnwidgets.widgets.filter_gallery.widget import ALONE
from tests.widgets.parity import python_keys, typescript_keys

RNG = np.random.default_rng(0)
PATCHES = [RNG.integers(0, 255, (side, 9 - side, 3)).astype(np.uint8) for side in (3, 4, 5)]


def test_pictures_of_all_sizes_arrive_as_they_were() -> None:
    gallery = cw.FilterGallery(PATCHES, layer="conv1", channels=[8, 2, 5], values=[1.0, np.nan, 3.0])
    arrays, content = newest_push(gallery, "filters")
    for sent, patch in zip(split_mosaic(arrays["pixels"], arrays["sizes"]), PATCHES, strict=True):
        np.testing.assert_array_equal(sent, patch)
    assert arrays["channels"].tolist() == [8, 2, 5]
    np.testing.assert_array_equal(arrays["values"], np.float32([1, np.nan, 3]))
    assert content["names"] == [""]
    assert content["layer"] == gallery.layer == "conv1"


@pytest.mark.parametrize("channels", [1, 3, 12])
def test_images_of_a_network_become_colours(channels: int) -> None:
    image = torch.rand(channels, 4, 6)
    expected = np.round((image if channels == 3 else image.mean(0, keepdim=True).expand(3, 4, 6)).numpy() * 255)
    pixels = pixels_of(image.double())
    assert np.abs(pixels - expected.transpose(1, 2, 0)).max() <= 1  # the mean is rounded in another order
    assert pixels.dtype == np.uint8


def test_a_reduced_picture_has_the_means_of_what_it_covers() -> None:
    pixels = RNG.integers(0, 255, (6, 8, 3)).astype(np.uint8)
    blocks = pixels.reshape(3, 2, 4, 2, 3).mean((1, 3))
    np.testing.assert_allclose(reduced(pixels, 4), blocks, atol=0.51)
    assert reduced(pixels, 8) is pixels


def test_made_images_stand_beside_photographs_or_say_that_they_do_not() -> None:
    made = torch.rand(2, 3, 5, 5)
    alone = cw.FilterGallery(made, synthetic=True)
    assert newest_push(alone, "filters").content["notes"] == [ALONE]
    gallery = cw.FilterGallery(made, synthetic=True, beside=PATCHES[:2], ratios=[1.5, np.nan], notes=["dead"])
    arrays, content = newest_push(gallery, "filters")
    pictures = split_mosaic(arrays["pixels"], arrays["sizes"])
    np.testing.assert_array_equal(pictures[1], PATCHES[0])
    np.testing.assert_array_equal(pictures[3], PATCHES[1])
    assert (content["names"], content["notes"]) == (["made", "photograph"], ["dead"])


def test_what_was_made_stands_beside_exemplars_and_dead_filters_are_left_out() -> None:
    synthesis = SimpleNamespace(
        images=torch.rand(3, 3, 4, 4),
        dead=torch.tensor([False, True, False]),
        channels=(8, 2, 5),
        layer="conv1",
        peaks=torch.tensor([4.0, torch.nan, 6.0]),
        ratios=torch.tensor([2.0, torch.nan, 1.5]),
        title="conv1 · seed 0",
        notes=("dead: 2",),
    )
    crops = {8: PATCHES[0], 5: PATCHES[2]}
    exemplars = SimpleNamespace(crop=lambda _, channel, __: SimpleNamespace(pixels=crops[channel]))
    gallery = cw.FilterGallery.of(synthesis, exemplars, sort="value")
    arrays, content = newest_push(gallery, "filters")
    assert (arrays["channels"].tolist(), arrays["values"].tolist()) == ([8, 5], [4.0, 6.0])
    assert arrays["ratios"].tolist() == [2.0, 1.5]
    np.testing.assert_array_equal(split_mosaic(arrays["pixels"], arrays["sizes"])[3], PATCHES[2])
    assert (content["about"], content["notes"]) == ("conv1 · seed 0", ["Dead: 2."])
    synthesis.dead[:] = True
    with pytest.raises(cw.InputError, match="not all dead"):
        cw.FilterGallery.of(synthesis, exemplars)


def test_many_filters_are_sent_small() -> None:
    gallery = cw.FilterGallery(np.zeros((1280, 64, 64, 3), np.uint8))
    assert newest_push(gallery, "filters").arrays["pixels"].nbytes <= 12_000_000


REFUSED: list[tuple[Any, dict[str, Any], str]] = [
    (np.zeros((2, 3)), {}, r"shape \(2, 3\); expected \(K, h, w, 3\)"),
    ([], {}, "no picture"),
    (torch.randn(2, 3, 4, 4), {}, r"expected \(h, w, 3\) uint8, or \(C, h, w\) floats from 0 to 1"),
    (np.zeros((2, 4, 4), np.uint8), {}, "expected"),
    (PATCHES, {"channels": [1, 2]}, "3 pictures and 2 channels"),
    (PATCHES, {"channels": [1, 1, 2]}, "different numbers"),
    (PATCHES, {"channels": [-1, 1, 2]}, "from 0 on"),
    (PATCHES, {"values": [1.0]}, "each of the 3"),
    (PATCHES, {"beside": PATCHES[:2]}, "3 pictures and 2 pictures beside"),
]


@pytest.mark.parametrize(("pictures", "options", "message"), REFUSED, ids=str)
def test_what_does_not_fit_is_refused(pictures: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(cw.InputError, match=message):
        cw.FilterGallery(pictures, **options)


def test_only_a_filter_on_show_can_be_selected() -> None:
    gallery = cw.FilterGallery(PATCHES, channels=[8, 2, 5], channel=2)
    with pytest.raises(traitlets.TraitError, match=r"No filter 3 is on show; there are: \[8, 2, 5\]"):
        gallery.channel = 3
    gallery.show(PATCHES, channels=[8, 2, 6])
    assert gallery.channel == 2
    gallery.show(PATCHES)
    assert gallery.channel == 2
    gallery.clear("No filters here.", layer="pool")
    assert (gallery.channel, gallery.layer) == (None, "pool")
    with pytest.raises(TypeError, match="unexpected keyword 'chanels'"):
        cw.FilterGallery(PATCHES, chanels=[1])


def test_the_page_knows_the_same_traits() -> None:
    assert typescript_keys("FilterGalleryState") == python_keys(cw.FilterGallery)


def test_a_still_picture() -> None:
    assert still_png(cw.FilterGallery()) is None
    png = still_png(cw.FilterGallery(torch.rand(50, 3, 5, 5), synthetic=True, layer="conv1"))
    assert png is not None


def test_activations_in_a_row() -> None:
    arrays = activations([np.array([[1.0, 2.0]]), np.array([[3.0], [4.0], [5.0]])])
    assert arrays["activations"].tolist() == [1, 2, 3, 4, 5]
    assert arrays["cells"].tolist() == [[1, 2], [3, 1]]
    assert activations([])["cells"].shape == (0, 2)


def test_saved_pictures_are_pictures() -> None:
    assert Image.fromarray(pixels_of(torch.ones(1, 2, 2))).getpixel((0, 0)) == (255, 255, 255)
