"""From the calls of layers to what there is to say about each layer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from torch import nn

from cnnwidgets.core.network import Network

from .graph import LayerCall, LayerGraph
from .kinds import detail_of_module, kind_of_call, kind_of_module
from .layers import LayerInfo
from .layouts.layouts import Layout, layouts_of_recording
from .receptive.field import Field
from .recorded import ModuleCall, Recording


@dataclass
class Inventory:
    """Layers and containers, the receptive field of each, and which parameters they account for."""

    layers: list[LayerInfo]
    containers: list[LayerInfo]
    fields: dict[str, Field | None]
    counted: set[int]
    """``id`` of each parameter that belongs to a layer."""


def describe_layers(recording: Recording, graph: LayerGraph) -> Inventory:
    """Describe every layer and container of a recording."""
    params = dict(Network.of(recording.model).weights)
    by_layer: dict[str, list[LayerCall]] = {}
    for call in graph.calls:
        by_layer.setdefault(call.layer, []).append(call)
    by_container: dict[str, list[ModuleCall]] = {}
    for frame in graph.containers:
        by_container.setdefault(frame.name, []).append(frame)
    fields = {name: frames[-1].field for name, frames in by_container.items()}
    layouts = layouts_of_recording(recording, graph)
    counted: set[int] = set()
    layers = []
    for name, calls in by_layer.items():
        owned = [value for value in _owned(calls, params) if id(value) not in counted]
        counted.update(id(value) for value in owned)
        layers.append(_layer_info(name, calls, owned, recording.input_shape, layouts[calls[-1].event.id]))
        fields[name] = calls[-1].event.field
    containers = [
        _container_info(name, frames, recording.input_shape, layouts[frames[-1].id])
        for name, frames in by_container.items()
    ]
    return Inventory(layers, containers, fields, counted)


def _owned(calls: Iterable[LayerCall], params: dict[str, nn.Parameter]) -> list[nn.Parameter]:
    owned: list[nn.Parameter] = []
    for call in calls:
        if isinstance(call.event, ModuleCall):
            owned += [value for _, value in Network.of(call.event.module).weights]
        else:
            owned += [params[name] for name in call.event.params]
    return list({id(value): value for value in owned}.values())


def _layer_info(
    name: str, calls: list[LayerCall], owned: list[nn.Parameter], input_shape: tuple[int, ...], layout: Layout
) -> LayerInfo:
    event = calls[-1].event
    receptive = event.field
    if isinstance(event, ModuleCall):
        module = event.module
        ops = [op for op in event.ops if op.name]
        names = [op.name for op in ops]
        has_params = bool(Network.of(module).weights)
        kind = kind_of_module(module, names, has_params=has_params)
        title, detail = type(module).__name__, detail_of_module(module, kind, [op.detail for op in ops], names)
    else:
        title, kind, detail = event.name, kind_of_call(event.name), event.detail
        if kind in ("attention", "linear") and receptive is not None and not receptive.axes():
            receptive = None  # (N, heads, tokens, width) is no stack of maps, though it has four axes
    shape = event.output_shape
    return LayerInfo(
        name=name,
        type=title,
        output_shape=shape,
        params=sum(value.numel() for value in owned),
        trainable=sum(value.numel() for value in owned if value.requires_grad),
        macs=sum(call.event.macs for call in calls),
        receptive_field=_sides_seen(receptive, shape, input_shape),
        calls=len(calls),
        fields=tuple(_uncut(call.event.field, call.event.output_shape, input_shape) for call in calls),
        input_shape=event.input_shape,
        kind=kind,
        detail=detail,
        functions=tuple(calls[-1].functions),
        spatial=layout.spatial,
        functional=not isinstance(event, ModuleCall),
    )


def _container_info(name: str, frames: list[ModuleCall], input_shape: tuple[int, ...], layout: Layout) -> LayerInfo:
    last = frames[-1]
    owned = [value for _, value in Network.of(last.module).weights]
    return LayerInfo(
        name=name,
        type=type(last.module).__name__,
        output_shape=last.output_shape,
        params=sum(value.numel() for value in owned),
        trainable=sum(value.numel() for value in owned if value.requires_grad),
        macs=sum(_all_macs(frame) for frame in frames),
        receptive_field=_sides_seen(last.field, last.output_shape, input_shape),
        calls=len(frames),
        fields=tuple(_uncut(frame.field, frame.output_shape, input_shape) for frame in frames),
        input_shape=last.input_shape,
        kind="other",
        detail=type(last.module).__name__,
        spatial=layout.spatial,
    )


def _all_macs(frame: ModuleCall) -> int:
    return frame.macs + sum(_all_macs(child) for child in frame.children)


def _sides_seen(
    receptive: Field | None, shape: tuple[int, ...], input_shape: tuple[int, ...]
) -> tuple[int, int] | None:
    """Height and width of the receptive field, if the output has a height and a width."""
    sides = _uncut(receptive, shape, input_shape)
    if sides is None:
        return None
    height, width = (input_shape[axis - 2] if side is None else side for axis, side in enumerate(sides))
    return height, width


def _uncut(
    receptive: Field | None, shape: tuple[int, ...], input_shape: tuple[int, ...]
) -> tuple[int | None, int | None] | None:
    """The same, with None for a side of which everything is seen."""
    if receptive is None or len(input_shape) < 3:
        return None
    along = [receptive.along(0), receptive.along(1)]
    if len(shape) < 4 and None in along:
        return None
    height, width = (None if reach is None or reach.is_whole else reach.size for reach in along)
    return height, width
