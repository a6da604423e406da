"""Which nodes and groups show when some groups are open."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from .tree import ChainNode, ContainerGroup, Tree

_FEW = 8
_MANY = 40


@dataclass(frozen=True)
class VisibleGraph:
    """What is drawn: nodes and folded groups in execution order, links by key, and the open groups around each.

    The key of a node is its number, that of a group its name.
    """

    items: dict[int | str, ChainNode | ContainerGroup]
    links: list[tuple[int | str, int | str]]
    frames: dict[int | str, tuple[str, ...]]


def visible_graph(tree: Tree, expanded: Collection[str]) -> VisibleGraph:
    """The drawing's content with the groups named in ``expanded`` open."""
    items: dict[int | str, ChainNode | ContainerGroup] = {}
    frames: dict[int | str, tuple[str, ...]] = {}
    stands_for: dict[int, int | str] = {}
    for node in tree.nodes:
        depth = next((k for k, name in enumerate(node.scope) if name not in expanded), len(node.scope))
        key: int | str = node.key if depth == len(node.scope) else node.scope[depth]
        stands_for[node.key] = key
        if key not in items:
            items[key] = node if depth == len(node.scope) else tree.groups[node.scope[depth]]
            frames[key] = node.scope[:depth]
    pairs = dict.fromkeys((stands_for[a], stands_for[b]) for a, b in tree.links)
    return VisibleGraph(items, [(a, b) for a, b in pairs if a != b], frames)


def default_expanded(tree: Tree) -> list[str]:
    """Outer groups open until there is something to see: a model that is one Sequential must not be one box."""
    expanded: list[str] = []
    while True:
        items = visible_graph(tree, expanded).items
        folded = [group for group in items.values() if isinstance(group, ContainerGroup)]
        if len(items) >= _FEW or not folded:
            return expanded
        largest = max(folded, key=lambda group: len(group.nodes))
        if len(visible_graph(tree, [*expanded, largest.name]).items) > _MANY:
            return expanded
        expanded.append(largest.name)
