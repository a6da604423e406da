"""How many edits are run at a time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import torch

from .run import EditRun
from .values.recomputable import Recomputable

_MOST = 49
_MOST_ON_GPU = 128
_IN_FULL = 8
"""Whole images of 224x224 pixels."""
_MORE = 1.2
_LARGEST = 20_000_000
"""Bytes of the largest value of a batch; a few such are held at a time."""
_WINDOW = 14
"""Rows and columns of windows, or of maps that are smaller, before any have been seen."""


class Batching:
    """Batches that are large enough to be fast and small enough for little memory.

    Args:
        image: (1, C, H, W).
    """

    def __init__(self, image: torch.Tensor) -> None:
        self._on_cpu = image.device.type == "cpu"
        self._pixels = image.shape[2] * image.shape[3]
        self._each = 1.0  # bytes an edit of the largest value

    def expect(self, values: Iterable[Recomputable]) -> None:
        """Guess the size of windows from the ``values`` of the unedited image."""
        self._each = float(max(map(_window_bytes, values), default=1))

    def learn(self, run: EditRun) -> None:
        """Note how large the values of ``run`` were."""
        self._each = max(self._each, run.largest / run.count)

    def size(self, left: int, *, in_full: bool) -> int:
        """The size of the next batch of the ``left`` edits: as large as the others, since a small one takes as long.

        Example:
            >>> batching = Batching(torch.zeros(1, 3, 224, 224))
            >>> batching.size(99, in_full=False), batching.size(20, in_full=True)
            (50, 7)
        """
        usual = _IN_FULL * 224 * 224 // self._pixels if in_full else min(_MOST, int(_LARGEST / self._each))
        usual = max(1, usual) if self._on_cpu else _MOST_ON_GPU
        return math.ceil(left / math.ceil(left / (_MORE * usual)))


def _window_bytes(value: Recomputable) -> int:
    if len(value.shape) != 4 or not value.dtype.is_floating_point:
        return 1
    return value.shape[1] * min(value.shape[2], _WINDOW) * min(value.shape[3], _WINDOW) * value.dtype.itemsize


def put_together(batches: Iterator[tuple[slice, torch.Tensor]], base: torch.Tensor) -> torch.Tensor:
    """(B, classes) of slices and their scores; what comes later counts."""
    parts = list(batches)
    if not parts:
        return base[:0]
    scores = torch.cat([torch.empty_like(part) for _, part in parts])[: max(where.stop for where, _ in parts)]
    for where, part in parts:
        scores[where] = part
    return scores
