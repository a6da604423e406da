"""What a check found, as a still picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from cnnwidgets.widgets._still import parts
from cnnwidgets.widgets._still.colours import NOT_FINITE, table
from cnnwidgets.widgets._still.pushed import arrays_of, content_of

from .arrays import BROKEN, TOP

_MOST, _SIDE = 8, 66


def still(widget: Any) -> parts.Block | None:
    """What ``widget``, a :class:`MapCheck`, shows: the sentence, the first maps, the curves."""
    panel = widget.panel
    said = [text for text in (panel.badge, panel.sentence, panel.hint, *panel.notes) if text]
    blocks = [parts.text(text, size=12) for text in said]
    sent = arrays_of(panel, "maps").get("maps")
    if sent is not None:
        names = ["original", *content_of(panel, "maps")["layers"]]
        colours = "blue-red" if content_of(panel, "maps")["signed"] else "inferno"
        cells = [_cell(one, name, colours) for one, name in zip(sent[:_MOST], names, strict=False)]
        blocks.append(parts.row(cells))
    curves = [
        parts.curve(chart.heading, chart.points[0], chart.points[1], _grey(chart), (90, 190))
        for chart in widget.charts.values()
        if chart.points[0]
    ]
    if curves:
        blocks.append(parts.rows(curves, gap=12))
    return parts.column(blocks) if blocks else None


def _grey(chart: Any) -> Any:
    """(m, n) of the grey lines; none while they reach further than the line itself."""
    grey = np.asarray(chart.grey, np.float64)
    return grey if grey.ndim == 2 and grey.shape[1] == len(chart.points[0]) else ()


def _cell(levels: Any, name: str, colours: str) -> parts.Block:
    pixels = table(colours)[np.round(np.minimum(levels, TOP) / TOP * 255).astype(np.intp)]
    pixels[levels == BROKEN] = NOT_FINITE
    height, width = (max(1, round(side * _SIDE / max(levels.shape))) for side in levels.shape)
    picture = Image.fromarray(pixels).resize((width, height), Image.Resampling.NEAREST)
    return parts.column([picture, parts.text(name, colour=parts.SOFT, size=10, width=_SIDE, most=2)], 2)
