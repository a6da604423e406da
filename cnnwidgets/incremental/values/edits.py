"""A tensor that stands for many edits of one value."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import torch

from cnnwidgets.incremental.run import EditRun

from .boxes import EditBox, Ints
from .recomputable import Recomputable
from .windows import MAPS, Axes, paste, repeated, windows

T = TypeVar("T")
NO_TENSOR: Any = None
Follow = Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]
"""``(function, args, kwargs)`` -> what it returns."""


@dataclass
class Family:
    """Values that share memory: the one they are views of, as it was, and how each was made of it."""

    root: Edits
    members: list[weakref.ref[Edits]] = field(default_factory=list)

    def others(self, value: Edits) -> list[Edits]:
        alive = [reference() for reference in self.members]
        return [member for member in alive if member is not None and member is not value]


class Edits(torch.Tensor):
    """B variants of one value, in one of three states.

    Untouched by any edit: only ``base``. Windowed: ``win`` at rows ``y``, columns ``x``. Whole: ``every``.

    Attributes:
        follow_function, follow_operation: what happens when torch calls a Python function, or an ATen operation, on
            edits; set by the module that knows the rules.
        run: the forward pass that it belongs to.
        unedited: (1, ...), the value without edits; None when whole.
        win: (B, ...), what differs from it, of one size for all edits; None unless windowed.
        y, x: (B,), top and left of the windows.
        box: where exactly each edit may differ, when windowed.
        axes: which axes are rows and columns.
        every: (B, ...), all values of all edits; None unless whole.
        filled: (B, ...), the whole of a windowed value, if somebody asked for it.
        shared: whether ``every`` is memory of other values too.
        family, path: the values that share the memory of this one, and how it is made of the first of them.
    """

    follow_function: ClassVar[Follow]
    follow_operation: ClassVar[Follow]
    run: EditRun
    unedited: Recomputable | None
    win: torch.Tensor
    y: Ints
    x: Ints
    box: EditBox | None
    axes: Axes
    every: torch.Tensor
    filled: torch.Tensor | None
    shared: bool
    family: Family | None
    path: tuple[Callable[[torch.Tensor], torch.Tensor], ...]

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        state = "whole" if self.is_whole else "windowed" if self.is_windowed else "untouched"
        return f"Edits({tuple(self.shape)}, {state})"

    @property
    def is_whole(self) -> bool:
        """Whether each edit has all of its values."""
        return self.unedited is None

    @property
    def is_untouched(self) -> bool:
        """Whether no edit has reached this value."""
        return self.unedited is not None and self.win is None

    @property
    def is_windowed(self) -> bool:
        """Whether edits differ in a window only."""
        return self.unedited is not None and self.win is not None

    @property
    def memories(self) -> list[torch.Tensor]:
        """The tensors of all edits that are at hand."""
        return [tensor for tensor in (self.win, self.every, self.filled) if tensor is not None]

    @property
    def base(self) -> torch.Tensor:
        """(1, ...), the value without edits, unless whole."""
        return self.source.tensor

    @property
    def source(self) -> Recomputable:
        """The same, whether its numbers are at hand or not."""
        return _there(self.unedited)

    @property
    def reach(self) -> EditBox:
        """Where each edit may differ, when windowed."""
        return _there(self.box)

    @property
    def side(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.shape[self.axes[0]], self.shape[self.axes[1]]

    def whole(self) -> torch.Tensor:
        """(B, ...): every value of every edit; not to be written to."""
        if self.is_whole:
            return self.every
        if self.is_windowed and (self.win.shape[self.axes[0]], self.win.shape[self.axes[1]]) == self.side:
            return self.win
        if self.filled is None:
            self.filled = repeated(self.base, self.run.count)
            if self.is_windowed:
                paste(self.filled, self.win, self.y, self.x, self.axes)
        return self.filled

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return cls.follow_function(function, args, kwargs or {})

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls,
        function: Any,
        types: Any,
        args: Any = (),
        kwargs: Any = None,
    ) -> Any:
        return cls.follow_operation(function, args, kwargs or {})


def _there(value: T | None) -> T:
    if value is None:
        raise RuntimeError("a rule asked for what this value is not")
    return value


def blank(
    run: EditRun,
    shape: Sequence[int],
    like: Recomputable | torch.Tensor,
    strides: Sequence[int] | None = None,
) -> Edits:
    """A value that stands for nothing yet, of the type of ``like``; ``strides`` None: contiguous."""
    if strides is None:
        strides = [math.prod(shape[axis + 1 :]) or 1 for axis in range(len(shape))]
    edits: Edits = torch.Tensor._make_wrapper_subclass(  # noqa: SLF001
        Edits, shape, strides=strides, dtype=like.dtype, device=like.device
    )
    edits.run = run
    edits.unedited = edits.filled = edits.box = edits.family = None
    edits.win = edits.every = NO_TENSOR
    edits.axes, edits.path, edits.shared = MAPS, (), False
    return edits


def untouched(run: EditRun, base: Recomputable | torch.Tensor, strides: tuple[int, ...] | None = None) -> Edits:
    """A value (1, ...) that no edit has reached."""
    base = run.memo.recomputable(base) if isinstance(base, torch.Tensor) else base
    edits = blank(run, (run.count, *base.shape[1:]), base, strides)
    edits.unedited = base
    return edits


def windowed(
    run: EditRun,
    base: Recomputable | torch.Tensor,
    win: torch.Tensor,
    corners: tuple[Ints, Ints],
    box: EditBox,
    axes: Axes = MAPS,
    *,
    strides: tuple[int, ...] | None = None,
) -> Edits:
    """A value that differs from ``base`` (1, ...) in ``win`` (B, ...), whose top left ``corners`` are rows, columns."""
    base = run.memo.recomputable(base) if isinstance(base, torch.Tensor) else base
    edits = blank(run, (run.count, *base.shape[1:]), base, strides)
    run.note_size(win)
    edits.unedited, edits.win, (edits.y, edits.x), edits.box, edits.axes = base, win, corners, box, axes
    return edits


def whole(run: EditRun, real: torch.Tensor, *, strides: tuple[int, ...] | None = None, shared: bool = False) -> Edits:
    """A value (B, ...), or one derived of all edits, that is known everywhere; ``shared``: as a view of another."""
    run.note_size(real)
    edits = blank(run, real.shape, real, strides)
    edits.every, edits.shared = real, shared
    return edits


def piece(value: Edits, corners: tuple[Ints, Ints], size: tuple[int, int]) -> torch.Tensor:
    """The windows of ``size`` at ``corners`` of each edit, (B, ...); not to be written to."""
    if value.is_untouched:
        return windows(value.base, *corners, size, value.axes)
    return cut_windows(value.source, value, corners, size)


def cut_windows(
    base: Recomputable | torch.Tensor,
    value: Edits,
    corners: tuple[Ints, Ints],
    size: tuple[int, int],
    shift: tuple[int, int] = (0, 0),
) -> torch.Tensor:
    """Windows of ``value`` in the coordinates of ``base``, in which it begins at ``shift`` (what a padding adds)."""
    (y, x), win = corners, value.win
    down, right = value.y + shift[0] - y, value.x + shift[1] - x
    if size == (win.shape[value.axes[0]], win.shape[value.axes[1]]) and not down.any() and not right.any():
        return win
    base = base.tensor if isinstance(base, Recomputable) else base
    return paste(windows(base, y, x, size, value.axes), win, down, right, value.axes)
