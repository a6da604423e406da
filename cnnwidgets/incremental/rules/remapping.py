"""Operations that only move rows and columns: slices, flips, rolls, circular padding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from cnnwidgets.incremental.run import EditRun
from cnnwidgets.incremental.values.boxes import EditBox, Ints
from cnnwidgets.incremental.values.edits import Edits, untouched, windowed
from cnnwidgets.incremental.values.recomputable import Recomputable
from cnnwidgets.incremental.values.windows import MAPS, index, windows

from .registry import function_rule, rule


def take_places(win: torch.Tensor, rows: Ints, columns: Ints) -> torch.Tensor:
    """(B, C, h, w): of each of B maps its own ``rows`` (B, h) and ``columns`` (B, w)."""
    each = torch.arange(len(win), device=win.device)[:, None, None]
    down, across = index(rows, win.device)[:, :, None], index(columns, win.device)[:, None, :]
    return win.permute(0, 2, 3, 1)[each, down, across].permute(0, 3, 1, 2)


def remapped(run: EditRun, x: Edits, base: Recomputable, rows: Ints, columns: Ints) -> Any:
    """The value whose row r is row ``rows[r]`` of ``x``, and column likewise; ``base`` is the unedited one."""
    box = EditBox(*_hit(rows, x.reach.y0, x.reach.y1), *_hit(columns, x.reach.x0, x.reach.x1))
    side, size = (len(rows), len(columns)), box.size
    if size[0] * size[1] > run.threshold * side[0] * side[1]:
        return NotImplemented
    y, left = box.corners(size, side)
    down = rows[y[:, None] + np.arange(size[0])] - x.y[:, None]
    across = columns[left[:, None] + np.arange(size[1])] - x.x[:, None]
    height, width = x.win.shape[2:]
    inside = ((down >= 0) & (down < height))[:, None, :, None] & ((across >= 0) & (across < width))[:, None, None, :]
    taken = take_places(x.win, down.clip(0, height - 1), across.clip(0, width - 1))
    win = torch.where(torch.from_numpy(inside).to(taken.device), taken, windows(base.tensor, y, left, size, MAPS))
    return windowed(run, base, win, (y, left), box)


def _hit(source: Ints, first: Ints, end: Ints) -> tuple[Ints, Ints]:
    """First and past-the-last place whose source is from ``first`` to ``end``."""
    hit = (source >= first[:, None]) & (source < end[:, None])
    low = np.where(hit.any(1), hit.argmax(1), 0)
    return low, np.where(hit.any(1), hit.shape[1] - hit[:, ::-1].argmax(1), low)


def moving(run: EditRun, function: Callable[..., Any], x: Any, *args: Any) -> Any:
    """``function`` of maps, which moves rows and columns: where to is seen by what it does to their numbers."""
    if not isinstance(x, Edits) or x.dim() != 4 or not x.is_windowed or x.axes != MAPS:
        return NotImplemented
    base = run.base(function, x, *args)
    height, width = x.side
    places = torch.arange(height * width, dtype=torch.float64).view(1, 1, height, width).expand(1, x.shape[1], -1, -1)
    moved = function(places, *args)
    if moved.dim() != 4 or moved.shape[1] == 0 or 0 in moved.shape:
        return NotImplemented
    found = moved[0, 0].long().numpy()
    return remapped(run, x, base, found[:, 0] // width, found[0] % width)


@rule("flip", "roll")
def flip(run: EditRun, function: Any, x: Any, *args: Any) -> Any:
    """Mirrored or rolled rows and columns; of channels only where nothing else is moved."""
    dims = args[-1] if len(args) > (function._schema.name == "aten::roll") else []  # noqa: SLF001
    dims = [dim % x.dim() for dim in ([dims] if isinstance(dims, int) else dims)]
    if not dims or 0 in dims:
        return NotImplemented
    if x.is_untouched:
        return untouched(run, run.base(function, x, *args))
    return moving(run, function, x, *args)


@function_rule(functional.pad)
def pad(run: EditRun, function: Any, x: Any, pad: Any, mode: str = "constant", value: Any = None) -> Any:
    """Circular padding; ATen composes it of writes into parts."""
    if mode != "circular":
        return NotImplemented
    return moving(run, function, x, pad, mode, value)
