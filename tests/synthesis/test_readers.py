"""What is read of a network: a layer's maps without what comes behind it, class scores before they are squashed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from cnnwidgets.core.errors import InputError, LayerNotFound, NotSpatial, TargetError
from cnnwidgets.outputs.readout import reading, readout_of
from cnnwidgets.synthesis.class_outputs import ClassOutputs
from cnnwidgets.synthesis.layer_maps import LayerMaps


class Counted(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return x


class Reused(nn.Module):
    """One ReLU for two layers, a function layer, and a crop behind them."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 3, 3, padding=1), nn.Conv2d(3, 4, 3, padding=1)
        self.weight = nn.Parameter(torch.randn(5, 4, 1, 1))
        self.more = nn.Parameter(torch.randn(2, 5, 1, 1))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu(self.second(self.relu(self.first(x))))
        x = functional.conv2d(x, self.weight)
        return functional.conv2d(x, self.more)[:, :, 2:-2, 2:-2].mean((2, 3))


def test_the_pass_ends_at_the_layer() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(inplace=True), Counted(), nn.Conv2d(2, 2, 3))
    maps = LayerMaps(net, "0", torch.zeros(1, 1, 8, 8))
    before = net[2].calls
    x = torch.randn(3, 1, 8, 8)
    torch.testing.assert_close(maps(x), net[0](x))  # also not changed by the ReLU in place behind it
    assert net[2].calls == before
    assert (maps.name, maps.channels, maps.grid) == ("0", 2, (6, 6))


def test_a_reused_module_is_read_at_its_last_call_and_said() -> None:
    torch.manual_seed(0)
    net = Reused().eval()
    maps = LayerMaps(net, "relu", torch.zeros(1, 1, 8, 8))
    x = torch.randn(2, 1, 8, 8)
    expected = net.second(net.first(x).relu()).relu()
    torch.testing.assert_close(maps(x), expected)
    assert any("called 2 times" in note for note in maps.notes)


def test_a_torch_call_that_is_a_layer() -> None:
    torch.manual_seed(0)
    net = Reused().eval()
    maps = LayerMaps(net, "conv2d", torch.zeros(1, 1, 8, 8))
    x = torch.randn(2, 1, 8, 8)
    expected = functional.conv2d(net.second(net.first(x).relu()).relu(), net.weight)
    torch.testing.assert_close(maps(x), expected)


def test_a_layer_of_tokens() -> None:
    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patch, self.norm, self.head = nn.Conv2d(3, 6, 4, 4), nn.LayerNorm(6), nn.Linear(6, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.norm(self.patch(x).flatten(2).transpose(1, 2)).mean(1))

    net = Tokens().eval()
    maps = LayerMaps(net, "norm", torch.zeros(1, 3, 16, 16))
    x = torch.randn(2, 3, 16, 16)
    expected = net.norm(net.patch(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    torch.testing.assert_close(maps(x), expected)


def test_a_size_that_only_the_layer_takes() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2 * 26 * 26, 10)).eval()
    maps = LayerMaps(net, "0", torch.zeros(1, 1, 64, 64))
    assert maps.grid == (62, 62)
    assert "not to its end" in maps.notes[0]
    with pytest.raises(InputError, match="size="):
        LayerMaps(net, "2", torch.zeros(1, 1, 64, 64))


def test_no_maps() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2 * 6 * 6, 10)).eval()
    with pytest.raises(NotSpatial, match="leave layer out"):
        LayerMaps(net, "2", torch.zeros(1, 1, 8, 8))
    with pytest.raises(LayerNotFound, match="Closest"):
        LayerMaps(net, "conv", torch.zeros(1, 1, 8, 8))
    with pytest.raises(InputError, match="expects 1"):
        LayerMaps(net, "0", torch.zeros(1, 3, 8, 8))


class Ends(nn.Module):
    def __init__(self, end: Any) -> None:
        super().__init__()
        self.body, self.end = nn.Sequential(nn.Conv2d(1, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()), end

    def forward(self, x: torch.Tensor) -> Any:
        return self.end(self.body(x))


ENDS = {
    "module": nn.Softmax(1),
    "function": lambda x: functional.softmax(x, 1),
    "method": lambda x: x.softmax(-1),
    "log": lambda x: functional.log_softmax(x, 1),
    "sigmoid": nn.Sigmoid(),
    "in place": lambda x: x.clone().sigmoid_(),
    "in a dict": lambda x: {"features": x * 2, "probs": torch.softmax(x, 1)},
    "nothing": nn.Identity(),
}


@pytest.mark.parametrize("end", ENDS)
def test_class_scores_before_the_end(end: str) -> None:
    torch.manual_seed(0)
    net = Ends(ENDS[end]).eval()
    x = 30 * torch.randn(3, 1, 8, 8)
    with reading(readout_of(net)):
        scores = ClassOutputs(net, torch.zeros(1, 1, 8, 8))
        torch.testing.assert_close(scores(x)[:, :, 0, 0], net.body(x))
    assert scores.channels == 4
    assert not any("opened" in note for note in scores.notes)


def test_a_softmax_that_cannot_be_opened_is_said() -> None:
    net = Ends(lambda x: x.exp() / x.exp().sum(1, keepdim=True)).eval()
    with reading(readout_of(net)):
        scores = ClassOutputs(net, torch.zeros(1, 1, 8, 8))
    assert any("could not be opened" in note for note in scores.notes)


def test_no_row_of_scores() -> None:
    net = nn.Conv2d(1, 4, 3)
    with reading(readout_of(net)), pytest.raises(TargetError, match="layer="):
        ClassOutputs(net, torch.zeros(1, 1, 8, 8))


def test_a_network_that_views_its_maps_as_rows() -> None:
    class Views(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.mix, self.last = nn.Conv2d(3, 4, 3), nn.Linear(4 * 36, 4 * 36), nn.Conv2d(4, 2, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last(self.mix(self.conv(x).view(len(x), -1)).view(-1, 4, 6, 6)).mean((2, 3))

    net = Views().eval()
    x = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(LayerMaps(net, "last", x[:1])(x).mean((2, 3)), net(x))
