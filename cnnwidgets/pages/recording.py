"""What widgets had on show at each choice of a reader: every state, every message and every array once."""

# ruff: noqa: SLF001 (what is pushed is read as the still pictures do)

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import ipywidgets
import numpy as np
import numpy.typing as npt

from cnnwidgets.widgets._base import CnnWidget
from cnnwidgets.widgets._still.publish import newest_push

from .packing import STEP, Arrays, coarse_levels

# Three times as many numbers as their map; the button that asks for them is not in a page.
_LEFT_OUT = {"colours", "code"}
# What numbers a message, which is numbered anew where it is shown again.
_NUMBERS = {"id", "maps_id"}


class PageRecording:
    """Collects shots of widgets under keys; :meth:`content` is what a page looks them up in.

    A shot is the widget's synced traits, as they differ from its first shot, and its newest push of each kind.

    >>> recording = PageRecording()
    >>> recording.add("board", "0", ipywidgets.HTML("a"))
    >>> recording.add("board", "1", ipywidgets.HTML("b"))
    >>> [shot["state"].get("value") for shot in recording.content()["widgets"]["board"]["shots"].values()]
    [None, 'b']
    """

    def __init__(self) -> None:
        self.arrays = Arrays()
        self._widgets: dict[str, dict[str, Any]] = {}
        self._pushes: dict[str, int] = {}

    def add(self, name: str, key: str, widget: ipywidgets.DOMWidget, coarse: bool = False, /, **changes: Any) -> None:
        """Keep what ``widget`` has on show under ``name`` and ``key``; ``changes`` are its traits in the page.

        Of a ``coarse`` map two digits are shown.
        """
        state = widget.get_state([trait for trait in widget.keys if _is_own(trait)]) | changes
        entry = self._widgets.setdefault(name, {"base": state, "shots": {}})
        differing = {trait: value for trait, value in state.items() if value != entry["base"][trait]}
        pushes = {} if not isinstance(widget, CnnWidget) else self._newest_pushes(widget, coarse)
        entry["shots"][key] = {"state": differing, "pushes": pushes}

    def content(self) -> dict[str, Any]:
        """All of it but the arrays, as JSON takes it."""
        return {"widgets": self._widgets, "pushes": [json.loads(text) for text in self._pushes]}

    def _newest_pushes(self, widget: CnnWidget, coarse: bool) -> dict[str, int]:
        return {kind: self._push(widget, kind, coarse) for kind in widget._pushed if kind not in _LEFT_OUT}

    def _push(self, widget: CnnWidget, kind: str, coarse: bool) -> int:
        arrays, content = newest_push(widget, kind)
        pixels = newest_push(widget, "picture").arrays.get("pixels")
        stored = []
        if kind == "maps" and "maps" in arrays:
            arrays, content = {**arrays, "maps": coarse_levels(arrays["maps"])}, {**content, "step": STEP}
        for name, array in arrays.items():
            digits = _digits(kind, name, array, pixels, content)
            if kind == "map" and (digits or coarse):
                # Numbers between cells have a digit less than the cells.
                digits, content = digits or 3, {**content, "digits": 2}
            stride = array.shape[-1] if name == "pixels" else 0
            parts = self.arrays.add(array, _strip_ends(kind, name, arrays), digits=digits, stride=stride)
            stored.append({"name": name, "dtype": array.dtype.name, "shape": list(array.shape), "parts": parts})
        message = {key: value for key, value in content.items() if key not in _NUMBERS} | {"arrays": stored}
        text = json.dumps(message, allow_nan=False)
        return self._pushes.setdefault(text, len(self._pushes))


def _is_own(trait: str) -> bool:
    return not trait.startswith("_") and trait not in ipywidgets.DOMWidget.class_trait_names()


def _strip_ends(kind: str, name: str, arrays: Mapping[str, npt.NDArray[Any]]) -> list[int]:
    """Where the maps in a strip end: each is also a large map, which is kept once."""
    if (kind, name) != ("strip", "values"):
        return []
    return [int(end) for end in np.cumsum(arrays["sizes"].prod(axis=1))[:-1]]


def _digits(
    kind: str, name: str, array: npt.NDArray[Any], pixels: npt.NDArray[Any] | None, content: Mapping[str, Any]
) -> int:
    """How many digits of these numbers are kept; 0: all, as of a map with fewer cells than pixels, which blend."""
    if kind == "map":
        at_pixels = pixels is not None and array.shape == pixels.shape[:2] and content.get("extent") is None
        return 2 if at_pixels else 0
    return 3 if kind == "contribution" or name in ("mean", "zeros") else 0
