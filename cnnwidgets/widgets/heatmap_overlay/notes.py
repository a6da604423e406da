"""The sentences beside a map, and the maps of many layers in one message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnwidgets.core.errors import InputError
from cnnwidgets.widgets._maps.arrays import area_mean, map_and_notes
from cnnwidgets.widgets._maps.pictures import map_label


def note_of(note: str | Mapping[str, str]) -> dict[str, str]:
    """A note as the browser takes it; a sentence alone is a warning."""
    if isinstance(note, str):
        return {"level": "warn", "text": note}
    if set(note) != {"level", "text"} or note["level"] not in ("ok", "warn"):
        raise InputError(f'The note is {note!r}; expected a sentence or {{"level": "ok" or "warn", "text": sentence}}.')
    return dict(note)


def occlusion_facts(attribution: Any) -> str:
    """How the map of an occlusion was made: patch, places and fill; empty for other methods.

    >>> from types import SimpleNamespace
    >>> occlusion_facts(SimpleNamespace(patch=(16, 16), grid=SimpleNamespace(shape=(1, 27, 27)), fill="mean"))
    'Patch 16 × 16 px at 27 × 27 places, fill mean'
    """
    patch, grid = getattr(attribution, "patch", None), getattr(attribution, "grid", None)
    if patch is None or grid is None:
        return ""
    fill = f", fill {attribution.fill}" if getattr(attribution, "fill", "") else ""
    return f"Patch {patch[0]} × {patch[1]} px at {grid.shape[1]} × {grid.shape[2]} places{fill}"


def caption_of(attribution: Any) -> str:
    """What an attribution shows and explains: "Grad-CAM · layer4 → class 3"."""
    target = attribution.target
    if isinstance(target, tuple):
        explained = f"class {target[0]}" if target else "the score"
    else:
        explained = getattr(target, "__name__", "the score")
    subject = next(iter(getattr(attribution, "subjects", ())), explained)
    images = len(attribution.values)
    which = f" · image 1 of {images}" if images > 1 else ""
    title = " · ".join(filter(None, (map_label(attribution), attribution.layer)))
    return f"{title} → {subject}{which}" if subject else f"{title}{which}"


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
