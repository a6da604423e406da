"""Pooling: a window slides over each channel by itself, and leaves its largest number, or the mean."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnwidgets.core.errors import InputError

from .layer import Array, Layer, floats
from .sliding import Sizes, crop, pad, put_back, sizes_along, sliding_windows

_SIDE_BY_SIDE = (1, 1)
"""Dilation: the numbers in the window of a pooling have no gaps between them."""


def max_pool2d(x: Any, size: int | Sizes, *, stride: int | Sizes | None = None, padding: int | Sizes = 0) -> Array:
    """The largest number in each window: whether a feature is there, not exactly where.

    Args:
        x: (N, C, H, W).
        size: of the window, an int, or (rows, columns).
        stride: the step from window to window; None: ``size``, so that windows lie side by side.
        padding: rows and columns around the input that are never the largest; at most half of ``size``.

    Returns:
        (N, C, H', W').

    Raises:
        InputError: the window does not fit.

    Example:
        >>> max_pool2d([[[[1, 5, 2, 0], [3, 4, 8, 7]]]], 2).tolist()
        [[[[5.0, 8.0]]]]
    """
    largest: Array = _windows(x, *_arguments(size, stride, padding), fill=-np.inf).max(axis=(-2, -1))
    return largest


def avg_pool2d(x: Any, size: int | Sizes, *, stride: int | Sizes | None = None, padding: int | Sizes = 0) -> Array:
    """The mean of each window, zeros of the padding included; arguments as for :func:`max_pool2d`.

    Example:
        >>> avg_pool2d([[[[1, 5, 2, 0], [3, 3, 8, 6]]]], 2).tolist()
        [[[[3.0, 4.0]]]]
    """
    means: Array = _windows(x, *_arguments(size, stride, padding), fill=0.0).mean(axis=(-2, -1))
    return means


def _arguments(size: Any, stride: Any, padding: Any) -> tuple[Sizes, Sizes, Sizes]:
    size = sizes_along(size, "size", 2)
    padding = sizes_along(padding, "padding", 2, least=0)
    if any(2 * amount > length for amount, length in zip(padding, size, strict=True)):
        raise InputError(
            f"padding is {padding}; expected at most half of the window's size {size}, or windows are empty."
        )
    return size, size if stride is None else sizes_along(stride, "stride", 2), padding


def _windows(x: Any, size: Sizes, stride: Sizes, padding: Sizes, *, fill: float) -> Array:
    return sliding_windows(pad(floats(x, "x", "NCHW"), padding, fill), size, stride, _SIDE_BY_SIDE)


class MaxPool2d(Layer):
    """:func:`max_pool2d` as a layer, with the same arguments. There is nothing to learn."""

    def __init__(self, size: int | Sizes, *, stride: int | Sizes | None = None, padding: int | Sizes = 0) -> None:
        super().__init__()
        self.size, self.stride, self.padding = _arguments(size, stride, padding)

    def forward(self, x: Array) -> Array:
        windows = _windows(x, self.size, self.stride, self.padding, fill=-np.inf)
        flat = windows.reshape(*windows.shape[:4], -1)
        largest = flat.argmax(axis=-1)[..., None]
        return self._remember(np.take_along_axis(flat, largest, axis=-1)[..., 0], largest, np.shape(x))

    def backward(self, grad: Array) -> Array:
        """The whole gradient goes to the number that was the largest (the first of them, where several were)."""
        largest, shape = self._recall(grad)
        flat = np.zeros((*grad.shape, self.size[0] * self.size[1]), grad.dtype)
        np.put_along_axis(flat, largest, grad[..., None], axis=-1)
        return _back(flat.reshape(*grad.shape, *self.size), shape, self.stride, self.padding)


class AvgPool2d(Layer):
    """:func:`avg_pool2d` as a layer, with the same arguments. There is nothing to learn."""

    def __init__(self, size: int | Sizes, *, stride: int | Sizes | None = None, padding: int | Sizes = 0) -> None:
        super().__init__()
        self.size, self.stride, self.padding = _arguments(size, stride, padding)

    def forward(self, x: Array) -> Array:
        means = avg_pool2d(x, self.size, stride=self.stride, padding=self.padding)
        return self._remember(means, np.shape(x))

    def backward(self, grad: Array) -> Array:
        """Each number of a window had the same part in its mean."""
        (shape,) = self._recall(grad)
        share = grad / (self.size[0] * self.size[1])
        windows = np.broadcast_to(share[..., None, None], (*grad.shape, *self.size))
        return _back(windows, shape, self.stride, self.padding)


def _back(windows: Array, shape: Sizes, stride: Sizes, padding: Sizes) -> Array:
    """The gradient by the input of ``shape``, from those by the numbers of the windows."""
    padded = (*shape[:2], shape[2] + 2 * padding[0], shape[3] + 2 * padding[1])
    return crop(put_back(windows, padded, stride, _SIDE_BY_SIDE), padding)
