"""What a check found, as a still picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from cnnwidgets.widgets._still import parts
from cnnwidgets.widgets._still.maps import painted
from cnnwidgets.widgets._still.publish import newest_push

from .arrays import BROKEN, TOP

_MOST, _SIDE = 8, 66


def check_still(widget: Any) -> parts.Block | None:
    """What ``widget``, a :class:`MapCheck`, shows: the sentence, the first maps, the curves."""
    sentences = (widget.badge, widget.sentence, widget.hint, *widget.notes)
    blocks = [parts.paragraph(sentence, size=12) for sentence in sentences if sentence]
    arrays, content = newest_push(widget, "maps")
    if "maps" in arrays:
        names = ["original", *content["layers"]]
        colours = "blue-red" if content["signed"] else "inferno"
        stages = zip(arrays["maps"][:_MOST], names, strict=False)
        blocks.append(parts.row([_stage(levels, name, colours) for levels, name in stages]))
    curves = [
        parts.curve(chart.heading, chart.points[0], chart.points[1], _grey(chart), (90, 190))
        for chart in widget.charts.values()
        if chart.points[0]
    ]
    if curves:
        blocks.append(parts.row(curves, gap=12))
    return parts.column(blocks) if blocks else None


def _grey(chart: Any) -> Any:
    """(m, n) of the grey lines; none while they reach further than the line itself."""
    return chart.grey if chart.grey.shape[1] == len(chart.points[0]) else ()


def _stage(levels: Any, name: str, colours: str) -> parts.Block:
    pixels = painted(np.where(levels == BROKEN, np.nan, levels / TOP), colours)
    height, width = (max(1, round(side * _SIDE / max(levels.shape))) for side in levels.shape)
    picture = Image.fromarray(pixels).resize((width, height), Image.Resampling.NEAREST)
    return parts.column([picture, parts.remark(name, size=10, width=_SIDE, most=2)], 2)
