"""Whether a tensor was written to since."""

from __future__ import annotations

import torch


def version(tensor: torch.Tensor) -> int:
    """Changes when the tensor is written to in place; -1 for one made in inference mode, whose writes nobody counts."""
    return -1 if tensor.is_inference() else tensor._version  # noqa: SLF001 (torch has no other name for it)
