from __future__ import annotations

import pytest
import torch
from torch import nn

from cnnwidgets.core.errors import CnnWidgetsError, InputError, LayerNotFound
from cnnwidgets.incremental.zeroed import zeroed
from cnnwidgets.running.forward import run
from cnnwidgets.tracing.layouts.layouts import followed_layouts


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
    with zeroed(net, {"a": [0, 3], "b": [1]}):
        without = net(x)
    torch.testing.assert_close(without, net.by_hand(x, [0, 3], [1]))
    assert not torch.allclose(without, before)
    assert torch.equal(net(x), before)


@torch.no_grad()
@pytest.mark.parametrize(
    "order",
    ["nhwc", "nwhc", "nhcw", "ncwh", "ntc", "nct", "tnc", "nsc"],
)
def test_maps_in_whatever_order_a_layer_holds_them(order: str) -> None:
    class Turn(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            flat = {"t": lambda: x.flatten(2), "s": lambda: x.mT.flatten(2)}
            kind = next((letter for letter in "ts" if letter in order), "")
            source, letters = (flat[kind](), f"nc{kind}") if kind else (x, "nchw")
            return source.permute([letters.index(letter) for letter in order])

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.turn = nn.Conv2d(3, 3, 1), Turn()
            self.weight = torch.randn(27, 5)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            turned = self.turn(self.stem(x))
            return turned.transpose(0, order.index("n")).flatten(1) @ self.weight

    net, x = Net(), torch.randn(1, 3, 3, 3)  # as many channels as rows and columns: shapes tell nothing
    maps = net.stem(x)
    maps[:, [0, 2]] = 0
    expected = net.turn(maps).transpose(0, order.index("n")).flatten(1) @ net.weight
    with zeroed(net, {"turn": [0, 2]}, layouts=followed_layouts(net, x)):
        without = net(x)
    torch.testing.assert_close(without, expected)


@torch.no_grad()
def test_tokens_beside_the_grid_go_with_their_channel() -> None:
    class Front(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cat([torch.full((1, 1, 3), 7.0), x.flatten(2).mT], 1)

    net = nn.Sequential(nn.Conv2d(1, 3, 1), Front(), nn.Flatten())
    x = torch.ones(1, 1, 2, 2)
    before = net(x).view(1, 5, 3).clone()
    with zeroed(net, {"1": [2]}, layouts=followed_layouts(net, x)):
        after = net(x).view(1, 5, 3)
    before[:, :, 2] = 0
    assert torch.equal(after, before)


@torch.no_grad()
def test_a_layer_that_stands_in_several_places() -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.relu, self.linear = nn.Conv2d(1, 2, 1), nn.Conv2d(2, 4, 1), nn.ReLU(), nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.relu(self.linear(self.relu(self.b(self.relu(self.a(x)))).mean((2, 3))))

    torch.manual_seed(0)
    net, x = Shared(), torch.randn(1, 1, 3, 3)
    maps = net.b(net.a(x).relu()).relu()
    maps[:, 1] = 0
    with zeroed(net, {"relu": [1]}, layouts=followed_layouts(net, x), counts={"relu": 4}):
        without = net(x)
    torch.testing.assert_close(without, net.linear(maps.mean((2, 3))).relu())
    off = zeroed(net, {"relu": [1]}, layouts=followed_layouts(net, x), counts={"relu": 3})
    with pytest.raises(InputError, match=r"'relu' returns shape \(1, 2, 3, 3\)"), off:
        net(x)


@torch.no_grad()
def test_the_maps_among_several_tensors() -> None:
    class Both(nn.Module):
        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"tokens": x.flatten(2).mT, "maps": 2 * x}

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.both = Both()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            both = self.both(x)
            return both["maps"].flatten(2).mT + both["tokens"]

    net, x = Net(), torch.ones(1, 2, 1, 2)
    with zeroed(net, {"both": [1]}):
        assert net(x).tolist() == [[[3.0, 1.0], [3.0, 1.0]]]


def test_wrong_layers_and_maps() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Flatten())
    with pytest.raises(LayerNotFound), zeroed(net, {"nope": [0]}):
        pass
    with pytest.raises(CnnWidgetsError, match=r"shape \(1, 2, 1, 1\); maps \[2\]"), zeroed(net, {"0": [2]}):
        run(net, torch.ones(1, 1, 1, 1))
    assert not net[0]._forward_hooks
