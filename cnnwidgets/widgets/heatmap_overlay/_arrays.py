"""What the browser is given: checked arrays in the types it takes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cnnwidgets.core.errors import InputError

Floats = npt.NDArray[np.float32]


def pixels_of(picture: Any) -> npt.NDArray[np.uint8]:
    """``picture`` as (H, W, 3) uint8; raises :class:`InputError` for anything else."""
    pixels = np.asarray(picture)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0:
        raise InputError(
            f"The picture is {pixels.dtype} of shape {pixels.shape}; expected uint8 of shape (H, W, 3). "
            "core.images.load_picture(image).pixels has that form."
        )
    return np.array(pixels)


def floats_of(values: Any, dims: tuple[int, ...] = (2,)) -> Floats:
    """``values`` (array-like, or a tensor on any device) as float32 with one of ``dims`` dimensions, not empty.

    Where a map (h, w) is wanted, (1, h, w) is one, too: what explainers give for one image.
    """
    expected = "(h, w) or (1, h, w)" if dims == (2,) else "(N, h, w) or (N, C, H, W)"
    try:
        if hasattr(values, "detach"):
            values = values.detach().cpu().float().numpy()
        given = np.asarray(values)
        if given.dtype.kind not in "biuf":
            raise TypeError(f"values of type {given.dtype}")
        with np.errstate(over="ignore"):
            floats = np.array(given, dtype=np.float32)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"The map cannot be read as numbers ({error}); expected real numbers {expected}.") from error
    if dims == (2,) and floats.ndim == 3 and len(floats) == 1:
        floats = floats[0]
    if floats.ndim not in dims or floats.size == 0:
        raise InputError(
            f"The map has shape {floats.shape}; expected {expected}, no side 0. Show one image's map at a time."
        )
    return floats


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
