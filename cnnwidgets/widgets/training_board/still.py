"""A training as a still picture."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnwidgets.widgets._still import parts
from cnnwidgets.widgets.feature_maps.still import maps_still

from .numbers import number_name

_SIZE = (90, 290)


def board_still(widget: Any) -> parts.Block | None:
    """What ``widget``, a :class:`TrainingBoard`, shows: the newest numbers, the curves, the maps."""
    controls = widget.controls
    blocks = [parts.paragraph(controls.headline, size=12)] if controls.headline else []
    charts = []
    for name, chart in widget.curves.items():
        (across, up), *others = chart.points.values()
        title = f"{number_name(name)}{'; grey: held out' if others else ''}"
        grey = [np.interp(across, x, y, left=np.nan, right=np.nan) for x, y in others]
        charts.append(parts.curve(title, across, up, grey, _SIZE))
    if charts:
        blocks.append(parts.row(charts, gap=12))
    blocks += [parts.remark(f"⚠ {note}", colour=parts.WARN) for note in controls.notes]
    maps = maps_still(widget.feature_maps)
    if maps is not None:
        on_show = widget.snapshots.at(controls.at)
        blocks += [parts.remark(f"Maps of {controls.layer}, {on_show.label}")] if on_show else []
        blocks.append(maps)
    return parts.column(blocks) if blocks else None
