"""A traced network's units and links; folded, its nodes and the groups around them; and which of these show."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from itertools import accumulate, takewhile
from typing import Any

INPUT = "input"
JOIN = "join"
_SIGNS = {"concat": "cat"}


@dataclass(frozen=True)
class GraphUnit:
    """One thing that ran: a layer at one place of the graph, a join, or the input.

    ``name`` is empty for a join and for the input; ``scope`` holds the dotted names of the containers around it,
    outermost first; ``silent`` says that it changes nothing in evaluation mode (dropout, identity). ``label`` is the
    sign of a join; ``functions`` are the torch functions applied to its output before the next unit.
    """

    key: int
    name: str
    kind: str
    scope: tuple[str, ...] = ()
    silent: bool = False
    label: str = ""
    functions: tuple[str, ...] = ()


@dataclass(frozen=True)
class GraphNetwork:
    """Units in execution order, links between their keys, and the trace's own entry for each layer and container."""

    units: list[GraphUnit]
    links: list[tuple[int, int]]
    infos: dict[str, Any]
    input_shape: tuple[int, ...]


def read_network(architecture: Any) -> GraphNetwork:
    """``architecture`` has ``layers``, ``containers`` (optional), ``nodes`` and ``links`` as ``trace`` makes them."""
    infos = {info.name: info for info in (*getattr(architecture, "containers", ()), *architecture.layers)}
    after_join = {join.id: join.functions for join in getattr(architecture, "joins", ())}
    last_call = {node.layer: node.id for node in architecture.nodes}
    units = []
    for key, node in enumerate(architecture.nodes):
        scope = tuple(accumulate(node.path.split("."), "{}.{}".format)) if node.path else ()
        if node.kind == JOIN:
            sign = _SIGNS.get(node.label, node.label)
            units.append(GraphUnit(key, "", JOIN, scope, label=sign, functions=_telling(after_join.get(node.id, ()))))
        elif node.layer is None:
            units.append(GraphUnit(key, "", INPUT))
        else:
            info = infos[node.layer]
            silent = info.kind == "dropout" or info.type == "Identity"
            functions = _telling(info.functions) if last_call[node.layer] == node.id else ()
            units.append(GraphUnit(key, node.layer, info.kind, scope, silent, functions=functions))
    keys = {node.id: key for key, node in enumerate(architecture.nodes)}
    links = [(keys[a], keys[b]) for a, b in architecture.links if a in keys and b in keys]
    return GraphNetwork(units, links, infos, tuple(getattr(architecture, "input_shape", ())))


def shared_scope(scopes: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """The longest start that all ``scopes`` share.

    >>> shared_scope([("a", "a.b", "a.b.c"), ("a", "a.b")])
    ('a', 'a.b')
    """
    shared = takewhile(lambda names: len(set(names)) == 1, zip(*scopes, strict=False))
    return tuple(names[0] for names in shared)


def _telling(functions: Iterable[str]) -> tuple[str, ...]:
    """Without those that have nothing to say where only one value comes in."""
    return tuple(name for name in functions if name not in ("cat", "concat", "stack"))


@dataclass
class ChainNode:
    """A chain of units drawn as one, and called by ``layer``, the member whose output is the node's output."""

    key: int
    units: list[GraphUnit]
    scope: tuple[str, ...]
    layer: str
    aliases: list[str] = field(default_factory=list)

    @property
    def kind(self) -> str:
        return self.units[0].kind


@dataclass
class ContainerGroup:
    """A container with several things inside, directly or through ``aliases``: containers of nothing but one other."""

    name: str
    parent: str | None
    nodes: list[ChainNode] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)
    children: list[str] = field(default_factory=list)


@dataclass
class Tree:
    """All nodes in execution order, all groups outermost first, and links between node keys.

    ``flattened`` holds the last node of each container that is not a group.
    """

    nodes: list[ChainNode]
    groups: dict[str, ContainerGroup]
    links: list[tuple[int, int]]
    flattened: dict[str, ChainNode] = field(default_factory=dict)

    def where(self) -> dict[str, tuple[ChainNode | ContainerGroup, tuple[str, ...]]]:
        """For each name of a layer or container, the node or group that shows it and the groups around that."""
        shown_by: dict[str, tuple[ChainNode | ContainerGroup, tuple[str, ...]]] = {
            name: (node, node.scope) for name, node in self.flattened.items()
        }
        for group in self.groups.values():
            shown_by |= dict.fromkeys((group.name, *group.aliases), (group, self.around(group)))
        for node in self.nodes:
            # of a layer called several times, the last call is the one whose output is shown
            names = [unit.name for unit in node.units if unit.name] + node.aliases
            shown_by |= dict.fromkeys(names, (node, node.scope))
        return shown_by

    def around(self, group: ContainerGroup) -> tuple[str, ...]:
        """The groups around ``group``, outermost first."""
        return () if group.parent is None else (*self.around(self.groups[group.parent]), group.parent)


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
