from __future__ import annotations

import math
from typing import ClassVar

import pytest
import torch
from torch import nn

from cnnwidgets.core.errors import Cancelled, CnnWidgetsError, InputError, NotSpatial
from cnnwidgets.explainers import score_cam
from cnnwidgets.explainers.score_cam import masks


def conv(*weights: float, bias: float | None = None) -> nn.Conv2d:
    layer = nn.Conv2d(1, len(weights), 1, bias=bias is not None)
    layer.weight.data = torch.tensor(weights, dtype=torch.float32).reshape(-1, 1, 1, 1)
    if bias is not None:
        layer.bias.data.fill_(bias)
    return layer


class Net(nn.Module):
    """Maps 2x and -x are looked at; the score is x times ``weights``, whatever the maps are."""

    def __init__(self, *weights: float) -> None:
        super().__init__()
        self.conv, self.head = conv(2, -1), nn.Linear(len(weights), 1, bias=False)
        self.head.weight.data = torch.tensor([weights], dtype=torch.float32)

    def forward(self, x):
        return self.head((self.conv(x)[:, :1] / 2).flatten(1))


X = torch.tensor([[[[1.0, -2.0, 3.0]]]])


def test_by_hand() -> None:
    # Map [2, -4, 6] scaled to [0, 1] is [.6, 0, 1]; x seen through it [.6, 0, 3]; [-1, 2, -3]: [.4, 1, 0], [.4, -2, 0].
    # Scores with weights (1, 2, 1): 3.6 and -3.6.
    result = score_cam(Net(1, 2, 1), X, layer="conv", score="logit")
    first, second = (math.exp(s) / (math.exp(3.6) + math.exp(-3.6)) for s in (3.6, -3.6))
    expected = torch.tensor([[[first * a + second * b for a, b in ((2, -1), (-4, 2), (6, -3))]]])
    torch.testing.assert_close(result.values, expected)
    assert (result.method, result.layer, result.target, result.notes) == ("score_cam", "conv", (0,), ())
    assert result.scores.tolist() == [0.0]


class Two(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = Net(1, 2, 1)

    def forward(self, x):
        score = self.net(x)
        return torch.cat([score, 0 * score], 1)


def test_the_score_is_the_probability_unless_told_otherwise() -> None:
    # Probabilities of class 0 against a logit of 0.
    p, q = (1 / (1 + math.exp(-s)) for s in (3.6, -3.6))
    first, second = (math.exp(s) / (math.exp(p) + math.exp(q)) for s in (p, q))
    expected = torch.tensor([[[first * a + second * b for a, b in ((2, -1), (-4, 2), (6, -3))]]])
    torch.testing.assert_close(score_cam(Two(), X, 0, layer="net.conv").values, expected)
    by_callable = score_cam(Two(), X, lambda out: out.softmax(1)[:, 0], layer="net.conv")
    torch.testing.assert_close(by_callable.values, expected)


def test_masks_are_enlarged_and_scaled() -> None:
    # Two places on four pixels, bilinear with pixel centres: 0, 1/4, 3/4, 1 of the way.
    torch.testing.assert_close(
        masks(torch.tensor([[[3.0, 7.0]]]), torch.Size([1, 4])), torch.tensor([[[[0.0, 0.25, 0.75, 1.0]]]])
    )
    shrunk = masks(torch.tensor([[[0.0, 1.0, 1.0, 0.0]]]), torch.Size([1, 2]))
    assert bool(shrunk.isfinite().all())


class WithFlat(nn.Module):
    """Three maps, the second of which is 5 at all places."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = conv(2, 0, -1), nn.Linear(3, 1, bias=False)
        self.conv.bias = nn.Parameter(torch.tensor([0.0, 5.0, 0.0]))

    def forward(self, x):
        return self.head((self.conv(x)[:, 0] / 2).flatten(1))


def test_a_flat_map_counts_as_nothing() -> None:
    net = WithFlat()
    net.head.weight.data = torch.tensor([[1.0, 2.0, 1.0]])
    expected = score_cam(Net(1, 2, 1), X, layer="conv", score="logit").values
    torch.testing.assert_close(score_cam(net, X, layer="conv", score="logit").values, expected)


def test_flat_maps_only() -> None:
    images = torch.cat([X, torch.ones(1, 1, 1, 3)])
    result = score_cam(Net(1, 2, 1), images, layer="conv", score="logit")
    assert result.values[1].tolist() == [[0.0, 0.0, 0.0]]
    assert result.notes == ("every map of this layer is the same at all places: nothing to mask with for image 1",)


def small() -> nn.Sequential:
    torch.manual_seed(4)
    return nn.Sequential(
        nn.Conv2d(3, 7, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(7, 4)
    )


def test_images_by_themselves_and_any_batch_size() -> None:
    net, images = small(), torch.randn(2, 3, 12, 10)
    together = score_cam(net, images, [1, 3])
    for batch in (1, 3, 100):
        torch.testing.assert_close(score_cam(net, images, [1, 3], batch=batch).values, together.values)
    for index, target in enumerate([1, 3]):
        torch.testing.assert_close(
            score_cam(net, images[index : index + 1], target).values, together.values[index : index + 1]
        )


def test_progress_and_the_map_so_far() -> None:
    net, images, steps = small(), torch.randn(2, 3, 12, 10), []
    result = score_cam(net, images, 1, batch=3, progress=steps.append)
    assert [(step.done, step.total) for step in steps] == [(3, 14), (6, 14), (7, 14), (10, 14), (13, 14), (14, 14)]
    assert steps[0].partial.notes[-1] == "partial: 11 masks are still to be scored"
    assert not steps[1].partial.values[1].any()
    assert bool(steps[1].partial.values[0].any())
    torch.testing.assert_close(steps[2].partial.values[0], result.values[0])
    assert torch.equal(steps[-1].partial.values, result.values)
    # Without padding, kernels of 3 and a stride of 2: the centres are 1.5, 3.5, ... from the edge, 2 apart.
    (where,) = result.notes
    assert steps[-1].partial.notes == result.notes
    assert where.startswith("the maps lie on rows 0.5 to 10.5 and columns 0.5 to 8.5 of the image (12 × 10)")


def test_it_can_be_stopped() -> None:
    calls = []

    def stop(step):
        calls.append(step.done)
        raise Cancelled("enough")

    with pytest.raises(Cancelled, match="enough"):
        score_cam(small(), torch.randn(1, 3, 12, 10), 1, batch=2, progress=stop)
    assert calls == [2]


class Tight(nn.Module):
    """Has memory for ``room`` images. What an instance notes is put back; the class is nobody's model."""

    sizes: ClassVar[list[int]] = []

    def __init__(self, net: nn.Module, room: int) -> None:
        super().__init__()
        self.net, self.room = net, room
        self.sizes.clear()

    def forward(self, x):
        self.sizes.append(len(x))
        if len(x) > self.room:
            raise torch.OutOfMemoryError("out of memory")
        return self.net(x)


def test_batches_are_halved_when_memory_runs_out() -> None:
    images = torch.randn(1, 3, 12, 10)
    net = Tight(small(), 2)
    expected = score_cam(small(), images, 1)
    torch.testing.assert_close(score_cam(net, images, 1, batch=7).values, expected.values)
    assert net.sizes == [1, 7, 3, 1, 1, 1, 1, 1, 1, 1]
    with pytest.raises(torch.OutOfMemoryError):
        score_cam(Tight(small(), 0), images, 1)


def test_only_the_maps_that_vary_most() -> None:
    result = score_cam(Net(1, 2, 1), X, layer="conv", score="logit", channels=1)
    torch.testing.assert_close(result.values, torch.tensor([[[2.0, -4.0, 6.0]]]))
    assert result.notes == ("only the 1 of 2 maps that vary most were used; the others count as 0",)
    assert score_cam(Net(1, 2, 1), X, layer="conv", channels=9).notes == ()


@pytest.mark.parametrize("bad", [0, -1, True, 1.5, "all"])
def test_options_out_of_range(bad) -> None:
    with pytest.raises(InputError, match="batch"):
        score_cam(small(), torch.randn(1, 3, 12, 10), batch=bad)
    with pytest.raises(CnnWidgetsError, match="channels"):
        score_cam(small(), torch.randn(1, 3, 12, 10), channels=bad)


def test_a_model_that_writes_to_its_input() -> None:
    class Writes(nn.Module):
        def __init__(self, in_place: bool) -> None:
            super().__init__()
            self.net, self.in_place = small(), in_place

        def forward(self, x):
            return self.net(x.mul_(2) if self.in_place else x * 2)

    images = torch.randn(1, 3, 12, 10)
    before = images.clone()
    changing, plain = (score_cam(Writes(in_place), images, 1, batch=2) for in_place in (True, False))
    assert torch.equal(changing.values, plain.values)
    assert torch.equal(images, before)


def test_a_layer_without_maps() -> None:
    with pytest.raises(NotSpatial, match="'4'"):
        score_cam(small(), torch.randn(1, 3, 12, 10), layer="4")
