"""Small networks for the checks."""

from __future__ import annotations

import torch
from torch import nn


def small(classes: int = 4, seed: int = 0) -> nn.Sequential:
    """Convolution, ReLU, convolution, ReLU, mean, linear."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(2, 5, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(5, 6, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, classes),
    ).eval()


def images(count: int = 1, side: int = 8, seed: int = 1) -> torch.Tensor:
    """(count, 2, side, side) in [0, 1)."""
    return torch.rand(count, 2, side, side, generator=torch.Generator().manual_seed(seed))
