"""What the rows of a comparison say, what one of its cells holds, and the grid as a still picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cnnwidgets.core.errors import InputError
from cnnwidgets.widgets._maps.arrays import DisplayedMap, Floats, area_mean
from cnnwidgets.widgets._still import maps, parts
from cnnwidgets.widgets._still.publish import newest_push

MOST = 320
"""The longest side, in places, of a cell's map."""

_KEYS = {"label": str, "note": str, "single": bool}


def row_of(row: str | Mapping[str, Any]) -> dict[str, Any]:
    """A row's heading as the browser takes it.

    >>> row_of("Grad-CAM")
    {'label': 'Grad-CAM', 'note': '', 'single': False}
    """
    heading: Mapping[str, Any] = {"label": row} if isinstance(row, str) else row
    wrong = [key for key, value in heading.items() if not isinstance(value, _KEYS.get(key, ()))]
    if wrong or "label" not in heading:
        raise InputError(f'The row is {row!r}; expected its label, or {{"label": str, "note": str, "single": bool}}.')
    return {"label": "", "note": "", "single": False, **heading}


def by_cell(maps: Any) -> dict[tuple[str, str], Any]:
    """Finished maps by row and column; where only the row is named there is one column.

    >>> by_cell({"Grad-CAM": 1, ("Saliency", "layer4"): 2})
    {('Grad-CAM', ''): 1, ('Saliency', 'layer4'): 2}
    """
    expected = "expected a mapping, (row, column) -> attribution"
    if not isinstance(maps, Mapping):
        raise InputError(f"The maps are a {type(maps).__name__}; {expected}.")
    cells = {}
    for key, values in maps.items():
        cell = (key, "") if isinstance(key, str) else key
        if not isinstance(cell, tuple) or len(cell) != 2 or not all(isinstance(name, str) for name in cell):
            raise InputError(f"The maps have the key {str(key)[:100]!r}; {expected}, with two names.")
        cells[cell] = values
    return cells


def class_choice(value: Sequence[Any]) -> list[Any]:
    """A class to choose from, [index, label].

    >>> class_choice([282, "tiger cat"])
    [282, 'tiger cat']
    """
    pair = list(value)
    if len(pair) != 2 or type(pair[0]) is not int or pair[0] < 0 or not isinstance(pair[1], str):
        raise InputError(f"A class to choose from is {value!r}; expected [index, label].")
    return pair


def sent_arrays(heat: DisplayedMap) -> tuple[dict[str, Floats], list[str]]:
    """The arrays of a cell, and what was done to fit them."""
    height, width = heat.values.shape
    if max(height, width) <= MOST:
        return heat.arrays, []
    small = {name: area_mean(array, MOST) for name, array in heat.arrays.items()}
    now = " × ".join(map(str, small["values"].shape))
    return small, [f"The map of {height} × {width} places is shown, with its range, as {now} means."]


_MOST_ROWS, _MOST_COLUMNS = 5, 6
_HOW = {"own": "each on its own scale", "method": "one scale a method", "all": "all on one scale"}


def comparison_still(widget: Any) -> parts.Block | None:
    """What ``widget``, a :class:`Comparison`, shows: its first rows and columns; None: neither photograph nor grid."""
    photo, grid = newest_push(widget, "picture").arrays.get("pixels"), newest_push(widget, "grid").content
    if not grid.get("rows"):
        return None if photo is None else maps.photograph(photo, parts.px(200))
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
    picture = maps.overlay(photo, own._replace(limit=limit), widget, parts.px(side), extent=content["extent"])
    numbers = f"{maps.number(own.least)} to {maps.number(own.largest)}" if np.isfinite(own.least) else "not finite"
    return parts.column([picture, parts.remark(numbers, size=11, width=side, most=1)], 2)
