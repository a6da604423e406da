"""Lines through the strip between two rows: down, across on a track, down.

Two wires share a track only where nobody can misread it: they come from the same place or go to the same place, and
every source on the track reaches every target on it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable
from dataclasses import dataclass

from .block import Point

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
    """The height the strip needs, and a line for each wire."""
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
