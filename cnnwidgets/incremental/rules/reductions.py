"""Operations that look at all places at once: means, corrected by what an edit changed."""

from __future__ import annotations

from typing import Any

import torch

from cnnwidgets.incremental.run import EditRun
from cnnwidgets.incremental.values.edits import Edits, later, untouched, whole
from cnnwidgets.incremental.values.sharing import snapshot
from cnnwidgets.incremental.values.windows import index, windows

from .channels import over_channels
from .pointwise import by_window
from .registry import rule


@rule("mean")
def mean(run: EditRun, function: Any, x: Any, dims: Any = None, keepdim: bool = False, **options: Any) -> Any:
    """The mean over rows and columns: the unedited one, and the change of the sum over the window."""
    if not isinstance(x, Edits) or x.is_whole or dims is None:
        return NotImplemented
    over = sorted(dim % x.dim() for dim in dims)
    if not over or 0 in over:
        return NotImplemented
    if x.is_untouched:
        return untouched(run, run.base(function, x, dims, keepdim, **options))
    if over != sorted(x.axes) or options.get("dtype") is not None:
        apart = not set(over) & set(x.axes) and keepdim
        return by_window(run, function, x, dims, keepdim, **options) if apart else NotImplemented
    if x.covers:
        return whole(run, function(x.win, dims, keepdim, **options))
    size = (x.win.shape[x.axes[0]], x.win.shape[x.axes[1]])
    wide = torch.float64 if x.dtype == torch.float64 else torch.float32
    was = windows(x.base, x.y, x.x, size, x.axes)
    change = x.win.sum(over, keepdim=keepdim, dtype=wide) - was.sum(over, keepdim=keepdim, dtype=wide)
    before = run.base(torch.mean, x, over, keepdim, dtype=wide).tensor
    if not bool(before.isfinite().all()):  # an edit may cover the place that is not
        return NotImplemented
    return whole(run, (before + change / (x.side[0] * x.side[1])).to(x.dtype))


@rule("amax")
def largest(run: EditRun, function: Any, x: Any, dims: Any = (), keepdim: bool = False) -> Any:
    """The maximum over rows and columns: looked for again only where the unedited one was in the window."""
    over = sorted(dim % x.dim() for dim in dims)
    if x.is_whole or x.is_untouched or over != [2, 3] or x.dim() != 4 or x.axes != (2, 3):
        return over_channels(run, function, x, dims, keepdim)
    found = _largest(run, x)
    return whole(run, found if keepdim else found.flatten(1))


@rule("adaptive_max_pool2d")
def adaptive_max_pool(run: EditRun, function: Any, x: Any, size: Any) -> Any:
    """The same, as a pooling to one place."""
    if x.is_untouched:
        both = run.base(function, x, size)
        return untouched(run, both[0]), untouched(run, both[1])
    if x.is_whole or x.dim() != 4 or x.axes != (2, 3) or tuple(size) != (1, 1):
        return NotImplemented
    before = snapshot(x)
    indices = later(run, (*x.shape[:2], 1, 1), torch.int64, x, lambda: function(before.whole(), size)[1])
    return whole(run, _largest(run, x)), indices


def _largest(run: EditRun, x: Edits) -> torch.Tensor:
    """(B, C, 1, 1)."""
    if x.covers:
        return x.win.amax((2, 3), keepdim=True)
    height, width = x.side
    h, w = x.win.shape[2:]
    best, where = (value.tensor for value in run.base(_first_largest, x))
    y, left = (index(corner, x.device)[:, None] for corner in (x.y, x.x))
    row, column = where // width, where % width
    covered = (row >= y) & (row < y + h) & (column >= left) & (column < left + w)
    most = x.win.amax((2, 3))
    # Not a number stays one: it is the largest wherever it is.
    found = torch.where(covered, most, torch.maximum(best, most))
    edits, channels = covered.nonzero(as_tuple=True)
    if len(edits):
        down, across = torch.arange(height, device=x.device), torch.arange(width, device=x.device)
        rows = (down >= y[edits]) & (down < y[edits] + h)
        columns = (across >= left[edits]) & (across < left[edits] + w)
        hidden = rows[:, :, None] & columns[:, None, :]
        rest = x.base[0, channels].masked_fill(hidden, -torch.inf).amax((1, 2))
        found[edits, channels] = torch.maximum(found[edits, channels], rest)
    return found[:, :, None, None]


def _first_largest(base: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    flat = base.flatten(2)
    return flat.amax(2), flat.argmax(2)
