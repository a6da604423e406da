"""Where the patches of an occlusion map go, and what they show."""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional

from cnnwidgets.core.errors import InputError

Pair = tuple[int, int]
Place = tuple[int, int]
"""Top and left of a patch, in pixels."""


def checked_pair(value: Any, name: str) -> Pair:
    """``value``, an int or (height, width), as (height, width).

    Raises:
        InputError: not made of positive ints.
    """
    sides = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else (value, value)
    try:
        if len(sides) != 2 or any(isinstance(item, bool) for item in sides):
            raise TypeError
        height, width = (operator.index(item) for item in sides)
    except TypeError:
        raise InputError(f"{name} is {value!r}; expected pixels: an int, or (height, width) as two ints.") from None
    if height < 1 or width < 1:
        raise InputError(f"{name} is {value!r}; expected at least 1 pixel.")
    if max(height, width) > sys.maxsize:
        raise InputError(f"{name} is larger than any image; expected pixels: an int, or (height, width) as two ints.")
    return height, width


def starts(side: int, patch: int, stride: int) -> list[int]:
    """Every ``stride`` from 0, and a last one flush with the edge, so that no pixel is left out when stride <= patch.

    Example:
        >>> starts(10, 4, 4)
        [0, 4, 6]
    """
    places = list(range(0, side - patch + 1, stride))
    return places if places[-1] == side - patch else [*places, side - patch]


def cover(begins: list[int], patch: int, side: int) -> torch.Tensor:
    """(len(begins), side) bool: which pixels along one side each patch covers."""
    first = torch.tensor(begins)[:, None]
    pixel = torch.arange(side)
    return (pixel >= first) & (pixel < first + patch)


def filling(images: torch.Tensor, fill: Any, patch: Pair) -> torch.Tensor:
    """What patches show, wherever they are: a tensor that broadcasts to (N, C, H, W).

    Raises:
        InputError: ``fill`` is not a number, one number a channel, a picture, "mean" or "blur".
    """
    expected = 'a number, one number a channel, a picture (C, H, W) of the images\' size, "mean" or "blur"'
    if isinstance(fill, str):
        if fill == "mean":
            return images.mean((2, 3), keepdim=True).expand_as(images)
        if fill == "blur":
            return blurred(images, max(patch) / 2)
        raise InputError(f"fill is {fill!r}; expected {expected}.")
    try:
        levels = torch.as_tensor(fill, dtype=torch.float64).detach().cpu()
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise InputError(f"fill is {fill!r}; expected {expected}.") from error
    picture = tuple(levels.shape) in (tuple(images.shape[1:]), tuple(images.shape))
    if not picture and (levels.ndim > 1 or levels.numel() not in (1, images.shape[1])):
        raise InputError(
            f"fill has shape {tuple(levels.shape)}; the images have {images.shape[1]} channels, of "
            f"{images.shape[2]}x{images.shape[3]} pixels: expected {expected}."
        )
    levels = levels.to(images)
    if not bool(levels.isfinite().all()):
        raise InputError(
            "fill holds NaN or infinite values; expected finite numbers, in the units of the model's input."
        )
    shape = levels.shape if picture else (1, -1, 1, 1)
    return levels.reshape(shape).expand_as(images)


def blurred(images: torch.Tensor, sigma: float) -> torch.Tensor:
    """``images`` under a Gaussian of ``sigma`` pixels, the edge pixels repeated outwards."""
    radius = math.ceil(3 * sigma)
    offsets = torch.arange(-radius, radius + 1, dtype=torch.float32, device=images.device)
    kernel = torch.exp(-(offsets**2) / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    channels = images.shape[1]
    soft = functional.pad(images.float(), (radius,) * 4, mode="replicate")
    soft = functional.conv2d(soft, kernel.view(1, 1, -1, 1).expand(channels, 1, -1, 1), groups=channels)
    soft = functional.conv2d(soft, kernel.view(1, 1, 1, -1).expand(channels, 1, 1, -1), groups=channels)
    return soft.to(images)
