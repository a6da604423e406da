"""Maps made smaller, each cell the mean of the area that it covers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .arrays import Floats


def area_shares(source: int, target: int) -> npt.NDArray[np.float64]:
    """(target, source): how much of each source cell lies in each target cell; rows sum to 1.

    >>> area_shares(3, 2).tolist()
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
    down, across = (
        area_shares(height, max(1, round(height * factor))),
        area_shares(width, max(1, round(width * factor))),
    )
    finite = np.isfinite(values)
    means = down @ np.where(finite, values, 0).astype(np.float64) @ across.T
    broken = down @ ~finite @ across.T > 0
    return np.where(broken, np.nan, means).astype(np.float32)
