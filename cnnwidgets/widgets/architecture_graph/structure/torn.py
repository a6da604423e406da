"""Containers that cannot be one box, because the network leaves them and comes back."""

from __future__ import annotations

from collections import defaultdict

from .tree import ChainNode


def without_torn(nodes: list[ChainNode], links: list[tuple[int, int]]) -> dict[str, ChainNode]:
    """Take containers with a path out and in again off the nodes' scopes; return the last node of each.

    A ``ModuleList`` of a U-Net's stages, which a loop goes through with other layers in between, is the usual case.
    """
    after: dict[int, list[int]] = defaultdict(list)
    for a, b in links:
        after[a].append(b)
    inside: dict[str, list[ChainNode]] = defaultdict(list)
    for node in nodes:
        for container in node.scope:
            inside[container].append(node)
    torn = {name: members[-1] for name, members in inside.items() if _comes_back(members, after)}
    for node in nodes:
        node.scope = tuple(container for container in node.scope if container not in torn)
    return torn


def _comes_back(members: list[ChainNode], after: dict[int, list[int]]) -> bool:
    keys = {node.key for node in members}
    last = max(keys)
    waiting = [target for key in keys for target in after[key] if target not in keys]
    outside = set(waiting)
    while waiting:
        for target in after[waiting.pop()]:
            if target in keys:
                return True
            # keys follow execution: what ran after the last member leads to none of them
            if target not in outside and target < last:
                outside.add(target)
                waiting.append(target)
    return False
