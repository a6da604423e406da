"""Maps that lie in a tensor in another order than (N, C, H, W): channels last, or as tokens in a row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from cnnwidgets.core.arguments import is_whole
from cnnwidgets.core.errors import CnnWidgetsError, InputError

Tokens = tuple[int, int] | Callable[[torch.Tensor], torch.Tensor] | None
"""How to read a layer's output as maps: None to find out, (rows, columns) of the grid that tokens form, or a function
from the output to maps (N, C, h, w) that picks and rearranges its numbers."""


@dataclass(frozen=True)
class TokenLayout:
    """Where in a tensor the maps are.

    Attributes:
        order: what its axes are, a letter each: n images, c channels, h rows, w columns, t tokens row by row, s tokens
            column by column.
        grid: rows and columns of the maps.
        before: tokens in front of those that form the grid, such as a class token.
        behind: tokens after them.
        followed: whether the axes were followed up to here; else the number of tokens speaks.
    """

    order: str
    grid: tuple[int, int]
    before: int = 0
    behind: int = 0
    followed: bool = True

    @property
    def images_at(self) -> int:
        """The axis of the images."""
        return self.order.index("n")

    @property
    def has_tokens(self) -> bool:
        """Whether rows and columns share an axis."""
        return "t" in self.order or "s" in self.order

    @property
    def several(self) -> bool:
        """Whether there is more than one place."""
        return self.grid[0] * self.grid[1] > 1

    def maps(self, tensor: torch.Tensor) -> torch.Tensor:
        """The maps in ``tensor``, (N, C, h, w), as a view of it.

        Example:
            >>> TokenLayout("ntc", (1, 2), before=1).maps(torch.tensor([[[7.0], [1.0], [2.0]]])).tolist()
            [[[[1.0, 2.0]]]]
        """
        order, (rows, columns) = self.order, self.grid
        for letter, apart in (("t", (rows, columns)), ("s", (columns, rows))):
            if letter in order:
                axis = order.index(letter)
                tensor = tensor.narrow(axis, self.before, rows * columns)
                tensor = torch.unflatten(tensor, axis, apart)
                order = order.replace(letter, "hw" if letter == "t" else "wh")
        return tensor.permute([order.index(letter) for letter in "nchw"])

    def put(self, maps: torch.Tensor, tensor: torch.Tensor) -> torch.Tensor:
        """A copy of ``tensor`` that has ``maps`` for its own; tokens beside the grid stay as they are."""
        copy = tensor.clone(memory_format=torch.contiguous_format)
        self.maps(copy).copy_(maps)
        return copy

    def notes(self) -> tuple[str, ...]:
        """Which tokens are not in the maps, and how sure it is that the others form them."""
        rows, columns = self.grid
        if not self.has_tokens or (self.followed and not self.before and not self.behind):
            return ()
        count = rows * columns
        there = count + self.before + self.behind
        if count == there:
            return (f"the {there} tokens were read as a {rows} × {columns} map",)
        dropped = []
        if self.before:
            dropped.append("class token" if self.before == 1 else f"first {self.before} tokens")
        if self.behind:
            dropped.append("last token" if self.behind == 1 else f"last {self.behind} tokens")
        return (f"{' and '.join(dropped)} dropped: {count} of {there} tokens form a {rows} × {columns} map",)


@dataclass(frozen=True)
class CustomForm:
    """Maps as a function of the user's finds them in a layer's output."""

    function: Callable[[torch.Tensor], torch.Tensor]
    batch: int

    images_at = 0
    has_tokens = False
    several = True

    def maps(self, tensor: torch.Tensor) -> torch.Tensor:
        """What the function makes of ``tensor``.

        Raises:
            InputError: it is not (N, C, h, w), or holds other numbers than ``tensor`` or some of them twice, so that
                the gradient for it is not that for the layer's output.
        """
        index, maps = self._index(tensor), self._call(tensor)
        numbers = tensor.reshape(-1)[index]
        if maps.shape != index.shape or not torch.equal(maps.isnan(), numbers.isnan()):
            raise self._error(tensor, "it changes them")
        if not torch.equal(maps.nan_to_num(), numbers.nan_to_num()):
            raise self._error(tensor, "it changes them")
        return maps

    def put(self, maps: torch.Tensor, tensor: torch.Tensor) -> torch.Tensor:
        """A copy of ``tensor`` in which what the function picks is ``maps``."""
        copy = tensor.clone(memory_format=torch.contiguous_format)
        copy.view(-1)[self._index(tensor).reshape(-1)] = maps.reshape(-1)
        return copy

    def notes(self) -> tuple[str, ...]:
        """Nothing: the user knows."""
        return ()

    def _index(self, tensor: torch.Tensor) -> torch.Tensor:
        """Where in ``tensor`` each number of the maps comes from."""
        places = torch.arange(tensor.numel(), device=tensor.device).view(tensor.shape)
        index = self._call(places)
        if index.dtype != torch.int64 or bool(((index < 0) | (index >= tensor.numel())).any()):
            raise self._error(tensor, "it changes them")
        if len(torch.unique(index)) < index.numel():
            raise self._error(tensor, "it repeats some")
        images = torch.arange(len(index), device=index.device).view(-1, 1, 1, 1)
        if len(tensor) == len(index) and bool((index // places[0].numel() != images).any()):
            raise self._error(tensor, "it mixes images")
        return index

    def _call(self, tensor: torch.Tensor) -> torch.Tensor:
        try:
            maps: Any = self.function(tensor)
        except CnnWidgetsError:
            raise
        except Exception as error:
            raise self._error(tensor, f"it raised {type(error).__name__}: {error}") from error
        if not isinstance(maps, torch.Tensor):
            raise self._error(tensor, f"it returned {type(maps).__name__}")
        images = self.batch if len(tensor) == self.batch else None
        if maps.ndim != 4 or 0 in maps.shape or (images is not None and len(maps) != images):
            raise self._error(tensor, f"it returned {tuple(maps.shape)}")
        return maps

    def _error(self, tensor: torch.Tensor, fault: str) -> InputError:
        return InputError(
            f"tokens must turn the layer's output, {tuple(tensor.shape)}, into maps (N, C, h, w) by picking and "
            f"rearranging its numbers, as in lambda x: x[:, 1:].unflatten(1, (14, 14)).permute(0, 3, 1, 2); {fault}."
        )


@dataclass(frozen=True)
class ChannelForm:
    """Channels on whatever axis, each with all that it holds in a row: every token, the class token included.

    Attributes:
        channels_at: their axis.
        images_at: that of the images.
    """

    channels_at: int
    images_at: int = 0

    has_tokens = False
    several = False

    def maps(self, tensor: torch.Tensor) -> torch.Tensor:
        """The channels of ``tensor``, (N, C, numbers of each, 1).

        Example:
            >>> ChannelForm(2).maps(torch.zeros(1, 5, 3)).shape
            torch.Size([1, 3, 5, 1])
        """
        moved = self._first(tensor)
        return moved.reshape(*moved.shape[:2], -1, 1)

    def put(self, maps: torch.Tensor, tensor: torch.Tensor) -> torch.Tensor:
        """``maps`` in the order of the axes of ``tensor``."""
        moved = maps.reshape(self._first(tensor).shape)
        return moved.movedim((0, 1), (self.images_at, self.channels_at)).contiguous()

    def notes(self) -> tuple[str, ...]:
        """Nothing: all that a channel holds is there."""
        return ()

    def _first(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.movedim((self.images_at, self.channels_at), (0, 1))


AnyForm = TokenLayout | CustomForm | ChannelForm


def checked_tokens(tokens: Any) -> Tokens:
    """``tokens`` as it is.

    Raises:
        InputError: it is not None, two positive ints, or a function.
    """
    if tokens is None or callable(tokens):
        return tokens  # type: ignore[no-any-return]
    if isinstance(tokens, tuple | list | torch.Size) and len(tokens) == 2:
        rows, columns = tokens
        if all(is_whole(size) and size > 0 for size in tokens):
            return rows, columns
    raise InputError(
        f"tokens is {tokens!r}; expected None to find the grid, (rows, columns) of the grid that the tokens form, or a "
        "function from the layer's output to maps (N, C, h, w)."
    )
