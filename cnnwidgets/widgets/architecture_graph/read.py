"""From a trace, or any object with its attributes, to what the graph needs to know."""

from __future__ import annotations

from typing import Any

from .network import INPUT, JOIN, Info, Network, Unit, scope_of

_SIGNS = {"concat": "cat"}


def read(architecture: Any) -> Network:
    """``architecture`` has ``layers``, ``containers`` (optional), ``nodes`` and ``links`` as ``trace`` makes them."""
    infos = {info.name: info for info in map(_info, architecture.layers)}
    for container in getattr(architecture, "containers", ()):
        infos.setdefault(container.name, _info(container))
    after_join = {join.id: tuple(join.functions) for join in getattr(architecture, "joins", ())}
    keys: dict[str, int] = {}
    units = []
    last_call = {node.layer: node.id for node in architecture.nodes if node.layer is not None}
    for key, node in enumerate(architecture.nodes):
        keys[node.id] = key
        units.append(_unit(key, node, infos, after_join, is_last=last_call.get(node.layer) == node.id))
    links = [(keys[a], keys[b]) for a, b in architecture.links if a in keys and b in keys]
    return Network(units, links, infos, tuple(getattr(architecture, "input_shape", ())))


def _unit(key: int, node: Any, infos: dict[str, Info], after_join: dict[str, tuple[str, ...]], is_last: bool) -> Unit:
    scope = (*scope_of(node.path), node.path) if node.path else ()
    if node.kind == JOIN:
        sign = _SIGNS.get(node.label, node.label)
        return Unit(key, "", JOIN, scope, label=sign, functions=_said(after_join.get(node.id, ())))
    if node.layer is None:
        return Unit(key, "", INPUT)
    info = infos.get(node.layer, Info(node.layer))
    silent = info.kind == "dropout" or info.type == "Identity"
    return Unit(key, node.layer, info.kind, scope, silent, functions=_said(info.functions) if is_last else ())


def _said(functions: tuple[str, ...]) -> tuple[str, ...]:
    """Without those that have nothing to say where only one value comes in."""
    return tuple(name for name in functions if name not in ("cat", "concat", "stack"))


def _info(layer: Any) -> Info:
    return Info(
        name=layer.name,
        type=layer.type,
        kind=getattr(layer, "kind", "other"),
        detail=getattr(layer, "detail", ""),
        input_shape=tuple(getattr(layer, "input_shape", ())),
        output_shape=tuple(layer.output_shape or ()),
        params=layer.params,
        macs=layer.macs,
        receptive_field=tuple(layer.receptive_field or ()),
        calls=layer.calls,
        functions=tuple(getattr(layer, "functions", ())),
        functional=bool(getattr(layer, "functional", False)),
    )
