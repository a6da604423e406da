"""The whole drawing: open groups are laid out by themselves and stand as frames among the other nodes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from .acyclic import Edge, Entry, Exit, PortGraph, Vertex, back_edges
from .block import Block, Point, Port, Rectangle, node
from .layered import NARROW
from .series import arrange

NODE = (236.0, 36.0)
SIGN = 20.0
THREE_LINES = 50.0
HEADER = 26.0
_LEAST_WIDTH = 164.0
_PAD = 11.0
_MARGIN = 9.0
_BACK = 12.0

Key = Hashable
Link = tuple[Key, Key]


@dataclass(frozen=True)
class Drawing:
    """Boxes of nodes and frames by key, lines between them, and the size of it all; ``axis`` is the x of the trunk."""

    nodes: dict[Key, Rectangle]
    frames: dict[Key, Rectangle]
    lines: list[list[Point]]
    back: list[list[Point]]
    width: float
    height: float
    axis: float


def lay_out(
    nodes: Sequence[Key], links: Sequence[Link], frames: Mapping[Any, Sequence[Key]], small: Mapping[Any, float]
) -> Drawing:
    """Place ``nodes``, given in execution order.

    Args:
        nodes: a key for each node.
        links: (source, target) pairs of keys.
        frames: for each node that stands in open groups, the keys of these, outermost first.
        small: the widths of the nodes that are as small as a sign, by key.

    >>> drawing = lay_out(["a", "b"], [("a", "b")], {}, {})
    >>> drawing.nodes["a"].x == drawing.nodes["b"].x, drawing.nodes["b"].y - drawing.nodes["a"].y
    (True, 50.0)
    """
    return _Layout(nodes, links, frames, small).draw()


class _Layout:
    def __init__(
        self,
        nodes: Sequence[Key],
        links: Sequence[Link],
        frames: Mapping[Any, Sequence[Key]],
        small: Mapping[Any, float],
    ) -> None:
        self.small = small
        self.links = list(dict.fromkeys(links))
        self.above = {key: (None, *(_Frame(f) for f in frames.get(key, ()))) for key in nodes}
        self.children: dict[Vertex | None, dict[Vertex, None]] = {None: {}}
        for key in nodes:
            chain = (*self.above[key], key)
            for parent, child in pairwise(chain):
                self.children.setdefault(parent, {})[child] = None
        self.ports = _ports(self.links, self.above)
        self.edges: dict[Vertex | None, dict[Edge, None]] = defaultdict(dict)
        for link in self.links:
            self._split(link)

    def _split(self, link: Link) -> None:
        """A link is one edge in each frame that it runs through."""
        source, target = ((*self.above[key], key) for key in link)
        common = 0
        while common < min(len(source), len(target)) and source[common] == target[common]:
            common += 1
        for k in range(common - 1, len(source) - 1):
            out = self._port(source[k + 1], link, "out")
            end = target[k + 1] if k == common - 1 else Exit(self._port(source[k], link, "out"))
            into = self._port(target[k + 1], link, "in") if k == common - 1 else None
            self.edges[source[k]][Edge(source[k + 1], end, out, into)] = None
        for k in range(common, len(target) - 1):
            begin = Entry(self._port(target[k], link, "in"))
            into = self._port(target[k + 1], link, "in")
            self.edges[target[k]][Edge(begin, target[k + 1], None, into)] = None

    def _port(self, vertex: Vertex, link: Link, side: str) -> Port:
        return self.ports[vertex, side][link] if isinstance(vertex, _Frame) else None

    def draw(self) -> Drawing:
        whole = self._inside(None, NODE[0])
        left = whole.left + _MARGIN
        page = Block()
        page.take(whole, left, _MARGIN)
        return Drawing(
            {box.key: box for box in page.boxes},
            {box.key: box for box in page.frames},
            page.lines,
            page.back,
            left + whole.right + _MARGIN,
            whole.height + 2 * _MARGIN,
            left,
        )

    def _inside(self, frame: _Frame | None, width: float) -> Block:
        edges = list(self.edges[frame])
        inner = self.children[frame]
        points = dict.fromkeys(v for edge in edges for v in (edge.source, edge.target))
        entries = [v for v in points if isinstance(v, Entry)]
        exits = [v for v in points if isinstance(v, Exit)]
        vertices = [*entries, *inner, *exits]
        back = back_edges(vertices, edges)
        block = arrange(PortGraph(vertices, [edge for edge in edges if edge not in back], self._make), width)
        _draw_back(block, [edge for edge in edges if edge in back])
        return block

    def _make(self, vertex: Vertex, width: float) -> Block:
        if not isinstance(vertex, _Frame):
            if vertex in self.small:
                return node(vertex, self.small[vertex], SIGN)
            return node(vertex, width, NODE[1] if width > NARROW else THREE_LINES)
        inner = self._inside(vertex, width if width <= NARROW else max(_LEAST_WIDTH, width - 24))
        return _framed(vertex.key, inner)


@dataclass(frozen=True)
class _Frame:
    key: Key


def _draw_back(block: Block, edges: list[Edge]) -> None:
    """Lines that run upwards, in lanes at the left."""
    boxes: dict[Key, Rectangle] = {box.key: box for box in block.boxes}
    boxes.update({_Frame(box.key): box for box in block.frames})
    for edge in edges:
        out, into = boxes[edge.source], boxes[edge.target]
        lane = -block.left - _BACK
        x1, x2 = out.x + out.width / 2, into.x + into.width / 2
        y1, y2 = out.y + out.height, into.y
        block.back.append([(x1, y1), (x1, y1 + 6), (lane, y1 + 6), (lane, y2 - 6), (x2, y2 - 6), (x2, y2)])
        block.reach(lane)


def _framed(key: Key, inner: Block) -> Block:
    block = Block(tops=inner.tops, bottoms=inner.bottoms)
    block.take(inner, 0.0, HEADER)
    block.reach(-70.0, 70.0)
    end = HEADER + inner.height
    block.height = end + _PAD
    block.draw([[(x, 0.0), (x, HEADER)] for x in inner.tops.values()], 0.0)
    block.draw([[(x, end), (x, block.height)] for x in inner.bottoms.values()], 0.0)
    block.left += _PAD
    block.right += _PAD
    block.frames.append(Rectangle(key, -block.left, 0.0, block.left + block.right, block.height))
    return block


def _ports(
    links: list[Link], above: Mapping[Key, tuple[_Frame | None, ...]]
) -> dict[tuple[Vertex, str], dict[Link, int]]:
    """For each frame and side, the port at which each link passes.

    Links share a port only if every source that uses it reaches every target that uses it: no line can be misread.
    """
    crossing: dict[tuple[Vertex, str], list[Link]] = defaultdict(list)
    for source, target in links:
        outer, inner = set(above[source]), set(above[target])
        for frame in above[source]:
            if frame not in inner:
                crossing[frame, "out"].append((source, target))
        for frame in above[target]:
            if frame not in outer:
                crossing[frame, "in"].append((source, target))
    ports = {}
    for side, passing in crossing.items():
        targets: dict[Key, set[Key]] = defaultdict(set)
        for source, target in passing:
            targets[source].add(target)
        number: dict[frozenset[Key], int] = {}
        ports[side] = {link: number.setdefault(frozenset(targets[link[0]]), len(number)) for link in passing}
    return ports
