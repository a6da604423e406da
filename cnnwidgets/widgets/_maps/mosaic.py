"""Pictures of several sizes, and the activations drawn over them, as arrays of one push."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnwidgets.core.arrays import as_array
from cnnwidgets.core.errors import InputError

from .arrays import area_shares

Pixels = npt.NDArray[np.uint8]


def pixels_of(picture: Any) -> Pixels:
    """``picture`` as (h, w, 3) uint8: of (h, w, 3) uint8, or of (C, h, w) numbers from 0 to 1 as an image network sees.

    Of one channel a grey picture, of other numbers of channels than three their mean.

    Raises:
        InputError: it is something else.

    Example:
        >>> pixels_of(np.array([[[0.0, 1.0]]])).tolist()
        [[[0, 0, 0], [255, 255, 255]]]
    """
    array = as_array(picture, "The picture")
    if array.ndim != 3 or array.size == 0 or (array.dtype == np.uint8 and array.shape[2] != 3):
        raise _no_picture(array)
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    if array.dtype.kind != "f" or not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1):
        raise _no_picture(array)
    colours = array if len(array) == 3 else np.repeat(array.mean(0, keepdims=True), 3, axis=0)
    return np.ascontiguousarray(np.round(colours * 255).astype(np.uint8).transpose(1, 2, 0))


def reduced(pixels: Pixels, most: int) -> Pixels:
    """``pixels`` with no side over ``most``: each pixel is the mean of what it covers."""
    height, width = pixels.shape[:2]
    factor = most / max(height, width)
    if factor >= 1:
        return pixels
    down, across = (area_shares(side, max(1, round(side * factor))) for side in (height, width))
    means = np.einsum("ij,jkc,lk->ilc", down, pixels, across, optimize=True)
    return np.asarray(np.round(means), np.uint8)


def mosaic(pictures: Sequence[Pixels]) -> dict[str, npt.NDArray[Any]]:
    """``{"pixels": all of them in a row, "sizes": (n, 2) height and width}``."""
    rows = [picture.ravel() for picture in pictures]
    return {
        "pixels": np.concatenate(rows) if rows else np.empty(0, np.uint8),
        "sizes": np.array([picture.shape[:2] for picture in pictures], np.int32).reshape(-1, 2),
    }


def activations(maps: Sequence[npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    """``{"activations": all of them in a row, "cells": (n, 2) rows and columns}``."""
    rows = [np.asarray(values, np.float32).ravel() for values in maps]
    return {
        "activations": np.concatenate(rows) if rows else np.empty(0, np.float32),
        "cells": np.array([np.shape(values) for values in maps], np.int32).reshape(-1, 2),
    }


def _no_picture(array: npt.NDArray[Any]) -> InputError:
    extent = "" if array.dtype.kind not in "fiu" or array.size == 0 else f" from {array.min():.3g} to {array.max():.3g}"
    return InputError(
        f"The picture is {array.dtype} of shape {array.shape}{extent}; expected (h, w, 3) uint8, or (C, h, w) floats "
        "from 0 to 1. Of a preprocessed tensor, load_picture(tensor, model).pixels are its colours."
    )
