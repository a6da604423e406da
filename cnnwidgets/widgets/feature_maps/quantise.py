"""A stack of maps as uint8, with the true numbers of each map beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

NOT_FINITE = 255
_LEVELS = 254
NUMBERS = ("minimum", "maximum", "mean", "zeros")
"""What is told of each map beside its levels."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Quantised:
    """What the browser needs of C maps. A level ``v`` below 255 stands for ``minimum + v / 254 * (maximum - minimum)``.

    ``values`` (C, h, w) uint8, 255 where the map is NaN or infinite; ``minimum``, ``maximum`` and ``mean`` (C,)
    float32 over the finite values, NaN for a map that has none; ``zeros`` (C,) float32, the share in [0, 1] of all
    values that are exactly zero; ``not_finite``, how many values of the whole stack are NaN or infinite.
    """

    values: npt.NDArray[np.uint8]
    minimum: Floats
    maximum: Floats
    mean: Floats
    zeros: Floats
    not_finite: int


def quantise(maps: npt.NDArray[Any]) -> Quantised:
    """Quantise each map of ``maps`` (C, h, w), any real dtype, between its own minimum and maximum.

    Example:
        >>> quantise(np.array([[[0.0, 1.0], [2.0, np.nan]]])).values.tolist()
        [[[0, 127], [254, 255]]]
    """
    with np.errstate(all="ignore"):
        flat = np.ascontiguousarray(maps, dtype=np.float32).reshape(len(maps), -1)
        values = np.empty(flat.shape, np.uint8)
        minimum, maximum = flat.min(axis=1), flat.max(axis=1)
        mean = flat.mean(axis=1)
        zeros = (np.count_nonzero(flat == 0, axis=1) / flat.shape[1]).astype(np.float32)
        span = maximum - minimum
        scale = np.where(span == 0, np.float32(0), np.float32(_LEVELS) / span)
        # NaN and infinity reach the extremes; a span near either end of float32 leaves no usable scale.
        awkward = np.flatnonzero(~(np.isfinite(mean) & np.isfinite(span) & np.isfinite(scale)))
        steps = flat - minimum[:, None]
        steps *= scale[:, None]
        steps += np.float32(0.5)
        np.copyto(values, steps, casting="unsafe")
        not_finite = 0
        for channel in awkward:
            values[channel], minimum[channel], maximum[channel], mean[channel], bad = _carefully(flat[channel])
            not_finite += bad
    return Quantised(values.reshape(maps.shape), minimum, maximum, mean, zeros, not_finite)


def _carefully(flat_map: Floats) -> tuple[npt.NDArray[np.uint8], float, float, float, int]:
    """One map in float64, minding what is not finite: levels, minimum, maximum, mean, how many are not finite."""
    finite = np.isfinite(flat_map)
    levels = np.full(flat_map.shape, NOT_FINITE, np.uint8)
    good = flat_map[finite].astype(np.float64)
    if good.size == 0:
        return levels, np.nan, np.nan, np.nan, flat_map.size
    low, high = good.min(), good.max()
    span = high - low or 1.0
    levels[finite] = np.floor((good - low) / span * _LEVELS + 0.5)
    return levels, low, high, good.mean(), flat_map.size - good.size
