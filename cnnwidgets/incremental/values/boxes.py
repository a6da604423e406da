"""Where each edit differs from the unedited value: one box of rows and columns an edit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
WHOLE = 0.85
"""A window that covers more than this share of its map becomes whole."""


@dataclass(frozen=True, eq=False)
class EditBox:
    """Rows ``y0`` to ``y1`` and columns ``x0`` to ``x1``, the last ones left out, of each of B edits.

    Exact: what an operation's windows let an edit reach, not rounded up to the window that is kept.
    """

    y0: Ints
    y1: Ints
    x0: Ints
    x1: Ints

    @property
    def size(self) -> tuple[int, int]:
        """The height and width that hold each of the boxes."""
        return max(1, int((self.y1 - self.y0).max())), max(1, int((self.x1 - self.x0).max()))

    @property
    def places(self) -> int:
        """Rows times columns, summed over the edits."""
        return int(((self.y1 - self.y0).clip(0) * (self.x1 - self.x0).clip(0)).sum())

    def window(self, side: tuple[int, int]) -> tuple[int, int]:
        """The size of windows that hold the boxes; all of a map of ``side`` where that is most of it."""
        size = self.size
        return side if size[0] * size[1] > WHOLE * side[0] * side[1] else size

    def corners(self, size: tuple[int, int], side: tuple[int, int]) -> tuple[Ints, Ints]:
        """Top and left of windows of ``size`` that hold the boxes and lie inside of a map of ``side``."""
        return np.clip(self.y0, 0, side[0] - size[0]), np.clip(self.x0, 0, side[1] - size[1])


def cropped(box: EditBox, side: tuple[int, int]) -> EditBox:
    """The part inside of a map of ``side``; a box outside of it becomes an empty one at the edge."""
    y0, x0 = np.clip(box.y0, 0, side[0]), np.clip(box.x0, 0, side[1])
    return EditBox(y0, np.clip(box.y1, y0, side[0]), x0, np.clip(box.x1, x0, side[1]))


def union(boxes: Iterable[EditBox]) -> EditBox:
    """The smallest boxes that hold all of those given."""
    y0, y1, x0, x1 = zip(*((box.y0, box.y1, box.x0, box.x1) for box in boxes), strict=True)
    return EditBox(np.minimum.reduce(y0), np.maximum.reduce(y1), np.minimum.reduce(x0), np.maximum.reduce(x1))
