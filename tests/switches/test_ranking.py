"""The ranking of channels against taking them away one by one."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torchvision.models import convnext_tiny, resnet18

import cnnwidgets as cw
from cnnwidgets import Cancelled, CnnWidgetsError, InputError, LayerNotFound, TargetError
from tests.explainers.test_leave_no_trace import network, traces
from tests.switches.test_without import Small, real, small_vit, without_weights


def exhaustive(model: nn.Module, images: torch.Tensor, layer: str, classes: list[int], channels: range) -> torch.Tensor:
    """By copies of the model with weights of zero."""
    rows = torch.arange(len(images))
    with torch.no_grad():
        whole = model(images)[rows, classes]
        falls = [whole - without_weights(model, {layer: [channel]})(images)[rows, classes] for channel in channels]
    return torch.stack(falls, 1)


@pytest.mark.parametrize("layer", ["conv", "norm", "again", "fc"])
def test_equal_to_weights_of_zero(layer) -> None:
    torch.manual_seed(0)
    net, x = Small().eval(), torch.rand(3, 3, 9, 9)
    ranking = cw.rank_channels(net, x, layer, [0, 3, 1])
    width = 4 if layer == "fc" else 6
    expected = exhaustive(net, x, layer, [0, 3, 1], range(width))
    torch.testing.assert_close(ranking.drops, expected, rtol=0, atol=2e-6)
    assert (ranking.layer, ranking.target, ranking.score, ranking.method) == (
        layer,
        (0, 3, 1),
        "logit",
        "rank_channels",
    )
    order = [sorted(range(width), key=lambda channel: -row[channel]) for row in ranking.drops.tolist()]
    assert ranking.order.tolist() == order
    twice = any("called 2 times" in note for note in ranking.notes)
    assert twice == (layer == "again")


def test_by_hand() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False), nn.ReLU(True), nn.Flatten(), nn.Linear(4, 2, bias=False))
    net[0].weight.data = torch.tensor([1.0, -1.0]).view(2, 1, 1, 1)
    net[3].weight.data = torch.tensor([[1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 1.0, -1.0]])
    x = torch.tensor([[[[1.0, -2.0]]]])  # maps (1, 0) and (0, 2): scores 1 + 8 and -2
    ranking = cw.rank_channels(net, x, "1")
    assert (ranking.drops.tolist(), ranking.scores.tolist(), ranking.target) == ([[1.0, 8.0]], [9.0], (0,))
    assert cw.rank_channels(net, x, "1", 1).drops.tolist() == [[0.0, -2.0]]
    whole = torch.tensor([9.0, -2.0]).softmax(0)[0]
    chances = cw.rank_channels(net, x, "1", score="probability").drops
    torch.testing.assert_close(chances[0, 1], whole - torch.tensor([1.0, 0.0]).softmax(0)[0])
    difference = cw.rank_channels(net, x, "1", lambda outputs: outputs[:, 0] - outputs[:, 1])
    assert (difference.drops.tolist(), difference.score) == ([[1.0, 10.0]], "score")


@pytest.mark.parametrize(
    ("build", "layer", "size"),
    [(resnet18, "layer4.1.conv2", 64), (convnext_tiny, "features.6.1", 32), (small_vit, "encoder.ln", 32)],
)
def test_known_networks(build, layer, size) -> None:
    net = real(build)
    x = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(3))
    ranking = cw.rank_channels(net, x, layer)
    channels = range(0, ranking.drops.shape[1], ranking.drops.shape[1] // 8)
    expected = exhaustive(net, x, layer, list(ranking.target), channels)
    assert (ranking.drops[:, list(channels)] - expected).abs().max() < 1e-3 * expected.abs().max()
    assert expected.abs().max() > 1e-4 * ranking.scores.abs().max()


def test_dead_channels_cost_nothing_and_change_nothing() -> None:
    net = nn.Sequential(nn.Conv2d(1, 3, 1), nn.ReLU(), nn.Flatten(), nn.Linear(3, 2))
    net[0].weight.data.fill_(-1.0)
    net[0].bias.data.zero_()
    ranking = cw.rank_channels(net, torch.ones(1, 1, 1, 1), "1")
    assert ranking.drops.tolist() == [[0.0, 0.0, 0.0]]
    assert "taking away any one channel changes nothing" in ranking.notes


def test_a_model_that_takes_one_image() -> None:
    class One(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.fc = nn.Conv2d(1, 4, 3), nn.Linear(4, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(self.conv(x).mean((2, 3)).view(1, 4))

    torch.manual_seed(5)
    net, x = One().eval(), torch.rand(1, 1, 6, 6)
    ranking = cw.rank_channels(net, x, "conv", 0)
    torch.testing.assert_close(ranking.drops, exhaustive(net, x, "conv", [0], range(4)), rtol=0, atol=1e-6)


def test_progress_cancel_and_no_trace() -> None:
    net, x = network(), torch.rand(2, 3, 20, 20)
    before, steps = traces(net), []
    cw.rank_channels(net, x, "0", batch=1, progress=steps.append)
    assert [(step.done, step.total) for step in steps] == [(done, 8) for done in range(1, 9)]
    assert int(steps[2].partial.drops.isfinite().sum()) == 3
    assert traces(net) == before

    def cancel(step: object) -> None:
        raise Cancelled("enough")

    for progress, error in (
        (cancel, Cancelled),
        (lambda _: (_ for _ in ()).throw(KeyboardInterrupt), KeyboardInterrupt),
    ):
        with pytest.raises(error):
            cw.rank_channels(net, x, "0", progress=progress)
        assert traces(net) == before


def test_bad_input() -> None:
    net, x = Small().eval(), torch.rand(1, 3, 9, 9)
    with pytest.raises(LayerNotFound, match="Closest: 'conv'"):
        cw.rank_channels(net, x, "conf")
    with pytest.raises(TargetError, match="4 classes"):
        cw.rank_channels(net, x, "conv", 4)
    with pytest.raises(InputError, match=r"batch \(N, C, H, W\)"):
        cw.rank_channels(net, x[0], "conv")
    with pytest.raises(InputError, match="batch is 0"):
        cw.rank_channels(net, x, "conv", batch=0)
    unused = copy.deepcopy(net)
    unused.spare = nn.Conv2d(3, 3, 1)
    with pytest.raises(CnnWidgetsError, match="'spare' did not run"):
        cw.rank_channels(unused, x, "spare")
