"""Where a map lies in the picture, as the browser takes it."""

from __future__ import annotations

from typing import Any


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
