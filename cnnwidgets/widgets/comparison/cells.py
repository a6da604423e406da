"""What the rows of a comparison say, and what one of its cells holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnwidgets.core.errors import InputError
from cnnwidgets.widgets.heatmap_overlay._arrays import first_image, floats_of
from cnnwidgets.widgets.heatmap_overlay._strip import area_mean

MOST = 320
"""The longest side, in places, of a cell's map."""

_KEYS = {"label": str, "note": str, "single": bool}


def row_of(row: str | Mapping[str, Any]) -> dict[str, Any]:
    """A row's heading as the browser takes it.

    >>> row_of("Grad-CAM")
    {'label': 'Grad-CAM', 'note': '', 'single': False}
    """
    given: Mapping[str, Any] = {"label": row} if isinstance(row, str) else row
    wrong = [key for key, value in given.items() if not isinstance(value, _KEYS.get(key, ()))]
    if wrong or "label" not in given:
        raise InputError(f'The row is {row!r}; expected its label, or {{"label": str, "note": str, "single": bool}}.')
    return {"label": "", "note": "", "single": False, **given}


def arrays_of(values: Any) -> tuple[dict[str, npt.NDArray[np.float32]], int, list[str]]:
    """The arrays of a cell, how many input channels were merged in them, and what was done to fit them.

    Args:
        values: (h, w), or an input gradient (C, H, W), merged as :func:`first_image` does.
    """
    checked = floats_of(values, dims=(2, 3))
    shown = first_image(checked[None])
    arrays = {"values": shown.values} | ({} if shown.magnitude is None else {"magnitude": shown.magnitude})
    height, width = shown.values.shape
    if max(height, width) <= MOST:
        return arrays, shown.channels, []
    small = {name: area_mean(array, MOST) for name, array in arrays.items()}
    now = " × ".join(map(str, small["values"].shape))
    return small, shown.channels, [f"The map of {height} × {width} places is shown, with its range, as {now} means."]
