"""Kernels in the order in which the processor wants them: for few edits, reordering them takes longest of all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional

from cnnwidgets.incremental.run import EditRun

_FEW = 4
"""Edits for which reordered kernels are kept; with more, the convolution itself takes far longer."""
_MANY = 1 << 14


def convolve(
    run: EditRun, x: torch.Tensor, weight: torch.Tensor, bias: Any, stride: Any, padding: Any, dilation: Any, groups: int
) -> torch.Tensor:
    """``conv2d``, with kernels that are reordered once where that pays."""
    if len(x) <= _FEW and _fits(x, weight):
        geometry = list(padding), list(stride), list(dilation), groups
        packed = run.memo.get("packed", (weight, *geometry), {}, lambda: _reordered(weight, x, geometry))
        if packed is not None:
            return _convolved(x, packed, bias, geometry)
    return functional.conv2d(x, weight, bias, stride, padding, dilation, groups)


def convolve_parts(
    parts: Sequence[torch.Tensor], weight: torch.Tensor, bias: Any, stride: Any, dilation: Any, groups: int
) -> list[torch.Tensor]:
    """``conv2d`` of each of ``parts``, without padding, with kernels that are reordered once."""
    geometry = [0, 0], list(stride), list(dilation), groups
    parts = [part.contiguous(memory_format=torch.channels_last) for part in parts]
    packed = _reordered(weight, parts[0], geometry) if _fits(parts[0], weight) else None
    if packed is None:
        return [functional.conv2d(part, weight, bias, stride, 0, dilation, groups) for part in parts]
    return [_convolved(part, packed, bias, geometry) for part in parts]


def linear(x: torch.Tensor, weight: torch.Tensor, bias: Any) -> torch.Tensor:
    """``linear`` of (B, features), by the library that reads large weights once instead of reordering them first."""
    if x.is_contiguous() and weight.is_contiguous() and _usable(x, weight):
        try:
            made: torch.Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")  # noqa: SLF001
        except (RuntimeError, AttributeError):  # another version of torch
            pass
        else:
            return made
    return functional.linear(x, weight, bias)


def _reordered(weight: torch.Tensor, x: torch.Tensor, geometry: Any) -> torch.Tensor | None:
    try:
        made: torch.Tensor = torch.ops.mkldnn._reorder_convolution_weight(weight, *geometry, list(x.shape))  # noqa: SLF001
    except (RuntimeError, AttributeError):  # another version of torch
        return None
    return made


def _convolved(x: torch.Tensor, packed: torch.Tensor, bias: Any, geometry: Any) -> torch.Tensor:
    made: torch.Tensor = torch.ops.mkldnn._convolution_pointwise(x, packed, bias, *geometry, "none", [], "")  # noqa: SLF001
    return made


def _fits(x: torch.Tensor, weight: torch.Tensor) -> bool:
    return _usable(x, weight) and x.is_contiguous(memory_format=torch.channels_last)


def _usable(x: torch.Tensor, weight: torch.Tensor) -> bool:
    if (
        x.device.type != "cpu"
        or x.dtype != torch.float32
        or weight.dtype != x.dtype
        or torch.is_autocast_enabled("cpu")
    ):
        return False
    usable = bool(torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled)  # type: ignore[no-untyped-call]
    return usable and weight.numel() >= _MANY
