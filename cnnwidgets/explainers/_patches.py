"""Where the patches of an occlusion map go, in which order, and what they show."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional

from cnnwidgets.core.errors import InputError

Pair = tuple[int, int]


def pair(value: Any, what: str) -> Pair:
    """``value``, an int or (height, width), as (height, width).

    Raises:
        InputError: not made of positive ints.
    """
    given = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else (value, value)
    try:
        if len(given) != 2 or any(isinstance(item, bool) for item in given):
            raise TypeError
        height, width = (operator.index(item) for item in given)
    except TypeError:
        raise InputError(f"{what} is {value!r}; expected pixels: an int, or (height, width) as two ints.") from None
    if height < 1 or width < 1:
        raise InputError(f"{what} is {value!r}; expected at least 1 pixel.")
    return height, width


def starts(side: int, patch: int, stride: int) -> list[int]:
    """Every ``stride`` from 0, and a last one flush with the edge, so that no pixel is left out when stride <= patch.

    Example:
        >>> starts(10, 4, 4)
        [0, 4, 6]
    """
    places = list(range(0, side - patch + 1, stride))
    return places if places[-1] == side - patch else [*places, side - patch]


def coarse_to_fine(rows: int, cols: int) -> list[int]:
    """Row-major indices of a grid, so ordered that a sparse grid is complete first, then one twice as dense, ...

    Example:
        >>> coarse_to_fine(3, 3)
        [0, 2, 6, 8, 1, 3, 4, 5, 7]
    """
    step = 1 << max(0, (max(rows, cols) - 1).bit_length() - 1)
    level: dict[int, None] = {}
    while step >= 1:
        level.update(dict.fromkeys(r * cols + c for r in range(0, rows, step) for c in range(0, cols, step)))
        step //= 2
    return list(level)


def cover(begins: list[int], patch: int, side: int) -> torch.Tensor:
    """(len(begins), side) bool: which pixels along one side each patch covers."""
    first = torch.tensor(begins)[:, None]
    pixel = torch.arange(side)
    return (pixel >= first) & (pixel < first + patch)


def covering_mean(grid: torch.Tensor, known: torch.Tensor, rows: torch.Tensor, cols: torch.Tensor) -> torch.Tensor:
    """For each pixel, the mean of ``grid`` over the known places whose patch covers it; NaN where there is none.

    Args:
        grid: (N, rows, cols).
        known: (N, rows, cols) bool.
        rows: (rows, H) from :func:`cover`.
        cols: (cols, W) from :func:`cover`.

    Returns:
        (N, H, W) float64. A place whose score is not finite makes the pixels under it NaN, and no others.

    Example:
        >>> which = cover([0, 1], 2, 3)
        >>> covering_mean(torch.tensor([[[1.0, 3.0]]]), torch.ones(1, 1, 2, dtype=torch.bool), which[:1], which)[0, 0]
        tensor([1., 2., 3.], dtype=torch.float64)
    """
    down, across = rows.double().T, cols.double()

    def spread(places: torch.Tensor) -> torch.Tensor:
        return down @ places.double() @ across

    broken = known & ~grid.isfinite()
    total = spread(grid.masked_fill(~known | broken, 0.0))
    mean = total / spread(known)  # 0 / 0 where nothing is known: NaN
    return mean.masked_fill(spread(broken) > 0, torch.nan)


def filling(images: torch.Tensor, fill: Any, patch: Pair) -> torch.Tensor:
    """What patches show, wherever they are: a tensor that broadcasts to (N, C, H, W).

    Raises:
        InputError: ``fill`` is not a number, one number a channel, "mean" or "blur".
    """
    if isinstance(fill, str):
        if fill == "mean":
            return images.mean((2, 3), keepdim=True).expand_as(images)
        if fill == "blur":
            return blurred(images, max(patch) / 2)
        raise InputError(f'fill is {fill!r}; expected a number, one number a channel, "mean" or "blur".')
    try:
        levels = torch.as_tensor(fill, dtype=torch.float64).cpu()
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f'fill is {fill!r}; expected a number, one number a channel, "mean" or "blur".') from error
    if levels.ndim > 1 or levels.numel() not in (1, images.shape[1]):
        raise InputError(
            f"fill has shape {tuple(levels.shape)}; the images have {images.shape[1]} channels: "
            "pass one number, or one a channel."
        )
    if not bool(levels.isfinite().all()):
        raise InputError(f"fill is {fill!r}; expected finite numbers, in the units of the model's input.")
    return levels.to(images).reshape(1, -1, 1, 1).expand_as(images)


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
