"""The part of an image that made a cell of a map what it is."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch

from cnnwidgets.explainers.engine.memory import Chunks, estimated_batch

from .map_layers import DIGITS, MapLayer, MapReader

Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True, eq=False)
class Crop:
    """A patch that excites a channel, cut to the exact receptive field of the cell that it excites.

    Attributes:
        pixels: (h, w, 3) uint8, what the network sees there.
        activation: (rows, columns) float32, the channel's cells that lie in the patch; None where the network is not
            at hand.
        box: top, left, bottom, right of the patch, in pixels of the image; the last two exclusive.
        extent: top, left, bottom, right of what ``activation`` covers, in pixels of the image, its cells sharing it
            evenly; may reach over ``box``.
        value: the activation that was found.
        image: the image's index in the data set.
        cell: row and column of the cell in the channel's map.
        notes: what the reader must know.
    """

    pixels: npt.NDArray[np.uint8] = field(repr=False)
    activation: npt.NDArray[np.float32] | None = field(repr=False)
    box: tuple[int, int, int, int]
    extent: tuple[float, float, float, float]
    value: float
    image: int
    cell: tuple[int, int]
    notes: tuple[str, ...] = ()


def cut(
    layer: MapLayer,
    pixels: npt.NDArray[np.uint8],
    activation: npt.NDArray[np.float32] | None,
    value: float,
    image: int,
    cell: tuple[int, int],
    digits: float = DIGITS,
) -> Crop:
    """The patch of an image that the cell at ``cell`` sees.

    Args:
        pixels: (H, W, 3), the whole image.
        activation: (h, w), the channel's whole map.
        digits: by what share of itself rounding may change ``value``.
    """
    box = layer.box(*cell)
    spans = [
        _cells_within(
            layer.extent[axis], layer.extent[axis + 2], layer.grid[axis], (box[axis], box[axis + 2]), position
        )
        for axis, position in enumerate(cell)
    ]
    sides = [(layer.extent[axis + 2] - layer.extent[axis]) / layer.grid[axis] for axis in (0, 1)]
    (first, end), (left, right) = spans
    extent = (
        layer.extent[0] + first * sides[0],
        layer.extent[1] + left * sides[1],
        layer.extent[0] + end * sides[0],
        layer.extent[1] + right * sides[1],
    )
    notes: tuple[str, ...] = ()
    if activation is not None and not math.isclose(float(activation[cell]), value, rel_tol=digits, abs_tol=1e-6):
        now = float(activation[cell])
        change = "the network or the data set has changed since"
        notes = (f"the cell says {now:.4g} now and {value:.4g} when it was found: {change}",)
    cells = None if activation is None else activation[first:end, left:right]
    patch = pixels[box[0] : box[2], box[1] : box[3]]
    return Crop(patch, cells, box, extent, value, image, cell, notes)


def _cells_within(low: float, high: float, cells: int, span: tuple[int, int], winner: int) -> tuple[int, int]:
    """First cell, and the one behind the last, whose centre lies in ``span``; with the one that won."""
    centres = low + (np.arange(cells) + 0.5) * (high - low) / cells
    inside = np.flatnonzero((centres > span[0]) & (centres < span[1]))
    members = [winner, *inside[:1].tolist(), *inside[-1:].tolist()]
    return min(members), max(members) + 1


def channel_maps(
    reader: MapReader, layer: str, channel: int, tensors: Mapping[Name, torch.Tensor]
) -> dict[Name, npt.NDArray[np.float32]]:
    """Key -> (h, w): what a channel makes of images (1, C, H, W)."""
    images = torch.cat(list(tensors.values()))
    chunks = Chunks(estimated_batch(images[0], len(images)))

    def look(indices: list[int]) -> torch.Tensor:
        part = images[indices[0] : indices[-1] + 1]
        return reader.read(part, lambda _, maps: maps[:, channel].float().cpu().clone(), only=layer)[layer]

    with reader.ready():
        maps = torch.cat([part for _, part in chunks.each(range(len(images)), look)])
    return dict(zip(tensors, maps.numpy(), strict=True))
