"""What a caller may hand in, turned into numpy arrays or refused with a reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnwidgets.core.arrays import as_array, as_float32
from cnnwidgets.core.errors import InputError
from cnnwidgets.core.plain import conversion


def as_maps(data: Any) -> tuple[npt.NDArray[Any], tuple[str, ...]]:
    """``data`` as (C, h, w) of real numbers that float32 can hold, and notes on what that changes.

    Raises:
        InputError: it is something else; says what.
    """
    maps = as_array(data, "The stack of feature maps")
    if maps.dtype.kind == "O":
        raise InputError(
            f"Got a {type(data).__name__}; feature maps are real numbers (C, h, w). Of captured outputs pass "
            "outputs['layer'][0]; an Attribution is shown by HeatmapOverlay(picture, attribution)."
        )
    if maps.dtype.kind not in "biuf":
        raise InputError(
            f"Feature maps are real numbers, got {maps.dtype}. Pass a (C, h, w) array or tensor of floats."
        )
    if maps.ndim == 4 and maps.shape[0] == 1:
        maps = maps[0]
    if maps.ndim != 3:
        batch = " Pass one image's maps: maps[0]." if maps.ndim == 4 else ""
        raise InputError(f"Feature maps have the shape (C, h, w), got {_shape(maps)}.{batch}")
    if maps.size == 0:
        raise InputError(f"There is nothing to show in maps of shape {_shape(maps)}: each side must be at least 1.")
    floats, notes = as_float32(maps)
    return floats, tuple(note for note in (conversion(data), *notes) if note)


def as_per_channel(data: Any, channels: int) -> npt.NDArray[np.float32]:
    """``data`` as (C,) float32 for C ``channels``."""
    values = as_array(data, "The contribution")
    if values.shape != (channels,) or values.dtype.kind not in "biuf":
        raise InputError(
            f"Expected one number for each of the {channels} channels, got {values.dtype} {_shape(values)}."
        )
    return values.astype(np.float32)


def as_field(size: int | Sequence[int] | None) -> list[int] | None:
    """A receptive field as [height, width]; an int is a square."""
    if size is None:
        return None
    height, width = (size, size) if isinstance(size, int) else size
    return [int(height), int(width)]


def _shape(array: npt.NDArray[Any]) -> str:
    return str(tuple(array.shape))
