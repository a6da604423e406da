from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from cnnwidgets.core.errors import TargetError
from cnnwidgets.core.targets import are_probabilities, probabilities, resolve

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
