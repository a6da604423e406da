"""Round numbers along the axis of a chart."""

from __future__ import annotations

import numpy as np


def round_ticks(low: float, high: float) -> list[float]:
    """Three to five round numbers from below ``low`` to above ``high``, the ends of an axis among them.

    Example:
        >>> round_ticks(0.0, 1.0), round_ticks(-0.24, 1.0), round_ticks(0.0, 11.6)
        ([0.0, 0.5, 1.0], [-0.5, 0.0, 0.5, 1.0], [0.0, 5.0, 10.0, 15.0])
    """
    span = max(high - low, 1e-9)
    power = 10.0 ** np.floor(np.log10(span))
    step = next(size * power for size in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0) if span / (size * power) <= 3)
    first, last = int(np.floor(low / step + 1e-9)), int(np.ceil(high / step - 1e-9))
    return [float(f"{k * step:.6g}") for k in range(first, last + 1)]
