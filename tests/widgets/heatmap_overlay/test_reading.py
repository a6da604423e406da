"""The clip, the channels as colours, and which layers can be chosen."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import traitlets

from cnnwidgets.core.errors import InputError
from cnnwidgets.widgets.heatmap_overlay import HeatmapOverlay

from .test_widget import PICTURE, attribution, pushed

GRADIENT = attribution(torch.arange(12.0).reshape(1, 3, 2, 2) - 6)
CAM = attribution(torch.ones(1, 2, 2), method="grad_cam", layer="conv")


def test_input_gradients_are_clipped_and_other_maps_are_not() -> None:
    overlay = HeatmapOverlay(PICTURE)
    overlay.show_attribution(CAM)
    assert overlay.clip == 0
    overlay.show_attribution(GRADIENT)
    assert overlay.clip == 1
    overlay.show_attribution(CAM)
    assert overlay.clip == 0


def test_the_readers_clip_is_remembered_for_each_kind() -> None:
    overlay = HeatmapOverlay(PICTURE)
    overlay.show_attribution(GRADIENT)
    overlay.clip = 3
    overlay.show_attribution(CAM)
    overlay.clip = 0.5
    overlay.show_attribution(GRADIENT)
    assert overlay.clip == 3
    overlay.show([[1.0]])
    assert overlay.clip == 0.5


def test_a_clip_given_at_the_start_holds_for_both() -> None:
    overlay = HeatmapOverlay(PICTURE, clip=2)
    overlay.show_attribution(GRADIENT)
    assert overlay.clip == 2


@pytest.mark.parametrize("clip", [-0.1, 5.1])
def test_more_is_not_clipped(clip: float) -> None:
    with pytest.raises(traitlets.TraitError):
        HeatmapOverlay(clip=clip)


def test_channels_are_sent_only_to_who_looks_at_them() -> None:
    overlay = HeatmapOverlay(PICTURE)
    overlay.show_attribution(GRADIENT)
    assert "colours" not in overlay._pushed
    overlay.rgb = True
    message, arrays = pushed(overlay, "colours")
    np.testing.assert_array_equal(arrays["colours"], GRADIENT.values[0])
    assert message["map"] == pushed(overlay, "map")[0]["id"]
    overlay.show_attribution(GRADIENT)
    assert pushed(overlay, "colours")[0]["map"] == pushed(overlay, "map")[0]["id"] > message["map"]
    overlay.show_attribution(CAM)
    assert "colours" not in overlay._pushed


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_other_numbers_of_channels_are_no_colours(channels: int) -> None:
    overlay = HeatmapOverlay(PICTURE, rgb=True)
    overlay.show_attribution(attribution(torch.ones(1, channels, 2, 2)))
    assert "colours" not in overlay._pushed


def test_clear_takes_the_channels_away() -> None:
    overlay = HeatmapOverlay(PICTURE, rgb=True)
    overlay.show_attribution(GRADIENT)
    overlay.clear()
    overlay.rgb = False
    overlay.rgb = True
    assert "colours" not in overlay._pushed


def test_a_map_says_whose_it_is() -> None:
    overlay = HeatmapOverlay(PICTURE)
    overlay.show_attribution(CAM)
    assert pushed(overlay, "map")[0]["layer"] == "conv"


def test_a_layer_that_has_no_map_is_refused() -> None:
    overlay = HeatmapOverlay(PICTURE, layers=["blocks.0", "blocks.1", "head"], layer="head")
    with pytest.raises(InputError, match=r"No map of layer 'block.1'. Closest of the 3: 'blocks.1'"):
        overlay.layer = "block.1"
    assert overlay.layer == "head"
    with pytest.raises(InputError, match=r"Closest of the 3: 'blocks.0', 'blocks.1', 'head'\."):
        overlay.layer = "zz"
    with pytest.raises(InputError):
        HeatmapOverlay(layers=["a"], layer="b")


def test_any_layer_goes_where_there_are_none_to_choose_from() -> None:
    overlay = HeatmapOverlay(PICTURE, layer="anything")
    overlay.layer = "zz"
    overlay.layers = ["a"]
    overlay.layer = "zz"  # it stays what it is
    overlay.layer = "a"
    overlay.layer = ""


def test_methods_may_have_a_family() -> None:
    rows = [["a", "A", "?"], ["b", "B", "?", "cam"]]
    assert HeatmapOverlay(methods=rows).methods == rows
    with pytest.raises(traitlets.TraitError):
        HeatmapOverlay(methods=[["a", "A", "?", "cam", "x"]])
