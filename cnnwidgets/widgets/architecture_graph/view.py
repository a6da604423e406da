"""Which nodes and groups show when some groups are open."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from .fold import Group, Node, Tree

_FEW = 8
_MANY = 40


@dataclass(frozen=True)
class View:
    """What is drawn: nodes and folded groups in execution order, links by key, and the open groups around each.

    The key of a node is its number, that of a group its name.
    """

    shown: dict[int | str, Node | Group]
    links: list[tuple[int | str, int | str]]
    frames: dict[int | str, tuple[str, ...]]


def view(tree: Tree, expanded: Collection[str]) -> View:
    """The drawing's content with the groups named in ``expanded`` open."""
    shown: dict[int | str, Node | Group] = {}
    frames: dict[int | str, tuple[str, ...]] = {}
    stands_for: dict[int, int | str] = {}
    for node in tree.nodes:
        depth = next((k for k, name in enumerate(node.scope) if name not in expanded), len(node.scope))
        key: int | str = node.key if depth == len(node.scope) else node.scope[depth]
        stands_for[node.key] = key
        if key not in shown:
            shown[key] = node if depth == len(node.scope) else tree.groups[node.scope[depth]]
            frames[key] = node.scope[:depth]
    pairs = dict.fromkeys((stands_for[a], stands_for[b]) for a, b in tree.links)
    return View(shown, [(a, b) for a, b in pairs if a != b], frames)


def default_expanded(tree: Tree) -> list[str]:
    """Outer groups open until there is something to see: a model that is one Sequential must not be one box."""
    expanded: list[str] = []
    while True:
        shown = view(tree, expanded).shown
        folded = [group for group in shown.values() if isinstance(group, Group)]
        if len(shown) >= _FEW or not folded:
            return expanded
        largest = max(folded, key=lambda group: len(group.nodes))
        if len(view(tree, [*expanded, largest.name]).shown) > _MANY:
            return expanded
        expanded.append(largest.name)
