"""What is done to an image: a list of edits, each a dict, applied one after the other, always with the same result."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from cnnwidgets.core.arguments import is_number, is_whole
from cnnwidgets.core.errors import InputError
from cnnwidgets.pictures.files import LEAST_SIDE

Pixels = npt.NDArray[np.uint8]
MOST_EDITS = 200
_MOST_POINTS = 5_000
_EXPECTED = (
    '{"op": "crop", "box": [top, left, bottom, right]}, {"op": "rotate", "degrees": 90}, {"op": "brightness", '
    '"amount": 0.2}, {"op": "noise", "amount": 0.1, "seed": 0} or {"op": "draw", "points": [[down, across], ...]}'
)


def edited(pixels: Pixels, edits: Any) -> Pixels:
    """``pixels`` (H, W, 3) after ``edits``.

    Shares are of the image as it is before the edit: 0 at its top or left, 1 at its bottom or right.

    - ``{"op": "crop", "box": [top, left, bottom, right]}`` in shares;
    - ``{"op": "rotate", "degrees": d}`` against the clock, from -360 to 360; corners that come free are black;
    - ``{"op": "brightness", "amount": a}``: a, from -1 to 1, times 255 is added to each level;
    - ``{"op": "noise", "amount": a, "seed": s}``: normal noise of the standard deviation a, from 0 to 1, times 255;
    - ``{"op": "draw", "points": [[down, across], ...], "width": w, "color": "#rrggbb"}``: a line, in shares; w of the
      longer side.

    Raises:
        InputError: an edit has another form, or leaves fewer pixels than an image has.
    """
    if not isinstance(edits, list | tuple) or len(edits) > MOST_EDITS:
        raise InputError(f"The edits are no list of at most {MOST_EDITS}.")
    for edit in edits:
        op = edit.get("op") if isinstance(edit, Mapping) else None
        if not isinstance(op, str) or op not in _OPERATIONS:
            raise InputError(f"{str(edit)[:80]!r} is no edit; expected {_EXPECTED}.")
        pixels = _OPERATIONS[op](pixels, edit)
    return pixels


def _cropped(pixels: Pixels, edit: Mapping[str, Any]) -> Pixels:
    box = edit.get("box")
    if not isinstance(box, list | tuple) or len(box) != 4:
        raise InputError(f"The box of a crop is {str(box)[:80]}; expected [top, left, bottom, right].")
    top, left, bottom, right = (_within(edge, "an edge of a crop", 0, 1) for edge in box)
    height, width = pixels.shape[:2]
    rows, columns = (round(top * height), round(bottom * height)), (round(left * width), round(right * width))
    if rows[1] - rows[0] < LEAST_SIDE or columns[1] - columns[0] < LEAST_SIDE:
        raise InputError(
            f"The crop leaves {max(0, rows[1] - rows[0])} × {max(0, columns[1] - columns[0])} pixels; expected at "
            f"least {LEAST_SIDE} × {LEAST_SIDE}: choose a larger part."
        )
    return pixels[rows[0] : rows[1], columns[0] : columns[1]]


def _rotated(pixels: Pixels, edit: Mapping[str, Any]) -> Pixels:
    degrees = _within(edit.get("degrees"), "degrees of a rotation", -360, 360)
    if degrees % 90 == 0:
        return np.rot90(pixels, round(degrees / 90))
    turned = Image.fromarray(np.ascontiguousarray(pixels)).rotate(degrees, Image.Resampling.BILINEAR, expand=True)
    return np.asarray(turned)


def _brightened(pixels: Pixels, edit: Mapping[str, Any]) -> Pixels:
    amount = _within(edit.get("amount"), "the amount of brightness", -1, 1)
    return _as_levels(pixels + np.float32(255 * amount))


def _with_noise(pixels: Pixels, edit: Mapping[str, Any]) -> Pixels:
    amount = _within(edit.get("amount"), "the amount of noise", 0, 1)
    seed = edit.get("seed", 0)
    if not is_whole(seed) or not 0 <= seed < 2**32:
        raise InputError(f"The seed of noise is {seed!r}; expected an int from 0 to 4,294,967,295.")
    noise = np.random.default_rng(seed).standard_normal(pixels.shape, np.float32)
    return _as_levels(pixels + np.float32(255 * amount) * noise)


def _drawn_on(pixels: Pixels, edit: Mapping[str, Any]) -> Pixels:
    points, color = edit.get("points"), edit.get("color", "#ffffff")
    share = _within(edit.get("width", 0.05), "the width of a line", 0, 1)
    if not isinstance(color, str) or not re.fullmatch(r"#[0-9a-fA-F]{6}", color):
        raise InputError(f"The colour of a line is {str(color)[:40]!r}; expected '#rrggbb'.")
    if not isinstance(points, list | tuple) or not 1 <= len(points) <= _MOST_POINTS:
        raise InputError(f"A line has from 1 to {_MOST_POINTS:,} points [down, across].")
    height, width = pixels.shape[:2]
    thick = max(1, round(share * max(height, width)))
    places = []
    for point in points:
        if not isinstance(point, list | tuple) or len(point) != 2:
            raise InputError(f"{str(point)[:40]!r} is no point of a line; expected [down, across].")
        down, across = (_within(part, "a point of a line", -1, 2) for part in point)
        places.append((across * width, down * height))
    image = Image.fromarray(np.ascontiguousarray(pixels))
    draw = ImageDraw.Draw(image)
    draw.line(places, fill=color, width=thick, joint="curve")
    for x, y in (places[0], places[-1]):  # round ends, and a dot where it is a point
        draw.ellipse((x - thick / 2, y - thick / 2, x + thick / 2, y + thick / 2), fill=color)
    return np.asarray(image)


_OPERATIONS: dict[str, Callable[[Pixels, Mapping[str, Any]], Pixels]] = {
    "crop": _cropped,
    "rotate": _rotated,
    "brightness": _brightened,
    "noise": _with_noise,
    "draw": _drawn_on,
}


def _as_levels(values: Any) -> Pixels:
    return np.asarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))


def _within(value: Any, subject: str, low: float, high: float) -> float:
    if not is_number(value) or not math.isfinite(value) or not low <= value <= high:
        raise InputError(f"{subject} is {str(value)[:40]}; expected a number from {low:g} to {high:g}.")
    return float(value)
