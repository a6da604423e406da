"""Rows by longest path, for the parts of a network that are neither a chain nor branches side by side.

The longest path stands on the axis. Within a row the others are ordered by where their neighbours are (barycentre
sweeps) and moved as near to them as the widths allow. An edge over several rows runs down a lane at the right, one
lane for all targets of a source, so that a dense block reads like a comb.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

from .acyclic import Edge, Entry, Exit, PortGraph, Vertex, in_order, is_point
from .block import GAP, Block, Port, Wire, route

NARROW = 136.0
LANE = 10.0
_APART = 14.0
_SWEEPS = 6


def layered(graph: PortGraph, width: float) -> Block:
    """Lay out any acyclic ``graph``."""
    rank = _ranks_by_path(graph)
    rows: list[list[Vertex]] = [[] for _ in range(max(rank.values()) + 1)]
    for vertex in graph.vertices:
        rows[rank[vertex]].append(vertex)
    trunk = _trunk(graph, rank)
    _order(graph, rows, trunk)
    blocks = {
        v: Block() if is_point(v) else graph.make(v, width if len(row) == 1 else NARROW) for row in rows for v in row
    }
    x = _columns(graph, rows, blocks, trunk)
    lanes = _lanes(graph, rows, rank, blocks, x)
    for vertex in graph.vertices:
        # a line that only passes needs no bend at the border
        if isinstance(vertex, Entry) and (vertex, None) in lanes:
            if all(rank[edge.target] > 1 for edge in graph.outgoing[vertex]):
                x[vertex] = lanes[vertex, None]
        elif isinstance(vertex, Exit) and len(graph.incoming[vertex]) == 1:
            edge = graph.incoming[vertex][0]
            if rank[vertex] > rank[edge.source] + 1:
                x[vertex] = lanes[edge.source, edge.source_port]
    return _draw(graph, rows, rank, blocks, x, lanes)


def _ranks_by_path(graph: PortGraph) -> dict[Vertex, int]:
    order = in_order(graph)
    first = 1 if any(isinstance(v, Entry) for v in order) else 0
    rank = {v: 0 if isinstance(v, Entry) else first for v in order}
    for v in order:
        for edge in graph.outgoing[v]:
            rank[edge.target] = max(rank[edge.target], rank[v] + 1)
    for v in reversed(order):
        if not graph.incoming[v] and graph.outgoing[v] and not is_point(v):
            rank[v] = min(rank[edge.target] for edge in graph.outgoing[v]) - 1
    last = max((r + 1 for v, r in rank.items() if not isinstance(v, Exit)), default=0)
    return {v: last if isinstance(v, Exit) else r for v, r in rank.items()}


def _trunk(graph: PortGraph, rank: dict[Vertex, int]) -> set[Vertex]:
    """A longest path, found from its end."""
    at: Vertex | None = max(graph.vertices, key=lambda v: rank[v])
    trunk = set()
    while at is not None:
        trunk.add(at)
        above = [edge.source for edge in graph.incoming[at]]
        at = max(above, key=lambda v: rank[v], default=None)
    return trunk


def _order(graph: PortGraph, rows: list[list[Vertex]], trunk: set[Vertex]) -> None:
    position = {v: k - (len(row) - 1) / 2 for row in rows for k, v in enumerate(row)}
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        for row in rows if down else reversed(rows):
            if len(row) == 1:
                continue
            target_x = {}
            for v in row:
                near = [e.source for e in graph.incoming[v]] if down else [e.target for e in graph.outgoing[v]]
                target_x[v] = sum(position[n] for n in near) / len(near) if near else position[v]
            row.sort(key=lambda v: target_x[v])
            on_axis = next((k for k, v in enumerate(row) if v in trunk), None)
            middle = (len(row) - 1) / 2 if on_axis is None else on_axis
            position.update({v: k - middle for k, v in enumerate(row)})


def _columns(
    graph: PortGraph, rows: list[list[Vertex]], blocks: dict[Vertex, Block], trunk: set[Vertex]
) -> dict[Vertex, float]:
    x = dict.fromkeys(blocks, 0.0)
    for sweep in range(_SWEEPS + 2):
        down = sweep % 2 == 0
        for row in rows if down else reversed(rows):
            target_x = []
            for v in row:
                edges = graph.incoming[v] if down else graph.outgoing[v]
                near = [_meets(edge, x, blocks, down) for edge in edges]
                target_x.append(0.0 if v in trunk else sum(near) / len(near) if near else x[v])
            pinned = next((k for k, v in enumerate(row) if v in trunk), None)
            for v, at in zip(row, _spread(row, target_x, blocks, pinned), strict=True):
                x[v] = at
    return x


def _meets(edge: Edge, x: dict[Vertex, float], blocks: dict[Vertex, Block], down: bool) -> float:
    """Where an end of ``edge`` would have to be for the line to run straight."""
    out = blocks[edge.source].bottoms.get(edge.source_port, 0.0)
    into = blocks[edge.target].tops.get(edge.target_port, 0.0)
    return x[edge.source] + out - into if down else x[edge.target] + into - out


def _spread(row: list[Vertex], target_x: list[float], blocks: dict[Vertex, Block], pinned: int | None) -> list[float]:
    """Positions nearest to ``target_x`` without overlap (pool adjacent violators); ``pinned`` gets x = 0."""
    offsets = [0.0]
    for before, after in pairwise(row):
        offsets.append(offsets[-1] + blocks[before].right + _APART + blocks[after].left)
    pools: list[list[float]] = []
    for k, want in enumerate(target_x):
        weight = 1e9 if k == pinned else 1.0
        pools.append([(want - offsets[k]) * weight, weight, 1])
        while len(pools) > 1 and pools[-2][0] / pools[-2][1] > pools[-1][0] / pools[-1][1]:
            last = pools.pop()
            pools[-1] = [a + b for a, b in zip(pools[-1], last, strict=True)]
    starts = [total / weight for total, weight, size in pools for _ in range(int(size))]
    at = [start + offset for start, offset in zip(starts, offsets, strict=True)]
    shift = 0.0 if pinned is None else at[pinned]
    return [round(position - shift, 2) for position in at]


def _draw(
    graph: PortGraph,
    rows: list[list[Vertex]],
    rank: dict[Vertex, int],
    blocks: dict[Vertex, Block],
    x: dict[Vertex, float],
    lanes: dict[tuple[Vertex, Port], float],
) -> Block:
    strips: list[list[Wire]] = [[] for _ in rows]
    last: dict[tuple[Vertex, Port], int] = {}
    for edge in graph.edges:
        x1 = x[edge.source] + blocks[edge.source].bottoms.get(edge.source_port, 0.0)
        x2 = x[edge.target] + blocks[edge.target].tops.get(edge.target_port, 0.0)
        out, into = (edge.source, edge.source_port), (edge.target, edge.target_port)
        if rank[edge.target] == rank[edge.source] + 1:
            strips[rank[edge.source]].append(Wire(x1, x2, out, into))
        else:
            strips[rank[edge.source]].append(Wire(x1, lanes[out], out, ("lane", out)))
            strips[rank[edge.target] - 1].append(Wire(lanes[out], x2, ("lane", out), into))
            last[out] = max(last.get(out, 0), rank[edge.target] - 1)

    result = Block()
    began: dict[int, float] = {}
    ended: dict[int, float] = {}
    for k, row in enumerate(rows):
        tallest = max(blocks[v].height for v in row)
        for v in row:
            result.take(blocks[v], x[v], result.height)
            if isinstance(v, Entry):
                result.tops[v.port] = x[v]
            elif isinstance(v, Exit):
                result.bottoms[v.port] = x[v]
            ports = {edge.source_port for edge in graph.outgoing[v]}
            foot = [x[v] + blocks[v].bottoms.get(port, 0.0) for port in ports]
            result.draw([[(f, blocks[v].height), (f, tallest)] for f in foot], result.height)
        began[k] = result.height + tallest
        height, lines = route(strips[k], 0.0 if any(is_point(v) for v in row) or k + 1 == len(rows) else GAP)
        result.draw(lines, began[k])
        result.height = ended[k] = began[k] + height
    result.draw([[(lanes[out], ended[rank[out[0]]]), (lanes[out], began[k])] for out, k in last.items()], 0.0)
    return result


def _lanes(
    graph: PortGraph,
    rows: list[list[Vertex]],
    rank: dict[Vertex, int],
    blocks: dict[Vertex, Block],
    x: dict[Vertex, float],
) -> dict[tuple[Vertex, Port], float]:
    """For each source of long edges the x of its lane, right of all it passes; short lanes lie inside long ones."""
    edge_of_row = [max(x[v] + blocks[v].right for v in row) for row in rows]
    until: dict[tuple[Vertex, Port], int] = defaultdict(int)
    for edge in graph.edges:
        if rank[edge.target] > rank[edge.source] + 1:
            out = (edge.source, edge.source_port)
            until[out] = max(until[out], rank[edge.target])
    lanes: dict[tuple[Vertex, Port], float] = {}
    in_strip = [0.0] * len(rows)
    for out in sorted(until, key=lambda out: until[out] - rank[out[0]]):
        start, end = rank[out[0]], until[out]
        lane = max([*edge_of_row[start + 1 : end], *in_strip[start:end]]) + LANE
        lanes[out] = lane
        for k in range(start, end):
            in_strip[k] = max(in_strip[k], lane)
    return lanes
