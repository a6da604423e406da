from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cnnwidgets.core.errors import InputError
from cnnwidgets.explainers.attribution import Attribution
from cnnwidgets.widgets._maps.fit import in_proportion, nearly, stretched
from cnnwidgets.widgets.heatmap_overlay import HeatmapOverlay

SIDES = [(64, 64), (65, 97), (100, 130), (48, 224), (224, 225), (33, 96)]


def picture(height: int, width: int) -> np.ndarray:
    return np.zeros((height, width, 3), np.uint8)


def grids(sides: tuple[int, int], padded: bool) -> list[tuple[int, int]]:
    """What a chain of convolutions and pools leaves of an image, after each of its layers."""
    x, found = torch.zeros(1, 1, *sides), []
    for layer in (
        nn.Conv2d(1, 1, 7, 2, 3 * padded),
        nn.MaxPool2d(2, 2, ceil_mode=True),
        nn.Conv2d(1, 1, 3, 1, int(padded)),
        nn.Conv2d(1, 1, 3, 2, int(padded)),
        nn.MaxPool2d(2, 2),
    ):
        x = layer(x)
        found.append((x.shape[2], x.shape[3]))
    return found


@pytest.mark.parametrize("sides", SIDES)
def test_the_maps_of_a_padded_network_are_in_proportion(sides: tuple[int, int]) -> None:
    for grid in [sides, *grids(sides, padded=True)]:
        assert stretched(grid, sides) == ""


@pytest.mark.parametrize("sides", SIDES)
def test_the_maps_of_an_unpadded_network_are_shown_with_a_note_at_most(sides: tuple[int, int]) -> None:
    for grid in grids(sides, padded=False):
        note = stretched(grid, sides)
        assert note == "" or "not quite in proportion" in note


@pytest.mark.parametrize(("cells", "pixels"), [((5, 29), (32, 128)), ((29, 5), (128, 32)), ((7, 8), (224, 224))])
def test_a_map_that_may_belong_to_the_picture_is_shown_with_a_note(
    cells: tuple[int, int], pixels: tuple[int, int]
) -> None:
    """LeNet (5 x 5, halve, 5 x 5, halve) leaves 5 x 29 cells of 32 x 128 pixels."""
    assert not in_proportion(cells, pixels)
    assert nearly(cells, pixels)
    (note,) = HeatmapOverlay(picture(*pixels), np.ones(cells)).notes
    assert note["level"] == "warn"
    assert "{} × {} cells, stretched over the picture's {} × {} pixels".format(*cells, *pixels) in note["text"]


@pytest.mark.parametrize(
    ("cells", "pixels"),
    [
        ((7, 7), (224, 448)),
        ((7, 7), (448, 224)),
        ((224, 224), (300, 451)),
        ((300, 451), (224, 224)),
        ((224, 448), (448, 224)),
        ((7, 7), (480, 640)),
        ((1, 28), (32, 112)),
        ((14, 14), (224, 300)),
    ],
)
def test_a_map_of_another_shape_is_refused_unless_it_is_known_to_cover_the_picture(
    cells: tuple[int, int], pixels: tuple[int, int]
) -> None:
    has, over = (f"{a} × {b}" for a, b in (cells, pixels))
    overlay = HeatmapOverlay(picture(*pixels), [[5.0]], caption="old")
    with pytest.raises(InputError, match=rf"The map has {has} cells .*the picture {over} pixels.*stretch=True"):
        overlay.show(np.ones(cells), caption="new")
    assert overlay.caption == "old"
    overlay.stretch = True
    overlay.show(np.ones(cells))
    assert [note["text"].split(",")[0] for note in overlay.notes] == [
        f"The map's {has} cells are stretched over a picture of another shape"
    ]


def test_the_note_says_how_many_pixels_a_cell_stands_for() -> None:
    assert "each stands for 32 × 64 of them" in stretched((7, 7), (224, 448), allowed=True)


@pytest.mark.parametrize("pixels", [(224, 224), (448, 448), (225, 220), (100, 100), (224, 256)])
def test_a_square_grid_is_one_of_a_square_picture(pixels: tuple[int, int]) -> None:
    assert HeatmapOverlay(picture(*pixels), np.ones((7, 7))).notes == []


def test_an_attribution_and_a_strip_are_held_to_it_too() -> None:
    overlay = HeatmapOverlay(picture(32, 64), layers=["a", "b"])
    with pytest.raises(InputError, match="8 × 8 cells"):
        overlay.show_attribution(Attribution(torch.ones(1, 8, 8), "grad_cam", (0,), "a", torch.zeros(1)))
    with pytest.raises(InputError, match="The strip's map of 'b' has 8 × 8 cells"):
        overlay.show_strip(["a", "b"], [np.ones((4, 8)), np.ones((1, 8, 8))])
    assert {"map", "strip"}.isdisjoint(overlay._pushed)


def test_without_a_picture_every_shape_is_shown() -> None:
    overlay = HeatmapOverlay(values=np.ones((1, 9)))
    assert overlay.notes == []


@pytest.mark.parametrize("make", [np.ones, torch.ones])
def test_one_map_with_its_leading_axis_is_a_map(make: Any) -> None:
    overlay = HeatmapOverlay(picture(8, 8), make((1, 2, 2)))
    assert overlay._pushed["map"][0]["arrays"][0]["shape"] == [2, 2]
    with pytest.raises(InputError, match="Show one image's map at a time"):
        overlay.show(make((2, 2, 2)))
