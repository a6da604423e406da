"""Transposed convolution: each input place writes to a window of outputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn import functional

from cnnwidgets.incremental.run import EditRun
from cnnwidgets.incremental.values.boxes import EditBox, Ints, cropped
from cnnwidgets.incremental.values.edits import Edits, cut, windowed
from cnnwidgets.incremental.values.windows import MAPS

from .remapping import take_places


def transposed_convolution(
    run: EditRun,
    function: Any,
    x: Edits,
    weight: torch.Tensor,
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    output_padding: Any,
    groups: int,
) -> Any:
    """The outputs that edits of ``x``, windowed, reach."""
    if x.axes != MAPS or len(stride) != 2:
        return NotImplemented
    base = run.base(function, x, weight, bias, stride, padding, dilation, True, output_padding, groups)
    side = (base.shape[2], base.shape[3])
    spans = [dilation[axis] * (weight.shape[2 + axis] - 1) for axis in (0, 1)]

    def reached(axis: int, first: Ints, end: Ints) -> tuple[Ints, Ints]:
        low = first * stride[axis] - padding[axis]
        return low, np.where(end > first, (end - 1) * stride[axis] - padding[axis] + spans[axis] + 1, low)

    box = cropped(EditBox(*reached(0, x.reach.y0, x.reach.y1), *reached(1, x.reach.x0, x.reach.x1)), side)
    size = box.size
    if size[0] * size[1] > run.threshold * side[0] * side[1]:
        return NotImplemented
    corners = box.corners(size, side)
    # Where a kernel is smaller than the stride, some outputs have no input: then from the one before.
    firsts = [-((spans[a] - corners[a] - padding[a]) // stride[a]) for a in (0, 1)]
    starts = [np.minimum(firsts[a], (corners[a] + padding[a]) // stride[a]) for a in (0, 1)]
    ends = [(corners[a] + size[a] - 1 + padding[a]) // stride[a] for a in (0, 1)]
    # One more than is looked at, so that outputs which no input writes to are there as well.
    seen = tuple(int((end - start).max()) + 2 for start, end in zip(starts, ends, strict=True))
    around = (seen[1], seen[1] + 1, seen[0], seen[0] + 1)
    padded = run.base(functional.pad, x, tuple(n + max(spans) + 1 for n in around), "constant", 0.0).tensor
    shift = (around[2] + max(spans) + 1, around[0] + max(spans) + 1)
    piece = cut(padded, x, (starts[0] + shift[0], starts[1] + shift[1]), (seen[0], seen[1]), shift)
    made = functional.conv_transpose2d(piece, weight, bias, stride, 0, 0, groups, dilation)
    places = [(corners[a] - starts[a] * stride[a] + padding[a])[:, None] + np.arange(size[a]) for a in (0, 1)]
    run.work.edits(
        len(piece) * seen[0] * seen[1] * weight.numel(), weight.numel(), x.side[0] * x.side[1], x.box, run.count
    )
    return windowed(run, base, take_places(made, *places), corners, box)
