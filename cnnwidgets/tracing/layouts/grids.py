"""Which grid a row of tokens forms, once attention has mixed all places so that axes can no longer be followed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from cnnwidgets.tracing.placement import Placement

from .token_layout import TokenLayout

_UNSEEN = 2
"""Tokens beside the grid, such as a class and a distillation token, that are believed though nothing was seen of how
they got there."""
_JOINS = {"cat", "concat", "concatenate", "hstack"}


class Joins:
    """How tokens were joined to others in a forward pass.

    Attributes:
        parts: length of the joined axis -> lengths of its parts, in order, one entry for each such join.
    """

    def __init__(self) -> None:
        self.parts: dict[int, set[tuple[int, ...]]] = {}

    def note(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any) -> None:
        """Take in one torch call, if it joins tokens."""
        if name in _JOINS and isinstance(output, torch.Tensor) and output.ndim == 3:
            dim = 1 if name == "hstack" else args[1] if len(args) > 1 else kwargs.get("dim", kwargs.get("axis", 0))
            parts = tuple(int(part.shape[dim]) for part in (args[0] if args else kwargs["tensors"]) if part.ndim == 3)
            self.parts.setdefault(sum(parts), set()).add(parts)

    def offsets(self, there: int, count: int) -> set[int]:
        """How many of ``there`` tokens may be in front of the ``used`` ones, by what was joined."""
        if there == count:
            return {0}
        offsets = set()
        for parts in self.parts.get(there, ()):
            before = 0
            for part in parts:
                if count <= part < there:
                    offsets |= {before + offset for offset in self.offsets(part, count)}
                before += part
        return offsets


class Grids:
    """The grids of the maps that a forward pass has made so far.

    Args:
        joins: how tokens were joined, if that was watched.

    Attributes:
        tokens_grid: rows and columns that somebody says the tokens form.
        placements: grid -> where in the image the last maps of that size lie, None where that is not known; the latest
            last.
    """

    def __init__(self, joins: Joins | None = None, tokens_grid: tuple[int, int] | None = None) -> None:
        self._joins = joins or Joins()
        self.tokens_grid = tokens_grid
        self._shuffled: set[int] = set()
        self.placements: dict[tuple[int, int], Placement | None] = {}

    def add(self, grid: tuple[int, int], placement: Placement | None = None) -> None:
        """Maps of this size were made, which lie at ``placement``."""
        self.placements.pop(grid, None)
        self.placements[grid] = placement

    def shuffle(self, count: int) -> None:
        """As many tokens were put in another order than that of a grid, so that their number tells nothing."""
        self._shuffled.add(count)

    def form(self, shape: tuple[int, ...]) -> TokenLayout | None:
        """How (1, T, C) or (T, 1, C) holds the tokens of a grid; None if none fits, or if there are several ways."""
        for order, axis in (("ntc", 1), ("tnc", 0)):
            if len(shape) == 3 and shape[order.index("n")] == 1:
                form = self._along(order, shape[axis])
                if form is not None:
                    return form
        return None

    def fits(self, count: int) -> bool:
        """Whether ``count`` may be the number of tokens of a grid, those beside it included."""
        return count > 1 and self._along("ntc", count) is not None

    def _along(self, order: str, there: int) -> TokenLayout | None:
        for grid in [self.tokens_grid] if self.tokens_grid else reversed(self.placements):
            if grid[0] * grid[1] in self._shuffled and not self.tokens_grid:
                continue
            beside = there - grid[0] * grid[1]
            if beside < 0 or grid[0] * grid[1] < 2:
                continue
            offsets = self._joins.offsets(there, grid[0] * grid[1])
            if not offsets and (beside <= _UNSEEN or self.tokens_grid):
                offsets = {beside}
            if len(offsets) == 1:
                before = offsets.pop()
                return TokenLayout(order, grid, before, beside - before, followed=False)
        return None
