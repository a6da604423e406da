"""Convolution, norm and activation in one node; modules in groups that can be opened."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from .tree import ChainNode, ContainerGroup, GraphNetwork, GraphUnit, Tree, shared_scope

_NEXT = {
    "conv": ("norm", "activation"),
    "linear": ("norm", "activation"),
    "norm": ("activation",),
    "activation": (),
    "pool": ("reshape",),
    "reshape": (),
}


def fold(network: GraphNetwork) -> Tree:
    """Chains become nodes, modules become groups."""
    nodes = _chains(network)
    owner = {unit.key: node.key for node in nodes for unit in node.units}
    pairs = dict.fromkeys((owner[a], owner[b]) for a, b in network.links)
    links = [(a, b) for a, b in pairs if a != b]
    flattened = without_torn(nodes, links)
    return Tree(nodes, _group_scopes(nodes), links, flattened)


def _chains(network: GraphNetwork) -> list[ChainNode]:
    after, before = defaultdict(list), Counter(b for _, b in network.links)
    for a, b in network.links:
        after[a].append(b)
    units = {unit.key: unit for unit in network.units}
    inside: dict[str, set[int]] = defaultdict(set)
    for unit in network.units:
        for container in unit.scope:
            inside[container].add(unit.key)
    times = Counter(unit.name for unit in network.units)
    in_a_node: set[int] = set()
    nodes = []
    for unit in network.units:
        if unit.key in in_a_node:
            continue
        chain = [unit]
        allowed = _NEXT.get(unit.kind)
        while allowed is not None and not chain[-1].functions and len(after[chain[-1].key]) == 1:
            follower = units[after[chain[-1].key][0]]
            if before[follower.key] != 1 or follower.key in in_a_node or follower in chain:
                break
            if not follower.silent:
                if follower.kind not in allowed:
                    break
                allowed = tuple(kind for kind in allowed if kind in _NEXT[follower.kind])
            chain.append(follower)
        chain = _whole_containers(chain, inside)
        in_a_node.update(member.key for member in chain)
        nodes.append(_chain_node(chain, times, network.infos))
    return nodes


def _whole_containers(chain: list[GraphUnit], inside: dict[str, set[int]]) -> list[GraphUnit]:
    """The longest start of ``chain`` that takes no container apart."""
    for length in range(len(chain), 1, -1):
        part = chain[:length]
        keys = {unit.key for unit in part}
        shared = shared_scope(unit.scope for unit in part)
        if all(inside[container] <= keys for unit in part for container in unit.scope[len(shared) :]):
            return part
    return chain[:1]


def _chain_node(chain: list[GraphUnit], times: Counter[str], infos: dict[str, Any]) -> ChainNode:
    shared = shared_scope(unit.scope for unit in chain)
    named = [unit.name for unit in chain if unit.name and not unit.silent] or [chain[0].name]
    # a layer that also runs elsewhere would show the maps of another place
    layer = next((name for name in reversed(named) if times[name] == 1), named[-1])
    aliases = dict.fromkeys(container for unit in chain for container in unit.scope[len(shared) :])
    if times[layer] == 1:
        # the name that explainers give to these maps: of what returns the same output, the outermost
        last = next(unit for unit in reversed(chain) if unit.name == layer)
        around = (name for name in last.scope[len(shared) :] if name in infos and name != layer)
        layer = next((name for name in around if infos[name].output_shape == infos[layer].output_shape), layer)
    return ChainNode(chain[0].key, chain, shared, layer, list(aliases))


def _group_scopes(nodes: list[ChainNode]) -> dict[str, ContainerGroup]:
    """The containers that hold more than one thing; rewrites each node's scope to these."""
    children: dict[str, dict[str | int, None]] = defaultdict(dict)
    for node in nodes:
        inner_of: list[str | int] = [*node.scope, node.key]
        for outer, inner in zip(node.scope, inner_of[1:], strict=True):
            children[outer][inner] = None
    groups: dict[str, ContainerGroup] = {}
    shown_as: dict[str, str] = {}
    for node in nodes:
        open_scope: list[str] = []
        waiting: list[str] = []
        for container in node.scope:
            if len(children[container]) == 1:
                waiting.append(container)
                continue
            name = shown_as.setdefault(container, waiting[0] if waiting else container)
            if name not in groups:
                groups[name] = ContainerGroup(name, open_scope[-1] if open_scope else None)
                groups[name].aliases = [*waiting[1:], container] if waiting else []
                if open_scope:
                    groups[open_scope[-1]].children.append(name)
            open_scope.append(name)
            waiting = []
        node.aliases = [*waiting, *node.aliases]
        node.scope = tuple(open_scope)
        for name in open_scope:
            groups[name].nodes.append(node)
    return groups


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
