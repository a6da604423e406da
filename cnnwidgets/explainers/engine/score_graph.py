"""The autograd graph behind scores."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import torch
from torch.autograd.graph import Node, get_gradient_edge


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
