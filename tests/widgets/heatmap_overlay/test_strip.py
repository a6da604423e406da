from __future__ import annotations

import numpy as np
import pytest
import torch

from cnnwidgets.core.errors import InputError
from cnnwidgets.widgets._maps.arrays import area_mean
from cnnwidgets.widgets.heatmap_overlay import HeatmapOverlay
from cnnwidgets.widgets.heatmap_overlay.notes import MOST

from .test_widget import PICTURE, pushed


def slow_area_mean(values: np.ndarray, most: int) -> np.ndarray:
    """Each cell cut into so many parts that the parts fit both grids."""
    height, width = values.shape
    factor = most / max(height, width)
    rows, columns = max(1, round(height * factor)), max(1, round(width * factor))
    fine = np.repeat(np.repeat(values.astype(np.float64), rows, 0), columns, 1)
    return fine.reshape(rows, height, columns, width).mean((1, 3))


@pytest.mark.parametrize("shape", [(6, 6), (7, 5), (5, 12), (13, 1)])
def test_large_maps_become_means_of_areas(shape: tuple[int, int]) -> None:
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    np.testing.assert_allclose(area_mean(values, 4), slow_area_mean(values, 4), rtol=1e-5, atol=1e-6)


def test_whole_factors_agree_with_torch() -> None:
    values = torch.arange(48.0).reshape(6, 8)
    wanted = torch.nn.functional.avg_pool2d(values[None, None], 2)[0, 0]
    np.testing.assert_allclose(area_mean(values.numpy(), 4), wanted)


def test_a_small_map_stays_and_what_is_not_finite_spoils_only_its_own_cell() -> None:
    values = np.ones((4, 4), np.float32)
    assert area_mean(values, 4) is values
    values[0, 1], values[3, 3] = np.inf, np.nan
    np.testing.assert_array_equal(area_mean(values, 2), [[np.nan, 1], [1, np.nan]])


def test_all_maps_go_in_one_message() -> None:
    overlay = HeatmapOverlay(PICTURE[:, :4], layers=["a", "b", "c"])
    large = np.arange(MOST * 2 * MOST * 2, dtype=np.float32).reshape(MOST * 2, -1)
    overlay.show_strip(["a", "b"], [[[1.0, -2.0]], large], caption="{layer} → cat", unit="u", method="grad_cam")
    message, arrays = pushed(overlay, "strip")
    assert arrays["sizes"].tolist() == [[1, 2], [MOST, MOST]]
    np.testing.assert_allclose(arrays["values"][:2], [1, -2])
    np.testing.assert_allclose(arrays["values"][2:].reshape(MOST, MOST), slow_area_mean(large, MOST), rtol=1e-6)
    assert (message["names"], message["caption"], message["method"]) == (["a", "b"], "{layer} → cat", "grad_cam")
    assert overlay.strip_scale == "own"
    overlay.show_strip(["a"], [[[1.0]]], scale="shared")
    assert overlay.strip_scale == "shared"


def test_another_picture_takes_the_strip_away() -> None:
    overlay = HeatmapOverlay(PICTURE)
    overlay.show_strip(["a"], [[[1.0]]])
    overlay.set_picture(PICTURE)
    message, arrays = pushed(overlay, "strip")
    assert (message["names"], arrays) == ([], {})


@pytest.mark.parametrize(
    ("names", "maps", "said"),
    [
        (["a"], [], "1 names and 0 maps"),
        (["a", "a"], [[[1.0]], [[2.0]]], "2 names and 2 maps"),
        (["layer5"], [[[1.0]]], "'layer4'"),
        (["a"], [[1.0]], r"expected \(h, w\)"),
    ],
)
def test_a_strip_of_another_kind_is_refused(names: list[str], maps: list[object], said: str) -> None:
    overlay = HeatmapOverlay(PICTURE, layers=["a", "layer4"])
    with pytest.raises(InputError, match=said):
        overlay.show_strip(names, maps)
    assert "strip" not in overlay._pushed
