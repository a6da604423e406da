"""The grid of maps as a still picture."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnwidgets.widgets._still import maps, parts
from cnnwidgets.widgets._still.pushed import arrays_of, content_of

_MOST_ROWS, _MOST_COLUMNS = 5, 6
_HOW = {"own": "each on its own scale", "method": "one scale a method", "all": "all on one scale"}


def still(widget: Any) -> parts.Block | None:
    """What ``widget``, a :class:`Comparison`, shows: its first rows and columns; None: neither photograph nor grid."""
    photo, grid = arrays_of(widget, "picture").get("pixels"), content_of(widget, "grid")
    if not grid.get("rows"):
        return None if photo is None else maps.photograph(photo, 200)
    columns = grid["columns"][:_MOST_COLUMNS]
    side = min(150, (parts.WIDTH - 8 * len(columns)) // max(len(columns), 1))
    scales = {place: _scale(widget, *place) for place in _places(grid, columns)}
    heading = parts.row([parts.text(name, colour=parts.SOFT, size=12, width=side, most=2) for name in columns])
    lines = [parts.text(f"{grid['caption']} · {_HOW[widget.scale]}", size=12), heading]
    for number, row in enumerate(grid["rows"][:_MOST_ROWS]):
        own = [place for place in scales if place[0] == number]
        lines.append(parts.text(" · ".join(filter(None, (row["label"], row["note"]))), size=12))
        lines.append(parts.row([_cell(widget, photo, place, scales, side) for place in own]))
    left = len(grid["rows"]) - _MOST_ROWS, len(grid["columns"]) - len(columns)
    if max(left) > 0:
        lines.append(parts.text("Not all rows and columns are in this picture.", colour=parts.WARN, size=12))
    return parts.column(lines, 4)


def _places(grid: dict[str, Any], columns: list[str]) -> list[tuple[int, int]]:
    return [
        (number, place)
        for number, row in enumerate(grid["rows"][:_MOST_ROWS])
        for place in range(1 if row["single"] else len(columns))
    ]


def _scale(widget: Any, row: int, column: int) -> maps.Scaled | None:
    sent, content = arrays_of(widget, f"cell:{row}:{column}"), content_of(widget, f"cell:{row}:{column}")
    if "values" not in sent:
        return None
    clip = widget.clip if content.get("channels") else 0.0
    return maps.scaled(sent["values"], sent.get("magnitude"), widget.sign, clip)


def _cell(widget: Any, photo: Any, place: tuple[int, int], scales: dict[Any, Any], side: int) -> parts.Block:
    own, content = scales[place], content_of(widget, f"cell:{place[0]}:{place[1]}")
    if own is None:
        why = content.get("reason") or "not computed"
        return parts.text(why, colour=parts.SOFT, size=11, width=side)
    alike = {"own": [place], "method": [other for other in scales if other[0] == place[0]], "all": list(scales)}
    limit = max(scales[other].limit for other in alike[widget.scale] if scales[other] is not None)
    picture = maps.overlay(photo, own._replace(limit=limit), widget, side, extent=content.get("extent"))
    numbers = f"{maps.number(own.least)} to {maps.number(own.largest)}" if np.isfinite(own.least) else "not finite"
    return parts.column([picture, parts.text(numbers, colour=parts.SOFT, size=11, width=side, most=1)], 2)
