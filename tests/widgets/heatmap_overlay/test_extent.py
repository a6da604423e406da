"""What the browser is told of where a map lies."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cnnwidgets.core.errors import InputError
from cnnwidgets.explainers.attribution import Attribution
from cnnwidgets.tracing.placement import Placement
from cnnwidgets.widgets.comparison import Comparison
from cnnwidgets.widgets.feature_maps import FeatureMaps
from cnnwidgets.widgets.heatmap_overlay import HeatmapOverlay
from cnnwidgets.widgets.occluder import Occluder

PICTURE = np.zeros((32, 64, 3), np.uint8)
CROP = Placement((8, 16, 24, 48), (32, 64))
SHARES = [0.25, 0.25, 0.75, 0.75]


def found(placement: Placement | None, shape: tuple[int, int] = (16, 32)) -> Attribution:
    return Attribution(torch.ones(1, *shape), "grad_cam", (0,), "conv", torch.zeros(1), (), placement)


def test_overlay_and_strip() -> None:
    overlay = HeatmapOverlay.of(PICTURE, found(CROP))
    assert overlay._pushed["map"][0]["extent"] == SHARES
    overlay.show_attribution(found(Placement((0, 0, 32, 64), (32, 64))))
    assert overlay._pushed["map"][0]["extent"] is None
    overlay.show_strip(["a", "b"], [np.ones((16, 32)), np.ones((16, 32))], placements=[CROP, None])
    assert overlay._pushed["strip"][0]["extents"] == [SHARES, None]


def test_a_placed_map_need_not_be_in_proportion_but_its_image_must() -> None:
    square = Placement((8, 16, 24, 32), (32, 64))
    with pytest.raises(InputError, match="another shape"):
        HeatmapOverlay.of(PICTURE, found(None, (16, 16)))
    assert HeatmapOverlay.of(PICTURE, found(square, (16, 16))).notes == []
    with pytest.raises(InputError, match="The image that the map lies on has 32 × 64"):
        HeatmapOverlay.of(np.zeros((64, 32, 3), np.uint8), found(square, (16, 16)))


def test_comparison_feature_maps_and_occluder() -> None:
    comparison = Comparison(PICTURE)
    comparison.start(["Grad-CAM"], ["conv"])
    comparison.show_attribution(0, 0, found(CROP))
    assert comparison._pushed["cell:0:0"][0]["extent"] == SHARES
    maps = FeatureMaps(picture=PICTURE)
    maps.show(np.ones((2, 16, 32)), "conv", placement=CROP)
    assert maps._pushed["maps"][0]["extent"] == SHARES
    occluder = Occluder(PICTURE)
    occluder.show_heat(np.ones((16, 32)), placement=CROP)
    assert occluder._pushed["heat"][0]["extent"] == SHARES


def test_pictures_of_a_result_leave_out_what_has_no_cell() -> None:
    import io

    from PIL import Image

    pixels = np.asarray(Image.open(io.BytesIO(found(CROP)._repr_png_())))
    assert pixels.shape == (112, 224, 3)
    assert tuple(pixels[10, 10]) == (128, 128, 128)
    assert tuple(pixels[56, 112]) == (252, 253, 191)
