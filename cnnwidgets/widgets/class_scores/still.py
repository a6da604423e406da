"""The bars of the classes as a still picture."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnwidgets.widgets._still import parts


def scores_still(widget: Any, width: int = parts.WIDTH) -> parts.Block | None:
    """What ``widget``, a :class:`ClassScores`, shows; None: there are no scores."""
    rows = widget.shown
    if not rows:
        return parts.paragraph(widget.header.message) if widget.header.message else None
    values = [row.value if np.isfinite(row.value) else 0.0 for row in rows]
    low, high = widget.bar_scale
    return parts.bar_chart(
        [
            (widget.label(row.index), (value - low) / (high - low), row.text, row.index == widget.target)
            for row, value in zip(rows, values, strict=True)
        ],
        width,
    )
