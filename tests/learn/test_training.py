"""The network of plain numpy learns digits, and says how it went."""

from __future__ import annotations

import time

import numpy as np
import pytest

from cnnwidgets import learn
from cnnwidgets.core.errors import Cancelled, InputError
from cnnwidgets.core.progress import Step

LEARNING, TESTING = learn.digits().split(0.25)


def test_it_learns_real_digits() -> None:
    network = learn.digits_network(seed=0)
    assert network.accuracy(TESTING.images, TESTING.labels) < 0.3
    start = time.process_time()
    history = network.fit(LEARNING.images, LEARNING.labels, held_out=(TESTING.images, TESTING.labels))
    assert time.process_time() - start < 60
    right = network.predict(TESTING.images) == TESTING.labels
    assert right.mean() > 0.95
    assert history[-1].held_out == network.accuracy(TESTING.images, TESTING.labels) == right.mean()
    assert history[-1].loss < history[0].loss / 3
    assert [epoch.number for epoch in history] == list(range(1, len(history) + 1))


def test_it_learns_the_same_from_the_same_seed() -> None:
    few = LEARNING.part(slice(64))
    runs = []
    for seed in (0, 0, 1):
        network = learn.digits_network(seed)
        network.fit(few.images, few.labels, epochs=2)
        runs.append(network.probabilities(TESTING.images[:5]))
    assert np.array_equal(runs[0], runs[1])
    assert not np.allclose(runs[0], runs[2])
    assert np.allclose(runs[0].sum(1), 1)


def test_what_an_epoch_says_is_of_the_scores_before_each_step() -> None:
    few = LEARNING.part(slice(20))
    network, steps = learn.digits_network(), list[Step]()
    scores = network.forward(few.images)
    (epoch,) = network.fit(few.images, few.labels, epochs=1, batch=20, progress=steps.append)
    assert epoch.loss == pytest.approx(learn.cross_entropy(scores, few.labels))
    assert epoch.accuracy == (scores.argmax(1) == few.labels).mean()
    assert epoch.held_out is None
    assert [(step.done, step.total, step.partial) for step in steps] == [(1, 1, epoch)]
    assert str(epoch).startswith("epoch  1: loss ")


def test_it_stops_when_told() -> None:
    def stop(step: Step) -> None:
        if step.done == 2:
            raise Cancelled

    network = learn.digits_network()
    few = LEARNING.part(slice(40))
    with pytest.raises(Cancelled):
        network.fit(few.images, few.labels, epochs=50, progress=stop)
    twin = learn.digits_network()
    twin.fit(few.images, few.labels, epochs=2)
    assert np.array_equal(network.forward(few.images), twin.forward(few.images))


def test_bad_input_is_told() -> None:
    network = learn.digits_network()
    with pytest.raises(InputError, match="3 images and 2 labels"):
        network.fit(np.zeros((3, 1, 8, 8)), [0, 1])
    with pytest.raises(InputError, match="0 images"):
        network.fit(np.zeros((0, 1, 8, 8)), [])
    with pytest.raises(InputError, match="expected 4 axes"):
        network.fit(np.zeros((3, 8, 8)), [0, 1, 2])
    with pytest.raises(InputError, match="expected 0 to 9"):
        network.fit(np.zeros((1, 1, 8, 8)), [10])
    with pytest.raises(InputError, match="epochs is 0"):
        network.fit(np.zeros((1, 1, 8, 8)), [1], epochs=0)
