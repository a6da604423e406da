"""Cross-entropy: how surprised a network is by the right answers; training makes it smaller."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnwidgets.core.errors import InputError

from .activations import softmax
from .layer import Array, floats


def cross_entropy(scores: Any, labels: Any) -> float:
    """The mean over examples of ``-log(probability of the right class)``.

    Args:
        scores: (N, classes), before a softmax.
        labels: (N,) ints, 0 to classes - 1.

    Returns:
        0 where every right class has probability 1; ``log(classes)`` for guessing.

    Raises:
        InputError: labels that do not fit the scores.

    Example:
        >>> round(cross_entropy([[0.0, 0.0]], [1]), 4)  # log(2): a guess between two
        0.6931
    """
    scores = floats(scores, "scores", "NK")
    labels = checked_labels(labels, scores)
    # Not log(softmax(...)), which is log(0) where a probability is too small for a float.
    shifted = scores - scores.max(axis=1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return float(-log_probabilities[np.arange(len(labels)), labels].mean())


def checked_labels(values: Any, scores: Array) -> Array:
    """``values`` as (N,) ints, if they name classes of ``scores`` (N, classes)."""
    labels: Array = np.asarray(values)
    if labels.shape != scores.shape[:1] or labels.dtype.kind not in "iu":
        raise InputError(
            f"labels are {labels.dtype} of shape {labels.shape}; expected ints of shape ({len(scores)},), one class an "
            "example."
        )
    if not labels.size:
        raise InputError("There are no examples; expected at least one.")
    if labels.min() < 0 or labels.max() >= scores.shape[1]:
        raise InputError(
            f"labels go from {labels.min()} to {labels.max()}; expected 0 to {scores.shape[1] - 1}, as there are "
            f"{scores.shape[1]} classes."
        )
    return labels


class CrossEntropy:
    """:func:`cross_entropy`, and the gradient with which :meth:`Layer.backward` begins."""

    def __init__(self) -> None:
        self._memory: tuple[Array, Array] | None = None

    def forward(self, scores: Any, labels: Any) -> float:
        """The loss; arguments as for :func:`cross_entropy`."""
        loss = cross_entropy(scores, labels)
        self._memory = softmax(np.asarray(scores)), np.asarray(labels)
        return loss

    def backward(self) -> Array:
        """(N, classes): probabilities minus 1 at the right class, over N. What is too high falls, the right one rises.

        Raises:
            InputError: nothing went forward yet.
        """
        if self._memory is None:
            raise InputError("CrossEntropy.backward needs what went forward: call forward(scores, labels) first.")
        probabilities, labels = self._memory
        grad = probabilities.copy()
        grad[np.arange(len(labels)), labels] -= 1
        return grad / len(labels)
