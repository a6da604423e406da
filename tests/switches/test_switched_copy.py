"""A copy without some channels, against weights that were set to zero and maps that were scaled by hand."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

import cnnwidgets as cw
from cnnwidgets.state.copying import private_copy
from cnnwidgets.switches.switched_copy import switched_copy
from cnnwidgets.tracing.layouts.layouts import followed_layouts
from tests.explorer import nets


def _copied(net: nn.Module, x: torch.Tensor, factors: dict, counts: dict) -> nn.Module:
    return switched_copy(net, factors, followed_layouts(net, x), counts)


@torch.no_grad()
def test_as_with_weights_that_are_zero_and_the_network_is_as_it_was() -> None:
    net, x = nets.plain(), torch.rand(2, 3, 24, 24)
    before, scores = copy.deepcopy(net.state_dict()), net(x)
    zero = nets.plain()
    for channel in (1, 4):
        zero[3].weight[channel], zero[3].bias[channel] = 0, 0
    switched = _copied(net, x[:1], {"3": {1: 0.0, 4: 0.0}}, {"3": 8})
    torch.testing.assert_close(switched(x), zero(x))
    torch.testing.assert_close(private_copy(switched)(x), zero(x))  # which the checks work on
    assert torch.equal(net(x), scores)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert not any("forward" in vars(module) for module in net.modules())


@torch.no_grad()
def test_scaled_channels_and_layers_by_hand() -> None:
    net, x = nets.plain(), torch.rand(3, 3, 24, 24)
    maps = net[:2](x)
    maps[:, 2] *= 1.5
    expected = net[5:](0.25 * net[2:5](maps))
    switched = _copied(net, x[:1], {"1": {2: 1.5}, "4": 0.25}, {"1": 6, "4": 8})
    torch.testing.assert_close(switched(x), expected)
    off = _copied(net, x[:1], {"4": 0.0}, {"4": 8})
    torch.testing.assert_close(off(x), net[7].bias.expand(3, -1))


class PastTheHooks(nn.Module):
    """Calls a layer's forward itself, twice, with other numbers of channels in between."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b, self.relu = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 5, 3), nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.relu(self.b.forward(self.relu.forward(self.a(x)))).mean((2, 3))


@torch.no_grad()
def test_a_forward_called_past_its_hooks_and_a_layer_in_several_places() -> None:
    net, x = PastTheHooks(), torch.rand(1, 3, 12, 12)
    maps = net.b(net.a(x).relu()).relu()
    maps[:, 3] = 0
    torch.testing.assert_close(_copied(net, x, {"relu": {3: 0.0}}, {"relu": 5})(x), maps.mean((2, 3)))
    held = net.b(net.a(x).relu())
    held[:, 3] = 0
    torch.testing.assert_close(_copied(net, x, {"b": {3: 0.0}}, {"b": 5})(x), held.relu().mean((2, 3)))


def test_explainers_work_on_it_as_on_zeroed_weights() -> None:
    net, x = nets.plain(), torch.rand(1, 3, 24, 24)
    zero = nets.plain()
    with torch.no_grad():
        for channel in (0, 2, 5):
            zero[3].weight[channel], zero[3].bias[channel] = 0, 0
    switched = _copied(net, x, {"3": {0: 0.0, 2: 0.0, 5: 0.0}}, {"3": 8})
    for name in ("grad_cam", "saliency", "guided_backprop", "integrated_gradients", "score_cam", "ablation_cam"):
        method = getattr(cw.explainers, name)
        torch.testing.assert_close(method(switched, x, 1).values, method(zero, x, 1).values, msg=name)
    options = {"patch": 8, "stride": 8}
    occlusion = cw.explainers.occlusion(switched, x, 1, **options, engine="incremental")
    torch.testing.assert_close(occlusion.values, cw.explainers.occlusion(zero, x, 1, **options).values)
    assert occlusion.notes == cw.explainers.occlusion(zero, x, 1, **options, engine="incremental").notes


@torch.no_grad()
@pytest.mark.parametrize("way", ["channels last", "class token"])
def test_channels_of_tokens_with_all_they_hold_as_without_and_the_ranking_take_them_away(way: str) -> None:
    from tests.explorer.test_switching import Inner

    net, x = Inner(way).eval(), torch.rand(1, 3, 16, 16)
    switched = _copied(net, x, {"act": {1: 0.0}}, {"act": 8})
    with cw.without(net, {"act": [1]}):
        without = net(x)
    torch.testing.assert_close(switched(x), without)
    drop = cw.rank_channels(net, x, "act", 2).drops[0, 1]
    torch.testing.assert_close((net(x) - switched(x))[0, 2], drop, rtol=1e-4, atol=1e-5)
