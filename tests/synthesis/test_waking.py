"""Units asleep on grey noise: which can be woken, and which are dead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from cnnwidgets.synthesis import maximize
from cnnwidgets.synthesis.waking import redirected

RELUS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "module": nn.ReLU(),
    "in place": lambda x: functional.relu(x, inplace=True),
    "relu6": nn.ReLU6(),
    "relu6 in place": nn.ReLU6(inplace=True),
    "clamp": lambda x: x.clamp(min=0),
    "maximum": lambda x: torch.maximum(x, torch.zeros(())),
    "threshold": nn.Threshold(0, 0),
}


@pytest.mark.parametrize("relu", RELUS)
def test_the_gradient_comes_through_where_it_opens(relu: str) -> None:
    x = torch.tensor([[-1.0, -2.0], [3.0, -4.0]], requires_grad=True)
    weights = torch.tensor([1.0, -1.0])
    y = (RELUS[relu](x * 1) * weights).sum(1)
    with redirected(y):
        (gradient,) = torch.autograd.grad(y.sum(), x, retain_graph=True)
    # Closed everywhere: only what raises an input; open somewhere: as usual.
    assert gradient.tolist() == [[1.0, 0.0], [1.0, 0.0]]
    (plain,) = torch.autograd.grad(y.sum(), x)
    assert plain.tolist() == [[0.0, 0.0], [1.0, 0.0]]


@pytest.mark.parametrize("kind", [nn.ReLU6, lambda: nn.ReLU6(inplace=True)])
def test_above_six_the_gradient_comes_through_where_it_lowers(kind: Any) -> None:
    x = torch.tensor([[8.0, 9.0]], requires_grad=True)
    y = (kind()(x * 1) * torch.tensor([-1.0, 1.0])).sum(1)
    with redirected(y):
        (gradient,) = torch.autograd.grad(y.sum(), x)
    assert gradient.tolist() == [[-1.0, 0.0]]


class Planted(nn.Module):
    """Units that answer at once, only to bright images, or never."""

    def __init__(self, relu: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.conv, self.relu, self.next = nn.Conv2d(3, 30, 3), relu, nn.Conv2d(30, 30, 1)
        torch.manual_seed(1)
        with torch.no_grad():
            self.conv.weight.normal_()
            for unit in range(30):
                # Beside what lies in [0, 1], none, of the inputs: -(the sum of positive weights) is out of reach.
                reach = float(self.conv.weight[unit].clamp(min=0).sum())
                middle = float(self.conv.weight[unit].sum()) / 2
                bias = {0: -middle, 1: -middle - 0.6 * (reach - middle), 2: -1.5 * reach - 1}[unit % 3]
                self.conv.bias[unit] = bias
            self.conv.weight[29] = 0
            self.next.weight.copy_(torch.eye(30)[:, :, None, None])
            self.next.bias.zero_()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.relu(self.next(self.relu(self.conv(x)))).mean((2, 3))


@pytest.mark.parametrize("recipe", ["fourier", "pixels"])
@pytest.mark.parametrize("relu", [nn.ReLU(), functional.relu6])
def test_dead_and_wakeable_units_are_told_apart(relu: Any, recipe: str) -> None:
    net = Planted(relu).eval()
    result = maximize(net, "next", recipe=recipe, size=16, steps=128, value_range=(0.0, 1.0))
    assert result.dead.tolist() == [unit % 3 == 2 for unit in range(30)]
    assert bool(result.images.isfinite().all())
    assert bool((result.images[result.dead] == 0.5).all())
    assert bool((result.values[~result.dead] > 0).all())
    assert any(note.startswith("dead") and " 29;" in note for note in result.notes)
    assert "dead" in result.label(2)


def test_units_without_a_relu_are_not_dead() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.SiLU(), nn.Conv2d(4, 2, 1), nn.GELU()).eval()
    with torch.no_grad():
        net[0].bias.fill_(-30.0)  # negative whatever the image, and it reacts
        net[2].bias.fill_(0.0)
    result = maximize(net, "0", size=16, steps=8)
    assert not bool(result.dead.any())
    assert any("not positive" in note for note in result.notes)
    assert bool((maximize(net, "1", [0], size=16, steps=8).values < 0).all())
