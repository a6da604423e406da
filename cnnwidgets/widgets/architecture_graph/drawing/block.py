"""A laid-out piece of the drawing, which a larger piece places as a whole.

Lengths are CSS px at zoom 1. Each block has an axis, x = 0, on which its trunk runs: stacking blocks axis on axis
keeps a deep network from drifting sideways.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field

Point = tuple[float, float]
Port = Hashable


@dataclass(frozen=True)
class Rectangle:
    """Where a node or a frame is: top left corner and size."""

    key: Hashable
    x: float
    y: float
    width: float
    height: float

    def moved(self, dx: float, dy: float) -> Rectangle:
        return Rectangle(self.key, self.x + dx, self.y + dy, self.width, self.height)


@dataclass
class Block:
    """``left`` and ``right`` are how far it reaches from its axis; ports are where lines enter and leave it;
    ``back`` holds the lines that run upwards."""

    left: float = 0.0
    right: float = 0.0
    height: float = 0.0
    tops: dict[Port, float] = field(default_factory=dict)
    bottoms: dict[Port, float] = field(default_factory=dict)
    boxes: list[Rectangle] = field(default_factory=list)
    frames: list[Rectangle] = field(default_factory=list)
    lines: list[list[Point]] = field(default_factory=list)
    back: list[list[Point]] = field(default_factory=list)

    def take(self, other: Block, dx: float, dy: float) -> None:
        """Draw ``other`` with its axis at ``dx`` and its top at ``dy``."""
        self.boxes += [box.moved(dx, dy) for box in other.boxes]
        self.frames += [frame.moved(dx, dy) for frame in other.frames]
        self.lines += [[(x + dx, y + dy) for x, y in line] for line in other.lines]
        self.back += [[(x + dx, y + dy) for x, y in line] for line in other.back]
        self.reach(dx - other.left, dx + other.right)

    def reach(self, *xs: float) -> None:
        """Widen the block to contain ``xs``."""
        self.left = max(self.left, *(-x for x in xs))
        self.right = max(self.right, *xs)

    def draw(self, lines: Iterable[list[Point]], dy: float) -> None:
        """Add ``lines``, shifted down by ``dy``; those of no length are left out."""
        for line in lines:
            if len(line) > 1 and any(point != line[0] for point in line):
                self.lines.append([(x, y + dy) for x, y in line])
                self.reach(*(x for x, _ in line))


def node(key: Hashable, width: float, height: float) -> Block:
    """A block that is one box."""
    return Block(width / 2, width / 2, height, boxes=[Rectangle(key, -width / 2, 0.0, width, height)])


GAP = 14.0
TRACK = 8.0
_SAME = 0.5


@dataclass(frozen=True)
class Wire:
    """From ``x1`` at the top of the strip to ``x2`` at its bottom; the keys say which wires belong together."""

    x1: float
    x2: float
    source: Hashable
    target: Hashable


def route(wires: list[Wire], gap: float = GAP) -> tuple[float, list[list[Point]]]:
    """The height that the strip between two rows needs, and a line for each wire: down, across on a track, down.

    Two wires share a track only where nobody can misread it: they come from the same place or go to the same place, and
    every source on the track reaches every target on it.
    """
    groups = _bundles(sorted(set(wires), key=lambda wire: (wire.x1, wire.x2)))
    bent = [group for group in groups if any(abs(wire.x1 - wire.x2) > _SAME for wire in group)]
    levels = _levels(bent)
    height = gap if not bent else max(gap, TRACK * (max(levels) + 2))
    lines: list[list[Point]] = []
    for group in groups:
        if group not in bent:
            lines += [[(wire.x1, 0.0), (wire.x1, height)] for wire in group]
    for group, level in zip(bent, levels, strict=True):
        across = TRACK * (level + 1) if len(bent) > 1 else height / 2
        for wire in group:
            if abs(wire.x1 - wire.x2) <= _SAME:
                lines.append([(wire.x1, 0.0), (wire.x1, height)])
            else:
                lines.append([(wire.x1, 0.0), (wire.x1, across), (wire.x2, across), (wire.x2, height)])
    return height, lines


def _bundles(wires: list[Wire]) -> list[list[Wire]]:
    targets, sources = defaultdict(set), defaultdict(set)
    for wire in wires:
        targets[wire.source].add(wire.target)
        sources[wire.target].add(wire.source)
    groups: dict[Hashable, list[Wire]] = defaultdict(list)
    for wire in wires:
        everyone_to_everyone = all(sources[target] == sources[wire.target] for target in targets[wire.source])
        if everyone_to_everyone and all(targets[s] == targets[wire.source] for s in sources[wire.target]):
            groups["all", frozenset(targets[wire.source])].append(wire)
        elif len(sources[wire.target]) > 1:
            groups["to", wire.target].append(wire)
        else:
            groups["from", wire.source].append(wire)
    return list(groups.values())


def _levels(groups: list[list[Wire]]) -> list[int]:
    """A track for each group: above another where their vertical parts would meet, apart where they would overlap."""
    count = len(groups)
    tops = [{round(wire.x1) for wire in group} for group in groups]
    bottoms = [{round(wire.x2) for wire in group} for group in groups]
    spans = [(min(a | b), max(a | b)) for a, b in zip(tops, bottoms, strict=True)]
    above = [{j for j in range(count) if j != i and tops[j] & bottoms[i]} for i in range(count)]
    levels = [-1] * count
    waiting = set(range(count))
    while waiting:
        # a cycle of "above" has no answer on one track each: the first of it goes first
        free = [i for i in waiting if not above[i] & waiting] or [min(waiting)]
        for i in sorted(free, key=lambda i: spans[i]):
            lowest = max((levels[j] + 1 for j in above[i] if levels[j] >= 0), default=0)
            occupied = {
                levels[j]
                for j in range(count)
                if levels[j] >= 0 and spans[j][0] <= spans[i][1] + 6 and spans[i][0] <= spans[j][1] + 6
            }
            levels[i] = next(level for level in range(lowest, lowest + count + 1) if level not in occupied)
            waiting.discard(i)
    return levels
