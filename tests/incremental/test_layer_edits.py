"""Scores where a layer returns other maps than it does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from cnnwidgets.core.errors import NotSpatial
from cnnwidgets.incremental import Edited
from cnnwidgets.incremental.layer_edits import LayerEdits
from cnnwidgets.tracing.function_layers import function_layers
from cnnwidgets.tracing.layouts.token_layout import TokenLayout


def score(outputs: Any, count: int) -> torch.Tensor:
    assert len(outputs) == count
    return outputs[:, 1]


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.layer = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 5, 3, padding=1)
        self.after, self.head = nn.Conv2d(5, 2, 1), nn.Linear(2, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.tail(self.layer(self.stem(x).relu()))

    def tail(self, maps: torch.Tensor) -> torch.Tensor:
        return self.head(self.after(maps.relu()).mean((2, 3)))


IMAGE = torch.randn(1, 3, 6, 5, generator=torch.Generator().manual_seed(1))
MAPS = (
    torch.randn(4, 5, 6, 5, generator=torch.Generator().manual_seed(2))
    + torch.tensor([1, -1, 1, -1])[:, None, None, None]
)


def maps_of(numbers: Sequence[int]) -> torch.Tensor:
    return MAPS[list(numbers)].clone()


@torch.no_grad()
def test_scores_and_multiply_adds_by_hand() -> None:
    net = Net()
    edits = LayerEdits(net, IMAGE, "layer", 0, read=score)
    found = torch.cat([edits.scores([0, 1], maps_of), edits.scores([3, 2], maps_of)])
    torch.testing.assert_close(found, net.tail(MAPS)[[0, 1, 3, 2], 1])
    assert edits.reused
    # 30 places: the stem and the layer once, what comes after them for each of the four.
    assert edits.work.done == 30 * (3 * 4 * 9 + 4 * 5 * 9) + 4 * (30 * 5 * 2 + 2 * 3)


@torch.no_grad()
def test_the_model_is_as_before() -> None:
    net = Net().train()
    net.head.eval()
    LayerEdits(net, IMAGE, "layer", 0, read=score).scores([0], maps_of)
    assert [module.training for module in net.modules()] == [True, True, True, True, False]
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())
    assert all(type(value) is nn.Parameter for value in net.parameters())


@torch.no_grad()
def test_the_whole_model_takes_over_where_it_says_something_else() -> None:
    class Knows(Net):
        def tail(self, maps: torch.Tensor) -> torch.Tensor:
            return super().tail(maps) * (1 if type(maps) is torch.Tensor else 2)

    net, calls = Knows(), []
    net.stem.register_forward_hook(lambda _, inputs, __: calls.append(len(inputs[0])))
    edits = LayerEdits(net, IMAGE, "layer", 0, read=score, in_full=2)
    torch.testing.assert_close(edits.scores([0, 1, 2], maps_of), net.tail(MAPS)[:3, 1])
    assert not edits.reused
    assert calls == [3, 1, 2, 1]  # the engine, the check of one, and all in batches of two
    torch.testing.assert_close(edits.scores([3], maps_of), net.tail(MAPS)[3:, 1])
    assert calls == [3, 1, 2, 1, 1]


@torch.no_grad()
def test_a_model_that_decides_by_an_edit() -> None:
    class Decides(Net):
        def tail(self, maps: torch.Tensor) -> torch.Tensor:
            return super().tail(maps if maps.mean() > 0 else 3 * maps)

    net = Decides()
    assert len({bool(one.mean() > 0) for one in MAPS}) == 2
    edits = LayerEdits(net, IMAGE, "layer", 0, read=score)
    expected = torch.cat([net.tail(one[None])[:, 1] for one in MAPS])
    torch.testing.assert_close(edits.scores([0, 1, 2, 3], maps_of), expected)
    assert edits.reused


@torch.no_grad()
def test_maps_held_in_another_order() -> None:
    class Turned(Net):
        def __init__(self) -> None:
            super().__init__()
            self.turn, self.front = nn.Identity(), nn.Parameter(torch.randn(1, 2, 5))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            tokens = self.layer(self.stem(x).relu()).flatten(2).mT
            held = self.turn(torch.cat([self.front.expand(len(x), -1, -1), tokens], 1))
            return self.tail(held[:, 2:].mT.unflatten(2, (6, 5))) + held[:, 0, :3]

    net = Turned()
    edits = LayerEdits(net, IMAGE, "turn", 0, read=score, form=TokenLayout("ntc", (6, 5), before=2))
    torch.testing.assert_close(edits.scores([0, 1, 2], maps_of), net.tail(MAPS)[:3, 1] + net.front[0, 0, 1])
    assert edits.reused


@torch.no_grad()
@pytest.mark.parametrize("call", [0, 1])
def test_a_torch_call_inside_of_a_module_that_is_called_twice(call: int) -> None:
    class Inner(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.randn(3, 3, 3, 3))
            self.other = nn.Parameter(torch.randn(3, 3, 3, 3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = functional.conv2d(x, self.other, padding=1).tanh()
            return functional.conv2d(x, self.weight, padding=1)

    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(5)
            self.inner = Inner()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.inner(self.inner(x).relu_()).tanh().mean((2, 3))

    net, functions = Outer(), function_layers(Outer(), IMAGE)
    named = [one.name for one in functions.values()]
    edits = LayerEdits(net, IMAGE, "inner.conv2d_1", call, read=score, functions=functions)
    assert "inner.conv2d_1" in named
    maps = MAPS[:, :3]
    found = edits.scores([0, 1, 2, 3], lambda numbers: maps[list(numbers)].clone())
    expected = maps if call else net.inner(maps.relu())
    torch.testing.assert_close(found, expected.tanh().mean((2, 3))[:, 1])
    assert edits.reused


@torch.no_grad()
def test_an_output_that_takes_no_other_tensor() -> None:
    class Odd(dict[str, torch.Tensor]):
        pass

    class Holder(nn.Module):
        def forward(self, x: torch.Tensor) -> Odd:
            return Odd(maps=x)

    class Held(Net):
        def __init__(self) -> None:
            super().__init__()
            self.holder = Holder()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.tail(self.holder(self.layer(self.stem(x)))["maps"])

    with pytest.raises(NotSpatial, match="returns Odd, in which its maps cannot be replaced"):
        LayerEdits(Held(), IMAGE, "holder", 0, read=score).scores([0], maps_of)


@torch.no_grad()
@pytest.mark.parametrize("engine", ["incremental", "full"])
def test_patches_on_maps_that_a_layer_returns_in_a_tuple(engine: str) -> None:
    class Pair(nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, int]:
            return x, 1

    class Held(Net):
        def __init__(self) -> None:
            super().__init__()
            self.pair = Pair()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.tail(self.pair(self.layer(self.stem(x)))[0])

    net = Held().eval()
    with Edited(net, IMAGE, engine=engine, layer="pair") as edited:
        found = edited.scores(torch.ones(5, 2, 2), [0, 3], [1, 2])
    maps = net.layer(net.stem(IMAGE)).repeat(2, 1, 1, 1)
    maps[0, :, 0:2, 1:3] = 1
    maps[1, :, 3:5, 2:4] = 1
    torch.testing.assert_close(found, net.tail(maps))
