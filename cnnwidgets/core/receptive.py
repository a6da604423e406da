"""Which part of the input a unit can see: exact intervals, carried from tensor to tensor.

Along one axis, unit ``i`` of a map sees the input pixels ``lo(i) .. hi(i)``. Both are kept as a start, a period and a
step (``lo(i + period) = lo(i) + step``) on an infinite grid, so strides, dilation, transposed convolutions and
resampling by any ratio are exact, and padding does not cut anything off.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

_LONGEST_PERIOD = 4096


@dataclass(frozen=True)
class Reach:
    """The input interval that each position along one axis of a map depends on.

    ``axis`` is 0 for the input's height and 1 for its width. Without ``lo`` every position sees the whole axis.
    """

    axis: int
    step: int = 0
    lo: tuple[int, ...] = ()
    hi: tuple[int, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether every position sees the whole axis."""
        return not self.lo

    @property
    def size(self) -> int:
        """The widest interval that any position sees, in input pixels, before the border cuts it."""
        return max(hi - lo + 1 for lo, hi in zip(self.lo, self.hi, strict=True))

    def at(self, position: int) -> tuple[int, int]:
        """First and last input pixel that ``position`` sees; outside the input where padding is seen."""
        periods, phase = divmod(position, len(self.lo))
        return self.lo[phase] + periods * self.step, self.hi[phase] + periods * self.step

    def through(self, period: int, step: int, taps: Callable[[int], tuple[int, int]]) -> Reach:
        """The reach of a new map whose position ``o`` reads positions ``taps(o)``, first and last, of this one.

        ``taps(o + period)`` must equal ``taps(o) + step``.

        Example:
            >>> pixels("w").through(1, 2, lambda o: (2 * o - 1, 2 * o + 1)).at(5)  # kernel 3, stride 2, padding 1
            (9, 11)
        """
        if self.is_whole:
            return self
        repeat = len(self.lo) // math.gcd(len(self.lo), step)
        if repeat * period > _LONGEST_PERIOD:
            return whole(self.axis)
        reads = [taps(position) for position in range(repeat * period)]
        return Reach(
            self.axis,
            repeat * step * self.step // len(self.lo),
            tuple(self.at(first)[0] for first, _ in reads),
            tuple(self.at(last)[1] for _, last in reads),
        )

    def union(self, other: Reach, length: int) -> Reach:
        """What a position sees that reads both maps, ``length`` positions long."""
        if self == other:
            return self
        if self.is_whole or other.is_whole or self.axis != other.axis:
            return whole(self.axis)
        period = math.lcm(len(self.lo), len(other.lo))
        step = self.step * (period // len(self.lo))
        if step != other.step * (period // len(other.lo)) or period > _LONGEST_PERIOD:
            # Two resamplings that rounded differently: no common grid, so each position of this map for itself.
            period = length
            step = max(part.step * length // len(part.lo) for part in (self, other))
        both = [(self.at(i), other.at(i)) for i in range(period)]
        return Reach(
            self.axis,
            step,
            tuple(min(a[0], b[0]) for a, b in both),
            tuple(max(a[1], b[1]) for a, b in both),
        )


def pixels(axis: str) -> Reach:
    """Each position sees the pixel it is; ``axis`` is ``"h"`` or ``"w"``."""
    return Reach("hw".index(axis), 1, (0,), (0,))


def whole(axis: int) -> Reach:
    """Each position sees everything along ``axis``."""
    return Reach(axis)


Factor = tuple[int, "Reach | None"]
"""A size, and what positions along it see; None where it is no image axis (batch, channels)."""
Dim = tuple[Factor, ...]
"""One axis of a tensor: usually one factor, several (outermost first) where axes have been flattened together."""


@dataclass(frozen=True)
class Field:
    """The receptive fields of a tensor: one :data:`Dim` for each of its axes.

    An image axis that no dim carries has been summed over: everything in the tensor depends on all of it.
    """

    dims: tuple[Dim, ...]

    def axes(self) -> set[int]:
        """The image axes that some dim carries."""
        return {reach.axis for dim in self.dims for _, reach in dim if reach is not None}

    def along(self, axis: int) -> Reach | None:
        """The reach along image ``axis``, if exactly one whole dim carries it."""
        found = [dim[0][1] for dim in self.dims if len(dim) == 1 and dim[0][1] is not None and dim[0][1].axis == axis]
        return found[0] if len(found) == 1 else None

    def position(self, axis: int) -> int | None:
        """The dim that carries image ``axis`` alone."""
        for index, dim in enumerate(self.dims):
            if len(dim) == 1 and dim[0][1] is not None and dim[0][1].axis == axis:
                return index
        return None


def plain(size: int, reach: Reach | None = None) -> Dim:
    """A dim of one factor."""
    return ((size, reach),)


def reach_of(dim: Dim) -> Reach | None:
    """What positions along ``dim`` see; None where it is no image axis or several flattened together."""
    return dim[0][1] if len(dim) == 1 else None


def of_input(shape: Sequence[int]) -> Field:
    """The field of the network's input: its last two axes are height and width."""
    dims = [plain(size) for size in shape]
    if len(shape) >= 3:
        dims[-2:] = [plain(shape[-2], pixels("h")), plain(shape[-1], pixels("w"))]
    return Field(tuple(dims))


def untagged(shape: Iterable[int]) -> Field:
    """A tensor whose every element may depend on the whole input."""
    return Field(tuple(plain(size) for size in shape))


def smeared(field: Field, axes: Iterable[int] | None = None) -> Field:
    """``field`` after an operation that mixes all positions along ``axes`` (all, if None)."""
    chosen = None if axes is None else set(axes)

    def spread(factor: Factor) -> Factor:
        size, reach = factor
        if reach is None or (chosen is not None and reach.axis not in chosen):
            return factor
        return size, whole(reach.axis)

    return Field(tuple(tuple(spread(factor) for factor in dim) for dim in field.dims))


def mixed_along(field: Field, dims: Iterable[int]) -> Field:
    """``field`` after an operation that mixes all positions along these dims of the tensor."""
    return smeared(field, {reach.axis for index in dims for _, reach in field.dims[index] if reach is not None})


def combined(fields: Sequence[Field], shape: Sequence[int]) -> Field:
    """The field of a broadcast elementwise operation with this output shape."""
    dims: list[Dim] = []
    for back in range(len(shape), 0, -1):
        size = shape[-back]
        parts = [field.dims[-back] for field in fields if len(field.dims) >= back]
        dims.append(_merged_dims(parts, size))
    result = Field(tuple(dims))
    missing = {axis for axis in result.axes() for field in fields if axis not in field.axes()}
    return smeared(result, missing) if missing else result


def _merged_dims(parts: Sequence[Dim], size: int) -> Dim:
    tagged = [part for part in parts if any(reach is not None for _, reach in part)]
    if not tagged:
        return plain(size)
    first = tagged[0]
    if all(part == first for part in tagged) and math.prod(length for length, _ in first) == size:
        return first
    if all([length for length, _ in part] == [length for length, _ in first] for part in tagged) and (
        math.prod(length for length, _ in first) == size
    ):
        return tuple(
            (length, _union([part[index][1] for part in tagged], length)) for index, (length, _) in enumerate(first)
        )
    reaches = [reach for part in tagged for _, reach in part if reach is not None]
    if len({reach.axis for reach in reaches}) > 1:
        return plain(size)
    same_length = [part for part in tagged if len(part) == 1 and part[0][0] == size]
    if len(same_length) == len(tagged):
        return plain(size, _union(reaches, size))
    return plain(size, whole(reaches[0].axis))


def _union(reaches: Sequence[Reach | None], length: int) -> Reach | None:
    known = [reach for reach in reaches if reach is not None]
    return functools.reduce(lambda a, b: a.union(b, length), known) if known else None


def reshaped(field: Field, shape: Sequence[int]) -> Field:
    """``field`` after ``view``, ``reshape``, ``flatten`` or ``squeeze`` to ``shape``."""
    if 0 in shape:
        return untagged(shape)
    waiting = [factor for dim in field.dims for factor in dim if factor[0] != 1]
    waiting.reverse()
    dims: list[Dim] = []
    for size in shape:
        taken: list[Factor] = []
        have = 1
        while have < size:
            need = size // have
            length, reach = waiting.pop() if waiting else (0, None)
            if size % have or length == 0 or (need % length and length % need):
                return untagged(shape)
            if length > need:
                # Windows of an axis are no longer a regular grid along it: say that they see all of it.
                reach = None if reach is None else whole(reach.axis)
                waiting.append((length // need, reach))
                length = need
            taken.append((length, reach))
            have *= length
        dims.append(_folded(taken) if taken else plain(size))
    return Field(tuple(dims))


def _folded(factors: list[Factor]) -> Dim:
    """Neighbouring factors that belong together become one."""
    merged: list[Factor] = []
    for size, reach in factors:
        if merged and merged[-1][1] == reach and (reach is None or reach.is_whole):
            merged[-1] = (merged[-1][0] * size, reach)
        else:
            merged.append((size, reach))
    return tuple(merged)
