"""What the positions along one axis of a map see of the input, and whether they lie where they were.

Along one axis, unit ``i`` of a map sees the input pixels ``lo(i) .. hi(i)``. Both are kept as a start, a period and a
step (``lo(i + period) = lo(i) + step``) on an infinite grid, so strides, dilation, transposed convolutions and
resampling by any ratio are exact, and padding does not cut anything off.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

SCATTERED = 2
"""In place of an image axis: places of the image in an order that is not known."""
PADDING = -1
"""In place of a position that was moved: nothing of the image is there."""
_LONGEST_PERIOD = 4096
_MOST_CELLS_APART = 2
"""Maps that are added may be that far off each other, as strides and their padding leave them."""


@dataclass(frozen=True)
class Reach:
    """The input interval that each position along one axis of a map depends on.

    ``axis`` is 0 for the input's height, 1 for its width, 2 (``SCATTERED``) for places in no known order. Without
    ``lo`` every position sees the whole axis.

    Where something has mixed all positions (``sees_all``) the intervals no longer say what a position sees, but still
    where it lies.

    ``stride`` tells the parts of a split axis apart: the windows of an axis are as far apart as they are long;
    ``length`` is then the number of positions before it was split, which is what the intervals are about.
    ``order``, if not empty, says that positions were moved: position ``i`` of the axis, before it was split, holds what
    was at ``order[i]``, ``PADDING`` where it holds nothing of the image; ``by`` names what moved them.
    ``bounds``, first and last: input pixels outside are seen by no position, since the network has cut them off.
    ``is_spread`` says that positions hold what lay far apart, put on top of each other: they lie at no one place.
    """

    axis: int
    step: int = 0
    lo: tuple[int, ...] = ()
    hi: tuple[int, ...] = ()
    stride: int = 1
    order: tuple[int, ...] = ()
    by: str = ""
    sees_all: bool = False
    length: int = 0
    bounds: tuple[int, int] | None = field(default=None, compare=False)
    is_spread: bool = False

    @property
    def is_moved(self) -> bool:
        """Whether positions are not where they were."""
        return bool(self.order) or self.axis == SCATTERED

    @property
    def is_placed(self) -> bool:
        """Whether it is known where each position lies."""
        return bool(self.lo) and not self.is_moved and not self.length and not self.is_spread

    def everywhere(self) -> Reach:
        """The same positions, each of which sees the whole axis."""
        return self if self.is_whole else replace(self, sees_all=True)

    def part_of(self, length: int) -> Reach:
        """The reach of a part of an axis of ``length`` positions that is split."""
        return self if self.length or not self.lo else replace(self, length=length)

    def unplaced(self) -> Reach:
        """The same, without where its positions lie."""
        return replace(self, step=0, lo=(), hi=(), length=0, bounds=None, sees_all=False)

    def ordered(self, order: Sequence[int], by: str) -> Reach:
        """The reach of positions that hold what was at ``order``; in place again where that is in steps of one size."""
        jumps = {after - before for before, after in itertools.pairwise(order)}
        step = jumps.pop() if jumps else 1
        if jumps or step <= 0 or min(order) < 0:
            return replace(self, order=tuple(order), by=by, sees_all=bool(self.lo), stride=1)
        base = replace(self, order=(), by="")
        if not base.is_placed:
            return whole_axis(self.axis)
        return base.through(1, step, lambda position: (order[0] + position * step,) * 2, len(order))

    @property
    def is_whole(self) -> bool:
        """Whether every position sees the whole axis."""
        return self.sees_all or not self.lo

    @property
    def size(self) -> int:
        """The widest interval that any position sees, in input pixels, before the border cuts it."""
        return max(hi - lo + 1 for lo, hi in zip(self.lo, self.hi, strict=True))

    def at(self, position: int) -> tuple[int, int]:
        """First and last input pixel that ``position`` sees; outside the input where padding is seen."""
        periods, phase = divmod(position, len(self.lo))
        return self.lo[phase] + periods * self.step, self.hi[phase] + periods * self.step

    def through(self, period: int, step: int, taps: Callable[[int], tuple[int, int]], size: int = 0) -> Reach:
        """The reach of a new map whose position ``o`` reads positions ``taps(o)``, first and last, of this one.

        ``taps(o + period)`` must equal ``taps(o) + step``. ``size``, if not 0: how many positions it has.

        Example:
            >>> pixels("w").through(1, 2, lambda o: (2 * o - 1, 2 * o + 1)).at(5)  # kernel 3, stride 2, padding 1
            (9, 11)
        """
        if self.is_moved:
            return scattered(self.by)
        if not self.lo:
            return self
        if self.length:
            return self.unplaced()
        repeat = len(self.lo) // math.gcd(len(self.lo), step)
        if repeat * period > _LONGEST_PERIOD:
            return whole_axis(self.axis)
        reads = [self._across(*taps(position)) for position in range(repeat * period)]
        reach = replace(
            self,
            step=repeat * step * self.step // len(self.lo),
            lo=tuple(first for first, _ in reads),
            hi=tuple(last for _, last in reads),
        )
        if not size or self.bounds is None:
            return reach
        low, high = reach._across(0, size - 1)  # noqa: SLF001 (its own kind)
        bounds = max(self.bounds[0], low), min(self.bounds[1], high)
        return replace(reach, bounds=bounds) if bounds[0] <= bounds[1] else reach

    def _across(self, first: int, last: int) -> tuple[int, int]:
        """First and last input pixel that positions ``first`` to ``last`` see."""
        start, end = self.at(first), self.at(last)
        return min(start[0], end[0]), max(start[1], end[1])

    def union(self, other: Reach, length: int) -> Reach:
        """What a position sees that reads both maps, ``length`` positions long."""
        if self == other:  # as far as both go: of parts beside each other, each was cut at its own ends
            return replace(self, bounds=_hull(self.bounds, other.bounds))
        if self.is_moved or other.is_moved or self.axis != other.axis:
            return (self if self.is_moved or not other.is_moved else other).everywhere()
        if not self.lo or not other.lo or self.length != other.length:
            placed = self if self.lo and (not other.lo or not self.length) else other
            return replace(placed, sees_all=bool(placed.lo))
        if self.length:
            return self.everywhere() if (self.lo, self.hi) == (other.lo, other.hi) else self.unplaced()
        period = math.lcm(len(self.lo), len(other.lo))
        step = self.step * (period // len(self.lo))
        if step != other.step * (period // len(other.lo)) or period > _LONGEST_PERIOD:
            # Two resamplings that rounded differently: no common grid, so each position of this map for itself.
            period = length
            step = max((part.step * length // len(part.lo) for part in (self, other)), key=abs)
        both = [(self.at(i), other.at(i)) for i in range(period)]
        shift = sum(sum(a) - sum(b) for a, b in both) / (2 * period)
        return replace(
            self,
            is_spread=self.is_spread
            or other.is_spread
            or (length > 1 and abs(shift) > _MOST_CELLS_APART * max(self._cell(), other._cell())),
            step=step,
            lo=tuple(min(a[0], b[0]) for a, b in both),
            hi=tuple(max(a[1], b[1]) for a, b in both),
            sees_all=self.sees_all or other.sees_all,
            bounds=_hull(self.bounds, other.bounds),
        )

    def _cell(self) -> float:
        """How far apart positions lie that lie on different places."""
        centres = [sum(self.at(position)) / 2 for position in range(len(self.lo) + 1)]
        return max(abs(after - before) for before, after in itertools.pairwise(centres))


def _hull(start: tuple[int, int] | None, end: tuple[int, int] | None) -> tuple[int, int] | None:
    return (min(start[0], end[0]), max(start[1], end[1])) if start and end else None


def pixels(axis: str) -> Reach:
    """Each position sees the pixel it is; ``axis`` is ``"h"`` or ``"w"``."""
    return Reach("hw".index(axis), 1, (0,), (0,))


def whole_axis(axis: int) -> Reach:
    """Each position sees everything along ``axis``."""
    return Reach(axis)


def scattered(by: str) -> Reach:
    """The reach of positions that ``by`` put in an order that is not followed."""
    return Reach(SCATTERED, by=by)
