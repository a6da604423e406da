"""Values that share memory, as views do, and what writing to one of them does to the others."""

from __future__ import annotations

import weakref
from collections.abc import Callable

import torch

from .edits import NO_TENSOR, Edits, Family, blank


def strides_like(value: Edits) -> tuple[int, ...] | None:
    """The layout that an operation on each place of ``value`` gives its result: the same, unless it has gaps."""
    strides, covered = value.stride(), 1
    for step, length in sorted(zip(strides, value.shape, strict=True)):
        if length > 1:
            if step != covered:
                return None
            covered *= length
    return strides


def take_over(value: Edits, other: Edits) -> Edits:
    """Give ``value`` what ``other`` stands for, as an in-place operation does; returns ``value``."""
    value.unedited, value.win = other.unedited, other.win
    value.box, value.axes = other.box, other.axes
    if other.is_windowed:
        value.y, value.x = other.y, other.x
    value.every, value.filled = other.every, None
    return value


def conform(value: Edits) -> torch.Tensor:
    """The memory of a whole value, laid out as the model believes it to be, so that views of it can be taken."""
    real = value.every
    if real.stride() != value.stride():
        apart = torch.empty_strided(value.shape, value.stride(), dtype=real.dtype, device=real.device).copy_(real)
        if value.shared:
            value.run.part(real, apart)
        value.every = real = apart
    return real


def related(view: Edits, parent: Edits, replay: Callable[[torch.Tensor], torch.Tensor]) -> Edits:
    """Note that ``view`` shares the memory of ``parent``; ``replay`` makes it of the whole parent. Returns ``view``."""
    if parent.family is None:
        as_it_is = take_over(blank(parent.run, parent.shape, parent, parent.stride()), parent)
        parent.family = Family(as_it_is)
        parent.family.members.append(weakref.ref(parent))
    view.family, view.path = parent.family, (*parent.path, replay)
    view.family.members.append(weakref.ref(view))
    return view


def about_to_change(value: Edits) -> None:
    """Before ``value`` is written to: if others share its memory, all of them become whole, and share it for real."""
    family = value.family
    if family is None:
        return
    if family.others(value):
        materialise(value)
    else:
        value.family, value.path = None, ()


def materialise(value: Edits) -> None:
    """Make ``value``, and all that share its memory, whole."""
    family = value.family
    if family is None:
        if not value.is_whole:
            _become_whole(value, _own(value))
        return
    root = family.root
    _become_whole(root, _own(root))
    memory = conform(root)
    for member in [value, *family.others(value)]:
        real = memory
        for step in member.path:
            real = step(real)
        _become_whole(member, real)
        member.shared = True
        member.family, member.path = None, ()


def _own(value: Edits) -> torch.Tensor:
    """The whole of ``value``, as memory that no other value looks at."""
    real = value.whole()
    return real.clone() if real is value.win else real


def _become_whole(value: Edits, real: torch.Tensor) -> None:
    value.unedited = value.filled = value.box = None
    value.win, value.every, value.shared = NO_TENSOR, real, False
