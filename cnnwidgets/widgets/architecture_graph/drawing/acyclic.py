"""The graph that one block is made of, and what can be read off it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from .block import Block, Port

Vertex = Hashable


@dataclass(frozen=True)
class Edge:
    """From a port of ``source`` to a port of ``target``; the port of a plain node is None."""

    source: Vertex
    target: Vertex
    source_port: Port = None
    target_port: Port = None


@dataclass(frozen=True)
class Entry:
    """The point at the top of a block where a line comes in."""

    port: Port


@dataclass(frozen=True)
class Exit:
    """The point at the bottom of a block where a line goes out."""

    port: Port


def is_point(vertex: Vertex | None) -> bool:
    """Whether ``vertex`` is only a place on the border of the block."""
    return isinstance(vertex, Entry | Exit)


@dataclass
class PortGraph:
    """``vertices`` in execution order; ``make(vertex, width)`` lays out what stands at a vertex."""

    vertices: list[Vertex]
    edges: list[Edge]
    make: Callable[[Vertex, float], Block]

    def __post_init__(self) -> None:
        self.outgoing: dict[Vertex, list[Edge]] = defaultdict(list)
        self.incoming: dict[Vertex, list[Edge]] = defaultdict(list)
        for edge in self.edges:
            self.outgoing[edge.source].append(edge)
            self.incoming[edge.target].append(edge)

    def part(self, vertices: list[Vertex]) -> PortGraph:
        """The graph among ``vertices`` only."""
        inside = set(vertices)
        edges = [edge for vertex in vertices for edge in self.outgoing[vertex] if edge.target in inside]
        return PortGraph(vertices, edges, self.make)


def back_edges(vertices: list[Vertex], edges: list[Edge]) -> set[Edge]:
    """Edges whose removal leaves no cycle."""
    outgoing: dict[Vertex, list[Edge]] = defaultdict(list)
    for edge in edges:
        outgoing[edge.source].append(edge)
    state: dict[Vertex, int] = {}
    backward = set()
    for root in vertices:
        if root in state:
            continue
        state[root] = 1
        stack = [(root, iter(outgoing[root]))]
        while stack:
            vertex, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                state[vertex] = 2
                stack.pop()
            elif state.get(following.target) == 1:
                backward.add(following)
            elif following.target not in state:
                state[following.target] = 1
                stack.append((following.target, iter(outgoing[following.target])))
    return backward


def in_order(graph: PortGraph) -> list[Vertex]:
    """Sources before targets, otherwise as executed."""
    missing = {vertex: len(graph.incoming[vertex]) for vertex in graph.vertices}
    position = {vertex: k for k, vertex in enumerate(graph.vertices)}
    ready = [vertex for vertex in graph.vertices if not missing[vertex]][::-1]
    order = []
    while ready:
        vertex = ready.pop()
        order.append(vertex)
        freed = []
        for edge in graph.outgoing[vertex]:
            missing[edge.target] -= 1
            if not missing[edge.target]:
                freed.append(edge.target)
        ready += sorted(freed, key=lambda v: -position[v])
    return order


def cuts(graph: PortGraph, order: list[Vertex]) -> list[int]:
    """Places in ``order`` of the vertices that every path from top to bottom goes through."""
    position = {vertex: k for k, vertex in enumerate(order)}
    end = len(order)
    far = max((position[v] for v in order if not graph.incoming[v]), default=0)
    on_axis = []
    for k, vertex in enumerate(order):
        if far <= k:
            on_axis.append(k)
        far = max([far, *(position[edge.target] for edge in graph.outgoing[vertex])])
        if not graph.outgoing[vertex]:
            far = end
    return on_axis


def components(graph: PortGraph) -> list[list[Vertex]]:
    """Weakly connected parts, each in execution order."""
    visited: set[Vertex] = set()
    parts = []
    for root in graph.vertices:
        if root in visited:
            continue
        part, stack = {root}, [root]
        while stack:
            vertex = stack.pop()
            near = [e.target for e in graph.outgoing[vertex]] + [e.source for e in graph.incoming[vertex]]
            stack += [v for v in near if v not in part]
            part.update(near)
        visited |= part
        parts.append([vertex for vertex in graph.vertices if vertex in part])
    return parts
