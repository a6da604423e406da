"""Operations whose rows and columns are weighted sums of the input's: interpolation, adaptive pooling, odd paddings.

Such an operation is one matrix for the rows and one for the columns; they are found by running it on unit vectors.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from cnnwidgets.incremental.dispatch import edits_in
from cnnwidgets.incremental.run import EditRun
from cnnwidgets.incremental.values.boxes import EditBox, Ints
from cnnwidgets.incremental.values.edits import Edits, piece, untouched, windowed
from cnnwidgets.incremental.values.recomputable import Recomputable
from cnnwidgets.incremental.values.windows import index

from .pointwise import by_window
from .registry import rule


def _matrix(
    function: Any, like: Recomputable, sides: tuple[int, int], args: tuple[Any, ...], axis: int
) -> torch.Tensor:
    """(out, in): the weights with which ``function`` makes rows (``axis`` 2) or columns (3) of those it gets."""
    side, other = sides[axis - 2], sides[3 - axis]
    wide = torch.float64 if like.dtype == torch.float64 else torch.float32
    unit = torch.eye(side, dtype=wide, device=like.device)
    probe = unit[None, :, :, None].expand(1, side, side, other)
    if axis == 3:
        probe = probe.transpose(2, 3)
    resampled: torch.Tensor = function(probe.contiguous(), *args)[0]
    if axis == 3:
        return resampled[:, 0, :].T.contiguous()
    # At place (0, 0) each of the two holds the other's sum of weights as a factor, which need not be one.
    weight_sum: torch.Tensor = function(torch.ones(1, 1, *sides, dtype=wide, device=like.device), *args)[0, 0, 0, 0]
    rows: torch.Tensor = resampled[:, :, 0].T / weight_sum
    return rows.contiguous()


def _outputs_of(weights: torch.Tensor, first: Ints, end: Ints) -> tuple[Ints, Ints]:
    """First and past-the-last output whose weights on inputs ``first`` to ``end`` are not all zero."""
    is_weighted = np.concatenate([np.zeros((1, len(weights)), bool), (weights != 0).T.cpu().numpy()]).cumsum(0)
    hit: npt.NDArray[np.bool_] = is_weighted[end] - is_weighted[first] > 0
    low = np.where(hit.any(1), hit.argmax(1), 0)
    return low, np.where(hit.any(1), hit.shape[1] - hit[:, ::-1].argmax(1), low)


def _inputs_of(weights: torch.Tensor, start: Ints, count: int) -> tuple[Ints, Ints]:
    """First and past-the-last input that outputs ``start`` to ``start + count`` look at."""
    is_weighted = (weights != 0).cpu().numpy()
    low = np.where(is_weighted.any(1), is_weighted.argmax(1), is_weighted.shape[1])
    high = np.where(is_weighted.any(1), is_weighted.shape[1] - is_weighted[:, ::-1].argmax(1), 0)
    rows = start[:, None] + np.arange(count)
    first, end = low[rows].min(1), high[rows].max(1)
    return np.minimum(first, is_weighted.shape[1] - 1), np.maximum(end, np.minimum(first, is_weighted.shape[1] - 1) + 1)


@rule(
    "upsample_nearest2d",
    "_upsample_nearest_exact2d",
    "upsample_bilinear2d",
    "_upsample_bilinear2d_aa",
    "upsample_bicubic2d",
    "_upsample_bicubic2d_aa",
    "_adaptive_avg_pool2d",
    "reflection_pad2d",
    "replication_pad2d",
)
def resample(run: EditRun, function: Any, x: Any, *args: Any) -> Any:
    """Rows and columns weighted and summed, one after the other."""
    if not isinstance(x, Edits) or x.dim() != 4 or edits_in(args) or x.is_whole or x.axes != (2, 3):
        return NotImplemented
    base = run.base(function, x, *args)
    if x.is_untouched:
        return untouched(run, base)
    if not x.is_floating_point():
        return NotImplemented
    if base.shape[1:] == x.shape[1:] and function._schema.name == "aten::_adaptive_avg_pool2d":  # noqa: SLF001
        return by_window(run, torch.ops.aten.clone.default, x)
    key = (function, str(x.dtype), str(x.device), tuple(x.shape[2:]))
    rows, columns = (
        run.memo.get((*key, axis), args, {}, partial(_matrix, function, base, x.side, args, axis)) for axis in (2, 3)
    )
    side = (base.shape[2], base.shape[3])
    box = EditBox(*_outputs_of(rows, x.reach.y0, x.reach.y1), *_outputs_of(columns, x.reach.x0, x.reach.x1))
    size = box.window(side)
    if size == side:
        return NotImplemented
    corners = box.corners(size, side)
    spans = [_inputs_of(rows, corners[0], size[0]), _inputs_of(columns, corners[1], size[1])]
    lengths = tuple(int((end - first).max()) for first, end in spans)
    starts = tuple(np.minimum(first, x.side[a] - lengths[a]) for a, (first, _) in enumerate(spans))
    source = piece(x, starts, lengths)  # type: ignore[arg-type]
    down = _blocks(rows, corners[0], size[0], starts[0], lengths[0])
    across = _blocks(columns, corners[1], size[1], starts[1], lengths[1])
    wide = source.to(rows.dtype)
    win = torch.einsum("bij,bcjk,blk->bcil", down, wide, across).to(x.dtype)
    return windowed(run, base, win, corners, box)


def _blocks(weights: torch.Tensor, out: Ints, outs: int, into: Ints, ins: int) -> torch.Tensor:
    """(B, outs, ins): the part of ``weights`` that each window needs."""
    rows, columns = out[:, None] + np.arange(outs), into[:, None] + np.arange(ins)
    return weights[index(rows, weights.device)[:, :, None], index(columns, weights.device)[:, None, :]]
