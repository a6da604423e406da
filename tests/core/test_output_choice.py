"""Which of the tensors that a model returned holds the scores."""

# ruff: noqa: ARG005 (the functions that make outputs take all there is)
from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import torch
from torch import nn
from torch.nn import functional

from cnnwidgets.core.errors import TargetError
from cnnwidgets.outputs.choice import leaves
from cnnwidgets.outputs.readout import Readout, reading, readout_of
from cnnwidgets.outputs.scores import class_scores
from cnnwidgets.outputs.targets import resolve
from cnnwidgets.running.forward import run


class Named(NamedTuple):
    embedding: torch.Tensor
    scores: torch.Tensor


@dataclass
class Record:
    hidden: torch.Tensor
    prediction: torch.Tensor


class Slots:
    __slots__ = ("cls", "features")

    def __init__(self, features: torch.Tensor, cls: torch.Tensor) -> None:
        self.features, self.cls = features, cls


class Slotted:
    def __init__(self, features: torch.Tensor, out: torch.Tensor) -> None:
        self.features, self.out = features, out


class Returns(nn.Module):
    """Features h (N, 6), logits z (N, 3); ``wrap`` makes the outputs."""

    def __init__(self, wrap: Callable[..., Any]) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.convolution, self.head, self.other = nn.Conv2d(1, 6, 3), nn.Linear(6, 3), nn.Linear(6, 5)
        self.wrap = wrap

    def forward(self, x: torch.Tensor) -> Any:
        maps = self.convolution(x)
        h = maps.relu().mean((2, 3))
        self.h, self.z, self.y = h, self.head(h), self.other(h)
        return self.wrap(maps, h, self.z, self.y)


IMAGES = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))

SILENT = {
    "a tensor": lambda m, h, z, y: z,
    "a list of one": lambda m, h, z, y: [z],
    "a named tuple": lambda m, h, z, y: Named(h, z),
    "features and cls": lambda m, h, z, y: {"features": h, "cls": z},
    "a data class": lambda m, h, z, y: Record(h, z),
    "an object": lambda m, h, z, y: Slotted(h, z),
    "logits of an object": lambda m, h, z, y: SimpleNamespace(loss=z.sum(), logits=z, hidden_states=(m, m)),
    "like Hugging Face": lambda m, h, z, y: OrderedDict(loss=z.sum(), logits=z, hidden_states=(m, m)),
    "a loss beside": lambda m, h, z, y: (z.sum(), z),
    "maps and scores": lambda m, h, z, y: (m, z),
    "scores and maps": lambda m, h, z, y: (z, [m, m]),
    "auxiliary heads": lambda m, h, z, y: {"aux1": y, "aux2": y * 2, "pred": z},
    "GoogLeNet's": lambda m, h, z, y: {"aux_logits2": y, "aux_logits1": y, "logits": z},
    "nested": lambda m, h, z, y: {"backbone": {"feat": h}, "heads": {"class_logits": z}},
    "an embedding, in words": lambda m, h, z, y: {"embedding": h, "fc": z},
    "indices beside": lambda m, h, z, y: (z.argmax(1), z),
    "nothing beside": lambda m, h, z, y: (None, z),
    "a class token": lambda m, h, z, y: {"cls_token": h, "head": z},
    "words run together": lambda m, h, z, y: {"featureVec": h, "clsScore": z},
    "an object with slots": lambda m, h, z, y: Slots(h, z),
    "a scale beside": lambda m, h, z, y: {"logit_scale": torch.ones(len(z)), "similarity": z},
    "DETR-like": lambda m, h, z, y: {"pred_boxes": y[:, :4], "pred_logits": z},
}
SAID = {
    "embedding and logits": (lambda m, h, z, y: (h, z), "output 1 (2, 3) is taken, not 0 (2, 6); output=0"),
    "logits and embedding": (lambda m, h, z, y: (z, h), "output 0 (2, 3) is taken, not 1 (2, 6); output=1"),
    "logits and a projection": (
        lambda m, h, z, y: (functional.normalize(h), z),
        "output 1 (2, 3) is taken, not 0 (2, 6); output=0",
    ),
    "how sure, and the scores": (
        lambda m, h, z, y: (z.softmax(1).amax(1), z),
        "output 1 (2, 3) is taken, not 0 (2,); output=0",
    ),
    "the highest three beside": (
        lambda m, h, z, y: (z, z.topk(2).values),
        "output 0 (2, 3) is taken, not 1 (2, 2); output=1",
    ),
    "e and z": (
        lambda m, h, z, y: {"e": h, "z": z},
        "output 'z' (2, 3) is taken, not 'e' (2, 6); output='e'",
    ),
    "two heads": (lambda m, h, z, y: [z, y], "output 0 (2, 3) is taken, not 1 (2, 5); output=1"),
    "two named heads": (
        lambda m, h, z, y: {"age": y[:, :1], "gender": z},
        "output 'gender' (2, 3) is taken, not 'age' (2, 1); output='age'",
    ),
    "logits and probabilities": (
        lambda m, h, z, y: (z, z.softmax(1)),
        "output 0 (2, 3) is taken, not 1 (2, 3); output=1",
    ),
    "both in words": (
        lambda m, h, z, y: {"probs": z.softmax(1), "logits": z},
        "output 'logits' (2, 3) is taken, not 'probs' (2, 3); output='probs'",
    ),
    "two tasks": (
        lambda m, h, z, y: {"a": {"logits": z}, "b": {"logits": y}},
        "output 'a.logits' (2, 3) is taken, not 'b.logits' (2, 5); output='b.logits'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SILENT)
def test_where_it_is_plain_nothing_is_said(name: str) -> None:
    net = Returns(SILENT[name])
    with reading(readout_of(net)) as readout:
        outputs = run(net, IMAGES)
        assert torch.equal(class_scores(outputs, batch=2), net.z)
    assert readout.notes == ()


@pytest.mark.parametrize("graph", [True, False])
@pytest.mark.parametrize("name", SAID)
def test_of_several_candidates_the_choice_is_said(name: str, graph: bool) -> None:
    wrap, words = SAID[name]
    net = Returns(wrap)
    with torch.set_grad_enabled(graph), reading(readout_of(net)) as readout:
        scores, _ = resolve(0, run(net, IMAGES), batch=2)
    assert torch.equal(scores, net.z[:, 0])
    (note,) = readout.notes
    assert words in note
    assert note.startswith("the model returns several tensors that may be scores")


@pytest.mark.parametrize("finish", [lambda z: z, lambda z: z.softmax(1), lambda z: z.sigmoid()])
@pytest.mark.parametrize("graph", [True, False])
def test_an_embedding_as_long_as_there_are_classes(finish: Callable[..., torch.Tensor], graph: bool) -> None:
    class Bottleneck(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.head = nn.Linear(64, 3), nn.Linear(3, 3)

        def forward(self, x: torch.Tensor) -> Any:
            e = self.embed(x.flatten(1))
            self.z = finish(self.head(e))
            return e, self.z

    net = Bottleneck()
    with torch.set_grad_enabled(graph), reading(readout_of(net)) as readout:
        assert torch.equal(class_scores(run(net, IMAGES), batch=2), net.z)
    assert "output 1 (2, 3) is taken, not 0 (2, 3)" in readout.notes[0]


def test_one_number_that_is_named_a_score_is_told_beside_the_scores_of_all_classes() -> None:
    net = Returns(lambda m, h, z, y: {"score": z.softmax(1).amax(1), "all": z})
    with reading(readout_of(net)) as readout:
        run_scores = class_scores(run(net, IMAGES), batch=2)
    torch.testing.assert_close(run_scores, net.z.softmax(1).amax(1)[:, None])
    assert "'score' (2,) is taken, not 'all' (2, 3)" in readout.notes[0]


def test_as_many_as_there_are_labels() -> None:
    net = Returns(lambda m, h, z, y: (z, y))
    with reading(Readout(classes=5)) as readout:
        assert torch.equal(class_scores(run(net, IMAGES), batch=2), net.y)
    assert readout.notes == ()


@pytest.mark.parametrize(
    ("output", "wrap", "which"),
    [
        (1, lambda m, h, z, y: (z, y), "y"),
        (-1, lambda m, h, z, y: [z, y], "y"),
        (0, lambda m, h, z, y: (h, z), "h"),
        (1, lambda m, h, z, y: Named(h, z), "z"),
        ("embedding", lambda m, h, z, y: Named(h, z), "h"),
        ("features", lambda m, h, z, y: {"features": h, "cls": z}, "h"),
        ("b", lambda m, h, z, y: {"a": {"logits": z}, "b": {"logits": y, "aux": h}}, "y"),
        ("b.logits", lambda m, h, z, y: {"a": {"logits": z}, "b": {"logits": y}}, "y"),
        ("fine", lambda m, h, z, y: {"heads": [{"coarse": z}, {"fine": y}]}, "y"),
        ("0.out", lambda m, h, z, y: ({"out": y}, {"out": z}), "y"),
        (7, lambda m, h, z, y: {3: z, 7: y}, "y"),
        (lambda raw: raw[1], lambda m, h, z, y: (z, y), "y"),
        (lambda raw: raw["deep"][0], lambda m, h, z, y: {"deep": [y], "logits": z}, "y"),
    ],
)
def test_which_output_can_be_said(output: Any, wrap: Callable[..., Any], which: str) -> None:
    net = Returns(wrap)
    with reading(readout_of(net, output=output)) as readout:
        outputs = run(net, IMAGES)
        assert torch.equal(class_scores(outputs, batch=2), getattr(net, which))
        scores, _ = resolve(2, outputs, batch=2, score="probability")
    assert not any("several tensors" in note for note in readout.notes)
    expected = getattr(net, which).softmax(1)[:, 2]
    torch.testing.assert_close(scores, expected)


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (2, r"output is 2, and the model returned 0 \(2, 3\), 1 \(2, 5\)"),
        ("cls", r"output is 'cls'.*0 \(2, 3\)"),
        (lambda raw: raw["cls"], "output=<lambda> raised TypeError"),
        (lambda raw: None, "output=<lambda> returned NoneType"),
    ],
)
def test_an_output_that_there_is_not(output: Any, words: str) -> None:
    net = Returns(lambda m, h, z, y: (z, y))
    with reading(readout_of(net, output=output)), pytest.raises(TargetError, match=words):
        class_scores(run(net, IMAGES), batch=2)


@pytest.mark.parametrize("output", [True, 1.5, [0], b"out"])
def test_an_output_that_cannot_be_meant(output: Any) -> None:
    with pytest.raises(TargetError, match="index or the name"):
        Readout(output=output)


def test_unknown_kinds() -> None:
    with pytest.raises(TargetError, match="Did you mean 'softmax'"):
        Readout(outputs="soft-max")
    with pytest.raises(TargetError, match="independent_logits"), reading(Readout(outputs="logit")):
        resolve(0, torch.zeros(1, 3), score="probability")


@pytest.mark.parametrize(
    ("outputs", "batch", "expected"),
    [
        (torch.tensor(3.0), 1, [[3.0]]),
        (torch.tensor([3.0]), 1, [[3.0]]),
        (torch.tensor([3.0, 4.0]), 2, [[3.0], [4.0]]),
        (torch.tensor([3.0, 4.0]), 1, [[3.0, 4.0]]),
        (torch.tensor([[[[3.0]]], [[[4.0]]]]), 2, [[3.0], [4.0]]),
        (torch.tensor([[[[3.0]], [[4.0]]]]), 1, [[3.0, 4.0]]),
    ],
)
def test_axes_that_were_squeezed_or_left(outputs: torch.Tensor, batch: int, expected: list[list[float]]) -> None:
    assert class_scores(outputs, batch=batch).tolist() == expected


def test_every_tensor_is_found_and_circles_end() -> None:
    ring: dict[str, Any] = {"a": torch.zeros(1), "b": [torch.ones(2), {"c": torch.ones(3)}]}
    ring["self"] = ring
    assert [leaf.path for leaf in leaves(ring)] == [("a",), ("b", 0), ("b", 1, "c")]
