"""Where a map lies in the picture. Stretched over the shape of another, it puts its evidence in the wrong places."""

from __future__ import annotations

import math
from typing import Any

from cnnwidgets.core.errors import InputError

Size = tuple[int, int]


def extent_of(placement: Any) -> list[float] | None:
    """Top, left, bottom and right of a ``Placement`` in shares of the picture; None: all of it, or not known.

    >>> from types import SimpleNamespace
    >>> extent_of(SimpleNamespace(box=(8.0, 0.0, 24.0, 32.0), image=(32, 32), is_everywhere=False))
    [0.25, 0.0, 0.75, 1.0]
    """
    if placement is None or placement.is_everywhere:
        return None
    (top, left, bottom, right), (height, width) = placement.box, placement.image
    return [top / height, left / width, bottom / height, right / width]


def in_proportion(cells: Size, pixels: Size, most_border: float = 1.0) -> bool:
    """Whether layers that treat both axes alike can give ``cells`` (rows, columns) of ``pixels`` (H, W).

    Each convolution or pooling, and so a chain of them, leaves floor(u · side + v) cells of a side: u is one over the
    stride, the same for both axes, and v is under 1, and below 0 where the image's border is left out.

    Args:
        cells: the map's shape.
        pixels: the picture's.
        most_border: the largest border that may be left out on both axes together, in cells.

    >>> in_proportion((7, 7), (224, 224)), in_proportion((7, 7), (224, 448)), in_proportion((10, 15), (300, 451))
    (True, False, True)
    """
    (short, n), (long, m) = sorted(zip(pixels, cells, strict=True))
    low = max((n - 1) / short, (m - 1) / long)
    high = min((n + 1 + most_border) / short, (m + 1 + most_border) / long)
    if long == short:
        return n == m and low < high
    return max(low, (m - n - 1) / (long - short)) < min(high, (m - n + 1) / (long - short))


def nearly(cells: Size, pixels: Size) -> bool:
    """Whether that holds but for less than a cell an axis, or when up to half of the shorter side is left out.

    >>> nearly((7, 8), (224, 224)), nearly((5, 29), (32, 128)), nearly((5, 5), (32, 128))
    (True, True, False)
    """
    strides = [(side / (n + 1), side / (n - 1) if n > 1 else math.inf) for n, side in zip(cells, pixels, strict=True)]
    if max(low for low, _ in strides) < min(high for _, high in strides):
        return True
    return in_proportion(cells, pixels, most_border=min(cells))


def laid_out(
    cells: Size, picture: Size | None, placement: Any, *, allowed: bool = False, subject: str = "The map"
) -> str:
    """As :func:`stretched`, of a map that lies at ``placement``; None: over all of the picture."""
    if extent_of(placement) is None:
        return stretched(cells, picture, allowed=allowed, subject=subject)
    return stretched(
        placement.image, picture, allowed=allowed, subject=f"The image that {subject[:1].lower()}{subject[1:]} lies on"
    )


def stretched(cells: Size, picture: Size | None, *, allowed: bool = False, subject: str = "The map") -> str:
    """What must be said of a map of ``cells`` (rows, columns) over ``picture`` (H, W); empty: nothing.

    Args:
        cells: the map's shape.
        picture: the picture's; None: there is none.
        allowed: the caller knows that the map covers all of the picture.
        subject: the map's name in the error.

    Raises:
        InputError: the shapes cannot belong together, and it is not ``allowed``.
    """
    if picture is None or in_proportion(cells, picture):
        return ""
    has, over = (" × ".join(map(str, sides)) for sides in (cells, picture))
    if allowed:
        each = " × ".join(f"{side / n:.3g}" for n, side in zip(cells, picture, strict=True))
        return (
            f"The map's {has} cells are stretched over a picture of another shape, {over} pixels: "
            f"each stands for {each} of them, if the map covers all of the picture."
        )
    if nearly(cells, picture):
        return (
            f"The map's {has} cells, stretched over the picture's {over} pixels, are not quite in proportion to them: "
            "places are not exact. Is the picture what the network saw?"
        )
    raise InputError(
        f"{subject} has {has} cells (rows × columns), the picture {over} pixels (height × width): another shape, over "
        "which the map would be stretched. Expected the picture as the network saw it, after its crop and resize: "
        "pictures.picture.load_picture(image, model, preprocess).pixels, if the crop is the one that you made. If the "
        "map does cover all of this picture (unequal strides, an adaptive pooling, "
        "a picture resized without keeping its shape), pass stretch=True."
    )
