"""Groups of channels: planted ones come back, and their weights are those of taking them away."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import swin_t, vit_b_16

import cnnwidgets as cw
from cnnwidgets import InputError, LayerNotFound, NotSpatial, TargetError
from cnnwidgets.concepts.factorisation import factorised
from tests.explainers.test_leave_no_trace import network, traces


def spearman(one: torch.Tensor, other: torch.Tensor) -> float:
    ranks = [values.argsort().argsort().double() for values in (one, other)]
    return float(np.corrcoef(*ranks)[0, 1])


def planted(k: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    """Where k groups are (3, k, 6, 6), in places of their own now and then; and of which of 24 channels they are."""
    generator = torch.Generator().manual_seed(0)
    channels = torch.zeros(k, 24)
    for group in range(k):
        channels[group, group * 5 : group * 5 + 7] = torch.rand(7, generator=generator) + 0.2
    maps = torch.rand(3, k, 6, 6, generator=generator) * (torch.rand(3, k, 6, 6, generator=generator) < 0.3)
    return maps, channels / channels.norm(dim=1, keepdim=True)


class Painted(nn.Module):
    """Its input holds where groups are; its layer makes their channels of that, and its head reads them."""

    def __init__(self, channels: torch.Tensor) -> None:
        super().__init__()
        self.layer = nn.Conv2d(len(channels), channels.shape[1], 1, bias=False)
        self.layer.weight.data = channels.T[:, :, None, None].clone()
        self.relu, self.head = nn.ReLU(inplace=True), nn.Linear(channels.shape[1], 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.tanh(self.relu(self.layer(x)).mean((2, 3)) * 3))


def matched(concepts: cw.concepts.Concepts, channels: torch.Tensor) -> tuple[int, ...]:
    """Which group is which planted one."""
    cosines = concepts.channels @ channels.T
    best = max(
        itertools.permutations(range(len(channels))), key=lambda order: sum(cosines[i, j] for i, j in enumerate(order))
    )
    assert min(float(cosines[i, j]) for i, j in enumerate(best)) > 0.99
    return best


def test_planted_groups_come_back() -> None:
    maps, channels = planted()
    torch.manual_seed(1)
    net = Painted(channels).eval()
    concepts = cw.concepts.factor(net, "relu", maps, k=4)
    order = matched(concepts, channels)
    torch.testing.assert_close(concepts.maps, maps[:, list(order)], atol=0.03, rtol=0)
    assert concepts.explained > 0.999
    assert (concepts.maps >= 0).all()
    assert (concepts.channels >= 0).all()
    assert not concepts.signed
    torch.testing.assert_close(concepts.channels.norm(dim=1), torch.ones(4))
    sizes = concepts.maps.transpose(0, 1).flatten(1).norm(dim=1)
    assert (sizes.diff() <= 0).all()


def test_the_part_explained_is_what_it_says() -> None:
    torch.manual_seed(2)
    net, x = nn.Sequential(nn.Conv2d(3, 20, 3), nn.ReLU()), torch.rand(4, 3, 9, 9)
    maps = net(x).detach()
    before = 0.0
    for k in (1, 2, 5, 20):
        concepts = cw.concepts.factor(net, "1", x, k)
        made = torch.einsum("njhw,jk->nkhw", concepts.maps, concepts.channels)
        expected = 1 - float(((maps - made) ** 2).sum() / (maps**2).sum())
        assert concepts.explained == pytest.approx(expected, abs=1e-5)
        assert before <= concepts.explained <= 1
        before = concepts.explained
    assert before > 0.99


def test_as_good_as_multiplicative_updates() -> None:
    """Lee and Seung's updates, written out, from ten random starts."""
    generator = torch.Generator().manual_seed(3)
    a = torch.rand(40, 30, generator=generator, dtype=torch.float64) ** 3
    errors = []
    for _ in range(10):
        w, h = (torch.rand(*shape, generator=generator, dtype=torch.float64) for shape in ((40, 5), (5, 30)))
        for _ in range(500):
            h = h * (w.T @ a) / (w.T @ w @ h + 1e-12)
            w = w * (a @ h.T) / (w @ h @ h.T + 1e-12)
        errors.append(float(((a - w @ h) ** 2).sum()))
    w, h = factorised(a.numpy(), 5, 0, signed=False)
    assert float(((a.numpy() - w @ h) ** 2).sum()) < 1.02 * sorted(errors)[5]


def test_signed_maps_are_factored_by_semi_nmf() -> None:
    maps, channels = planted(3)
    channels = channels * torch.tensor([1.0, -1.0]).repeat(12)
    net = nn.Sequential(nn.Conv2d(3, 24, 1, bias=False))
    net[0].weight.data = channels.T[:, :, None, None].clone()
    apart = torch.where(maps == maps.amax(1, keepdim=True), maps, 0)  # one group at a place
    for x in (maps, apart):
        concepts = cw.concepts.factor(net, "0", x, k=3)
        assert concepts.signed
        assert concepts.explained > 0.99
        assert (concepts.maps >= 0).all()
        assert (concepts.channels < 0).any()
        assert "the maps have both signs: channels may lower a group (semi-NMF)" in concepts.notes
    order = matched(concepts, channels)
    torch.testing.assert_close(concepts.maps, apart[:, list(order)], atol=1e-4, rtol=0)


def hidden(net: Painted, x: torch.Tensor, concepts: cw.concepts.Concepts, group: int) -> torch.Tensor:
    """Scores with one group taken out of what the ReLU returns, by a hook of the test's own."""

    def leave(_: nn.Module, __: object, output: torch.Tensor) -> torch.Tensor:
        part = concepts.maps[:, group, None] * concepts.channels[group][:, None, None]
        return (output - part).clamp(min=0)

    handle = net.relu.register_forward_hook(leave)
    with torch.no_grad():
        scores = net(x)
    handle.remove()
    return scores


def test_weights_are_those_of_hiding_and_of_taking_the_planted_groups_away() -> None:
    maps, channels = planted()
    torch.manual_seed(4)
    net = Painted(channels).eval()
    concepts = cw.concepts.factor(net, "relu", maps, k=4)
    order = matched(concepts, channels)
    with torch.no_grad():
        whole = net(maps)
    for target in (None, 2, [0, 1, 4]):
        classes = whole.argmax(1) if target is None else torch.tensor(target).expand(3)
        rows = torch.arange(3)
        weights = concepts.weights(target)
        falls = [(whole - hidden(net, maps, concepts, group))[rows, classes].mean() for group in range(4)]
        torch.testing.assert_close(weights, torch.stack(falls), atol=1e-5, rtol=0)
        exhaustive = []
        for group in order:
            without = maps.clone()
            without[:, group] = 0
            with torch.no_grad():
                exhaustive.append((whole - net(without))[rows, classes].mean())
        assert spearman(weights, torch.stack(exhaustive)) >= 0.9
        torch.testing.assert_close(weights, torch.stack(exhaustive), atol=0.03, rtol=0)
    torch.testing.assert_close(concepts.scores_without([1]), hidden(net, maps, concepts, 1), atol=1e-5, rtol=0)
    torch.testing.assert_close(concepts.scores_without([]), whole, atol=1e-5, rtol=0)


def test_the_real_network_by_exhaustive_removal() -> None:
    demo = cw.demo.load()
    x = demo.preprocess.apply(demo.images["chelsea"])
    concepts = cw.concepts.factor(demo.model, "blocks.6", x, k=6)
    weights = concepts.weights(282)
    falls = []
    with torch.no_grad():
        whole = demo.model(x)[0, 282]
        for group in range(6):
            rest = concepts.remaining([group])
            handle = demo.model.get_submodule("blocks.6").register_forward_hook(lambda *_, rest=rest: rest)
            falls.append(whole - demo.model(x)[0, 282])
            handle.remove()
    assert spearman(weights, torch.stack(falls)) >= 0.9
    torch.testing.assert_close(weights, torch.stack(falls), atol=1e-3, rtol=1e-3)


def test_the_same_each_time_and_no_trace() -> None:
    net, x = network(), torch.rand(2, 3, 20, 20)
    before = traces(net)
    first = cw.concepts.factor(net, "2", x, k=3)
    weights = first.weights(1)
    assert traces(net) == before
    torch.manual_seed(99)
    second = cw.concepts.factor(net, "2", x, k=3)
    assert torch.equal(first.maps, second.maps)
    assert torch.equal(first.channels, second.channels)
    assert torch.equal(weights, second.weights(1))


@pytest.mark.parametrize(
    ("build", "layer", "grid"),
    [
        (lambda: vit_b_16(weights=None, image_size=64), "encoder.layers.encoder_layer_3", (4, 4)),
        (lambda: swin_t(weights=None), "features.3", (8, 8)),
    ],
)
def test_tokens(build, layer, grid) -> None:
    torch.manual_seed(5)
    net = build().eval()
    concepts = cw.concepts.factor(net, layer, torch.rand(1, 3, 64, 64), k=3)
    assert concepts.maps.shape == (1, 3, *grid)
    assert concepts.signed
    assert concepts.weights(0).shape == (3,)


def test_maps_of_fewer_groups_than_asked_for() -> None:
    maps, channels = planted(2)
    concepts = cw.concepts.factor(Painted(channels), "relu", maps, k=5)
    assert concepts.explained > 0.9999
    assert concepts.maps.isfinite().all()
    assert concepts.channels.isfinite().all()
    half = cw.concepts.factor(Painted(channels).to(torch.bfloat16), "relu", maps, k=2)
    assert half.explained > 0.99


def test_bad_input() -> None:
    net, x = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 2)), torch.rand(1, 1, 4, 4)
    with pytest.raises(InputError, match="k is 5; expected at most 4: layer '1' has 4 channels at 4 places in 1 image"):
        cw.concepts.factor(net, "1", x, k=5)
    with pytest.raises(InputError, match="k is 0"):
        cw.concepts.factor(net, "1", x, k=0)
    with pytest.raises(LayerNotFound):
        cw.concepts.factor(net, "conv", x)
    with pytest.raises(NotSpatial):
        cw.concepts.factor(net, "3", x, k=1)
    net[0].weight.data.uniform_(0.1, 1)
    concepts = cw.concepts.factor(net, "1", x, k=2)
    with pytest.raises(TargetError):
        concepts.weights(7)
    with pytest.raises(InputError, match="no group 2"):
        concepts.scores_without([2])
    net[0].weight.data.zero_()
    net[0].bias.data.fill_(-1)
    with pytest.raises(InputError, match="zero everywhere"):
        cw.concepts.factor(net, "1", x, k=2)
    net[0].bias.data.fill_(torch.nan)
    with pytest.raises(InputError, match="not finite"):
        cw.concepts.factor(net, "1", x, k=2)
