"""Scores without some maps, beside a plain hook on the whole model."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from cnnwidgets.core.errors import InputError
from cnnwidgets.switches.scores import ZeroedScores
from cnnwidgets.tracing.layouts.layouts import Layouts, followed_layouts

IMAGE = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(1))
Off = dict[str, list[int]]


class Net(nn.Module):
    """A stem, two layers and what goes round them."""

    def __init__(self, way: Callable[[Net, torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.norm, self.relu = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True)
        self.one, self.two = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.last, self.linear, self.head = nn.LayerNorm(8), nn.Linear(8, 8), nn.Linear(8, 4)
        self.dropout, self.way = nn.Dropout(), way
        self.eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.way(self, self.relu(self.norm(self.stem(x)))).mean((2, 3)))


def plain(net: Net, y: torch.Tensor) -> torch.Tensor:
    return net.two(net.relu(net.one(y)))


def round_it(net: Net, y: torch.Tensor) -> torch.Tensor:
    z = net.one(y)
    z += y
    return net.relu(net.two(net.relu(z))) + y


def twice(net: Net, y: torch.Tensor) -> torch.Tensor:
    return net.two(net.one(net.one(y).sigmoid()))


def turned(net: Net, y: torch.Tensor) -> torch.Tensor:
    return net.two(net.last(net.one(y).permute(0, 2, 3, 1)).permute(0, 3, 1, 2).contiguous())


def deciding(net: Net, y: torch.Tensor) -> torch.Tensor:
    z = net.one(y)
    return net.two(z if z[:, 3].any() else -z)


def in_place_on_a_view(net: Net, y: torch.Tensor) -> torch.Tensor:
    z = net.one(y)
    z[:, :2].mul_(3)
    return net.two(z)


def by_hand(net: Net, off: Off, image: torch.Tensor = IMAGE) -> torch.Tensor:
    def without(channels: list[int], axis: int) -> Callable[..., torch.Tensor]:
        def hook(_: nn.Module, __: object, output: torch.Tensor) -> torch.Tensor:
            output = output.clone()
            output.transpose(0, axis)[channels] = 0
            return output

        return hook

    handles = [
        net.get_submodule(layer).register_forward_hook(without(channels, 3 if layer == "last" else 1))
        for layer, channels in off.items()
    ]
    try:
        return net(image.clone())
    finally:
        for handle in handles:
            handle.remove()


def switched(net: Net) -> ZeroedScores:
    return ZeroedScores(net, IMAGE, followed_layouts(net, IMAGE))


def scores(of: ZeroedScores, off: Off) -> torch.Tensor:
    return of.scores(off, dict.fromkeys(off, 8))


@torch.no_grad()
@pytest.mark.parametrize("way", [plain, round_it, twice, turned, deciding, in_place_on_a_view])
def test_every_set_of_switches_in_every_order(way: Callable[[Net, torch.Tensor], torch.Tensor]) -> None:
    net = Net(way)
    layers = ["stem", "norm", "one", "two", *(["last"] if way is turned else [])]
    of = switched(net)
    sets: list[Off] = [{layer: channels} for layer in layers for channels in ([3], [3, 5], [0], [3])]
    sets += [{layers[1]: [1], layers[-1]: [2]}, {layers[1]: [1, 4], layers[-1]: [7]}, {layers[0]: [0], layers[-1]: [7]}]
    others = [{layer: [*channels, 6] for layer, channels in off.items()} for off in reversed(sets)]
    for off in [*sets, *others, *sets]:
        torch.testing.assert_close(scores(of, off), by_hand(net, off), rtol=1e-5, atol=1e-6)
    assert of.reuses
    assert not any(module._forward_hooks for module in net.modules())


@torch.no_grad()
def test_what_precedes_the_maps_is_computed_once() -> None:
    net = Net(plain)
    of = switched(net)
    scores(of, {"two": [1]})
    assert of.work.done == 0  # the whole model
    once, each = 64 * (3 * 8 * 9 + 8 * 8 * 9 + 8 * 8 * 9), 8 * 4
    scores(of, {"two": [2]})  # and the first again, to see whether the engine agrees
    assert of.work.done == once + 2 * each
    scores(of, {"two": [2, 3]})
    assert of.work.done == once + 3 * each
    scores(of, {"two": [2]}).fill_(0)
    torch.testing.assert_close(scores(of, {"two": [2]}), by_hand(net, {"two": [2]}))
    scores(of, {"two": [3, 2]})
    assert of.work.done == once + 3 * each  # known


def test_known_scores_are_those_of_the_network_as_it_is() -> None:
    net = Net(plain)
    of = switched(net)
    assert of.known({"two": [2]}) is None
    scores(of, {"two": [2]})
    known = of.known({"two": [2]})
    assert known is not None
    torch.testing.assert_close(known, by_hand(net, {"two": [2]}))
    with of._lock:
        assert of.known({"two": [2]}) is None  # another thread computes: nobody waits for it
    with torch.no_grad():
        net.head.weight.mul_(2)
    assert of.known({"two": [2]}) is None


@torch.no_grad()
def test_a_model_that_the_engine_gets_wrong_runs_whole() -> None:
    def knows(net: Net, y: torch.Tensor) -> torch.Tensor:
        return net.one(y) * (1 if type(y) is torch.Tensor else 2)

    def by_numpy(net: Net, y: torch.Tensor) -> torch.Tensor:
        return net.one(torch.from_numpy(y.numpy()))

    for way in (knows, by_numpy):
        net = Net(way)
        of = ZeroedScores(net, IMAGE, Layouts(1))
        for channel in range(3):
            torch.testing.assert_close(scores(of, {"one": [channel]}), by_hand(net, {"one": [channel]}))
        assert not of.reuses


@torch.no_grad()
def test_weights_that_change_in_between() -> None:
    net = Net(round_it)
    of = switched(net)
    for step in range(6):
        if step in (2, 4):
            net.stem.weight.mul_(1.5)
            net.one.weight.data = net.one.weight.data + 0.1
        for off in ({"one": [step]}, {"one": [0]}):
            torch.testing.assert_close(scores(of, off), by_hand(net, off), rtol=1e-5, atol=1e-6)


def test_maps_that_are_not_there() -> None:
    of = ZeroedScores(Net(plain), IMAGE, Layouts(1))
    scores(of, {"one": [1]})
    for _ in range(2):
        with pytest.raises(InputError, match=r"'one' returns shape \(1, 8, 8, 8\); maps \[8\]"):
            scores(of, {"one": [8]})
