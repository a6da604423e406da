"""Values of a picture, of whatever depth, as 8 bits a channel; nothing is rescaled without a note."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cnnwidgets.core.errors import InputError

Levels = npt.NDArray[np.uint8]
_WHITES = (1, 255, 1023, 4095, 16_383, 65_535)  # of 1, 8, 10, 12, 14 and 16 bits


def full_scale(highest: float) -> int:
    """What white is in a picture of 16 bits whose values reach ``highest``: of the depths of cameras and scanners.

    >>> full_scale(4000), full_scale(255), full_scale(20_000)
    (4095, 255, 65535)
    """
    return next((white for white in _WHITES if highest <= white), _WHITES[-1])


def of_uint16(values: npt.NDArray[Any]) -> tuple[Levels, tuple[str, ...]]:
    """Levels of 16-bit values, white at the full scale of the bits that they use, and a note where those are fewer."""
    highest = int(values.max())
    white = full_scale(highest)
    levels: Levels = np.rint(values * (255.0 / white)).astype(np.uint8)
    if white == 65535 or highest == 0:
        return np.rint(values / 257.0).astype(np.uint8), ()
    bits = white.bit_length()
    note = (
        f"The picture's values reach {highest:,} of 65,535: they are read as {bits} bit{'s' if bits > 1 else ''} "
        f"(white is {white:,}), here and for the network; pass an array of floats in [0, 1] to have it otherwise."
    )
    return levels, (note,)


def of_array(array: npt.NDArray[Any]) -> tuple[Levels, tuple[str, ...]]:
    """Levels of an array of uint8, uint16, bool, or float in [0, 1].

    Raises:
        InputError: of any other type, or floats out of range.
    """
    if isinstance(array, np.ma.MaskedArray) and array.mask is not np.ma.nomask and array.mask.any():
        raise InputError(
            f"The array has {int(array.mask.sum()):,} masked values; a picture has none. Pass array.filled(0), say."
        )
    if array.dtype == np.uint8:
        return array, ()
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255), ()
    if array.dtype == np.uint16:
        return of_uint16(array)
    if not np.issubdtype(array.dtype, np.floating):
        raise InputError(_another_type(array))
    values, notes = _without_nan(array)
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > 1:
        raise InputError(
            f"The array is {array.dtype} with values {low:g} to {high:g}; a float image is expected in [0, 1]. "
            "Divide by 255 if it is 0 to 255; if it is already normalised for the network, pass a (1, C, H, W) tensor."
        )
    return np.rint(values * 255).astype(np.uint8), notes


def of_deep(values: npt.NDArray[np.float64], mode: str, notes: list[str]) -> Levels:
    """Levels of a Pillow image of mode I, F or I;16 (grey, more than 8 bits); adds to ``notes``."""
    values, nan_notes = _without_nan(values)
    notes.extend(nan_notes)
    low, high = float(values.min()), float(values.max())
    if mode.startswith("I;16"):
        levels, more = of_uint16(values)
        notes.extend(more)
        return levels
    if mode == "F" and low >= 0 and high <= 1:
        scale = 1.0
    elif low >= 0 and high <= 65535:
        scale = float(full_scale(high))
        notes.append(f"The image has mode {mode!r} and values {low:g} to {high:g}; they were divided by {scale:g}.")
    else:
        notes.append(f"The image has mode {mode!r} and values {low:g} to {high:g}, stretched to black and white.")
        values, scale = values / 2 - low / 2, (high / 2 - low / 2) or 1.0  # halves: the span may be beyond float64
    return np.rint(values / scale * 255).astype(np.uint8)


def _without_nan(values: npt.NDArray[Any]) -> tuple[npt.NDArray[np.float64], tuple[str, ...]]:
    finite = np.isfinite(values)
    numbers = np.where(finite, values, 0.0).astype(np.float64)
    bad = values.size - int(finite.sum())
    note = f"{bad:,} of {values.size:,} values are NaN or infinite; they were read as 0 (black)."
    return numbers, (note,) if bad else ()


def _another_type(array: npt.NDArray[Any]) -> str:
    text = f"The array's dtype is {array.dtype}; expected uint8, uint16, bool, or float in [0, 1]. "
    if array.dtype.kind not in "iu" or not array.size:
        return text + "Pass an array of real numbers."
    low, high = int(array.min()), int(array.max())
    if low >= 0 and high <= 255:
        return text + f"Its values are {low} to {high}: pass array.astype(np.uint8)."
    return text + (
        f"Its values are {low:,} to {high:,}: say which are black and white, such as "
        "((array - black) / (white - black)).clip(0, 1)."
    )
