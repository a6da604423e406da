"""Where these tests run: on the first GPU; ``CNNWIDGETS_DEVICE=cpu`` tries out the tests themselves."""

from __future__ import annotations

import os

import torch

DEVICE = torch.device(os.environ.get("CNNWIDGETS_DEVICE", "cuda"))
GPU = DEVICE.type == "cuda"


def allocated() -> int:
    """Bytes of the device's memory in use."""
    return torch.cuda.memory_allocated() if GPU else 0
