"""The centre of a photograph, which is what most networks are given of it."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt


def centre_part(pixels: npt.NDArray[Any], sides: tuple[int, int]) -> tuple[npt.NDArray[Any], str]:
    """The largest part of a photograph around its centre that has the proportions of what a network was given.

    Args:
        pixels: (H, W, channels).
        sides: (height, width) of what the network was given, or (rows, columns) of a map that covers all of it.

    Returns:
        (h, w, channels), and a sentence on what was left out; all of it, and an empty one, where they agree.

    Example:
        >>> import numpy as np
        >>> part, note = centre_part(np.zeros((4, 9, 3)), (7, 7))
        >>> part.shape, note
        ((4, 4, 3), "the map is laid over the photograph's centre, 4 x 4 of 4 x 9 pixels, as if the network saw just \
that; load_picture(image, model) gives the part that it saw")
    """
    height, width = pixels.shape[:2]
    cell = max(height / sides[0], width / sides[1])
    if abs(height / sides[0] - width / sides[1]) * min(sides) < cell:
        return pixels, ""
    scale = min(height / sides[0], width / sides[1])
    h, w = (max(1, round(scale * side)) for side in sides)
    top, left = round((height - h) / 2), round((width - w) / 2)
    note = (
        f"the map is laid over the photograph's centre, {h} x {w} of {height} x {width} pixels, as if the network saw "
        "just that; load_picture(image, model) gives the part that it saw"
    )
    return pixels[top : top + h, left : left + w], note
