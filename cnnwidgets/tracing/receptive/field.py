"""Which part of the input a unit can see: exact intervals, carried from tensor to tensor."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from .interval import SCATTERED, Reach, pixels, scattered, whole_axis

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

    def changed(self, change: Callable[[Factor], Factor]) -> Field:
        """The same with ``change`` made of every factor."""
        return Field(tuple(tuple(map(change, dim)) for dim in self.dims))

    def axes(self) -> set[int]:
        """The image axes that some dim carries."""
        return {reach.axis for dim in self.dims for _, reach in dim if reach is not None} - {SCATTERED}

    def along(self, axis: int) -> Reach | None:
        """The reach along image ``axis``, if exactly one whole dim carries it."""
        dims = [dim for dim in self.dims if len(dim) == 1 and dim[0][1] is not None and dim[0][1].axis == axis]
        return dims[0][0][1] if len(dims) == 1 else None

    def sole_reach(self, axis: int) -> Reach | None:
        """The same where the dim may be of several axes flattened together."""
        reaches = [reach for dim in self.dims for _, reach in dim if reach is not None and reach.axis == axis]
        return reaches[0] if len(reaches) == 1 else None


def carries_places(dim: Dim) -> bool:
    """Whether places of the image lie along ``dim``."""
    return any(reach is not None for _, reach in dim)


def length_of(dim: Dim) -> int:
    """How many positions ``dim`` has."""
    return math.prod(size for size, _ in dim)


def plain_dim(size: int, reach: Reach | None = None) -> Dim:
    """A dim of one factor."""
    if size == 1 and reach is not None and reach.is_moved:
        reach = None if reach.axis == SCATTERED else whole_axis(reach.axis)
    return ((size, reach),)


def moved_by(*dims: Dim) -> str | None:
    """What moved positions along one of ``dims``, so that they are not in the order of the image; None: nothing has."""
    for dim in dims:
        reaches = [reach for _, reach in dim if reach is not None]
        for at, reach in enumerate(reaches):
            if reach.is_moved:
                return reach.by
            if any(reach.axis == other.axis for other in reaches[:at]):
                return "windows put together in another order"
    return None


def reach_of(dim: Dim) -> Reach | None:
    """What positions along ``dim`` see; None where it is no image axis or several flattened together."""
    return dim[0][1] if len(dim) == 1 else None


def of_input(shape: Sequence[int]) -> Field:
    """The field of the network's input: its last two axes are height and width."""
    dims = [plain_dim(size) for size in shape]
    if len(shape) >= 3:
        dims[-2:] = [
            plain_dim(size, replace(pixels(axis), bounds=(0, size - 1)))
            for axis, size in zip("hw", shape[-2:], strict=True)
        ]
    return Field(tuple(dims))


def untagged(shape: Iterable[int]) -> Field:
    """A tensor whose every element may depend on the whole input."""
    return Field(tuple(plain_dim(size) for size in shape))


def unfollowed(fields: Sequence[Field], shape: Sequence[int]) -> Field:
    """What came of ``fields`` in a way that cannot be followed: positions that were moved may be anywhere in it."""
    by = moved_by(*(dim for field in fields for dim in field.dims))
    if by is None:
        return untagged(shape)
    images = [length_of(field.dims[0]) for field in fields if field.dims]
    return Field(
        tuple(plain_dim(size, None if at == 0 and size in images else scattered(by)) for at, size in enumerate(shape))
    )


def settled(field: Field) -> Field:
    """``field``, where windows of an axis whose inside is gone are positions along it again."""
    if not any(reach.length for dim in field.dims for _, reach in dim if reach is not None):
        return field
    counts = Counter(reach.axis for dim in field.dims for _, reach in dim if reach is not None)

    def whole_again(factor: Factor) -> Factor:
        size, reach = factor
        if reach is None or not reach.length or counts[reach.axis] > 1 or reach.stride * size != reach.length:
            return factor
        axis, width = replace(reach, length=0, stride=1), reach.stride
        return size, axis.through(1, width, lambda window: (window * width, window * width + width - 1), size)

    return field.changed(whole_again)


def smeared(field: Field, axes: Iterable[int] | None = None) -> Field:
    """``field`` after an operation that mixes all positions along ``axes`` (all, if None)."""
    mixed_axes = None if axes is None else set(axes)

    def spread(factor: Factor) -> Factor:
        size, reach = factor
        if reach is None or (mixed_axes is not None and reach.axis not in mixed_axes):
            return factor
        return size, reach.everywhere()

    return field.changed(spread)


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
    tagged = [part for part in parts if carries_places(part)]
    if not tagged:
        return plain_dim(size)
    first = tagged[0]
    by = moved_by(*tagged)
    several = [part for part in tagged if length_of(part) > 1]
    if by is not None and any(_orders(part) != _orders(several[0]) for part in several):
        return plain_dim(size, scattered(by))
    if all([length for length, _ in part] == [length for length, _ in first] for part in tagged) and (
        length_of(first) == size
    ):
        return tuple(
            (length, _union([part[index][1] for part in tagged], length)) for index, (length, _) in enumerate(first)
        )
    reaches = [reach for part in tagged for _, reach in part if reach is not None]
    if len({reach.axis for reach in reaches}) > 1:
        return plain_dim(size, scattered(by or "rows and columns added to each other"))
    same_length = [part for part in tagged if len(part) == 1 and part[0][0] == size]
    if len(same_length) == len(tagged):
        return plain_dim(size, _union(reaches, size))
    longest = max(tagged, key=lambda part: length_of(part))
    return plain_dim(size, next(reach for _, reach in longest if reach is not None).everywhere())


def _orders(dim: Dim) -> list[tuple[int, int | None, tuple[int, ...]]]:
    return [(size, None, ()) if reach is None else (size, reach.axis, reach.order) for size, reach in dim]


def _union(reaches: Sequence[Reach | None], length: int) -> Reach | None:
    carried = [reach for reach in reaches if reach is not None]
    return functools.reduce(lambda a, b: a.union(b, length), carried) if carried else None


def reshaped(field: Field, shape: Sequence[int]) -> Field:
    """``field`` after ``view``, ``reshape``, ``flatten`` or ``squeeze`` to ``shape``."""
    if 0 in shape:
        return untagged(shape)
    waiting = [factor for dim in field.dims for factor in dim if factor[0] != 1]
    waiting.reverse()
    dims: list[Dim] = []
    for size in shape:
        factors: list[Factor] = []
        have = 1
        while have < size:
            need = size // have
            length, reach = waiting.pop() if waiting else (0, None)
            if size % have or length == 0 or (need % length and length % need):
                return unfollowed([field], shape)
            if length > need:
                # Windows of an axis are no longer a regular grid along it: say that they see all of it.
                inner = None if reach is None else reach.everywhere().part_of(length)
                waiting.append((length // need, inner))
                reach = None if inner is None else replace(inner, stride=inner.stride * (length // need))
                length = need
            factors.append((length, reach))
            have *= length
        dims.append(_merged_factors(factors) if factors else plain_dim(size))
    return Field(tuple(dims))


def _merged_factors(factors: list[Factor]) -> Dim:
    """Neighbouring factors that belong together become one."""
    merged: list[Factor] = []
    for factor in factors:
        joined = _joined_factors(merged[-1], factor) if merged else None
        if joined is None:
            merged.append(factor)
        else:
            merged[-1] = joined
    return tuple(merged)


def _joined_factors(outer: Factor, inner: Factor) -> Factor | None:
    (count, before), (size, after) = outer, inner
    if before is None or after is None:
        return (count * size, after) if before is after else None
    if before.axis != after.axis or before.order != after.order or not (before.is_whole and after.is_whole):
        return None
    if after.axis != SCATTERED and before.stride != after.stride * size:
        return None
    same = (before.lo, before.hi, before.length) == (after.lo, after.hi, after.length)
    if not same:
        return count * size, after.unplaced()
    return count * size, replace(after, length=0) if after.length == count * size else after
