"""What is made as large as it gets: of each image a number, taken from the maps of a layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch

from cnnwidgets.core.arguments import is_whole
from cnnwidgets.core.errors import InputError

Objective = Literal["mean", "center"]

_FIRST = 64
"""So many channels where nobody says which."""


@dataclass(frozen=True, eq=False)
class Goals:
    """The goal of each of R images.

    Attributes:
        channels: (R,) of the layer; -1 where it is a direction.
        directions: (R, K), weights over the channels; None where each image is for one channel.
        where: "mean" over the map, its "center", or (row, column) of a cell.
        sign: 1 to raise the activation, -1 to lower it.
        notes: what was decided where nobody said.
    """

    channels: tuple[int, ...]
    directions: torch.Tensor | None
    where: Objective | tuple[int, int]
    sign: int
    notes: tuple[str, ...] = ()

    def maps(self, maps: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Of the layer's maps (n, K, h, w) for the images ``rows`` (n,), that of each image's goal (n, h, w)."""
        if self.directions is not None:
            return torch.einsum("nk,nkhw->nhw", self.directions.to(maps)[rows], maps)
        channels = torch.tensor(self.channels)[rows]
        return maps[torch.arange(len(maps)), channels]

    def activations(self, goal_maps: torch.Tensor, border: int = 0, where: Objective | None = None) -> torch.Tensor:
        """(n,), without the outermost ``border`` cells of each side; ``where``: in place of the goals' own."""
        cell = self.where if where is None else where
        height, width = goal_maps.shape[1:]
        if border and min(height, width) > 1:
            goal_maps = goal_maps[:, border : height - border, border : width - border]
        if cell == "mean":
            return goal_maps.mean((1, 2))
        if cell == "center":
            return goal_maps[:, goal_maps.shape[1] // 2, goal_maps.shape[2] // 2]
        row, column = cell
        return goal_maps[:, int(row), int(column)]


def goals_of(
    name: str,
    count: int,
    grid: tuple[int, int],
    channels: Any,
    unit: Any,
    direction: Any,
    sign: Any,
    objective: Any,
    variants: int,
) -> Goals:
    """The goals that the arguments of ``maximize`` ask for, of a layer with ``count`` channels of ``grid`` cells.

    Raises:
        InputError: they do not fit the layer.
    """
    if objective not in ("mean", "center"):
        raise InputError(f'objective is {objective!r}; expected "mean" or "center".')
    if sign not in (1, -1):
        raise InputError(f"sign is {sign!r}; expected 1, to raise the activation, or -1, to lower it.")
    where = objective if unit is None else _cell(unit, name, grid)
    if direction is not None:
        if channels is not None:
            raise InputError("channels and direction exclude each other: a direction has weights for all channels.")
        directions = _directions(direction, name, count).repeat_interleave(variants, 0)
        return Goals((-1,) * len(directions), directions, where, sign)
    indices, notes = _channel_indices(channels, name, count)
    return Goals(tuple(index for index in indices for _ in range(variants)), None, where, sign, notes)


def _subject(name: str) -> str:
    return f"layer {name!r}" if name else "the network"


def _channel_indices(channels: Any, name: str, count: int) -> tuple[list[int], tuple[str, ...]]:
    nouns = "channels" if name else "classes"
    if channels is None:
        notes = (f"the first {_FIRST} of {count} {nouns}; channels= asks for others",) if count > _FIRST else ()
        return list(range(min(count, _FIRST))), notes
    if isinstance(channels, torch.Tensor):
        channels = channels.tolist()
    many = isinstance(channels, Sequence | range) or hasattr(channels, "__len__")
    numbers = list(channels) if many and not isinstance(channels, str) else [channels]
    indices = [
        int(number) if hasattr(number, "__index__") and not isinstance(number, bool) else None for number in numbers
    ]
    if not indices or None in indices:
        raise InputError(f"channels is {channels!r}; expected an int, several of them, or None for the first {_FIRST}.")
    for index in indices:
        if index is not None and not 0 <= index < count:
            raise InputError(
                f"channel {index} is out of range: {_subject(name)} has {count} {nouns}, 0 to {count - 1}."
            )
    return [index for index in indices if index is not None], ()


def _cell(unit: Any, name: str, grid: tuple[int, int]) -> tuple[int, int]:
    if not isinstance(unit, tuple | list) or len(unit) != 2 or not all(map(is_whole, unit)):
        raise InputError(f"unit is {unit!r}; expected (row, column) of a cell of the layer's maps, or None.")
    if not all(0 <= position < side for position, side in zip(unit, grid, strict=True)):
        raise InputError(
            f"unit {tuple(unit)} is out of range: the maps of {_subject(name)} are {grid[0]} × {grid[1]} for images of "
            "this size."
        )
    return unit[0], unit[1]


def _directions(direction: Any, name: str, count: int) -> torch.Tensor:
    """(D, K)."""
    try:
        weights = torch.as_tensor(direction, dtype=torch.float32).detach().cpu()
    except Exception as error:
        raise InputError(f"direction is {direction!r}; expected weights over channels, (K,) or (D, K).") from error
    weights = weights[None] if weights.ndim == 1 else weights
    if weights.ndim != 2 or weights.shape[1] != count or not len(weights):
        raise InputError(
            f"direction has shape {tuple(weights.shape)}; expected ({count},), a weight for each channel of "
            f"{_subject(name)}, or (D, {count})."
        )
    if not bool(weights.isfinite().all()) or not bool(weights.any(1).all()):
        raise InputError("direction has weights that are not finite, or nothing but zeros.")
    return weights
