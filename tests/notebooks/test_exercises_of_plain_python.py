"""The exercises of notebooks 03 and 07: what they call right is so, by a computation."""

from __future__ import annotations

from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch

import cnnwidgets as cw
from cnnwidgets import learn

FOLDER = Path(__file__).parent.parent.parent / "notebooks"


def exercises(name: str) -> dict[str, cw.Exercise]:
    """A word of the question -> the exercise of a notebook."""
    cells = [cell.source for cell in nbformat.read(FOLDER / f"{name}.ipynb", 4).cells if cell.cell_type == "code"]
    made = [eval(source, {"cw": cw}) for source in cells if source.startswith("cw.Exercise(")]  # noqa: S307 (our own)
    return {exercise.question: exercise for exercise in made}


PLAIN, CAM = exercises("03_from_plain_python"), exercises("07_class_activation_maps")


def right(book: dict[str, cw.Exercise], words: str) -> str:
    (exercise,) = (exercise for question, exercise in book.items() if words in question)
    return exercise.correct


@pytest.mark.parametrize("exercise", [*PLAIN.values(), *CAM.values()], ids=lambda exercise: exercise.question[:30])
def test_each_answer_has_an_explanation_of_its_own(exercise: cw.Exercise) -> None:
    explanations = [exercise.answer(answer) for answer in exercise.answers]
    assert len(set(explanations)) == len(explanations) >= 3
    marks = [text.startswith("✓") for text in explanations]
    assert marks == [answer == exercise.correct for answer in exercise.answers]


def test_sizes_and_counts() -> None:
    side = learn.conv2d(np.zeros((1, 1, 8, 8)), np.zeros((1, 1, 3, 3))).shape[-1]
    assert right(PLAIN, "How large is the output") == f"{side} x {side}"
    assert right(PLAIN, "How many numbers do its filters") == f"{learn.Conv2d(16, 32, 3).parameters['weight'].size:,}"
    layers = cw.trace(learn.digits_model(), torch.zeros(1, 1, 28, 28)).layers
    assert max(layers, key=lambda layer: layer.params).name == "dense1"
    assert right(PLAIN, "Where are most") == "in the first fully connected layer"


def test_softmax_does_not_see_a_shift() -> None:
    shifted, plain = learn.softmax([101.0, 101.0, 103.0]), learn.softmax([1.0, 1.0, 3.0])
    assert np.allclose(shifted, plain)
    assert plain.round(2).tolist() == [0.11, 0.11, 0.79]
    assert right(PLAIN, "Softmax") == "the same"


def test_a_network_that_has_not_learned_guesses() -> None:
    data = learn.digits()
    shares = [learn.digits_network(seed).accuracy(data.images, data.labels) for seed in range(8)]
    assert 0.05 < np.mean(shares) < 0.15
    assert right(PLAIN, "Before it has learned") == "about 10 %"


def test_a_black_square_on_black_changes_nothing() -> None:
    model, image = learn.digits_model(seed=0).eval(), torch.zeros(1, 1, 28, 28)
    image[:, :, 12:16, 12:16] = 1.0
    grid = cw.explainers.occlusion(model, image, 3, patch=4, stride=4).grid[0]
    assert grid.numel() == 49
    with torch.no_grad():
        assert int(((grid - model(image).softmax(1)[0, 3]).abs() > 1e-6).sum()) == 1
    assert right(PLAIN, "A black square").startswith("49 places; nothing")


def test_a_class_map_has_the_score_as_its_mean() -> None:
    demo = cw.demo.load()
    new, x = cw.heads.with_cam_head(demo.model, 6), demo.preprocess.apply(demo.images["coffee"])
    with torch.no_grad():
        part = new(x)[0, 1] - new.fc.bias[1]
    assert torch.isclose(cw.explainers.cam(new, x, 1).values.mean(), part, rtol=1e-4)
    assert right(CAM, "What is their mean") == "the score of coffee, except for the bias"
