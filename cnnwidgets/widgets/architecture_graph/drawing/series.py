"""Blocks in series and side by side: what nearly every network is made of.

The vertices that every path goes through stand on the axis, one below the other. What lies between two of them falls
into branches, laid out by themselves and set side by side; an edge that jumps over them runs down a lane at the right.
A part that is neither (a dense block, a random graph) is left to :mod:`.layered`.
"""

from __future__ import annotations

from .acyclic import Edge, Entry, Exit, PortGraph, Vertex, components, cuts, in_order, is_point
from .block import GAP, Block, Wire, route
from .layered import LANE, NARROW, layered

BESIDE = 14.0


def arrange(graph: PortGraph, width: float) -> Block:
    """Lay out ``graph``, entries at the top and exits at the bottom; nodes are ``width`` wide where they can be."""
    order = in_order(graph)
    ends = [v for v in order if is_point(v)]
    on_axis = cuts(graph, order)
    several = sum(isinstance(v, Entry) for v in ends) > 1 or sum(isinstance(v, Exit) for v in ends) > 1
    whole = graph.part([v for v in graph.vertices if not is_point(v)])
    uncut = len(whole.vertices) > 1 and all(is_point(order[k]) for k in on_axis)
    if several or (uncut and len(components(whole)) == 1) or (not on_axis and len(components(graph)) == 1):
        return layered(graph, width)
    block = _stack(graph, order, on_axis, width)
    block.tops = {v.port: 0.0 for v in ends if isinstance(v, Entry)}
    block.bottoms = {v.port: 0.0 for v in ends if isinstance(v, Exit)}
    return block


def _stack(graph: PortGraph, order: list[Vertex], on_axis: list[int], width: float) -> Block:
    result = Block()
    above: Vertex | None = None
    upper = Block()
    start = 0
    for k in [*on_axis, len(order)]:
        below = order[k] if k < len(order) else None
        lower = Block() if below is None or is_point(below) else graph.make(below, width)
        between = _between(graph, (above, upper), (below, lower), set(order[start:k]), width)
        result.take(between, 0.0, result.height)
        result.height += between.height
        result.take(lower, 0.0, result.height)
        result.height += lower.height
        above, upper, start = below, lower, k + 1
    return result


def _between(
    graph: PortGraph,
    above: tuple[Vertex | None, Block],
    below: tuple[Vertex | None, Block],
    inside: set[Vertex],
    width: float,
) -> Block:
    """What lies between two neighbours on the axis."""
    result = Block()
    (source, upper), (target, lower) = above, below
    direct = [edge for edge in graph.outgoing[source] if edge.target == target] if source is not None else []
    xs = {edge: (upper.bottoms.get(edge.source_port, 0.0), lower.tops.get(edge.target_port, 0.0)) for edge in direct}
    gap = 0.0 if source is None or target is None or is_point(source) or is_point(target) else GAP
    if not inside:
        height, lines = route([Wire(*xs[e], e.source_port, e.target_port) for e in direct], gap)
        result.draw(lines, 0.0)
        result.height = height
        return result

    parts = components(graph.part([v for v in graph.vertices if v in inside]))
    laid = [_branch(graph, part, source, target, NARROW if len(parts) > 1 else width) for part in parts]
    axes = _side_by_side(laid)
    lane = max(axis + block.right for axis, block in zip(axes, laid, strict=True))
    lanes = {edge: lane + LANE * (k + 1) for k, edge in enumerate(direct)}
    top = [Wire(xs[e][0], lanes[e], e.source_port, e) for e in direct]
    bottom = [Wire(lanes[e], xs[e][1], e, e.target_port) for e in direct]
    for k, (axis, block) in enumerate(zip(axes, laid, strict=True)):
        top += [Wire(upper.bottoms.get(p, 0.0), axis + x, p, (k, p)) for p, x in block.tops.items()]
        bottom += [Wire(axis + x, lower.tops.get(p, 0.0), (k, p), p) for p, x in block.bottoms.items()]

    start, lines = route(top, 0.0 if source is None or is_point(source) else GAP)
    result.draw(lines, 0.0)
    end = start + max(block.height for block in laid)
    for axis, block in zip(axes, laid, strict=True):
        result.take(block, axis, start)
        result.draw([[(axis + x, start + block.height), (axis + x, end)] for x in block.bottoms.values()], 0.0)
    result.draw([[(x, start), (x, end)] for x in lanes.values()], 0.0)
    height, lines = route(bottom, 0.0 if target is None or is_point(target) else GAP)
    result.draw(lines, end)
    result.height = end + height
    return result


def _side_by_side(blocks: list[Block]) -> list[float]:
    """The axes of ``blocks`` around x = 0; one alone stands on it."""
    if len(blocks) == 1:
        return [0.0]
    x = -(sum(block.left + block.right for block in blocks) + BESIDE * (len(blocks) - 1)) / 2
    axes = []
    for block in blocks:
        axes.append(x + block.left)
        x += block.left + block.right + BESIDE
    return axes


def _branch(graph: PortGraph, part: list[Vertex], source: Vertex | None, target: Vertex | None, width: float) -> Block:
    inside = set(part)
    edges = set(graph.part(part).edges)
    for vertex in part:
        for edge in graph.incoming[vertex]:
            if edge.source == source and edge.source not in inside:
                edges.add(Edge(Entry(edge.source_port), vertex, None, edge.target_port))
        for edge in graph.outgoing[vertex]:
            if edge.target == target and edge.target not in inside:
                edges.add(Edge(vertex, Exit(edge.target_port), edge.source_port, None))
    entries = {edge.source for edge in edges if isinstance(edge.source, Entry)} - inside
    exits = {edge.target for edge in edges if isinstance(edge.target, Exit)} - inside
    ends = sorted(entries, key=repr), sorted(exits, key=repr)
    return arrange(PortGraph([*ends[0], *part, *ends[1]], sorted(edges, key=repr), graph.make), width)
