"""What the browser is given: checked arrays in the types it takes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cnnwidgets.core.arrays import as_array, as_float32, real
from cnnwidgets.core.errors import InputError
from cnnwidgets.core.plain import conversion
from cnnwidgets.widgets._pictures import is_attribution

Floats = npt.NDArray[np.float32]


def floats_of(values: Any, dims: tuple[int, ...] = (2,)) -> Floats:
    """As :func:`floats_and_notes`, without the notes."""
    return floats_and_notes(values, dims)[0]


def floats_and_notes(values: Any, dims: tuple[int, ...] = (2,)) -> tuple[Floats, tuple[str, ...]]:
    """``values`` (array-like, or a tensor on any device) as float32 with one of ``dims`` dimensions, not empty.

    Where a map (h, w) is wanted, (1, h, w) is one, too: what explainers give for one image. The notes tell what
    float32, or reading a quantised tensor, changes.
    """
    if is_attribution(values):
        raise InputError("The map is an Attribution; show it with show_attribution(attribution).")
    expected = "(h, w) or (1, h, w)" if dims == (2,) else "(N, h, w) or (N, C, H, W)"
    array = real(as_array(values, "The map", f"real numbers {expected}"), "The map", expected)
    if (array.ndim not in dims and not (dims == (2,) and array.ndim == 3 and len(array) == 1)) or array.size == 0:
        raise InputError(
            f"The map has shape {array.shape}; expected {expected}, no side 0. Show one image's map at a time."
        )
    floats, notes = as_float32(array[0] if dims == (2,) and array.ndim == 3 else array)
    return np.array(floats), tuple(note for note in (conversion(values), *notes) if note)


class Shown(NamedTuple):
    """One image's part of an attribution, ready for display.

    Attributes:
        values: (h, w), signed.
        magnitude: (h, w), what stands in for the positive part; None where that is max(values, 0).
        channels: how many input channels were merged; 0 for maps that have none.
        colours: (3, h, w), the channels themselves where there are three; else None.
    """

    values: Floats
    magnitude: Floats | None
    channels: int
    colours: Floats | None = None


def first_image(values: Any) -> Shown:
    """The first image of an attribution's ``values``.

    Channels of an input gradient are merged by the largest magnitude (Simonyan et al. 2014) and, for the signed view,
    by their sum; a place where any channel is not finite is NaN in both.

    >>> shown = first_image([[[[3.0]], [[-4.0]]]])
    >>> shown.values.item(), shown.magnitude.item(), shown.channels
    (-1.0, 4.0, 2)
    """
    maps = floats_of(values, dims=(3, 4))[0]
    if maps.ndim == 2:
        return Shown(maps, None, 0)
    finite = np.isfinite(maps).all(axis=0)
    with np.errstate(invalid="ignore", over="ignore"):
        total, largest = maps.sum(axis=0), np.abs(maps).max(axis=0)
    nothing = np.float32(np.nan)
    return Shown(
        np.where(finite, total, nothing).astype(np.float32),
        np.where(finite, largest, nothing).astype(np.float32),
        len(maps),
        maps if len(maps) == 3 else None,
    )
