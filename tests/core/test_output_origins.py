"""What made the outputs decides what they are, however it was written, with a graph and without."""

# ruff: noqa: ARG005 (the functions that make outputs take all there is)
from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from cnnwidgets.outputs.readout import reading, readout_of
from cnnwidgets.outputs.targets import class_scores, kind_of, probabilities
from cnnwidgets.running.forward import run

IMAGES = torch.rand(2, 3, 12, 12, generator=torch.Generator().manual_seed(0))


class Scripted(nn.Module):
    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(z)


with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    SCRIPTED = torch.jit.script(Scripted())


class Net(nn.Module):
    """Maps h (N, 4, 10, 10) and logits z (N, 3), of which ``head`` makes the outputs."""

    def __init__(self, head: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.convolution, self.linear, self.by_place = nn.Conv2d(3, 4, 3), nn.Linear(4, 3), nn.Conv2d(4, 3, 1)
        self.head = head

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.convolution(x).relu()
        return self.head(self, h, self.linear(h.mean((2, 3))))


def written(parts: list[torch.Tensor]) -> torch.Tensor:
    out = torch.zeros(len(parts[0]), sum(part.shape[1] for part in parts))
    start = 0
    for part in parts:
        out[:, start : start + part.shape[1]] = part
        start += part.shape[1]
    return out


def attended(net: Net, h: torch.Tensor) -> torch.Tensor:
    places = h.flatten(2).transpose(1, 2)
    weights = net.by_place(h)[:, :1].flatten(2).transpose(1, 2).softmax(1)
    return net.linear((places * weights).sum(1))


HEADS = {
    "sigmoid": {
        "F.sigmoid": lambda n, h, z: functional.sigmoid(z),
        "torch.special.expit": lambda n, h, z: torch.special.expit(z),
        "nn.Sigmoid": lambda n, h, z: nn.Sigmoid()(z),
        "in place": lambda n, h, z: z.sigmoid_(),
        "out=": lambda n, h, z: torch.sigmoid(z.detach(), out=torch.empty(len(z), 3)),
        "scripted": lambda n, h, z: SCRIPTED(z),
        "one over": lambda n, h, z: 1 / (1 + torch.exp(-z)),
        "reciprocal": lambda n, h, z: (1 + (-z).exp()).reciprocal(),
        "exp over 1 + exp": lambda n, h, z: z.exp() / (1 + z.exp()),
        "exp of logsigmoid": lambda n, h, z: functional.logsigmoid(z).exp(),
        "one a head": lambda n, h, z: torch.cat([z[:, :1].sigmoid(), z[:, 1:].sigmoid()], 1),
        "stacked": lambda n, h, z: torch.stack([z[:, index].sigmoid() for index in range(3)], 1),
        "written": lambda n, h, z: written([z.sigmoid(), z.sigmoid()]),
        "clamped": lambda n, h, z: z.sigmoid().clamp(0.01, 0.99).float(),
        "rounded": lambda n, h, z: z.sigmoid().round(decimals=3),
        "half precision": lambda n, h, z: z.half().sigmoid(),
        "mean of two": lambda n, h, z: (z.sigmoid() + (2 * z).sigmoid()) / 2,
        "product": lambda n, h, z: z[:, :1].sigmoid() * z[:, 1:].sigmoid(),
        "masked": lambda n, h, z: z.sigmoid() * torch.tensor([1.0, 0.0, 1.0]),
        "complement": lambda n, h, z: 1 - z.sigmoid(),
        "largest of all places": lambda n, h, z: n.by_place(h).sigmoid().amax((2, 3)),
        "mean of all places": lambda n, h, z: n.by_place(h).sigmoid().mean((2, 3)),
        "hard": lambda n, h, z: functional.hardsigmoid(z),
        "dropout": lambda n, h, z: functional.dropout(z.sigmoid(), training=False),
        "without a graph": lambda n, h, z: z.detach().sigmoid(),
        "not a number": lambda n, h, z: (z * torch.nan).sigmoid(),
        "checkpoint": lambda n, h, z: checkpoint(torch.sigmoid, z, use_reentrant=False),
        "adds up to 1": lambda n, h, z: torch.cat([1 - z[:, :1].sigmoid(), z[:, :1].sigmoid()], 1),
        "one output": lambda n, h, z: z[:, :1].sigmoid(),
        "one number": lambda n, h, z: z[:, 0].sigmoid(),
        "two softmaxes": lambda n, h, z: torch.cat([z.softmax(1), (2 * z).softmax(1)], 1),
        "one class of a softmax": lambda n, h, z: z.softmax(1)[:, 1],
        "a softmax over the images": lambda n, h, z: z.softmax(0),
        "one over, divided": lambda n, h, z: torch.true_divide(1.0, 1.0 + (-z).exp()),
        "ones over ones and exp": lambda n, h, z: torch.ones_like(z) / (torch.ones_like(z) + (-z).exp()),
        "noisy or": lambda n, h, z: 1 - (1 - n.by_place(h - 9).sigmoid()).flatten(2).prod(2),
        "mean of the highest": lambda n, h, z: n.by_place(h).sigmoid().flatten(2).topk(5).values.mean(2),
        "largest, pooled": lambda n, h, z: functional.adaptive_max_pool2d(n.by_place(h).sigmoid(), 1).flatten(1),
        "resized": lambda n, h, z: functional.interpolate(n.by_place(h).sigmoid(), scale_factor=2.0).mean((2, 3)),
        "the larger of two": lambda n, h, z: torch.maximum(z.sigmoid(), (2 * z).sigmoid()),
        "between two": lambda n, h, z: torch.lerp(z.sigmoid(), (2 * z).sigmoid(), 0.3),
        "geometric mean": lambda n, h, z: (z.sigmoid() * (2 * z).sigmoid()).sqrt(),
        "ordinal": lambda n, h, z: z.sigmoid().cumprod(1),
        "attended": lambda n, h, z: (n.by_place(h).sigmoid().flatten(2) @ h[:, :1].flatten(2).softmax(2).mT)[..., 0],
    },
    "softmax": {
        "softmax": lambda n, h, z: z.softmax(-1),
        "exp of log_softmax": lambda n, h, z: functional.log_softmax(z, 1).exp(),
        "exp over its sum": lambda n, h, z: z.exp() / z.exp().sum(1, keepdim=True),
        "exp over its clamped sum": lambda n, h, z: z.exp() / z.exp().sum(1, keepdim=True).clamp(min=1e-8),
        "tempered": lambda n, h, z: (z / 2.5).softmax(1),
        "mean of all places": lambda n, h, z: functional.softmax(n.by_place(h), 1).mean((2, 3)),
        "pooled": lambda n, h, z: nn.AdaptiveAvgPool2d(1)(functional.softmax(n.by_place(h), 1)),
        "mean of two": lambda n, h, z: (z.softmax(1) + (2 * z).softmax(1)) / 2,
        "mean of a stack": lambda n, h, z: torch.stack([z.softmax(1), (2 * z).softmax(1)]).mean(0),
        "softmin": lambda n, h, z: functional.softmin(z, 1),
        "bfloat16": lambda n, h, z: z.bfloat16().softmax(1),
        "clamped": lambda n, h, z: z.softmax(1).clamp(1e-7, 1 - 1e-7),
        "not a number": lambda n, h, z: (z * torch.nan).softmax(1),
        "shares of sigmoids": lambda n, h, z: z.sigmoid() / z.sigmoid().sum(1, keepdim=True),
        "sums of classes": lambda n, h, z: z.softmax(1) @ torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]),
        "nobody knows": lambda n, h, z: torch.tensor(z.softmax(1).tolist()),
        "a mixture": lambda n, h, z: (z[:, :2, None].softmax(1) * torch.stack([z, 2 * z], 1).softmax(2)).sum(1),
    },
    "log_softmax": {
        "log_softmax": lambda n, h, z: functional.log_softmax(z, 1),
        "log of softmax": lambda n, h, z: z.softmax(1).log(),
        "with an epsilon": lambda n, h, z: (z.softmax(1) + 1e-9).log(),
        "minus logsumexp": lambda n, h, z: z - z.logsumexp(1, keepdim=True),
        "through double": lambda n, h, z: z.double().log_softmax(1).float(),
    },
    "log_sigmoid": {
        "logsigmoid": lambda n, h, z: functional.logsigmoid(z),
        "minus softplus": lambda n, h, z: -functional.softplus(-z),
        "minus log1p of exp": lambda n, h, z: -torch.log1p(torch.exp(-z)),
        "minus log of 1 + exp": lambda n, h, z: -torch.log(1 + torch.exp(-z)),
        "log of sigmoid": lambda n, h, z: (z.sigmoid() + 1e-7).log(),
    },
    "logits": {
        "linear": lambda n, h, z: z,
        "tempered": lambda n, h, z: z / 2.5,
        "mean of maps": lambda n, h, z: n.by_place(h).mean((2, 3)),
        "pooled maps": lambda n, h, z: functional.adaptive_avg_pool2d(n.by_place(h), 1),
        "largest of maps": lambda n, h, z: functional.adaptive_max_pool2d(n.by_place(h), 1).flatten(1),
        "SiLU": lambda n, h, z: functional.silu(z),
        "far from its ends": lambda n, h, z: z.clamp(-10, 10),
        "group norm": lambda n, h, z: functional.group_norm(h.sigmoid(), 2).mean((2, 3)),
        "logit of a sigmoid": lambda n, h, z: z.sigmoid().logit(),
        "a softmax inside": lambda n, h, z: attended(n, h),
        "cosines": lambda n, h, z: functional.normalize(z) * 3,
        "tempered log_softmax": lambda n, h, z: functional.log_softmax(z, 1) / 2,
        "numbers that add up to 1": lambda n, h, z: torch.ones(len(z), 1) @ torch.tensor([[0.3, 0.7]]),
    },
    "number": {
        "one output": lambda n, h, z: z[:, :1],
        "negative log_softmax": lambda n, h, z: -functional.log_softmax(z, 1),
        "logsumexp minus logits": lambda n, h, z: z.logsumexp(1, keepdim=True) - z,
        "percent of a softmax": lambda n, h, z: 100 * z.softmax(1),
        "percent of sigmoids": lambda n, h, z: 100 * z.sigmoid(),
        "log_softmax times -1": lambda n, h, z: functional.log_softmax(z, 1) * -1.0,
    },
}  # fmt: skip
EVERY = [(kind, name) for kind, heads in HEADS.items() for name in heads]


@pytest.mark.parametrize("graph", [True, False])
@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_what_the_outputs_are(kind: str, name: str, graph: bool) -> None:
    net = Net(HEADS[kind][name]).eval()
    with torch.set_grad_enabled(graph), reading(readout_of(net)):
        outputs = run(net, IMAGES)
        assert kind_of(outputs, batch=2) == kind


@pytest.mark.parametrize("graph", [True, False])
def test_a_network_whose_outputs_become_others_is_read_anew(graph: bool) -> None:
    net = Net(HEADS["logits"][next(iter(HEADS["logits"]))]).eval()
    others = {"a factor": (lambda n, h, z: z.sigmoid() * 2, lambda n, h, z: z.sigmoid() * 1)}
    others["bounds"] = (lambda n, h, z: (0.2 * z + 0.5).clamp(0, 6), lambda n, h, z: (0.2 * z + 0.5).clamp(0, 1))
    others["an axis"] = (lambda n, h, z: z.softmax(0), lambda n, h, z: z.softmax(1))
    heads = [HEADS[kind][name] for kind, name in EVERY] + [head for pair in others.values() for head in pair]
    for head in heads:
        net.head = head
        kinds = []
        for other in (net, Net(head).eval()):
            other.load_state_dict(net.state_dict())
            with torch.set_grad_enabled(graph), reading(readout_of(other)):
                kinds.append(kind_of(run(other, IMAGES), batch=2))
        assert kinds[0] == kinds[1]


@pytest.mark.parametrize(
    ("kind", "table", "expected"),
    [
        ("logits", [[0.0, 1.0986123]], [[0.25, 0.75]]),
        ("softmax", [[0.25, 0.75]], [[0.25, 0.75]]),
        ("log_softmax", [[-1.3862944, -0.2876821]], [[0.25, 0.75]]),
        ("sigmoid", [[0.9, 0.8]], [[0.9, 0.8]]),
        ("log_sigmoid", [[-1.3862944, -1.3862944]], [[0.25, 0.25]]),
        ("independent_logits", [[0.0, 1.0986123]], [[0.5, 0.75]]),
        ("logit", [[1.0986123]], [[0.75]]),
        ("number", [[1.0, 7.0]], [[1.0, 7.0]]),
    ],
)
def test_the_probabilities_that_outputs_stand_for(kind, table, expected) -> None:
    for dtype in (torch.float32, torch.float64, torch.float16):
        found = probabilities(torch.tensor(table, dtype=dtype), kind)
        tolerance = 1e-3 if dtype == torch.float16 else 1e-6
        torch.testing.assert_close(found.double(), torch.tensor(expected).double(), rtol=tolerance, atol=tolerance)


def test_the_assumption_is_said_where_nothing_tells() -> None:
    net = Net(lambda n, h, z: torch.tensor(z.sigmoid().tolist())).eval()
    with reading(readout_of(net)) as readout:
        outputs = run(net, IMAGES)
        assert kind_of(outputs, batch=2) == "logits"
    (note,) = readout.notes
    assert note.startswith("what the outputs are is assumed")
    assert 'outputs="sigmoid"' in note


@pytest.mark.parametrize(
    ("head", "kind", "words"),
    [
        (lambda n, h, z: functional.silu(z), "logits", None),
        (lambda n, h, z: z.tanh(), "logits", 'outputs="number"'),
        (lambda n, h, z: 100 * z.softmax(1), "number", "percentages"),
        (lambda n, h, z: z.logsumexp(1, keepdim=True) - z, "number", "the least likely"),
    ],
)
def test_what_is_said_of_outputs_that_may_be_misread(head: Any, kind: str, words: str | None) -> None:
    net = Net(head).eval()
    net.linear.bias.data -= 1.0
    with reading(readout_of(net)) as readout:
        assert kind_of(run(net, IMAGES), batch=2) == kind
    assert [words in note for note in readout.notes] == ([] if words is None else [True])


def test_a_distribution_of_independent_classes() -> None:
    net = Net(lambda n, h, z: torch.distributions.Bernoulli(probs=z.sigmoid())).eval()
    with reading(readout_of(net)):
        outputs = run(net, IMAGES)
        assert kind_of(outputs, batch=2) == "sigmoid"
        assert torch.equal(class_scores(outputs, batch=2), outputs.probs)


def test_memory_that_is_used_again_is_not_taken_for_what_was_there() -> None:
    class Reuses(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for _ in range(50):
                x.mean((2, 3)).softmax(1)  # let go at once
            return torch.tensor(x.mean((2, 3)).tolist()) * 10 - 20

    net = Reuses()
    with reading(readout_of(net)):
        outputs = run(net, IMAGES)
        assert kind_of(outputs, batch=2) == "logits"
        assert class_scores(outputs, batch=2).shape == (2, 3)


def test_outputs_of_another_run_are_not_taken_for_those_watched() -> None:
    net = Net(lambda n, h, z: z.sigmoid()).eval()
    with reading(readout_of(net)):
        run(net, IMAGES)
        assert kind_of(torch.tensor([[0.2, 0.8], [0.5, 0.5]])) == "softmax"
