"""Operations that look at all places at once: means, corrected by what an edit changed."""

from __future__ import annotations

from typing import Any

import torch

from cnnwidgets.incremental.run import EditRun
from cnnwidgets.incremental.values.edits import Edits, untouched, whole
from cnnwidgets.incremental.values.windows import windows

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
