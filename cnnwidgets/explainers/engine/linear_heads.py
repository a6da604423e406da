"""What a model pools and which linear maps it applies, as one forward pass shows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

_POOLING = {"adaptive_avg_pool2d", "avg_pool2d", "mean"}


class LinearHeads(TorchFunctionMode):
    """Sees ``F.linear`` and 1x1 convolutions, of modules or not.

    Attributes:
        heads: (weight (classes, K), bias (classes,) or None) of each, in order.
        pooled: (name of the function, a copy of what went in) of the last average over more than one place of a
            (N, K, h, w), or None.
    """

    def __init__(self) -> None:
        super().__init__()
        self.heads: list[tuple[torch.Tensor, torch.Tensor | None]] = []
        self.pooled: torch.Tensor | None = None

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name in _POOLING:
            value = args[0] if args else kwargs.get("input")
            if isinstance(value, torch.Tensor) and value.ndim == 4 and value.shape[2] * value.shape[3] > 1:
                self.pooled = value.detach().clone()
        elif name in ("linear", "conv2d"):
            given = dict(zip(("input", "weight", "bias"), args, strict=False)) | dict(kwargs)
            weight, bias = given.get("weight"), given.get("bias")
            if isinstance(weight, torch.Tensor) and (weight.ndim == 2 or tuple(weight.shape[2:]) == (1, 1)):
                self.heads.append((weight.detach().flatten(1), None if bias is None else bias.detach()))
        return func(*args, **kwargs)
