"""What an Explorer keeps for one photograph, and that closing it lets go of everything."""

from __future__ import annotations

import numpy as np
import torch
from torchvision.models import resnet50

import cnnwidgets as cw

from .kept import LIMIT, alive, distinct_bytes, watched


def test_bytes_behind_views_and_repeats_are_counted_once() -> None:
    base = torch.zeros(10)  # 40 bytes
    assert distinct_bytes({"a": base, "b": [base, base[:2]], "c": (torch.zeros(3, dtype=torch.uint8),)}) == 43


def test_resnet_50_keeps_less_than_250_mb_which_close_frees() -> None:
    torch.manual_seed(0)
    photo = np.random.default_rng(0).integers(0, 256, (224, 224, 3), np.uint8)
    e = cw.explore(resnet50(weights=None), {"one": photo, "two": photo[::-1]})
    # All maps are there: the 53 convolutions alone give 11,113,984 float32, and as many come from the norms.
    assert 2 * 11_113_984 * 4 <= distinct_bytes(e._scene) < LIMIT
    first = watched(e._scene)
    e.picture = "two"
    e.wait(60)
    assert alive(first) == 0, "the photograph before is still in memory"
    second = watched(e._scene)
    e.layer = "layer1.0"
    e.method = "saliency"
    e.wait(60)
    e.close()
    assert len(second) > 100
    assert alive(second) == 0
