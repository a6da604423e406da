"""The windows of a batch have one size; edits near the border of a map reach only a part of theirs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .boxes import EditBox, Ints

_SHARES = (0.67,)
"""Of a window, that the reached part of it may be rounded up to, beside all of it: few sizes make few calls."""


@dataclass(frozen=True)
class WindowPart:
    """Edits ``which`` reach rows ``top`` to ``bottom`` and columns ``left`` to ``right`` of their windows only."""

    which: Ints
    top: int
    bottom: int
    left: int
    right: int

    @property
    def places(self) -> int:
        """Rows times columns, of all edits together."""
        return len(self.which) * (self.bottom - self.top) * (self.right - self.left)


def parts(box: EditBox, corners: tuple[Ints, Ints], size: tuple[int, int]) -> list[WindowPart]:
    """What the edits reach of windows of ``size`` at ``corners``, rounded up to few sizes.

    Example:
        >>> row = np.zeros(2, np.int64)
        >>> box = EditBox(row, row + 9, np.array([0, 0]), np.array([9, 5]))
        >>> [(part.which.tolist(), part.right) for part in parts(box, (row, row), (9, 9))]
        [([1], 7), ([0], 9)]
    """
    rows = _rounded(box.y0 - corners[0], box.y1 - corners[0], size[0])
    columns = _rounded(box.x0 - corners[1], box.x1 - corners[1], size[1])
    spans, which = np.unique(np.stack([*rows, *columns], 1), axis=0, return_inverse=True)
    which = which.reshape(-1)
    return [WindowPart(np.flatnonzero(which == number), *span) for number, span in enumerate(spans.tolist())]


def _rounded(first: Ints, end: Ints, size: int) -> tuple[Ints, Ints]:
    """From the beginning or up to the end of a window, the smallest of a few spans that holds ``first`` to ``end``."""
    low, high = np.zeros_like(first), np.full_like(end, size)
    for share in _SHARES:
        length = int(np.ceil(share * size))
        high = np.where(end <= length, length, high)
        low = np.where((first >= size - length) & (end > length), size - length, low)
    return low, high
