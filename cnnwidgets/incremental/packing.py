"""Kernels in the order in which the processor wants them: for a single edit, reordering them takes longest of all."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from .run import Run

_FEW = 4
"""Edits for which it pays; with more, the convolution itself takes far longer than the reordering."""
_MANY = 1 << 14


def convolve(
    run: Run, x: torch.Tensor, weight: torch.Tensor, bias: Any, stride: Any, padding: Any, dilation: Any, groups: int
) -> torch.Tensor:
    """``conv2d``, with kernels that are reordered once where that pays."""
    if len(x) <= _FEW and _fits(x, weight):
        geometry = list(padding), list(stride), list(dilation), groups

        def reorder() -> torch.Tensor | None:
            try:
                made: torch.Tensor = torch.ops.mkldnn._reorder_convolution_weight(weight, *geometry, list(x.shape))  # noqa: SLF001
            except (RuntimeError, AttributeError):  # another version of torch
                return None
            return made

        packed = run.memo.get("packed", (weight, *geometry), {}, reorder)
        if packed is not None:
            made: torch.Tensor = torch.ops.mkldnn._convolution_pointwise(  # noqa: SLF001
                x, packed, bias, *geometry, "none", [], ""
            )
            return made
    return functional.conv2d(x, weight, bias, stride, padding, dilation, groups)


def _fits(x: torch.Tensor, weight: torch.Tensor) -> bool:
    if (
        x.device.type != "cpu"
        or x.dtype != torch.float32
        or weight.dtype != x.dtype
        or torch.is_autocast_enabled("cpu")
    ):
        return False
    usable = bool(torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled)  # type: ignore[no-untyped-call]
    return usable and weight.numel() >= _MANY and x.is_contiguous(memory_format=torch.channels_last)
