"""How a window slides over an input: what it covers at each place, and the way back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from cnnwidgets.core.arguments import is_whole
from cnnwidgets.core.errors import InputError

from .layer import Array

Sizes = tuple[int, ...]


def sizes_along(value: Any, name: str, axes: int, least: int = 1) -> Sizes:
    """One whole number an axis; a single one holds for all.

    Example:
        >>> sizes_along(3, "stride", 2)
        (3, 3)
    """
    sizes = tuple(value) if isinstance(value, Sequence) else (value,) * axes
    if len(sizes) != axes or not all(is_whole(size) and size >= least for size in sizes):
        raise InputError(f"{name} is {value!r}; expected an int of at least {least}, or {axes} of them.")
    return sizes


def pad(x: Array, padding: Sizes, fill: float = 0.0) -> Array:
    """(N, C, ...) with ``padding`` more rows, columns ... of ``fill`` at either side."""
    return np.pad(x, [(0, 0), (0, 0), *((amount, amount) for amount in padding)], constant_values=fill)


def crop(x: Array, padding: Sizes) -> Array:
    """The other way: without the rows and columns that :func:`pad` added."""
    inner = tuple(slice(amount, length - amount) for amount, length in zip(padding, x.shape[2:], strict=True))
    return x[(slice(None), slice(None), *inner)]


def sliding_windows(x: Array, size: Sizes, stride: Sizes, dilation: Sizes) -> Array:
    """What the window covers at each place: (N, C, H', W', kh, kw) of (N, C, H, W), or so with more axes.

    ``stride`` is the step from place to place, ``dilation`` the step from number to number inside the window. Nothing
    is copied: this is another view of the same numbers.

    Example:
        >>> x = np.arange(4.0).reshape(1, 1, 1, 4)
        >>> sliding_windows(x, (1, 2), (1, 1), (1, 1))[0, 0, 0, :, 0].tolist()
        [[0.0, 1.0], [1.0, 2.0], [2.0, 3.0]]
    """
    reach = tuple(step * (length - 1) + 1 for length, step in zip(size, dilation, strict=True))
    if any(longest > length for longest, length in zip(reach, x.shape[2:], strict=True)):
        raise InputError(
            f"The window reaches over {' × '.join(map(str, reach))}, but the padded input has only "
            f"{' × '.join(map(str, x.shape[2:]))}. Make the kernel or its dilation smaller, or pad the input."
        )
    windows = sliding_window_view(x, reach, axis=tuple(range(2, x.ndim)))
    steps = tuple(slice(None, None, step) for step in (*stride, *dilation))
    return windows[(slice(None), slice(None), *steps)]


def put_back(windows: Array, shape: Sizes, stride: Sizes, dilation: Sizes) -> Array:
    """The sum of all windows where they were taken from: (N, C, H', W', kh, kw) to ``shape``, that of (N, C, H, W).

    Where windows overlap, a number was read several times, and its gradient is the sum of what comes back.
    """
    axes = len(shape) - 2
    places, size = windows.shape[2:-axes], windows.shape[-axes:]
    total = np.zeros(shape, windows.dtype)
    for offset in np.ndindex(*size):
        starts = [at * step for at, step in zip(offset, dilation, strict=True)]
        covered = tuple(
            slice(start, start + step * (count - 1) + 1, step)
            for start, step, count in zip(starts, stride, places, strict=True)
        )
        total[(slice(None), slice(None), *covered)] += windows[(..., *offset)]
    return total
