from __future__ import annotations

import pytest
import torch
from torch import nn

from cnnwidgets.core.errors import CnnWidgetsError, LayerNotFound
from cnnwidgets.core.forward import run
from cnnwidgets.core.switched_off import switched_off


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 4, 3, padding=1)
        self.b = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.b(torch.relu(self.b(torch.relu(self.a(x))))).mean((2, 3))

    def by_hand(self, x: torch.Tensor, of_a: list[int], of_b: list[int]) -> torch.Tensor:
        a = self.a(x)
        a[:, of_a] = 0
        first = self.b(torch.relu(a))
        first[:, of_b] = 0
        second = self.b(torch.relu(first))
        second[:, of_b] = 0
        return second.mean((2, 3))


@torch.no_grad()
def test_maps_of_several_layers_are_zero_in_every_call() -> None:
    net, x = Twice(), torch.randn(2, 3, 6, 6)
    before = net(x)
    with switched_off(net, {"a": [0, 3], "b": [1]}):
        without = net(x)
    torch.testing.assert_close(without, net.by_hand(x, [0, 3], [1]))
    assert not torch.allclose(without, before)
    assert torch.equal(net(x), before)


@torch.no_grad()
def test_the_last_axis_of_channels_last_and_of_tokens() -> None:
    class Last(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.permute(0, 2, 3, 1)

    net = nn.Sequential(Last(), nn.Flatten())
    x = torch.ones(1, 3, 2, 2)
    with switched_off(net, {"0": [2]}, axes={"0": -1}):
        assert net(x).tolist() == [[1, 1, 0] * 4]


def test_wrong_layers_and_maps() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Flatten())
    with pytest.raises(LayerNotFound), switched_off(net, {"nope": [0]}):
        pass
    with pytest.raises(CnnWidgetsError, match=r"shape \(1, 2, 1, 1\); maps \[2\]"), switched_off(net, {"0": [2]}):
        run(net, torch.ones(1, 1, 1, 1))
    assert not net[0]._forward_hooks
