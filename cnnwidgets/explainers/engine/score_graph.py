"""The autograd graph behind scores."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import torch
from torch.autograd.graph import Node, get_gradient_edge

from .layer_outputs import Output


def nodes_behind(scores: torch.Tensor) -> Iterator[Node]:
    """All nodes of the graph that ends in ``scores``, from there on."""
    if not scores.requires_grad:
        return
    last = get_gradient_edge(scores).node
    visited, pending = {last}, [last]
    while pending:
        node = pending.pop()
        yield node
        for earlier, _ in node.next_functions:
            if earlier is not None and earlier not in visited:
                visited.add(earlier)
                pending.append(earlier)


def nodes_between(scores: torch.Tensor, leaf: torch.Tensor) -> set[Node]:
    """The nodes on a path from ``scores`` back to ``leaf``: those that a backward pass to ``leaf`` visits."""
    users: dict[Node, list[Node]] = defaultdict(list)
    for node in nodes_behind(scores):
        for earlier, _ in node.next_functions:
            if earlier is not None:
                users[earlier].append(node)
    goal = get_gradient_edge(leaf).node
    between, pending = {goal}, [goal]
    while pending:
        for node in users.get(pending.pop(), []):
            if node not in between:
                between.add(node)
                pending.append(node)
    return between


class ScoreGraph:
    """The graph behind scores, looked through no further than needed."""

    def __init__(self, scores: torch.Tensor) -> None:
        self._nodes = nodes_behind(scores)
        self._edges: set[tuple[Node, int]] = set()
        if scores.requires_grad:
            edge = get_gradient_edge(scores)
            self._edges.add((edge.node, edge.output_nr))

    def reaches(self, output: Output) -> bool:
        """Whether the scores depend on ``output`` by differentiable operations."""
        edge = output.edge
        if edge is None:
            return False
        while (edge.node, edge.output_nr) not in self._edges:
            node = next(self._nodes, None)
            if node is None:
                return False
            self._edges.update((earlier, number) for earlier, number in node.next_functions if earlier is not None)
        return True
