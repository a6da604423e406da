"""What the positions along one axis of a map see of the input, and whether they lie where they were.

Along one axis, unit ``i`` of a map sees the input pixels ``lo(i) .. hi(i)``. Both are kept as a start, a period and a
step (``lo(i + period) = lo(i) + step``) on an infinite grid, so strides, dilation, transposed convolutions and
resampling by any ratio are exact, and padding does not cut anything off.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

SCATTERED = 2
"""In place of an image axis: places of the image in an order that is not known."""
_LONGEST_PERIOD = 4096


@dataclass(frozen=True)
class Reach:
    """The input interval that each position along one axis of a map depends on.

    ``axis`` is 0 for the input's height, 1 for its width, 2 (``SCATTERED``) for places in no known order. Without
    ``lo`` every position sees the whole axis.

    ``stride`` tells the parts of a split axis apart: the windows of an axis are as far apart as they are long.
    ``order``, if not empty, says that positions were moved: position ``i`` of the axis, before it was split, holds what
    was at ``order[i]``; ``by`` names what moved them.
    """

    axis: int
    step: int = 0
    lo: tuple[int, ...] = ()
    hi: tuple[int, ...] = ()
    stride: int = 1
    order: tuple[int, ...] = ()
    by: str = ""

    @property
    def is_moved(self) -> bool:
        """Whether positions are not where they were."""
        return bool(self.order) or self.axis == SCATTERED

    def everywhere(self) -> Reach:
        """The same positions, each of which sees the whole axis."""
        return self if self.is_whole else replace(self, step=0, lo=(), hi=())

    def ordered(self, order: Sequence[int], by: str) -> Reach:
        """The reach of positions that hold what was at ``order``; in place again where that is in steps of one size."""
        jumps = {after - before for before, after in itertools.pairwise(order)}
        if len(jumps) < 2 and min(jumps, default=1) > 0:
            return whole(self.axis)
        return Reach(self.axis, order=tuple(order), by=by)

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
        if self.is_moved:
            return scattered(self.by)
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
            return (self if self.is_moved or not other.is_moved else other).everywhere()
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


def scattered(by: str) -> Reach:
    """The reach of positions that ``by`` put in an order that is not followed."""
    return Reach(SCATTERED, by=by)
