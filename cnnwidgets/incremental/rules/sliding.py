"""Operations that slide a kernel over maps: convolution and pooling."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from cnnwidgets.incremental.dispatch import edits_in
from cnnwidgets.incremental.run import EditRun
from cnnwidgets.incremental.values.boxes import EditBox, Ints, cropped
from cnnwidgets.incremental.values.edits import Edits, cut_windows, untouched, whole, windowed
from cnnwidgets.incremental.values.windows import MAPS, Pair, channels_last

from .registry import function_rule, rule
from .resampling import resample

_FEW_MAPS = 0.05
"""Numbers in maps, as a share of those in the weights, below which it is the weights that take the time."""


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
        return cropped(EditBox(*self._reached(0, box.y0, box.y1), *self._reached(1, box.x0, box.x1)), side)

    def _reached(self, axis: int, first: Ints, end: Ints) -> tuple[Ints, Ints]:
        extent, stride, padding = self.extent[axis], self.stride[axis], self.padding[axis]
        low = -((extent - 1 - padding - first) // stride)  # ceil((first + padding - extent + 1) / stride)
        return low, np.where(end > first, (end - 1 + padding) // stride + 1, low)

    def output_side(self, side: Pair) -> Pair:
        """Rows and columns of the output for an input of ``side``."""
        (h, w), (down, right), (ph, pw) = self.extent, self.stride, self.padding
        return (side[0] + 2 * ph - h) // down + 1, (side[1] + 2 * pw - w) // right + 1

    def input_size(self, size: Pair) -> Pair:
        """Rows and columns of input that a window of ``size`` outputs looks at."""
        return tuple((size[axis] - 1) * self.stride[axis] + self.extent[axis] for axis in (0, 1))  # type: ignore[return-value]


def sliding_kernel(*numbers: Any) -> SlidingKernel:
    """The geometry of a kernel: size, stride, padding and dilation, each one number, or one or two in a list."""
    lists = (values if isinstance(values, Sequence) else (values,) for values in numbers)
    return SlidingKernel(*((values[0], values[-1]) for values in lists))


def slide(
    run: EditRun,
    x: Edits,
    kernel: SlidingKernel,
    fill: float,
    base: Callable[[], Any],
    padded: Callable[[torch.Tensor], torch.Tensor],
    unpadded: Callable[[torch.Tensor], torch.Tensor],
    side: Pair,
) -> Edits:
    """What the operation makes a map of ``side`` of: done with its padding on whole values, and without on windows."""
    if x.is_whole or x.axes != MAPS:
        return whole(run, padded(x.whole()))
    box = kernel.outputs_of(x.reach, side)
    size = box.window(side)
    y, left = corners = box.corners(size, side)
    if size == side:
        win = padded(x.whole())
    else:
        maps, shift = _with_padding(run, x, kernel, side, fill)
        starts = y * kernel.stride[0], left * kernel.stride[1]
        win = unpadded(cut_windows(maps, x, starts, kernel.input_size(size), shift))
    return windowed(run, base(), win, corners, box)


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
    """Convolution of maps (N, C, H, W) with the same kernels for all edits."""
    if not isinstance(x, Edits) or x.dim() != 4 or edits_in((weight, bias)):
        return NotImplemented
    args = (weight, bias, stride, padding, dilation, transposed, output_padding, groups)
    if x.is_untouched:
        return untouched(run, run.base(function, x, *args))
    if len(x) != run.count or transposed:
        return NotImplemented
    kernel = sliding_kernel(weight.shape[2:], stride, padding, dilation)
    side = kernel.output_side((x.shape[2], x.shape[3]))
    if min(side) < 1:
        return NotImplemented

    def padded(maps: torch.Tensor) -> torch.Tensor:
        return _as_weights_lie(maps, weight, lambda laid: function(laid, *args))

    def unpadded(maps: torch.Tensor) -> torch.Tensor:
        unpadded_args = (weight, bias, stride, 0, dilation, groups)
        return _as_weights_lie(maps, weight, lambda laid: functional.conv2d(laid, *unpadded_args))

    output = slide(run, x, kernel, 0.0, lambda: run.base(function, x, *args), padded, unpadded, side)
    maps, each = output.every if output.is_whole else output.win, math.prod(weight.shape)
    run.work.edits(maps[:, 0].numel() * each, each, math.prod(side), output.box, run.count)
    return output


def _as_weights_lie(
    maps: torch.Tensor, weight: torch.Tensor, convolve: Callable[[torch.Tensor], torch.Tensor]
) -> torch.Tensor:
    """What ``convolve`` makes of ``maps``; torch lays out the weights as these are, at each call: not if few maps."""
    if maps.numel() >= _FEW_MAPS * weight.numel():
        return convolve(maps)
    return channels_last(convolve(maps.contiguous()))


@function_rule(functional.max_pool2d, torch.max_pool2d)
def max_pool(
    run: EditRun,
    _: Any,
    x: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Max pooling, if nobody asks for the indices."""
    if not isinstance(x, Edits) or x.dim() != 4 or return_indices:
        return NotImplemented
    steps = stride or kernel_size
    args = (kernel_size, steps, padding, dilation, ceil_mode)
    if x.is_untouched:
        return untouched(run, run.base(functional.max_pool2d, x, *args))

    def padded(maps: torch.Tensor) -> torch.Tensor:
        return functional.max_pool2d(maps, *args)

    def unpadded(maps: torch.Tensor) -> torch.Tensor:
        return functional.max_pool2d(maps, kernel_size, steps, 0, dilation)

    kernel = sliding_kernel(kernel_size, steps, padding, dilation)
    rows, columns = padded(torch.empty(1, *x.shape[1:], device="meta")).shape[2:]
    base = partial(run.base, functional.max_pool2d, x, *args)
    return slide(run, x, kernel, -math.inf, base, padded, unpadded, (rows, columns))


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
    kernel = sliding_kernel(size, stride or size, padding)
    if ceil_mode or (kernel.padding != (0, 0) and not count_include_pad):
        return resample(run, function, x, *args)  # the divisor differs from place to place

    def unpadded(maps: torch.Tensor) -> torch.Tensor:
        return functional.avg_pool2d(maps, size, stride or size, 0, divisor_override=divisor_override)

    side = kernel.output_side((x.shape[2], x.shape[3]))
    return slide(
        run, x, kernel, 0.0, lambda: run.base(function, x, *args), lambda maps: function(maps, *args), unpadded, side
    )
