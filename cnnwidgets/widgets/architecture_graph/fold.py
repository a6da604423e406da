"""Convolution, norm and activation in one node; modules in groups that can be opened."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from .network import Network, Unit, common
from .torn import without_torn

_NEXT = {
    "conv": ("norm", "activation"),
    "linear": ("norm", "activation"),
    "norm": ("activation",),
    "activation": (),
    "pool": ("reshape",),
    "reshape": (),
}


@dataclass
class Node:
    """A chain of units drawn as one, and called by ``layer``, the member whose output is the node's output."""

    key: int
    units: list[Unit]
    scope: tuple[str, ...]
    layer: str
    aliases: list[str] = field(default_factory=list)

    @property
    def kind(self) -> str:
        return self.units[0].kind


@dataclass
class Group:
    """A container with several things inside, directly or through ``aliases``: containers of nothing but one other."""

    name: str
    parent: str | None
    nodes: list[Node] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)
    children: list[str] = field(default_factory=list)


@dataclass
class Tree:
    """All nodes in execution order, all groups outermost first, and links between node keys.

    ``flattened`` holds the last node of each container that is not a group.
    """

    nodes: list[Node]
    groups: dict[str, Group]
    links: list[tuple[int, int]]
    flattened: dict[str, Node] = field(default_factory=dict)

    def where(self) -> dict[str, tuple[Node | Group, tuple[str, ...]]]:
        """For each name of a layer or container, the node or group that shows it and the groups around that."""
        found: dict[str, tuple[Node | Group, tuple[str, ...]]] = {
            name: (node, node.scope) for name, node in self.flattened.items()
        }
        for group in self.groups.values():
            around = self.around(group)
            found.update(dict.fromkeys((group.name, *group.aliases), (group, around)))
        for node in self.nodes:
            names = [unit.name for unit in node.units if unit.name] + node.aliases
            for name in names:
                # of a layer called several times, the last call is the one whose output is shown
                found[name] = (node, node.scope)
        return found

    def around(self, group: Group) -> tuple[str, ...]:
        """The groups around ``group``, outermost first."""
        names: list[str] = []
        while group.parent is not None:
            names.append(group.parent)
            group = self.groups[group.parent]
        return tuple(reversed(names))


def fold(network: Network) -> Tree:
    """Chains become nodes, modules become groups."""
    nodes = _chains(network)
    owner = {unit.key: node.key for node in nodes for unit in node.units}
    pairs = dict.fromkeys((owner[a], owner[b]) for a, b in network.links)
    links = [(a, b) for a, b in pairs if a != b]
    flattened = without_torn(nodes, links)
    return Tree(nodes, _groups(nodes), links, flattened)


def _chains(network: Network) -> list[Node]:
    after, before = defaultdict(list), Counter(b for _, b in network.links)
    for a, b in network.links:
        after[a].append(b)
    units = {unit.key: unit for unit in network.units}
    inside: dict[str, set[int]] = defaultdict(set)
    for unit in network.units:
        for container in unit.scope:
            inside[container].add(unit.key)
    times = Counter(unit.name for unit in network.units)
    taken: set[int] = set()
    nodes = []
    for unit in network.units:
        if unit.key in taken:
            continue
        chain = [unit]
        allowed = _NEXT.get(unit.kind)
        while allowed is not None and not chain[-1].functions and len(after[chain[-1].key]) == 1:
            follower = units[after[chain[-1].key][0]]
            if before[follower.key] != 1 or follower.key in taken or follower in chain:
                break
            if not follower.silent:
                if follower.kind not in allowed:
                    break
                allowed = tuple(kind for kind in allowed if kind in _NEXT[follower.kind])
            chain.append(follower)
        chain = _whole_containers(chain, inside)
        taken.update(member.key for member in chain)
        nodes.append(_node(chain, times))
    return nodes


def _whole_containers(chain: list[Unit], inside: dict[str, set[int]]) -> list[Unit]:
    """The longest start of ``chain`` that takes no container apart."""
    for length in range(len(chain), 1, -1):
        part = chain[:length]
        keys = {unit.key for unit in part}
        shared = common(unit.scope for unit in part)
        if all(inside[container] <= keys for unit in part for container in unit.scope[len(shared) :]):
            return part
    return chain[:1]


def _node(chain: list[Unit], times: Counter[str]) -> Node:
    shared = common(unit.scope for unit in chain)
    named = [unit.name for unit in chain if unit.name and not unit.silent] or [chain[0].name]
    # a layer that also runs elsewhere would show the maps of another place
    layer = next((name for name in reversed(named) if times[name] == 1), named[-1])
    aliases = dict.fromkeys(container for unit in chain for container in unit.scope[len(shared) :])
    return Node(chain[0].key, chain, shared, layer, list(aliases))


def _groups(nodes: list[Node]) -> dict[str, Group]:
    """The containers that hold more than one thing; rewrites each node's scope to these."""
    children: dict[str, dict[str | int, None]] = defaultdict(dict)
    for node in nodes:
        inner_of: list[str | int] = [*node.scope, node.key]
        for outer, inner in zip(node.scope, inner_of[1:], strict=True):
            children[outer][inner] = None
    groups: dict[str, Group] = {}
    shown_as: dict[str, str] = {}
    for node in nodes:
        kept: list[str] = []
        waiting: list[str] = []
        for container in node.scope:
            if len(children[container]) == 1:
                waiting.append(container)
                continue
            name = shown_as.setdefault(container, waiting[0] if waiting else container)
            if name not in groups:
                groups[name] = Group(name, kept[-1] if kept else None)
                groups[name].aliases = [*waiting[1:], container] if waiting else []
                if kept:
                    groups[kept[-1]].children.append(name)
            kept.append(name)
            waiting = []
        node.aliases = [*waiting, *node.aliases]
        node.scope = tuple(kept)
        for name in kept:
            groups[name].nodes.append(node)
    return groups
