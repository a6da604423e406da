"""The numbers that a convolution multiplies to make one number of its output."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from .calls import TorchCall

_CONV = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
_TRANSPOSED = ("input", "weight", "bias", "stride", "padding", "output_padding", "groups", "dilation")
CONVOLUTIONS = ("conv2d", "conv_transpose2d", "linear")


_MOST_AROUND = 32


@dataclass(frozen=True, eq=False)
class Surroundings:
    """What the window of a convolution slides over near a cell: enough to slide it by hand.

    Attributes:
        input: (C, h, w) float64, the convolution's input with its padding, of no more than 32 cells a side, or those of
            the patch where that is larger.
        row, column: the cell in the output that the convolution, without padding, has of ``input``.
        stride, dilation: of the window, (down, across).
        has_padding: whether some of ``input`` is padding, and not what came in.
    """

    input: torch.Tensor
    row: int
    column: int
    stride: tuple[int, int]
    dilation: tuple[int, int]
    has_padding: bool


@dataclass(frozen=True, eq=False)
class Products:
    """What is multiplied, in float64: ``patch`` and ``kernel`` (C, kh, kw), the ``bias``, the ``first`` input channel,
    the ``box`` (top, left, bottom, right) of the patch in the input, which may reach beyond it, and what is around."""

    patch: torch.Tensor
    kernel: torch.Tensor
    bias: float
    first: int
    box: tuple[int, int, int, int] | None
    surroundings: Surroundings | None = None


def products_of(call: TorchCall, cell: tuple[int, ...]) -> Products:
    """Those behind the number at ``cell``, an index into what ``call``, one of :data:`CONVOLUTIONS`, returned."""
    names = _TRANSPOSED if call.name == "conv_transpose2d" else _CONV
    arguments = dict(zip(names, call.args, strict=False)) | dict(call.kwargs)
    x, weight, bias = (
        call.before(arguments["input"]).detach().double(),
        arguments["weight"].detach().double(),
        arguments.get("bias"),
    )
    if call.name == "linear":
        channel = cell[-1]
        patch, kernel = x[cell[:-1]][:, None, None], weight[channel][:, None, None]
        return Products(patch, kernel, _bias_of(bias, channel), 0, None)
    channel, row, column = cell[-3:]
    image = x[cell[0]] if x.ndim == 4 else x
    stride, dilation = _pair(arguments.get("stride", 1)), _pair(arguments.get("dilation", 1))
    groups = arguments.get("groups", 1)
    transposed = call.name == "conv_transpose2d"
    per_group = weight.shape[1] if transposed else len(weight) // groups
    group = channel // per_group
    width = len(weight) // groups if transposed else weight.shape[1]
    inputs = image[group * width : (group + 1) * width]
    if transposed:
        kernel = weight[group * width : (group + 1) * width, channel % per_group]
        patch = _transposed_patch(inputs, kernel, (row, column), stride, _pair(arguments.get("padding", 0)), dilation)
        return Products(patch, kernel, _bias_of(bias, channel), group * width, None)
    kernel = weight[channel]
    before, behind = _padding(arguments.get("padding", 0), kernel.shape[1:], dilation)
    padded = functional.pad(inputs, (before[1], behind[1], before[0], behind[0]))
    tops = [position * step for position, step in zip((row, column), stride, strict=True)]
    extents = [(size - 1) * step + 1 for size, step in zip(kernel.shape[1:], dilation, strict=True)]
    patch = padded[:, tops[0] : tops[0] + extents[0] : dilation[0], tops[1] : tops[1] + extents[1] : dilation[1]]
    top, left = tops[0] - before[0], tops[1] - before[1]
    box = (top, left, top + extents[0], left + extents[1])
    spans = [
        _span_around(size, at, extent, step)
        for size, at, extent, step in zip(padded.shape[1:], (row, column), extents, stride, strict=True)
    ]
    (high, low, _), (begin, end, _) = spans
    sides = zip(spans, before, inputs.shape[1:], strict=True)
    surroundings = Surroundings(
        padded[:, high:low, begin:end].clone(),
        spans[0][2],
        spans[1][2],
        stride,
        dilation,
        any(first < pad or last > pad + size for (first, last, _), pad, size in sides),
    )
    return Products(patch.clone(), kernel, _bias_of(bias, channel), group * width, box, surroundings)


def _span_around(size: int, at: int, extent: int, step: int) -> tuple[int, int, int]:
    """Begin and end, along an axis of the padded input, of what is around an output cell; and its number in that."""
    cells = (size - extent) // step + 1
    count = min(cells, max(1, (_MOST_AROUND - extent) // step + 1))
    first = min(max(0, at - count // 2), cells - count)
    return first * step, first * step + (count - 1) * step + extent, at - first


def _transposed_patch(
    inputs: torch.Tensor,
    kernel: torch.Tensor,
    cell: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
) -> torch.Tensor:
    """(C, kh, kw): the number that each weight of a transposed convolution meets in ``cell``; 0 where there is none."""
    patch = torch.zeros_like(kernel)
    for i in range(kernel.shape[1]):
        for j in range(kernel.shape[2]):
            reach = [at + pad - step * k for at, pad, step, k in zip(cell, padding, dilation, (i, j), strict=True)]
            sources = [distance // step for distance, step in zip(reach, stride, strict=True)]
            fits = all(distance % step == 0 for distance, step in zip(reach, stride, strict=True))
            if fits and all(0 <= at < size for at, size in zip(sources, inputs.shape[1:], strict=True)):
                patch[:, i, j] = inputs[:, sources[0], sources[1]]
    return patch


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[-1])


def _padding(padding: Any, sizes: Any, dilation: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Rows and columns of zeros before and behind."""
    if padding == "valid":
        padding = 0
    if padding != "same":
        pair = _pair(padding)
        return pair, pair
    total = [step * (size - 1) for size, step in zip(sizes, dilation, strict=True)]
    return (total[0] // 2, total[1] // 2), (total[0] - total[0] // 2, total[1] - total[1] // 2)


def _bias_of(bias: torch.Tensor | None, channel: int) -> float:
    return 0.0 if bias is None else float(bias[channel])


def bound(call: TorchCall) -> dict[str, Any]:
    """The arguments of a call of a function written in Python, by their names."""
    arguments = inspect.signature(call.function).bind(*call.args, **call.kwargs)
    arguments.apply_defaults()
    return dict(arguments.arguments)
