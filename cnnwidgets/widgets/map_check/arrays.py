"""What the browser and the charts get: small maps as levels, curves without gaps."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cnnwidgets.core.errors import InputError
from cnnwidgets.widgets._maps.arrays import Doubles, doubles

TOP, BROKEN = 254, 255
"""The highest level that stands for a number, and what stands for NaN and infinity."""
_MOST = 96  # pixels on a side; a map in the strip is not shown larger


def as_stack(maps: Any) -> Doubles:
    """``maps`` (n, h, w), array or tensor, as float64, no side longer than 96: larger ones by means over blocks.

    Raises:
        InputError: another number of dimensions, or no real numbers.
    """
    values = doubles(maps)
    if values.ndim != 3 or values.size == 0:
        raise InputError(f"The maps have shape {values.shape}; expected (n, h, w), one map a stage, no side 0.")
    count, height, width = values.shape
    step = -(-max(height, width) // _MOST)
    padded = np.pad(values, ((0, 0), (0, -height % step), (0, -width % step)), mode="edge")
    blocks = padded.reshape(count, padded.shape[1] // step, step, padded.shape[2] // step, step)
    return np.asarray(blocks.mean(axis=(2, 4)))


def levels(maps: Doubles, *, signed: bool) -> npt.NDArray[np.uint8]:
    """(n, h, w) levels, each map by itself: 0 to 254 for 0 to its largest value, or for ∓ its largest magnitude.

    Example:
        >>> levels(np.array([[[0.0, 2.0, np.nan]]]), signed=False).tolist()
        [[[0, 254, 255]]]
        >>> levels(np.array([[[-4.0, 0.0, 2.0]]]), signed=True).tolist()
        [[[0, 127, 190]]]
    """
    finite = np.isfinite(maps)
    numbers = np.where(finite, maps, 0.0)
    largest = np.abs(numbers).max(axis=(1, 2), keepdims=True)
    share = np.divide(numbers, largest, out=np.zeros_like(numbers), where=largest > 0)
    height = (share + 1) / 2 if signed else np.clip(share, 0, 1)
    return np.where(finite, np.round(height * TOP), BROKEN).astype(np.uint8)


def finite_points(x: Doubles, y: Doubles, *, whole: bool) -> tuple[list[float], list[float]]:
    """The points of a curve that are finite; unless it is ``whole``, those before the first that is not.

    Example:
        >>> finite_points(np.arange(3.0), np.array([1.0, np.nan, 0.0]), whole=False)
        ([0.0], [1.0])
    """
    finite = np.isfinite(x) & np.isfinite(y)
    if not whole:
        finite = np.logical_and.accumulate(finite)
    return x[finite].tolist(), y[finite].tolist()
