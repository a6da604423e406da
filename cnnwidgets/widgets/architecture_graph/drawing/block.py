"""A laid-out piece of the drawing, which a larger piece places as a whole.

Lengths are CSS px at zoom 1. Each block has an axis, x = 0, on which its trunk runs: stacking blocks axis on axis
keeps a deep network from drifting sideways.
"""

from __future__ import annotations

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
