"""How exactly a device multiplies."""

from __future__ import annotations

import torch

_TF32 = 2.0**-10


def product_rounding(dtype: torch.dtype, device: torch.device) -> float:
    """By what share of itself a product of two numbers of ``dtype`` may be off in a convolution.

    Elsewhere than on the CPU, torch rounds float32 to the 11 bits of TF32, unless it is told not to.

    Example:
        >>> product_rounding(torch.float32, torch.device("cuda")), product_rounding(torch.float64, torch.device("cpu"))
        (0.0009765625, 2.220446049250313e-16)
    """
    is_rounded = dtype == torch.float32 and device.type != "cpu"
    return _TF32 if is_rounded else torch.finfo(dtype).eps
