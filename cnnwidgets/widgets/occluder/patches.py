"""Patches on a picture: what they are made of, and what is asked about them."""

from __future__ import annotations

import operator
import re
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cnnwidgets.core.errors import InputError

FILLS = ("grey", "mean", "blur", "black", "color", "copy")
MOST_PATCHES = 1_000
MOST_SIDE = 1_000_000
"""Pixels that a patch may be large, or away from the picture's corner."""
Patch = dict[str, Any]
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
_EXPECTED = (
    "expected [top, left, height, width] in pixels, or a dict with these keys and, if wanted, "
    f'fill (one of {", ".join(FILLS)}), color ("#rrggbb") and source ([top, left] of the place to copy)'
)


@dataclass(frozen=True)
class Move:
    """Patches whose scores are wanted.

    Attributes:
        id: to be given back with the answer; 0 if a script moved them.
        patches: as in :attr:`Occluder.patches`, the later on top.
    """

    id: int
    patches: tuple[Patch, ...]


@dataclass(frozen=True)
class SweepWish:
    """A sweep that is wanted.

    Attributes:
        size, stride: pixels.
        fill: one of ``FILLS``, without "copy".
        color: "#rrggbb", for the fill "color".
    """

    size: int
    stride: int
    fill: str
    color: str


def patch_of(value: Any, fill: str, color: str) -> Patch:
    """``value`` as a whole patch.

    Args:
        value: [top, left, height, width], or a mapping.
        fill, color: what it shows unless it says so itself.

    Raises:
        InputError: it is neither, or its numbers are out of range.

    Example:
        >>> patch_of([4, -2, 16, 8], "grey", "#ff0000")
        {'top': 4, 'left': -2, 'height': 16, 'width': 8, 'fill': 'grey'}
    """
    box = ("top", "left", "height", "width")
    fields: Mapping[str, Any]
    if isinstance(value, Mapping):
        fields = value
    elif isinstance(value, Sequence) and not isinstance(value, str) and len(value) == len(box):
        fields = dict(zip(box, value, strict=True))
    else:
        raise InputError(f"A patch is {reprlib.repr(value)}; {_EXPECTED}.")
    try:
        patch: Patch = {name: _whole_pixels(fields[name]) for name in box}
    except (KeyError, TypeError):
        raise InputError(f"A patch is {reprlib.repr(value)}; {_EXPECTED}.") from None
    if patch["height"] < 1 or patch["width"] < 1:
        raise InputError(
            f"A patch is {patch['height']}x{patch['width']} pixels (height x width); expected at least 1x1."
        )
    if max(map(abs, patch.values())) > MOST_SIDE:
        raise InputError(f"A patch is {reprlib.repr(value)}; expected no number beyond {MOST_SIDE:,} pixels.")
    patch["fill"] = fields.get("fill", fill)
    if not isinstance(patch["fill"], str) or patch["fill"] not in FILLS:
        raise InputError(f"A patch has the fill {reprlib.repr(patch['fill'])}; expected one of {', '.join(FILLS)}.")
    if patch["fill"] == "color":
        patch["color"] = color_of(fields.get("color", color))
    if patch["fill"] == "copy":
        patch["source"] = _source_of(fields.get("source"), value)
    return patch


def clipped_patch(patch: Patch, picture: Sequence[int]) -> Patch:
    """``patch``; of one that is larger than the ``picture``, (height, width), what can be seen of it.

    Example:
        >>> clipped_patch({"top": -5, "left": 2, "height": 10**6, "width": 3, "fill": "grey"}, (20, 30))
        {'top': 0, 'left': 2, 'height': 20, 'width': 3, 'fill': 'grey'}
    """
    cropped = dict(patch)
    moved = [0, 0]
    for axis, (start, length) in enumerate((("top", "height"), ("left", "width"))):
        side, first = int(picture[axis]), patch[start]
        if patch[length] > side:
            begin, end = max(first, 0), min(first + patch[length], side)
            if begin < end:
                cropped[start], cropped[length] = begin, end - begin
            else:  # beside the picture: as large as it, and as far away
                cropped[start], cropped[length] = (side if first > 0 else -side), side
            moved[axis] = cropped[start] - first
    if "source" in patch and any(moved):
        cropped["source"] = [at + by for at, by in zip(patch["source"], moved, strict=True)]
    return cropped


def color_of(value: Any) -> str:
    """``value``, "#rrggbb".

    Raises:
        InputError: it is none.
    """
    if not isinstance(value, str) or not _COLOR.fullmatch(value):
        raise InputError(f'The colour is {reprlib.repr(value)}; expected "#rrggbb", such as "#ff8800".')
    return value.lower()


def _whole_pixels(value: Any) -> int:
    if isinstance(value, bool):
        raise TypeError
    if isinstance(value, float) and value.is_integer():  # numbers of JavaScript
        return int(value)
    return operator.index(value)


def _source_of(value: Any, patch: Any) -> list[int]:
    try:
        top, left = (_whole_pixels(number) for number in value)
    except (TypeError, ValueError):
        raise InputError(
            f"The patch {reprlib.repr(patch)} copies another place but does not say which; expected source: "
            "[top, left]."
        ) from None
    if max(abs(top), abs(left)) > MOST_SIDE:
        raise InputError(f"The patch {reprlib.repr(patch)} copies a place beyond {MOST_SIDE:,} pixels.")
    return [top, left]
