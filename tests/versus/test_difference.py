"""Maps of two networks on one grid, against numbers made by hand and by loops; likeness against its definition."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from cnnwidgets.tracing.placement import Placement
from cnnwidgets.versus.difference import map_difference, map_of
from cnnwidgets.versus.likeness import first_to_part, likeness_of, linear_cka


def scene(height: int, width: int) -> Any:
    pixels = np.zeros((height, width, 3), np.uint8)
    return SimpleNamespace(picture=SimpleNamespace(tensor=torch.zeros(1, 3, height, width), pixels=pixels))


def test_maps_of_one_grid_are_subtracted_cell_by_cell() -> None:
    first, second = torch.tensor([[1.0, 2.0]]), torch.tensor([[4.0, -2.0]])
    difference = map_difference(
        (first, second), (None, None), (scene(4, 8), scene(4, 8)), (None, None), same_input=True
    )
    assert difference is not None
    assert difference.values.tolist() == [[3.0, -4.0]]
    assert "same 1 × 2 cells" in difference.how


def test_another_crop_is_laid_where_it_lies() -> None:
    # The first sees all, 4 pixels wide: its cells have their centres at 1 and 3. The second sees the middle half.
    maps = torch.tensor([[0.0, 4.0]]), torch.tensor([[2.0, 2.0]])
    frames = (0.0, 0.0, 1.0, 1.0), (0.0, 0.25, 1.0, 0.75)
    difference = map_difference(maps, (None, None), (scene(1, 4), scene(1, 2)), frames, same_input=False)
    assert difference is not None
    # Their common places are the pixels whose centres are 1.5 and 2.5 of the first: 1 and 3 there.
    assert difference.values.tolist() == [[1.0, -1.0]]
    assert difference.pixels.shape == (1, 2, 3)
    assert difference.placement is None


def bilinear(heat: npt.NDArray[np.float32], box: tuple[float, ...], row: float, column: float) -> float:
    """A map that covers ``box`` of the photograph, at a place of the photograph; slow and plain."""
    (top, left, bottom, right), (rows, columns) = box, heat.shape
    y = min(max((row - top) / (bottom - top) * rows - 0.5, 0), rows - 1)
    x = min(max((column - left) / (right - left) * columns - 0.5, 0), columns - 1)
    i, j = int(y), int(x)
    below, beside = min(i + 1, rows - 1), min(j + 1, columns - 1)
    v, u = y - i, x - j
    upper = heat[i, j] * (1 - u) + heat[i, beside] * u
    return float(upper * (1 - v) + (heat[below, j] * (1 - u) + heat[below, beside] * u) * v)


def test_two_grids_two_crops_and_two_placements_against_a_slow_plain_version() -> None:
    torch.manual_seed(3)
    maps = torch.randn(5, 7), torch.randn(4, 3)
    frames = (0.1, 0.0, 0.9, 0.8), (0.0, 0.2, 1.0, 1.0)
    sizes = (40, 40), (32, 48)
    placements = Placement((4.0, 0.0, 36.0, 40.0), sizes[0]), None
    result = map_difference(maps, placements, (scene(*sizes[0]), scene(*sizes[1])), frames, same_input=False)
    assert result is not None
    boxes = (0.1 + 0.8 * 0.1, 0.0, 0.1 + 0.8 * 0.9, 0.8), frames[1]
    inside = boxes[0][0], 0.2, boxes[0][2], 0.8
    rows, columns = result.values.shape
    assert (rows, columns) == (32, 30)
    expected = np.zeros((rows, columns))
    for i in range(rows):
        for j in range(columns):
            at = (
                inside[0] + (i + 0.5) / rows * (inside[2] - inside[0]),
                inside[1] + (j + 0.5) / columns * (inside[3] - inside[1]),
            )
            first, second = (bilinear(heat.numpy(), box, *at) for heat, box in zip(maps, boxes, strict=True))
            expected[i, j] = second - first
    np.testing.assert_allclose(result.values, expected, atol=1e-5)
    # It covers the rows that both maps cover, of a picture of what both networks see.
    assert result.pixels.shape == (40, 30, 3)
    assert result.placement is not None
    np.testing.assert_allclose(result.placement.box, (4, 0, 36, 30), atol=1e-6)


@pytest.mark.parametrize("frames", [(None, (0.0, 0.0, 1.0, 1.0)), ((0.0, 0.0, 0.4, 1.0), (0.5, 0.0, 1.0, 1.0))])
def test_no_difference_where_no_place_is_known_to_be_common(frames: Any) -> None:
    maps = torch.zeros(2, 2), torch.zeros(3, 3)
    assert map_difference(maps, (None, None), (scene(8, 8), scene(9, 9)), frames, same_input=False) is None


def test_shares_and_gradients() -> None:
    cam = SimpleNamespace(values=torch.tensor([[[-4.0, 2.0]]]))
    assert map_of(cam, by_largest=False).tolist() == [[-4.0, 2.0]]  # type: ignore[arg-type]
    assert map_of(cam, by_largest=True).tolist() == [[-1.0, 0.5]]  # type: ignore[arg-type]
    gradient = SimpleNamespace(values=torch.tensor([[[[-4.0, 2.0]], [[3.0, 1.0]]]]))
    assert map_of(gradient, by_largest=False).tolist() == [[4.0, 2.0]]  # type: ignore[arg-type]


def hsic_cka(first: torch.Tensor, second: torch.Tensor) -> float:
    """Kornblith et al. 2019, eq. 3 and 5: with kernel matrices and the centring matrix, as they write it."""
    x, y = (maps.flatten(1).T.double().numpy() for maps in (first, second))
    n = len(x)
    centring = np.eye(n) - np.ones((n, n)) / n
    hsic = lambda k, l: np.trace(k @ centring @ l @ centring)  # noqa: E731, E741
    k, kernel = x @ x.T, y @ y.T
    return float(hsic(k, kernel) / np.sqrt(hsic(k, k) * hsic(kernel, kernel)))


@pytest.mark.parametrize(("channels", "others"), [(3, 3), (40, 40), (3, 50)])
def test_cka_is_its_definition(channels: int, others: int) -> None:
    torch.manual_seed(0)
    first, second = torch.randn(channels, 4, 5), torch.randn(others, 4, 5)
    assert linear_cka(first, second) == pytest.approx(hsic_cka(first, second), abs=1e-9)


def test_likeness() -> None:
    torch.manual_seed(0)
    maps = torch.randn(3, 4, 4)
    turned = torch.einsum("dc,chw->dhw", torch.linalg.qr(torch.randn(3, 3)).Q, maps)
    alike = likeness_of("a", maps, 5 * turned)
    assert alike.cka == pytest.approx(1, abs=1e-6)
    assert alike.apart > 0.5
    same = likeness_of("b", maps, maps.clone())
    assert (same.apart, same.same) == (0.0, True)
    zero = likeness_of("c", torch.zeros(1, 2, 2), torch.zeros(1, 2, 2))
    assert zero.same
    assert np.isnan(zero.cka)
    assert not likeness_of("d", torch.zeros(1, 2, 2), torch.ones(1, 2, 2)).same
    broken = likeness_of("e", maps, maps * torch.nan)
    assert not broken.same
    assert first_to_part([same, broken, alike]) is broken
    assert first_to_part([same]) is None
