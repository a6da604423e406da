"""How many edits of an image to run at a time."""

from __future__ import annotations

import torch

Place = tuple[int, int]
"""Top and left of a patch, in pixels."""

# On a CPU larger batches are no faster an image, often slower (on two cores, EfficientNet-Lite0: 10 ms an image with 8,
# 27 ms with 32), and small ones let a live view move and a Cancel work within a moment.
_PIXELS_CPU = 8 * 224 * 224
_PIXELS_GPU = 64 * 224 * 224
_MOST = 256


def estimated_batch(image: torch.Tensor, places: int) -> int:
    """A batch size to begin with, for edits of an image (C, H, W); at most ``places``."""
    pixels = _PIXELS_CPU if image.device.type == "cpu" else _PIXELS_GPU
    return max(1, min(places, _MOST, pixels // (image.shape[-2] * image.shape[-1])))
