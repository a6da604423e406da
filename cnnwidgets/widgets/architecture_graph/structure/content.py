"""The words and numbers on a node and on its card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from .tree import INPUT, JOIN, ChainNode, ContainerGroup, GraphNetwork, GraphUnit, Tree

_STEP = {
    "relu": "ReLU",
    "relu6": "ReLU6",
    "gelu": "GELU",
    "silu": "SiLU",
    "max_pool2d": "max pool",
    "avg_pool2d": "average pool",
    "adaptive_avg_pool2d": "average pool",
    "adaptive_max_pool2d": "max pool",
}
_LISTS = ("Sequential", "ModuleList", "ModuleDict")
_RANK = ("conv", "attention", "linear", "pool", "norm", "activation")


def node_content(item: ChainNode | ContainerGroup, tree: Tree, network: GraphNetwork) -> dict[str, Any]:
    """What the browser shows of ``item``: sizes as lists without the batch, numbers raw."""
    if isinstance(item, ContainerGroup):
        return _group_content(item, tree, network)
    if item.kind == INPUT:
        return {"kind": INPUT, "title": INPUT, "detail": "Input", "shape": list(network.input_shape[1:])}
    if item.kind == JOIN:
        unit = item.units[0]
        return {"kind": JOIN, "title": unit.label, "detail": _function_names(unit), "shape": []}
    return _chain_content(item, tree, network)


def _chain_content(node: ChainNode, tree: Tree, network: GraphNetwork) -> dict[str, Any]:
    infos = [network.infos[unit.name] for unit in node.units if unit.name]
    output = network.infos[node.layer]
    # A container around a part of the chain, or one that ends with it, is shown by this node too.
    ends = [name for name, last in tree.flattened.items() if last is node]
    return {
        "kind": node.kind,
        # The name that the feature maps and the heat map have when the node is clicked.
        "title": node.layer,
        "detail": " · ".join(_label(unit, network) for k, unit in enumerate(node.units) if k == 0 or not unit.silent),
        "shape": list(output.output_shape[1:]),
        "layer": node.layer,
        "members": list(dict.fromkeys([*(unit.name for unit in node.units), *node.aliases, *ends])),
        "card": _card(" · ".join(info.type for info in infos), output, infos, infos),
    }


def _label(unit: GraphUnit, network: GraphNetwork) -> str:
    info = network.infos[unit.name]
    return " · ".join(part for part in (info.detail or info.type or info.kind, _function_names(unit)) if part)


def _function_names(unit: GraphUnit) -> str:
    return " · ".join(_STEP.get(name, name.replace("_", " ")) for name in unit.functions)


def _group_content(group: ContainerGroup, tree: Tree, network: GraphNetwork) -> dict[str, Any]:
    names = [group.name, *group.aliases]
    own = [network.infos[name] for name in names if name in network.infos]
    inner_names = dict.fromkeys(unit.name for node in group.nodes for unit in node.units if not unit.silent)
    inside = [network.infos[name] for name in inner_names if name]
    called = next((info for info in own if info.output_shape), None)
    kinds = {node.kind for node in group.nodes}
    return {
        "kind": next((kind for kind in _RANK if kind in kinds), "other"),
        "title": group.name,
        "detail": _group_detail(group, tree, network, own, called, len(inside)),
        "shape": list(called.output_shape[1:]) if called else [],
        "group": group.name,
        "layer": called.name if called else "",
        "members": names,
        "card": _card(own[-1].type if own else "", called, own or inside, inside),
    }


def _group_detail(
    group: ContainerGroup, tree: Tree, network: GraphNetwork, own: list[Any], called: Any, count: int
) -> str:
    block = _block_type(info.type for info in own)
    if block:
        once = " ×1" if len(own) > 1 and own[0].type in _LISTS else ""
        residual = any(node.units[0].label == "+" and node.scope[-1:] == (group.name,) for node in group.nodes)
        return block + once + _size_factor(called) + (" · residual" if residual else "")
    inside = [[name, *tree.groups[name].aliases] for name in group.children]
    inside += [node.aliases for node in group.nodes if node.scope[-1:] == (group.name,) and node.kind != JOIN]
    infos = network.infos
    types = Counter(_block_type(infos[name].type for name in names if name in infos) for names in inside)
    if len(types) == 1 and "" not in types:
        return f"{next(iter(types))} ×{len(inside)}"
    return f"{own[0].type.lstrip('_') if own else 'Group'} · {count} layers"


def _block_type(types: Iterable[str]) -> str:
    return next((name.lstrip("_") for name in types if name and name not in _LISTS), "")


def _size_factor(called: Any) -> str:
    """`` /2`` where the group halves the height."""
    if called is None or len(called.input_shape) != 4 or len(called.output_shape) != 4 or not called.output_shape[2]:
        return ""
    factor = round(called.input_shape[2] / called.output_shape[2])
    return f" /{factor}" if factor > 1 else ""


def _card(type_: str, output: Any, own: list[Any], inside: list[Any]) -> dict[str, Any]:
    """``output``: the layer or container whose output the item has; None of a group that is never called itself."""
    macs = [info.macs for info in inside if info.macs is not None]
    return {
        "type": type_,
        "input": list(own[0].input_shape[1:]) if own else [],
        "params": sum(info.params for info in inside),
        "macs": sum(macs) if macs else None,
        "field": list(output.receptive_field or ()) if output else [],
        "calls": output.calls if output else 1,
        "functional": bool(getattr(output, "functional", False)),
    }
