"""Parts of a picture as weights of the places of a network's maps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from cnnwidgets.core.arguments import is_whole
from cnnwidgets.core.errors import InputError

Size = tuple[int, int]


def checked_region(region: Any, size: Size) -> tuple[int, ...]:
    """``region`` as whole numbers that lie in a picture of ``size`` (height, width).

    Raises:
        InputError: it is none of (), (row, column) and (top, left, height, width), or lies outside.
    """
    numbers = tuple(region) if isinstance(region, list | tuple) else (None,)
    height, width = size
    if not all(is_whole(number) for number in numbers) or len(numbers) not in (0, 2, 4):
        raise InputError(
            f"region is {region!r}; expected whole numbers: [top, left, height, width] in pixels of the picture, "
            "[row, column] of a place in a segment, or [] for all of it."
        )
    if len(numbers) == 2 and not (0 <= numbers[0] < height and 0 <= numbers[1] < width):
        raise InputError(f"The place {list(numbers)} is outside of the picture of {height} × {width} pixels.")
    if len(numbers) == 4:
        top, left, tall, wide = numbers
        if top < 0 or left < 0 or tall < 1 or wide < 1 or top + tall > height or left + wide > width:
            raise InputError(
                f"The region {list(numbers)} [top, left, height, width] does not lie in the picture of {height} × "
                f"{width} pixels (height × width)."
            )
    return numbers


def box_weights(box: tuple[int, ...], picture: Size, maps: Size) -> torch.Tensor:
    """(h, w) in [0, 1]: the share of each cell of ``maps`` that lies in ``box``, both over all of the picture.

    >>> box_weights((0, 1, 2, 2), (2, 4), (1, 2))
    tensor([[0.5000, 0.5000]])
    """
    top, left, tall, wide = box
    rows, columns = (
        _shared_shares(begin, length, side, cells)
        for begin, length, side, cells in zip((top, left), (tall, wide), picture, maps, strict=True)
    )
    return torch.outer(rows, columns)


def _shared_shares(begin: int, length: int, side: int, cells: int) -> torch.Tensor:
    """(cells,): the share of each of as many equal parts of ``side`` that lies in ``length`` pixels from ``begin``."""
    edges = torch.arange(cells + 1, dtype=torch.float64) * side / cells
    shared = edges[1:].clamp(max=begin + length) - edges[:-1].clamp(min=begin)
    return (shared.clamp(min=0) * cells / side).float()


def segment_around(row: int, column: int, classes: torch.Tensor) -> torch.Tensor:
    """(h, w) bool: the connected area of one class around a cell; cells meet at their sides.

    Args:
        row, column: the cell.
        classes: (h, w), the class of each.

    >>> segment_around(0, 0, torch.tensor([[1, 1, 0], [0, 0, 1]])).int().tolist()
    [[1, 1, 0], [0, 0, 0]]
    """
    height, width = classes.shape
    alike = (classes == classes[row, column]).flatten().tolist()
    inside = bytearray(height * width)
    start = row * width + column
    inside[start] = 1
    waiting = [start]
    while waiting:
        at = waiting.pop()
        across = at % width
        for there, exists in ((at - width, at >= width), (at + width, at + width < height * width),
                              (at - 1, across > 0), (at + 1, across < width - 1)):  # fmt: skip
            if exists and alike[there] and not inside[there]:
                inside[there] = 1
                waiting.append(there)
    return torch.frombuffer(inside, dtype=torch.uint8).bool().view(height, width)


def mean_over(weights: torch.Tensor | None) -> Callable[[torch.Tensor], torch.Tensor]:
    """A function of maps (N, K, h, w): their means (N, K), weighted by (h, w); None: over all of it.

    Only the rows and columns with a weight are read, so that what lies elsewhere costs an edit nothing.
    """
    if weights is None:
        return lambda maps: maps.mean((2, 3))
    rows, columns = weights.sum(1).nonzero()[:, 0], weights.sum(0).nonzero()[:, 0]
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    left, right = int(columns[0]), int(columns[-1]) + 1
    part = weights[top:bottom, left:right]
    if bool((part == part[0, 0]).all()):
        return lambda maps: maps[:, :, top:bottom, left:right].mean((2, 3))
    part = part / part.sum()
    return lambda maps: (maps[:, :, top:bottom, left:right] * part.to(maps)).sum((2, 3))
