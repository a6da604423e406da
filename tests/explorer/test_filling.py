"""What patches show, in the units of the network's input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from cnnwidgets.explainers.engine.patches import blurred
from cnnwidgets.explorer.panels.filling import Filling

MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])


def normalised(pixels: np.ndarray) -> torch.Tensor:
    return ((torch.from_numpy(pixels).float().permute(2, 0, 1) / 255 - MEAN[:, None, None]) / STD[:, None, None])[None]


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (12, 10, 3), np.uint8)


def patch(fill: str, top: int = 2, left: int = 3, **more: Any) -> dict[str, Any]:
    return {"top": top, "left": left, "height": 4, "width": 5, "fill": fill, **more}


def test_colours_go_through_the_preprocessing_that_was_used(pixels: np.ndarray) -> None:
    filling = Filling(normalised(pixels), pixels)
    assert filling.note == ""
    for fill, level, more in (("grey", 0.5, {}), ("black", 0.0, {}), ("color", 1.0, {"color": "#ffffff"})):
        shown = filling.of(patch(fill, **more))
        assert shown.shape == (3, 4, 5)
        torch.testing.assert_close(shown[:, 3, 4], (level - MEAN) / STD, atol=1e-5, rtol=0)
    torch.testing.assert_close(
        filling.level((255, 0, 51)), (torch.tensor([1.0, 0.0, 0.2]) - MEAN) / STD, atol=1e-5, rtol=0
    )
    torch.testing.assert_close(filling.of(patch("mean"))[:, 0, 0], normalised(pixels)[0].mean((1, 2)))


def test_one_channel_takes_the_grey_of_a_colour(pixels: np.ndarray) -> None:
    grey = np.repeat(pixels[:, :, :1], 3, axis=2)
    filling = Filling(torch.from_numpy(grey[None, None, :, :, 0]).float() / 255, grey)
    torch.testing.assert_close(filling.level((30, 60, 90)), torch.tensor([60 / 255]))


def test_pixels_that_were_rounded_still_tell_the_preprocessing() -> None:
    values = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    filling = Filling(4 * values - 1, (values[0] * 255).round().byte().permute(1, 2, 0).numpy())
    assert filling.note == ""
    torch.testing.assert_close(filling.level((127.5,) * 3), torch.ones(3), atol=0.01, rtol=0)


@pytest.mark.parametrize("kind", ["curved", "flat", "four"])
def test_otherwise_the_most_similar_pixel_stands_for_the_colour_and_it_is_said(pixels: np.ndarray, kind: str) -> None:
    pixels[5, 6] = (255, 0, 0)
    tensor = {"curved": normalised(pixels).exp(), "flat": torch.zeros(1, 3, 12, 10), "four": torch.rand(1, 4, 12, 10)}[
        kind
    ]
    filling = Filling(tensor, np.zeros_like(pixels) if kind == "flat" else pixels)
    assert "most similar pixel" in filling.note
    if kind != "flat":
        torch.testing.assert_close(filling.level((254, 1, 1)), tensor[0, :, 5, 6])


def test_blur_and_copies_are_windows_also_at_the_edges(pixels: np.ndarray) -> None:
    tensor = normalised(pixels)
    filling = Filling(tensor, pixels)
    soft = blurred(tensor, 2.5)[0]
    torch.testing.assert_close(filling.of(patch("blur")), soft[:, 2:6, 3:8])
    torch.testing.assert_close(filling.of(patch("blur", -1, 7))[:, 1:, :3], soft[:, :3, 7:])
    torch.testing.assert_close(filling.of(patch("copy", source=[1, 2])), tensor[0, :, 1:5, 2:7])
    torch.testing.assert_close(filling.of(patch("copy", source=[11, -4])), tensor[0, :, 8:, :5])


def test_the_edited_image_has_the_later_patch_on_top_and_the_original_is_left(pixels: np.ndarray) -> None:
    tensor = normalised(pixels)
    kept = tensor.clone()
    filling = Filling(tensor, pixels)
    edited = filling.edited([patch("black", -2, -3), patch("grey", 0, 0), patch("mean", 30, 0)])[0]
    expected = tensor[0].clone()
    expected[:, :2, :2] = filling.level((0, 0, 0))[:, None, None]
    expected[:, :4, :5] = filling.level((127.5,) * 3)[:, None, None]
    torch.testing.assert_close(edited, expected)
    assert torch.equal(tensor, kept)


def test_a_sweep_gets_the_same_fill(pixels: np.ndarray) -> None:
    filling = Filling(normalised(pixels), pixels)
    assert (filling.for_sweep("mean", ""), filling.for_sweep("blur", "")) == ("mean", "blur")
    assert filling.for_sweep("color", "#ff0033") == pytest.approx(
        ((torch.tensor([1.0, 0.0, 0.2]) - MEAN) / STD).tolist(), abs=1e-5
    )
