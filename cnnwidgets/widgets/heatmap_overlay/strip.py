"""The maps of many layers in one message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnwidgets.core.errors import InputError
from cnnwidgets.widgets._maps.arrays import area_mean, map_and_notes

MOST = 56
"""The longest side, in cells, of a map in the strip."""


def packed(names: Sequence[str], maps: Sequence[Any]) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a "strip" push: all ``values`` one after another, and the ``sizes`` (n, 2) of the maps.

    Raises:
        InputError: not one map a name, a name twice, or a map that is none.
    """
    if len(names) != len(maps) or len(set(names)) != len(names):
        raise InputError(f"The strip has {len(names)} names and {len(maps)} maps; expected one map (h, w) a name.")
    small = [area_mean(map_and_notes(values)[0], MOST) for values in maps]
    sizes = np.array([values.shape for values in small], np.int32).reshape(-1, 2)
    return {"values": np.concatenate([np.zeros(0, np.float32), *(values.ravel() for values in small)]), "sizes": sizes}
