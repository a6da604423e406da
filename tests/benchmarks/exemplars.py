"""A pass over a data set for the exemplars of all channels of all layers, beside the bare forwards.

``python -m tests.benchmarks.exemplars 500`` measures it on 500 images.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils.data import Dataset
from torchvision.models import resnet18

import cnnwidgets as cw

from .peak import peaks
from .table import Row

SIDE = 128
ROUNDS = 3
_MOST = 1.15
_SAME = 8e6
"""Bytes by which the allocator's own memory may differ from run to run."""


class Noise(Dataset[Any]):
    """Images made as they are read, so that the data set itself takes no memory."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._some = torch.rand(64, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> torch.Tensor:
        return self._some[index % 64] + index / self._count


def network() -> nn.Sequential:
    """Eight convolutions with their norms and ReLUs, to 128 channels; 0.27 GMACs."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    before = 3
    for width, stride in ((16, 2), (32, 1), (32, 2), (64, 1), (64, 2), (128, 1), (128, 2), (128, 1)):
        layers += [nn.Conv2d(before, width, 3, stride, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
        before = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, 10)).eval()


def bare(net: nn.Module, count: int, batch: int) -> None:
    """The forwards alone, from the same data set in the same batches."""
    data = Noise(count)
    with torch.inference_mode():
        for start in range(0, count, batch):
            net(torch.stack([data[index] for index in range(start, min(start + batch, count))]))


def measure(count: int = 2000, batch: int = 24) -> list[Row]:
    """The time beside the bare forwards, of a real and of a tiny network; the peak beside that for fewer images."""
    net, layers = network(), [str(index) for index in range(24)]
    blocks = [f"layer{stage}.{block}" for stage in (1, 2, 3, 4) for block in (0, 1)]
    times = [
        _time("the 8 blocks of ResNet-18", resnet18(weights=None).eval(), blocks, count, batch),
        _time("all 24 layers of a tiny network", net, layers, count, batch),
    ]
    highest = peaks(
        {
            "all": lambda: search(net, layers, count, batch),
            "quarter": lambda: search(net, layers, count // 4, batch),
        },
        2,
    )
    grown = highest["all"] - highest["quarter"]
    return [
        *times,
        Row(
            "their peak memory, beside that for a quarter of the images",
            f"{highest['all'] / 1e6:.0f} MB, {grown / 1e6:+.1f} MB",
            f"+{_SAME / 1e6:.0f} MB at most",
            grown <= _SAME,
        ),
    ]


def search(net: nn.Module, layers: list[str], count: int, batch: int) -> None:
    """What is measured, on the same data set."""
    cw.exemplars.find(net, layers, Noise(count), batch=batch)


def _time(name: str, net: nn.Module, layers: list[str], count: int, batch: int) -> Row:
    def seconds(task: Callable[[], object]) -> float:
        start = time.perf_counter()
        task()
        return time.perf_counter() - start

    search(net, layers, 2 * batch, batch)
    pairs = [
        (seconds(lambda: bare(net, count, batch)), seconds(lambda: search(net, layers, count, batch)))
        for _ in range(ROUNDS)
    ]
    ratio = statistics.median(search_time / alone for alone, search_time in pairs)
    return Row(
        f"exemplars of {name}, {count:,} images at {SIDE} px",
        f"{ratio:.2f} times the bare forwards ({statistics.median(first for first, _ in pairs):.1f} s)",
        f"<= {_MOST} times",
        ratio <= _MOST,
    )


if __name__ == "__main__":
    for row in measure(int(sys.argv[1]) if len(sys.argv) > 1 else 2000):
        print(row)
