"""The units of a traced network and the links between them, read from any object that has a trace's attributes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
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
        scope = (*_containers_around(node.path), node.path) if node.path else ()
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
    shared = []
    for names in zip(*scopes, strict=False):
        if len(set(names)) > 1:
            break
        shared.append(names[0])
    return tuple(shared)


def _containers_around(name: str) -> tuple[str, ...]:
    """``("layer1", "layer1.0")`` for ``"layer1.0.conv1"``."""
    parts = name.split(".")
    return tuple(".".join(parts[:k]) for k in range(1, len(parts)))


def _telling(functions: Iterable[str]) -> tuple[str, ...]:
    """Without those that have nothing to say where only one value comes in."""
    return tuple(name for name in functions if name not in ("cat", "concat", "stack"))
