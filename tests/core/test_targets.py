from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from cnnwidgets.core.errors import TargetError
from cnnwidgets.outputs.readout import Readout, reading
from cnnwidgets.outputs.targets import kind_of, probabilities, resolve


def are_probabilities(outputs: torch.Tensor) -> bool:
    return kind_of(outputs) == "softmax"


TABLE = torch.tensor([[1.0, 4.0, 2.0], [9.0, 3.0, 5.0]])


def test_none_is_the_highest_class_of_each_image() -> None:
    scores, chosen = resolve(None, TABLE)
    assert chosen == (1, 0)
    assert scores.tolist() == [4.0, 9.0]


@pytest.mark.parametrize("two", [2, np.int64(2), np.array(2), torch.tensor(2), torch.tensor(2, dtype=torch.uint8)])
def test_one_class_for_all(two) -> None:
    scores, chosen = resolve(two, TABLE)
    assert chosen == (2, 2)
    assert scores.tolist() == [2.0, 5.0]


@pytest.mark.parametrize(
    "each", [[0, 1], (0, 1), torch.tensor([0, 1]), np.array([0, 1]), [np.int32(0), torch.tensor(1)]]
)
def test_one_class_an_image(each) -> None:
    scores, chosen = resolve(each, TABLE)
    assert chosen == (0, 1)
    assert scores.tolist() == [1.0, 3.0]


def test_a_callable_gets_what_the_model_returned() -> None:
    outputs = {"out": TABLE, "aux": None}

    def middle(given):
        assert given is outputs
        return given["out"][:, 1]

    scores, chosen = resolve(middle, outputs)
    assert chosen is middle
    assert scores.tolist() == [4.0, 3.0]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (3, "3 classes"),
        (-1, "3 classes"),
        (True, "boolean"),
        (np.True_, "boolean"),
        ([True, False], "boolean"),
        (torch.tensor(True), "boolean"),
        (torch.tensor(1.0), "class index"),
        (1.0, "class index"),
        ("1", "class index"),
        ({0, 1}, "class index"),
        ([0], "1 class indices for 2 images"),
        ([0, 1, 2], "3 class indices for 2 images"),
        ([0, 1.5], "class indices only"),
        ([0, 7], "target 7 is out of range"),
        (torch.tensor([[0, 1]]), "class ind"),
        (torch.tensor([0.0, 1.0]), "class ind"),
        (lambda out: out, r"shape \(2, 3\).*expected.*\(2,\)"),
        (lambda out: out.sum(), r"shape \(\)"),
        (lambda _: 1.0, "float"),
        (lambda out: out.argmax(1), "int64"),
    ],
)
def test_what_does_not_fit(target, words: str) -> None:
    with pytest.raises(TargetError, match=words):
        resolve(target, TABLE)


def test_probability_is_the_softmax() -> None:
    scores, _ = resolve(1, torch.tensor([[0.0, math.log(3.0)]]), score="probability")
    assert scores.item() == pytest.approx(0.75)


def test_probability_of_half_precision_is_float32() -> None:
    scores, _ = resolve(0, torch.zeros(1, 1000, dtype=torch.float16), score="probability")
    assert scores.dtype == torch.float32
    assert scores.item() == pytest.approx(1e-3, rel=1e-6)


def test_outputs_that_are_probabilities_are_not_squashed_again() -> None:
    table = torch.tensor([[0.7, 0.3], [0.1, 0.9]])
    assert are_probabilities(table)
    assert torch.equal(probabilities(table), table)
    assert not are_probabilities(TABLE)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (torch.tensor([[0.2, 0.8]]), True),
        (torch.tensor([[0.2, 0.8], [0.0, 1.0]]), True),
        (torch.tensor([[0.2, 0.8], [0.0, 1.1]]), False),  # every image must look like it
        (torch.tensor([[1.2, -0.2]]), False),
        (torch.tensor([[0.2, 0.8001]]), False),  # further from 1 than rounding
        (torch.tensor([[1.0]]), False),
        (torch.full((1, 21841), 1 / 21841), True),
        (torch.randn(3, 1000, generator=torch.Generator().manual_seed(0)).softmax(1), True),
        (torch.randn(3, 1000, generator=torch.Generator().manual_seed(0)).half().softmax(1), True),
        (torch.randn(3, 1000, generator=torch.Generator().manual_seed(0)).bfloat16().softmax(1), True),
        (torch.randn(3, 1000, generator=torch.Generator().manual_seed(0)).double().softmax(1), True),
    ],
)
def test_what_looks_like_the_output_of_a_softmax(table: torch.Tensor, expected: bool) -> None:
    assert are_probabilities(table) is expected


def test_what_made_the_scores_decides_whether_they_are_probabilities() -> None:
    layer = torch.nn.Linear(1, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.25], [0.75]]))
        layer.bias.zero_()
    logits = layer(torch.ones(1, 1))
    assert logits.tolist() == [[0.25, 0.75]]
    assert not are_probabilities(logits)
    assert not are_probabilities(logits.view(2, 1).squeeze()[None])
    assert are_probabilities(logits.detach()), "nothing but the numbers to go by"
    assert are_probabilities(logits.softmax(1).view(1, 2, 1, 1).squeeze((2, 3)))
    assert are_probabilities(torch.tensor([[0.0, 200.0]], requires_grad=True).softmax(1))


def test_detections_are_no_class_scores() -> None:
    found = {"boxes": torch.zeros(3, 4), "labels": torch.tensor([1]), "scores": torch.tensor([0.5])}
    with pytest.raises(TargetError, match="detections"):
        resolve(0, [found], batch=1)
    for batch in (1, None):
        scores, _ = resolve(lambda outputs: torch.stack([one["scores"][0] for one in outputs]), [found], batch=batch)
        assert scores.tolist() == [0.5]


def test_what_is_seen_first_is_kept_for_who_does_not_run_the_model() -> None:
    with reading(Readout()) as seen:
        resolve(0, {"out": TABLE.clone().requires_grad_()}, batch=2)
        resolve(0, torch.zeros(2, 2))
    assert torch.equal(seen.table, TABLE)
    assert not seen.table.requires_grad
    assert seen.kind == "logits"
    with reading(Readout()) as seen:
        resolve(lambda maps: maps.mean((1, 2, 3)), torch.zeros(2, 3, 4, 4), batch=2)
    assert seen.table is None


@pytest.mark.parametrize(
    ("outputs", "words"),
    [
        (TABLE, r"a tensor of shape \(2, 3\)"),
        ({"out": TABLE, "aux": None}, r"{'out': a tensor of shape \(2, 3\), 'aux': a NoneType}"),
        ([TABLE, 1], r"a list of 2, the first a tensor of shape \(2, 3\)"),
    ],
)
def test_a_callable_that_raises_is_told_what_it_was_given(outputs, words: str) -> None:
    def careless(given):
        return given.no_such_thing

    with pytest.raises(TargetError, match=rf"'careless' raised AttributeError: .*{words}") as caught:
        resolve(careless, outputs, batch=2)
    assert isinstance(caught.value.__cause__, AttributeError)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), torch.OutOfMemoryError("full"), TargetError("mine")])
def test_some_errors_of_a_callable_pass_as_they_are(error: BaseException) -> None:
    def fails(_):
        raise error

    with pytest.raises(type(error)) as caught:
        resolve(fails, TABLE)
    assert caught.value is error


def test_unknown_kind_of_score() -> None:
    with pytest.raises(TargetError, match="'prob'"):
        resolve(0, TABLE, score="prob")


@pytest.mark.parametrize("target", [None, 0])
@pytest.mark.parametrize("kind", ["logit", "probability"])
def test_one_output_an_image(target, kind: str) -> None:
    for outputs in (torch.tensor([3.0, -2.0]), torch.tensor([[3.0], [-2.0]])):
        scores, chosen = resolve(target, outputs, score=kind, batch=2)
        assert scores.tolist() == [3.0, -2.0]
        assert chosen == (0, 0)


def test_one_output_has_no_class_one() -> None:
    with pytest.raises(TargetError, match="one output"):
        resolve(1, torch.zeros(2, 1))


def test_a_squeezed_output_of_one_image() -> None:
    scores, chosen = resolve(None, torch.tensor([1.0, 5.0, 2.0]), batch=1)
    assert (scores.tolist(), chosen) == ([5.0], (1,))


@pytest.mark.parametrize(
    ("outputs", "batch"),
    [(torch.zeros(1, 3, 4, 4), 1), (torch.zeros(2, 3), 1), (torch.zeros(5), 2), (torch.zeros(1, 0), 1)],
)
def test_outputs_that_are_no_table_ask_for_a_callable(outputs: torch.Tensor, batch: int) -> None:
    with pytest.raises(TargetError, match="callable"):
        resolve(0, outputs, batch=batch)


def test_class_indices_instead_of_scores() -> None:
    with pytest.raises(TargetError, match="argmax"):
        resolve(None, torch.tensor([[1, 2]]))


def test_scores_stay_in_the_graph() -> None:
    table = TABLE.clone().requires_grad_()
    scores, _ = resolve([2, 0], table)
    (gradient,) = torch.autograd.grad(scores.sum(), table)
    assert gradient.tolist() == [[0, 0, 1], [1, 0, 0]]
