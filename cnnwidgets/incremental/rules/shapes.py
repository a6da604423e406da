"""Operations that move values: concatenation, padding, views."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from cnnwidgets.incremental.dispatch import memory_layout
from cnnwidgets.incremental.run import EditRun
from cnnwidgets.incremental.values.boxes import EditBox
from cnnwidgets.incremental.values.edits import Edits, piece, untouched, whole, windowed
from cnnwidgets.incremental.values.windows import MAPS

from .pointwise import joint_windows
from .registry import rule


@rule("cat")
def cat(run: EditRun, function: Any, parts: Any, dim: int = 0) -> Any:
    """Concatenation along an axis other than images, rows and columns."""
    if not all(isinstance(part, Edits) for part in parts):
        return NotImplemented
    dim %= parts[0].dim()
    edited_parts = [part for part in parts if not part.is_untouched]
    if dim == 0:
        return NotImplemented
    if not edited_parts:
        return untouched(run, run.base(function, parts, dim))
    axes = edited_parts[0].axes
    if dim in axes or any(part.is_whole or part.axes != axes for part in edited_parts):
        return NotImplemented
    box, size, corners = joint_windows(edited_parts)
    for part in parts:
        if part.is_untouched:
            part.axes = axes
    win = torch.cat([piece(part, corners, size) for part in parts], dim)
    return windowed(run, run.base(function, parts, dim), win, corners, box, axes)


@rule("constant_pad_nd")
def constant_pad(run: EditRun, function: Any, x: Any, pad: Any, value: Any = 0) -> Any:
    """Padding with a number, or cropping."""
    if not isinstance(x, Edits) or x.is_whole:
        return NotImplemented
    if x.is_untouched:
        base = run.base(function, x, pad, value)
        return untouched(run, base) if base.shape[0] == 1 and len(pad) < 2 * x.dim() else NotImplemented
    if x.axes != (x.dim() - 2, x.dim() - 1) or len(pad) > 4 or min(pad) < 0:
        return NotImplemented
    left, _, top, _ = (*pad, 0, 0)[:4]
    box = EditBox(x.reach.y0 + top, x.reach.y1 + top, x.reach.x0 + left, x.reach.x1 + left)
    base = run.base(function, x, pad, value)
    return windowed(run, base, x.win, (x.y + top, x.x + left), box, x.axes)


@rule("detach", "alias")
def same(run: EditRun, function: Any, x: Any) -> Any:
    """A view of all of a value."""
    return _view(run, function, x, x.axes)


@rule("permute")
def permute(run: EditRun, function: Any, x: Any, dims: Any) -> Any:
    """Axes in another order, images first."""
    dims = [dim % x.dim() for dim in dims]
    if dims[0] != 0:
        return NotImplemented
    return _view(run, function, x, (dims.index(x.axes[0]), dims.index(x.axes[1])) if x.is_windowed else MAPS, dims)


@rule("transpose")
def transpose(run: EditRun, _: Any, x: Any, first: int, second: int) -> Any:
    """Two axes swapped."""
    dims = list(range(x.dim()))
    dims[first], dims[second] = dims[second], dims[first]
    return permute(run, torch.ops.aten.permute.default, x, dims)


def _view(run: EditRun, function: Any, x: Edits, axes: tuple[int, int], *args: Any) -> Edits:
    base = run.base(function, x, *args)
    strides = function(memory_layout(x), *args).stride()
    if x.is_untouched:
        return untouched(run, base, strides)
    return windowed(run, base, function(x.win, *args), (x.y, x.x), x.reach, axes, strides=strides)


@rule("view", "_unsafe_view", "reshape")
def viewed_as(run: EditRun, _: Any, x: Any, shape: Any) -> Any:
    """Another shape, in which images, rows and columns still are axes of their own."""
    if x.is_whole:
        return NotImplemented
    try:
        strides = torch.ops.aten.view.default(memory_layout(x), shape).stride()
    except RuntimeError:
        return NotImplemented
    shape = list(shape)
    if -1 in shape:
        product = -int(np.prod(shape))
        shape[shape.index(-1)] = x.numel() // product if product else 0
    if not shape or shape[0] != run.count:
        return NotImplemented
    base = run.base(torch.reshape, x, (1, *shape[1:]))
    if x.is_untouched:
        return untouched(run, base, strides)
    axes = _axes_after(tuple(x.shape), tuple(shape), x.axes)
    if axes is None:
        return NotImplemented
    within = list(shape)
    within[axes[0]], within[axes[1]] = x.win.shape[x.axes[0]], x.win.shape[x.axes[1]]
    win = x.win.reshape(within)
    return windowed(run, base, win, (x.y, x.x), x.reach, axes, strides=strides)


def _axes_after(old: tuple[int, ...], new: tuple[int, ...], axes: tuple[int, int]) -> tuple[int, int] | None:
    """Where rows and columns are in the new shape, if they are still whole axes, in the same order."""
    if axes[0] > axes[1]:
        return None
    before = int(np.prod(old[: axes[0]]))
    between = int(np.prod(old[axes[0] + 1 : axes[1]]))
    for rows in range(1, len(new)):
        if int(np.prod(new[:rows])) != before or new[rows] != old[axes[0]]:
            continue
        for columns in range(rows + 1, len(new)):
            if int(np.prod(new[rows + 1 : columns])) == between and new[columns] == old[axes[1]]:
                return rows, columns
    return None


@rule("split", "split_with_sizes")
def split(run: EditRun, function: Any, x: Any, sizes: Any, dim: int = 0) -> Any:
    """Parts along an axis other than images, rows and columns."""
    dim %= x.dim()
    if dim == 0 or (x.is_windowed and dim in x.axes):
        return NotImplemented
    bases = run.base(function, x, sizes, dim)
    likes = function(memory_layout(x), sizes, dim)
    if x.is_untouched:
        return [untouched(run, base, like.stride()) for base, like in zip(bases, likes, strict=True)]
    wins = function(x.win, sizes, dim)
    return [
        windowed(run, base, win, (x.y, x.x), x.reach, x.axes, strides=like.stride())
        for base, win, like in zip(bases, wins, likes, strict=True)
    ]


@rule("slice")
def slice_(run: EditRun, function: Any, x: Any, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Any:
    """WindowPart of an axis other than images."""
    dim %= x.dim()
    if dim == 0:
        all_images = start in (None, 0) and (end is None or end >= len(x)) and step == 1
        return _view(run, torch.ops.aten.alias.default, x, x.axes) if all_images else NotImplemented
    if x.is_windowed and dim in x.axes:
        return NotImplemented
    return _view(run, function, x, x.axes, dim, start, end, step)


@rule("zeros_like", "ones_like", "full_like")
def filled(run: EditRun, function: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
    """A value of the same shape that no edit reaches."""
    if x.is_whole:
        return NotImplemented
    return untouched(run, run.base(function, x, *args, **kwargs))


@rule("empty_like", "new_empty", "new_zeros", "new_ones", "new_full", "new_empty_strided")
def fresh(run: EditRun, function: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
    """Memory that the model will write into."""
    memory: torch.Tensor = function(
        torch.empty_strided(x.shape, x.stride(), dtype=x.dtype, device=x.device), *args, **kwargs
    )
    return whole(run, memory) if memory.dim() and memory.shape[0] == run.count else memory
