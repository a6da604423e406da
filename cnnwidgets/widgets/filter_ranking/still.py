"""The filters that matter as a still picture."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnwidgets.widgets._still import parts
from cnnwidgets.widgets._still.publish import newest_push

_MOST = 12


def ranking_still(widget: Any) -> parts.Block | None:
    """The first bars of ``widget``, a :class:`FilterRanking`; None: there are none."""
    arrays, content = newest_push(widget, "ranking")
    if "drops" not in arrays:
        return parts.paragraph(widget.hint) if widget.hint else None
    drops = arrays["drops"]
    order = np.argsort(-np.nan_to_num(drops, nan=-np.inf), kind="stable")[:_MOST]
    longest = float(np.nanmax(np.abs(drops), initial=0)) or 1.0
    bars = [
        (f"filter {channel}", float(drops[channel]) / longest, f"{drops[channel]:.3g}", bool(channel in widget.off))
        for channel in order
        if np.isfinite(drops[channel])
    ]
    notes = [parts.remark(f"⚠ {note}", colour=parts.WARN) for note in content["notes"]]
    return parts.column([parts.remark(f"Fall of the {content['unit']} without each"), *notes, parts.bar_chart(bars)])
