"""The maps of many layers in one message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnwidgets.core.errors import InputError

from ._arrays import Floats, floats_of

MOST = 56
"""The longest side, in cells, of a map in the strip."""


def shares(source: int, target: int) -> npt.NDArray[np.float64]:
    """(target, source): how much of each source cell lies in each target cell; rows sum to 1.

    >>> shares(3, 2).tolist()
    [[0.6666666666666666, 0.3333333333333333, 0.0], [0.0, 0.3333333333333333, 0.6666666666666666]]
    """
    edges = np.arange(target + 1) * source / target
    cells = np.arange(source)
    overlap = np.minimum(edges[1:, None], cells + 1) - np.maximum(edges[:-1, None], cells)
    weights = np.maximum(overlap, 0)
    return np.asarray(weights / weights.sum(1, keepdims=True))


def area_mean(values: Floats, most: int) -> Floats:
    """``values`` (h, w) with no side over ``most``: each cell is the mean of what it covers.

    A cell that covers anything not finite is NaN.
    """
    height, width = values.shape
    if max(height, width) <= most:
        return values
    factor = most / max(height, width)
    down, across = shares(height, max(1, round(height * factor))), shares(width, max(1, round(width * factor)))
    finite = np.isfinite(values)
    means = down @ np.where(finite, values, 0).astype(np.float64) @ across.T
    broken = down @ ~finite @ across.T > 0
    return np.where(broken, np.nan, means).astype(np.float32)


def packed(names: Sequence[str], maps: Sequence[Any]) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a "strip" push: all ``values`` one after another, and the ``sizes`` (n, 2) of the maps.

    Raises:
        InputError: not one map a name, a name twice, or a map that is none.
    """
    if len(names) != len(maps) or len(set(names)) != len(names):
        raise InputError(f"The strip has {len(names)} names and {len(maps)} maps; expected one map (h, w) a name.")
    small = [area_mean(floats_of(values), MOST) for values in maps]
    sizes = np.array([values.shape for values in small], np.int32).reshape(-1, 2)
    return {"values": np.concatenate([np.zeros(0, np.float32), *(values.ravel() for values in small)]), "sizes": sizes}
