"""The grid of maps as a still picture."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnwidgets.widgets._still import maps, parts
from cnnwidgets.widgets._still.publish import newest_push

_MOST_ROWS, _MOST_COLUMNS = 5, 6
_HOW = {"own": "each on its own scale", "method": "one scale a method", "all": "all on one scale"}


def comparison_still(widget: Any) -> parts.Block | None:
    """What ``widget``, a :class:`Comparison`, shows: its first rows and columns; None: neither photograph nor grid."""
    photo, grid = newest_push(widget, "picture").arrays.get("pixels"), newest_push(widget, "grid").content
    if not grid.get("rows"):
        return None if photo is None else maps.photograph(photo, 200)
    rows, columns = grid["rows"][:_MOST_ROWS], grid["columns"][:_MOST_COLUMNS]
    side = min(150, (parts.WIDTH - 8 * len(columns)) // max(len(columns), 1))
    lengths = [1 if row["single"] else len(columns) for row in rows]
    scales = {(k, j): _scale(widget, k, j) for k, length in enumerate(lengths) for j in range(length)}
    heading = parts.row([parts.remark(name, width=side, most=2) for name in columns])
    lines = [parts.paragraph(f"{grid['caption']} · {_HOW[widget.scale]}", size=12), heading]
    for number, row in enumerate(rows):
        lines.append(parts.paragraph(" · ".join(filter(None, (row["label"], row["note"]))), size=12))
        cells = [cell for cell in scales if cell[0] == number]
        lines.append(parts.row([_cell_still(widget, photo, cell, scales, side) for cell in cells]))
    if len(grid["rows"]) > len(rows) or len(grid["columns"]) > len(columns):
        lines.append(parts.remark("Not all rows and columns are in this picture.", colour=parts.WARN))
    return parts.column(lines, 4)


def _scale(widget: Any, row: int, column: int) -> maps.MapScale | None:
    arrays, content = newest_push(widget, f"cell:{row}:{column}")
    if "values" not in arrays:
        return None
    clip = widget.clip if content["channels"] else 0.0
    return maps.map_scale(arrays["values"], arrays.get("magnitude"), widget.sign, clip)


def _cell_still(widget: Any, photo: Any, cell: tuple[int, int], scales: dict[Any, Any], side: int) -> parts.Block:
    own, content = scales[cell], newest_push(widget, f"cell:{cell[0]}:{cell[1]}").content
    if own is None:
        return parts.remark(content.get("reason") or "not computed", size=11, width=side)
    alike = {"own": [cell], "method": [other for other in scales if other[0] == cell[0]], "all": list(scales)}
    limit = max(scales[other].limit for other in alike[widget.scale] if scales[other] is not None)
    picture = maps.overlay(photo, own._replace(limit=limit), widget, side, extent=content["extent"])
    numbers = f"{maps.number(own.least)} to {maps.number(own.largest)}" if np.isfinite(own.least) else "not finite"
    return parts.column([picture, parts.remark(numbers, size=11, width=side, most=1)], 2)
