"""What asking about filters costs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from torchvision.models import resnet18

import cnnwidgets as cw
from cnnwidgets.concepts.factorisation import factorised

from .table import Row


def measure() -> list[Row]:
    """Ranking the channels of a last layer, in whole forwards; factoring the maps of one image."""
    torch.manual_seed(0)
    model, image = resnet18(weights=None).eval(), torch.rand(1, 3, 224, 224)
    forwards, rankings = [], []
    with torch.no_grad():
        _seconds(lambda: model(image))
        _seconds(lambda: cw.rank_channels(model, image, "layer4"))
        for _ in range(7):
            forwards.append(_seconds(lambda: model(image)))
            rankings.append(_seconds(lambda: cw.rank_channels(model, image, "layer4")))
    ratio = statistics.median(rankings) / statistics.median(forwards)
    measured = f"{ratio:.1f} forwards ({statistics.median(rankings):.2f} s)"
    maps = np.random.default_rng(0).random((49, 12)) @ np.random.default_rng(1).random((12, 1280))
    factoring = statistics.median(_seconds(lambda: factorised(maps, 6, 0, signed=False)) for _ in range(7))
    return [
        Row("ranking the 512 channels of ResNet-18's `layer4`", measured, "< 10 forwards", ratio < 10),
        Row("factoring the 49 × 1280 maps of one image, k = 6", f"{factoring * 1000:.0f} ms", "< 100", factoring < 0.1),
    ]


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
