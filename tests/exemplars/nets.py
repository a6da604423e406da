"""Small networks and data sets, at the top of a module so that worker processes can unpickle them."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import Dataset


def small(seed: int = 0, channels: int = 3) -> nn.Sequential:
    """Convolution, ReLU, max pooling, convolution, ReLU, mean, linear."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(channels, 6, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 10, 3),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(10, 4),
    )


class Coarse(nn.Module):
    """Whole numbers everywhere, from weights of -1, 0 and 1: many ties, and sums that no order of adding changes."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.first, self.act, self.second = nn.Conv2d(channels, 5, 3), nn.ReLU(), nn.Conv2d(5, 7, 2, stride=2)
        for parameter in self.parameters():
            parameter.data = torch.randint(-1, 2, parameter.shape, generator=generator).float()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.act(self.first(x)))


def levels(count: int, side: int = 10, channels: int = 3, seed: int = 2) -> torch.Tensor:
    """(count, channels, side, side) of 0, 1 and 2."""
    return torch.randint(0, 3, (count, channels, side, side), generator=torch.Generator().manual_seed(seed)).float()


class Listed(Dataset[Any]):
    """Images with labels; one of them may raise, interrupt, or kill the process that reads it, if ``marker`` is there.

    Whoever is killed takes the marker away first, so that it happens once.
    """

    def __init__(self, images: torch.Tensor, *, bad: int = -1, error: Any = None, marker: str = "") -> None:
        self.images, self.bad, self.error, self.marker = images, bad, error, marker

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        if index == self.bad and self.error is not None:
            raise self.error
        if index == self.bad and self.marker:
            try:
                Path(self.marker).unlink()
            except FileNotFoundError:
                pass
            else:
                os.kill(os.getpid(), signal.SIGKILL)
        return self.images[index], index % 7


def brute_force(maps: torch.Tensor, k: int, *, distinct: bool = True) -> tuple[Any, Any, Any]:
    """Values (K, k), images (K, k) and places (K, k, 2) of maps (N, K, h, w), by sorting all cells in plain Python."""
    count, channels, _, width = maps.shape
    values, images, places = np.full((channels, k), np.nan), np.full((channels, k), -1), np.full((channels, k, 2), -1)
    for channel in range(channels):
        entries = []
        for image in range(count):
            cells = [(-value, image, cell) for cell, value in enumerate(maps[image, channel].flatten().tolist())]
            cells = [entry for entry in cells if entry[0] == entry[0]]
            entries += [min(cells)] if distinct and cells else cells
        for rank, (negative, image, cell) in enumerate(sorted(entries)[:k]):
            values[channel, rank], images[channel, rank] = -negative, image
            places[channel, rank] = divmod(cell, width)
    return values, images, places
