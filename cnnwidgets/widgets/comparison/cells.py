"""What the rows of a comparison say, and what one of its cells holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cnnwidgets.core.errors import InputError
from cnnwidgets.widgets._maps.arrays import DisplayedMap, Floats, area_mean

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
