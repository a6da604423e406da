"""ReLU, which lets a network be more than one weighted sum, and softmax, which turns scores into probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np

from .layer import Array, Layer


def relu(x: Any) -> Array:
    """``max(x, 0)``, number by number.

    Example:
        >>> relu([-2.0, 3.0]).tolist()
        [0.0, 3.0]
    """
    positive: Array = np.maximum(x, 0)
    return positive


def softmax(scores: Any) -> Array:
    """``exp(scores) / sum(exp(scores))`` along the last axis: numbers from 0 to 1 that add up to 1.

    The largest score is subtracted first, which changes nothing but keeps ``exp`` from overflowing.

    Args:
        scores: (N, classes), also called logits.

    Returns:
        (N, classes).

    Example:
        >>> softmax([[0.0, 0.0], [1000.0, 0.0]]).tolist()
        [[0.5, 0.5], [1.0, 0.0]]
    """
    scores = np.asarray(scores)
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    probabilities: Array = powers / powers.sum(axis=-1, keepdims=True)
    return probabilities


class ReLU(Layer):
    """:func:`relu` as a layer."""

    def forward(self, x: Array) -> Array:
        return self._remember(relu(x), np.asarray(x) > 0)

    def backward(self, grad: Array) -> Array:
        """The gradient passes where the input was positive, and ends where it was not."""
        (positive,) = self._recall(grad)
        through: Array = grad * positive
        return through


class Softmax(Layer):
    """:func:`softmax` as a layer. To train with, :class:`~cnnwidgets.learn.CrossEntropy` takes the scores before it."""

    def forward(self, x: Array) -> Array:
        probabilities = softmax(x)
        return self._remember(probabilities, probabilities)

    def backward(self, grad: Array) -> Array:
        """A probability grows with its own score, and falls with every other one."""
        (probabilities,) = self._recall(grad)
        mean = (grad * probabilities).sum(axis=-1, keepdims=True)
        through: Array = probabilities * (grad - mean)
        return through
