"""Operations that slide a kernel over maps: convolution and pooling."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from cnnwidgets.incremental.dispatch import edits_in
from cnnwidgets.incremental.run import EditRun, Pending, PendingConvolution
from cnnwidgets.incremental.values.boxes import EditBox, Ints
from cnnwidgets.incremental.values.edits import Edits, cut_windows, untouched, waiting, whole, windowed
from cnnwidgets.incremental.values.sharing import snapshot
from cnnwidgets.incremental.values.windows import MAPS, Pair

from .registry import rule
from .resampling import resample


@dataclass(frozen=True)
class SlidingKernel:
    """The geometry of a sliding kernel, (rows, columns) each."""

    size: Pair
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)

    @property
    def extent(self) -> Pair:
        """Rows and columns that one application spans."""
        (h, w), (down, right) = self.size, self.dilation
        return (h - 1) * down + 1, (w - 1) * right + 1

    def outputs_of(self, box: EditBox, side: Pair) -> EditBox:
        """Which outputs, of a map of ``side``, look into ``box``."""

        def along(axis: int) -> Callable[[Ints, Ints], tuple[Ints, Ints]]:
            extent, stride, padding = self.extent[axis], self.stride[axis], self.padding[axis]

            def spread(first: Ints, end: Ints) -> tuple[Ints, Ints]:
                low = -((extent - 1 - padding - first) // stride)  # ceil((first + padding - extent + 1) / stride)
                return low, np.where(end > first, (end - 1 + padding) // stride + 1, low)

            return spread

        return box.moved(along(0), along(1), side)

    @property
    def same(self) -> bool:
        """Whether each output looks at the one place where it is."""
        return self == SlidingKernel((1, 1))

    def output_side(self, side: Pair) -> Pair:
        """Rows and columns of the output for an input of ``side``."""
        (h, w), (down, right), (ph, pw) = self.extent, self.stride, self.padding
        return (side[0] + 2 * ph - h) // down + 1, (side[1] + 2 * pw - w) // right + 1

    def input_size(self, size: Pair) -> Pair:
        """Rows and columns of input that a window of ``size`` outputs looks at."""
        return tuple((size[axis] - 1) * self.stride[axis] + self.extent[axis] for axis in (0, 1))  # type: ignore[return-value]


def rows_and_columns(values: Sequence[int]) -> Pair:
    """One or two numbers as (rows, columns)."""
    return (values[0], values[0]) if len(values) == 1 else (values[0], values[1])


@dataclass(frozen=True)
class OutputWindows:
    """The windows of ``size`` at ``corners`` that hold the outputs in ``box``."""

    box: EditBox
    size: Pair
    corners: tuple[Ints, Ints]


def reach(run: EditRun, x: Edits, kernel: SlidingKernel, side: Pair) -> tuple[EditBox | None, OutputWindows | None]:
    """Which outputs, of a map of ``side``, the edits of ``x`` reach (None: all); and their windows (None: whole)."""
    box = kernel.outputs_of(x.box, side) if x.box is not None and x.axes == MAPS else None
    if x.is_whole or box is None:
        return box, None
    size = box.window(side, run.threshold)
    if kernel.same:
        return box, OutputWindows(box, (x.win.shape[2], x.win.shape[3]), (x.y, x.x))
    return box, OutputWindows(box, size, box.corners(size, side))


def source(
    run: EditRun, x: Edits, kernel: SlidingKernel, target: OutputWindows, side: Pair, fill: float
) -> torch.Tensor:
    """What the operation, without its padding, is applied to: pieces (B, C, h, w) of the padded value."""
    if kernel.same:
        return x.win
    (y, left), stride = target.corners, kernel.stride
    padded, shift = _with_padding(run, x, kernel, side, fill)
    return cut_windows(padded, x, (y * stride[0], left * stride[1]), kernel.input_size(target.size), shift)


def slide(
    run: EditRun,
    x: Edits,
    kernel: SlidingKernel,
    fill: float,
    base: Callable[[], torch.Tensor],
    padded: Callable[[torch.Tensor], torch.Tensor],
    unpadded: Callable[[torch.Tensor], torch.Tensor],
    side: Pair,
) -> Edits:
    """Pooling, done with its padding on whole values, and without on windows."""
    box, target = reach(run, x, kernel, side)
    if target is None:
        return whole(run, padded(x.whole()), box)
    if target.size == side and not kernel.same:
        win = padded(x.whole())
    else:
        win = unpadded(source(run, x, kernel, target, side, fill))
    return windowed(run, base(), win, target.corners, target.box)


def _with_padding(run: EditRun, x: Edits, kernel: SlidingKernel, side: Pair, fill: float) -> tuple[torch.Tensor, Pair]:
    """The base of ``x`` with its padding, and, with ceil_mode, what the last places look at beyond it."""
    down, right = kernel.padding
    input_side = kernel.input_size(side)
    below = max(0, input_side[0] - x.side[0] - down)
    beside = max(0, input_side[1] - x.side[1] - right)
    if not (down or right or below or beside):
        return x.base, (0, 0)
    return run.base(functional.pad, x, (right, beside, down, below), "constant", fill).tensor, (down, right)


@rule("convolution")
def convolution(
    run: EditRun,
    function: Any,
    x: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    output_padding: Any,
    groups: int,
) -> Any:
    """Convolution of maps (N, C, H, W) with the same kernels for all edits; computed when it is looked at."""
    if not isinstance(x, Edits) or x.dim() != 4 or edits_in((weight, bias)):
        return NotImplemented
    args = (weight, bias, stride, padding, dilation, transposed, output_padding, groups)
    if x.is_untouched:
        return untouched(run, run.base(function, x, *args))
    if len(x) != run.count or transposed:
        return NotImplemented
    kernel = SlidingKernel(
        rows_and_columns(weight.shape[2:]),
        rows_and_columns(stride),
        rows_and_columns(padding),
        rows_and_columns(dilation),
    )
    side = kernel.output_side((x.shape[2], x.shape[3]))
    if min(side) < 1:
        return NotImplemented
    (box, target), each = reach(run, x, kernel, side), math.prod(weight.shape)
    places = run.count * math.prod(side if target is None else target.size)
    run.work.edits(places * each, each, side[0] * side[1], box, run.count)
    entire = target is None or (target.size == side and not kernel.same)
    around = padding if entire else (0, 0)
    source_maps = x.whole() if entire or target is None else source(run, x, kernel, target, side, 0.0)

    def convolve(kernels: torch.Tensor, offset: torch.Tensor | None) -> torch.Tensor:
        return functional.conv2d(source_maps, kernels, offset, stride, around, dilation, groups)

    pending = PendingConvolution(lambda: convolve(weight, bias), source_maps, convolve, weight, bias, places)
    if target is None:
        like = torch.empty((run.count, weight.shape[0], *side), dtype=x.dtype, device="meta")
        return waiting(whole(run, None, box, like=like, device=x.device), pending)
    return waiting(windowed(run, run.base(function, x, *args), None, target.corners, target.box), pending)


@rule("max_pool2d_with_indices")
def max_pool(
    run: EditRun,
    function: Any,
    x: Any,
    size: Any,
    stride: Any = (),
    padding: Any = (0,),
    dilation: Any = (1,),
    ceil_mode: bool = False,
) -> Any:
    """Max pooling; the indices, which hardly any model looks at, are computed if it does."""
    if not isinstance(x, Edits) or x.dim() != 4:
        return NotImplemented
    args = (size, stride, padding, dilation, ceil_mode)
    if x.is_untouched:
        both = run.base(function, x, *args)
        return untouched(run, both[0]), untouched(run, both[1])
    steps = stride or size

    def padded(value: torch.Tensor) -> torch.Tensor:
        return functional.max_pool2d(value, size, steps, padding, dilation, ceil_mode)

    def unpadded(value: torch.Tensor) -> torch.Tensor:
        return functional.max_pool2d(value, size, steps, 0, dilation)

    kernel = SlidingKernel(
        rows_and_columns(size), rows_and_columns(steps), rows_and_columns(padding), rows_and_columns(dilation)
    )
    side = padded(torch.empty(1, *x.shape[1:], device="meta")).shape
    output = slide(
        run, x, kernel, -math.inf, lambda: run.base(function, x, *args)[0], padded, unpadded, (side[2], side[3])
    )
    before = snapshot(x)
    like = torch.empty(output.shape, dtype=torch.int64, device="meta")
    pending = Pending(lambda: function(before.whole(), *args)[1], x.every if x.is_whole else x.win)
    return output, waiting(whole(run, None, like=like, device=x.device), pending)


@rule("avg_pool2d")
def avg_pool(
    run: EditRun,
    function: Any,
    x: Any,
    size: Any,
    stride: Any = (),
    padding: Any = (0,),
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: Any = None,
) -> Any:
    """Average pooling."""
    if not isinstance(x, Edits) or x.dim() != 4:
        return NotImplemented
    args = (size, stride, padding, ceil_mode, count_include_pad, divisor_override)
    if x.is_untouched:
        return untouched(run, run.base(function, x, *args))
    steps = stride or size
    kernel = SlidingKernel(rows_and_columns(size), rows_and_columns(steps), rows_and_columns(padding))
    if ceil_mode or (kernel.padding != (0, 0) and not count_include_pad):
        return resample(run, function, x, *args)  # the divisor differs from place to place

    def unpadded(value: torch.Tensor) -> torch.Tensor:
        return functional.avg_pool2d(value, size, steps, 0, divisor_override=divisor_override)

    side = kernel.output_side((x.shape[2], x.shape[3]))
    return slide(
        run, x, kernel, 0.0, lambda: run.base(function, x, *args), lambda value: function(value, *args), unpadded, side
    )
