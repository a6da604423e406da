"""Small random changes of an image, each image its own, so that what is made does not hang on single pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch.nn import functional

from .draws import Draws

_SCALES = torch.linspace(0.9, 1.1, 11)
_DEGREES = torch.cat([torch.arange(-10.0, 11.0), torch.zeros(5)])
_SIDE = 128
"""The side in pixels of the images that the shifts are meant for."""


def jittered(images: torch.Tensor, rows: Sequence[int], draws: Draws, share: float = 1.0) -> torch.Tensor:
    """``images`` (n, C, H, W) moved, scaled and turned about their centres, one draw an image; same size.

    As in Olah et al. 2017: up to 4 pixels to each side of an image of 128, scaled by 0.9 to 1.1, turned by up to 10
    degrees, moved by 2 pixels more. What comes in from outside is the image mirrored at its edge.

    Args:
        share: of all these, for images that bear less.
    """
    side = min(images.shape[-2:])
    pixel = side / _SIDE * share
    first = (draws.uniform(rows, (2,)) * 2 - 1) * 4 * pixel
    scale = 1 + (draws.choice(rows, _SCALES) - 1) * share
    angle = draws.choice(rows, _DEGREES) * (math.pi / 180) * share
    second = (draws.uniform(rows, (2,)) * 2 - 1) * 2 * pixel
    return moved(images, scale, angle, first + second)


def moved(images: torch.Tensor, scale: torch.Tensor, angle: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """``images`` enlarged by ``scale`` (n,), turned by ``angle`` (n,) in radians, moved by ``shift`` (n, 2) pixels.

    Args:
        shift: down and to the right.
    """
    height, width = images.shape[-2:]
    cosine, sine = angle.cos() / scale, angle.sin() / scale
    down, right = -2 * shift[:, 0] / height, -2 * shift[:, 1] / width
    ratio = height / width
    theta = torch.stack([cosine, sine * ratio, right, -sine / ratio, cosine, down], 1).view(-1, 2, 3)
    grid = functional.affine_grid(theta.to(images), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, "bilinear", "reflection", align_corners=False)
