"""Cutting windows out of maps, and putting them back."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from .boxes import Ints

Axes = tuple[int, int]
"""Which axes of a tensor are rows and columns."""
MAPS: Axes = (2, 3)
Pair = tuple[int, int]
"""(rows, columns)."""


def channels_last(tensor: torch.Tensor) -> torch.Tensor:
    """``tensor``, with the channels of a stack of maps side by side in memory: cutting and convolving are faster."""
    last = tensor.dim() == 4 and tensor.dtype.is_floating_point
    return tensor.contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)


def windows(base: torch.Tensor, y: Ints, x: Ints, size: tuple[int, int], axes: Axes) -> torch.Tensor:
    """The windows of ``size`` at rows ``y``, columns ``x`` (B,) of a value of one image (1, ...): (B, ...)."""
    rows, columns = axes
    if size == (base.shape[rows], base.shape[columns]):
        return repeated(base, len(y))
    if len(y) == 1:  # as in a drag: an index costs more than the copy
        copies = _region(base, axes, int(y[0]), int(x[0]), int(y[0]) + size[0], int(x[0]) + size[1])
        return channels_last(copies.clone(memory_format=torch.preserve_format)) if axes == MAPS else copies.clone()
    view = base[0].movedim((rows - 1, columns - 1), (0, 1)).unfold(0, size[0], 1).unfold(1, size[1], 1)
    copies = view[index(y, base.device), index(x, base.device)].movedim((-2, -1), axes)
    return channels_last(copies) if axes == MAPS else copies


def index(values: Ints, device: torch.device) -> torch.Tensor:
    """``values`` for indexing a tensor on ``device``."""
    return torch.from_numpy(np.ascontiguousarray(values)).to(device)


def repeated(base: torch.Tensor, count: int) -> torch.Tensor:
    """``count`` copies of a value of one image, as memory of its own."""
    return channels_last(base.expand(count, *base.shape[1:])) if count > 1 else base.clone()


def paste(onto: torch.Tensor, win: torch.Tensor, y: Ints, x: Ints, axes: Axes) -> torch.Tensor:
    """Put ``win`` (B, ...) at rows ``y``, columns ``x`` of ``onto`` (B, ...), cropped by it; returns ``onto``."""
    height, width = (onto.shape[axis] for axis in axes)
    h, w = (win.shape[axis] for axis in axes)
    for which, top, left in _same_corner(y, x):
        t0, l0, t1, l1 = max(top, 0), max(left, 0), min(top + h, height), min(left + w, width)
        if t1 <= t0 or l1 <= l0:
            continue
        source = _region(win, axes, t0 - top, l0 - left, t1 - top, l1 - left)
        _region(onto, axes, t0, l0, t1, l1)[which] = source[which]
    return onto


def _region(tensor: torch.Tensor, axes: Axes, top: int, left: int, bottom: int, right: int) -> torch.Tensor:
    return tensor.narrow(axes[0], top, bottom - top).narrow(axes[1], left, right - left)


def _same_corner(y: Ints, x: Ints) -> Iterator[tuple[slice | torch.Tensor, int, int]]:
    """Edits whose windows begin at the same row and column, together."""
    if len(y) == 1:  # as in a drag: a slice copies faster than an index
        yield slice(0, 1), int(y[0]), int(x[0])
        return
    corners, group_of = np.unique(np.stack([y, x], 1), axis=0, return_inverse=True)
    for group, (top, left) in enumerate(corners.tolist()):
        yield torch.from_numpy(np.flatnonzero(group_of.reshape(-1) == group)), top, left
