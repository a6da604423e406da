"""Kernels in the order in which the processor wants them: for few edits, reordering them takes longest of all."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

_MANY = 1 << 14


def packed_linear(x: torch.Tensor, weight: torch.Tensor, bias: Any) -> torch.Tensor:
    """``linear`` of (B, features), by the library that reads large weights once instead of reordering them first."""
    if x.is_contiguous() and weight.is_contiguous() and _usable(x, weight):
        try:
            product: torch.Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")  # noqa: SLF001
        except (RuntimeError, AttributeError):  # another version of torch
            pass
        else:
            return product
    return functional.linear(x, weight, bias)


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
