from __future__ import annotations

import pytest
import torch
from torch import nn

from cnnwidgets.core.errors import LayerNotFound, NotSpatial
from cnnwidgets.explainers import eigen_cam
from cnnwidgets.tracing.placement import UNKNOWN

CLASS_FREE = "the map does not depend on the class"


class Fixed(nn.Module):
    """Returns given maps as a layer, whatever the image."""

    def __init__(self, maps: torch.Tensor) -> None:
        super().__init__()
        self.layer, self.head = nn.Identity(), nn.Linear(maps[0].numel(), 2)
        self.register_buffer("maps", maps)

    def forward(self, x):
        return self.head(self.layer(self.maps[: len(x)] + 0 * x.sum()).flatten(1))


def component(maps: list[list[float]]):
    """Eigen-CAM of K maps of one row."""
    values = torch.tensor(maps)[None, :, None, :]
    return eigen_cam(Fixed(values), torch.zeros(1, 1, 2, 2), layer="layer")


def test_maps_in_proportion() -> None:
    # One component explains all: 3 : 4 : 0 gives [5, 10, 15].
    result = component([[3.0, 6.0, 9.0], [4.0, 8.0, 12.0], [0.0, 0.0, 0.0]])
    torch.testing.assert_close(result.values, torch.tensor([[[5.0, 10.0, 15.0]]]))
    # The maps are a buffer: where they lie in the image cannot be told.
    unknown = "the axes of layer 'layer' could not be followed; read as (N, C, H, W)"
    assert result.notes == (UNKNOWN, CLASS_FREE, unknown)


def test_two_maps_that_never_meet() -> None:
    # Orthogonal: the stronger one, of norm 5 against 1, alone.
    result = component([[3.0, 4.0, 0.0], [0.0, 0.0, 1.0]])
    torch.testing.assert_close(result.values, torch.tensor([[[3.0, 4.0, 0.0]]]))


def test_it_is_not_centred() -> None:
    # Of two places [1, 2] and [2, 1] the shared part is 3 / sqrt(2) at both; centred it would be zero in sum.
    result = component([[1.0, 2.0], [2.0, 1.0]])
    torch.testing.assert_close(result.values, torch.full((1, 1, 2), 3 / 2**0.5))


@pytest.mark.parametrize("factor", [1.0, -1.0])
def test_the_sum_over_places_is_positive(factor: float) -> None:
    # Norms: the first map dominates; its sum is +1 or -1, the result's always +1.
    result = component([[factor * 3.0, factor * -2.0, 0.0]])
    torch.testing.assert_close(result.values, torch.tensor([[[3.0, -2.0, 0.0]]]))


@pytest.mark.parametrize("factor", [1.0, -1.0])
def test_without_a_sum_the_largest_magnitude_is_positive(factor: float) -> None:
    result = component([[factor * 1.0, factor * -2.0, factor * 1.0]])
    torch.testing.assert_close(result.values, torch.tensor([[[-1.0, 2.0, -1.0]]]))


@pytest.mark.parametrize(("channels", "side"), [(3, 7), (40, 3), (16, 4)])
def test_it_is_the_first_component_of_a_full_decomposition(channels: int, side: int) -> None:
    maps = torch.randn(2, channels, side, side, generator=torch.Generator().manual_seed(5)).clamp(min=0)
    values = eigen_cam(Fixed(maps), torch.zeros(2, 1, 2, 2), layer="layer").values
    for own, result in zip(maps.double(), values, strict=True):
        u, s, _ = torch.linalg.svd(own.reshape(channels, -1).T, full_matrices=False)
        expected = (u[:, 0] * s[0]).reshape(side, side)
        expected = expected * expected.sum().sign()
        torch.testing.assert_close(result, expected.float())
        assert bool((result >= -1e-6).all())  # what is shared by maps without a sign has none (Perron and Frobenius)


def test_equal_strength_is_told() -> None:
    assert any("equally strong" in note for note in component([[1.0, 0.0], [0.0, 1.0]]).notes)


def test_maps_of_zeros() -> None:
    assert component([[0.0, 0.0], [0.0, 0.0]]).values.tolist() == [[[0.0, 0.0]]]


def test_not_a_number_stays_in_its_image() -> None:
    maps = torch.rand(2, 3, 2, 2)
    maps[1, 0, 0, 0] = torch.nan
    values = eigen_cam(Fixed(maps), torch.zeros(2, 1, 2, 2), layer="layer").values
    assert bool(values[0].isfinite().all())
    assert bool(values[1].isnan().all())


def test_the_class_does_not_matter_but_its_score_is_told() -> None:
    net = Fixed(torch.rand(1, 3, 2, 2))
    first, second = (eigen_cam(net, torch.zeros(1, 1, 2, 2), target, layer="layer") for target in (0, 1))
    assert torch.equal(first.values, second.values)
    torch.testing.assert_close(torch.stack([first.scores, second.scores], 1), net(torch.zeros(1, 1, 2, 2)).detach())


def test_it_needs_no_gradient() -> None:
    class Cut(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.head = nn.Conv2d(1, 2, 1), nn.Linear(8, 2)

        def forward(self, x):
            return self.head(self.conv(x).detach().flatten(1))

    assert eigen_cam(Cut(), torch.rand(1, 1, 2, 2), layer="conv").values.abs().sum() > 0
    with pytest.raises(NotSpatial, match="'head'"):
        eigen_cam(Cut(), torch.rand(1, 1, 2, 2), layer="head")
    with pytest.raises(LayerNotFound):
        eigen_cam(Cut(), torch.rand(1, 1, 2, 2), layer="none")
