"""The fully connected layer: each output is a weighted sum of all inputs, plus a bias."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnwidgets.core.arguments import checked_count
from cnnwidgets.core.errors import InputError

from .layer import Array, Layer, floats


def affine(x: Any, weight: Any, bias: Any = None) -> Array:
    """``x @ weight.T + bias``.

    Args:
        x: (N, inputs).
        weight: (outputs, inputs), a row for each output.
        bias: (outputs,), or None.

    Returns:
        (N, outputs).

    Raises:
        InputError: shapes that do not fit each other.

    Example:
        >>> affine([[1, 2]], [[10, 1], [0, 1]], [0, 100]).tolist()
        [[12.0, 102.0]]
    """
    x, weight = floats(x, "x", "NK"), floats(weight, "weight", "OK")
    if x.shape[1] != weight.shape[1]:
        raise InputError(
            f"x has {x.shape[1]} numbers an example, but the weight of shape {weight.shape} takes {weight.shape[1]}."
        )
    if bias is not None and np.shape(bias) != weight.shape[:1]:
        raise InputError(f"bias has shape {np.shape(bias)}; expected ({len(weight)},), a number for each output.")
    product: Array = x @ weight.T
    return product if bias is None else product + np.asarray(bias)


class Affine(Layer):
    """:func:`affine` with weights that are learned.

    Args:
        inputs, outputs: how many numbers go in and come out.
        seed: an int, or a numpy Generator: where the first weights are drawn from, as for
            :class:`~cnnwidgets.learn.Conv2d`.
    """

    def __init__(self, inputs: int, outputs: int, *, seed: int | np.random.Generator = 0) -> None:
        super().__init__()
        shape = (checked_count(outputs, "outputs"), checked_count(inputs, "inputs"))
        weight = np.random.default_rng(seed).normal(0, np.sqrt(2 / inputs), shape)
        self.parameters = {"weight": weight, "bias": np.zeros(outputs)}

    def forward(self, x: Array) -> Array:
        return self._remember(affine(x, self.parameters["weight"], self.parameters["bias"]), np.asarray(x))

    def backward(self, grad: Array) -> Array:
        (x,) = self._recall(grad)
        self.gradients = {"weight": grad.T @ x, "bias": grad.sum(axis=0)}
        back: Array = grad @ self.parameters["weight"]
        return back


class Flatten(Layer):
    """(N, C, H, W) to (N, C * H * W): maps written in one row, as an affine layer reads them."""

    def forward(self, x: Array) -> Array:
        x = np.asarray(x)
        return self._remember(x.reshape(len(x), -1), x.shape)

    def backward(self, grad: Array) -> Array:
        (shape,) = self._recall(grad)
        return grad.reshape(shape)
