"""A network that moves its input another way than in earlier calls has its maps laid where they lie now."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn
from torch.autograd import Function
from torch.nn import functional

from cnnwidgets import explainers
from cnnwidgets.core.errors import CnnWidgetsError
from cnnwidgets.explainers.engine.forward_pass import DRIFT


def sliced(x: torch.Tensor, at: int) -> torch.Tensor:
    return x[:, :, at : at + 8, at : at + 8]


def selected(x: torch.Tensor, at: int) -> torch.Tensor:
    places = torch.arange(at, at + 8)
    return x.index_select(2, places)[..., places]


def masked(x: torch.Tensor, at: int) -> torch.Tensor:
    rows = torch.zeros(16, dtype=torch.bool)
    rows[at : at + 8] = True
    return x[:, :, rows][..., rows]


def pasted(x: torch.Tensor, at: int) -> torch.Tensor:
    canvas = x.new_zeros(1, 1, 16, 16)
    canvas[:, :, at : at + 8, at : at + 8] = x[:, :, :8, :8]
    return canvas


def padded(x: torch.Tensor, at: int) -> torch.Tensor:
    return functional.pad(x, (at, 8 - at, at, 8 - at))


def detached(x: torch.Tensor, at: int) -> torch.Tensor:
    return sliced(x.detach(), at)


def half_detached(x: torch.Tensor, at: int) -> torch.Tensor:
    return sliced(x, 0) * 0.0 + detached(x, at)


def through_numpy(x: torch.Tensor, at: int) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(x.detach().numpy()[:, :, at : at + 8, at : at + 8]))


def strided(x: torch.Tensor, at: int) -> torch.Tensor:
    return x.contiguous().as_strided((1, 1, 8, 8), (256, 256, 16, 1), at * 17)


def narrowed(x: torch.Tensor, at: int) -> torch.Tensor:
    return x.narrow(2, at, 8).narrow(3, at, 8)


class _Cut(Function):
    @staticmethod
    def forward(ctx, x, at):
        ctx.at = at
        return sliced(x, at).clone()

    @staticmethod
    def backward(ctx, gradient):
        at = ctx.at
        return functional.pad(gradient, (at, 8 - at, at, 8 - at)), None


def by_function(x: torch.Tensor, at: int) -> torch.Tensor:
    return _Cut.apply(x, at)


def split(x: torch.Tensor, at: int) -> torch.Tensor:
    x = torch.split(x, [at, 8, 8 - at], 2)[1]
    return torch.split(x, [at, 8, 8 - at], 3)[1]


class Moving(nn.Module):
    def __init__(self, move: Callable[[torch.Tensor, int], torch.Tensor]) -> None:
        super().__init__()
        self.move, self.at = move, 0
        self.conv = nn.Conv2d(1, 2, 1)
        self.head = nn.Linear(2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.conv(self.move(x, self.at)).relu().mean((2, 3)))


MOVES = [sliced, selected, masked, pasted, padded, detached, half_detached, through_numpy, strided, narrowed, split]


@pytest.mark.parametrize("move", [*MOVES, by_function], ids=lambda move: move.__name__)
@pytest.mark.parametrize("frozen", [False, True])
def test_a_call_knows_nothing_that_an_earlier_one_found_out_in_another_way(move, frozen: bool) -> None:
    torch.manual_seed(0)
    net, image = Moving(move).requires_grad_(not frozen), torch.rand(1, 1, 16, 16)
    fresh = copy.deepcopy(net)
    fresh.at = 5
    expected = explain(fresh, image)
    for _ in range(4):
        explain(net, image)
    net.at = 5
    result = explain(net, image)
    assert result[1:] == expected[1:]
    assert torch.equal(result[0], expected[0])
    if move in (sliced, narrowed, split):
        assert result[1].box == (5, 5, 13, 13)


def explain(net: nn.Module, image: torch.Tensor):
    """Values, placement and notes, or the error; that it goes another way each time depends on the earlier calls."""
    try:
        result = explainers.grad_cam(net, image, 0, layer="conv")
    except CnnWidgetsError as error:
        return torch.zeros(0), None, str(error)
    return result.values, result.placement, tuple(note for note in result.notes if note != DRIFT)


def test_sizes_that_only_a_view_tells_of_are_told_apart() -> None:
    def viewed(x: torch.Tensor, at: int) -> torch.Tensor:
        return x.view(1, 1, 8, 32) if at else x.view(1, 1, 16, 16)

    net, image = Moving(viewed), torch.rand(1, 1, 16, 16)
    for _ in range(3):
        assert explain(net, image)[0].shape == (1, 16, 16)
    net.at = 1
    fresh = copy.deepcopy(net)
    assert explain(net, image)[1:] == explain(fresh, image)[1:]
