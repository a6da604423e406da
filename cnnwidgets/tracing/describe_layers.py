"""From the calls of layers to what there is to say about each layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import nn

from cnnwidgets.core.network import Network

from .graph import LayerCall, LayerGraph
from .kinds import detail_of_module, kind_of_call, kind_of_module
from .layers import LayerInfo
from .layouts.layouts import Layout, layouts_of_recording
from .receptive.field import Field
from .recorded import ModuleCall, Op, Recording


def describe_layers(
    recording: Recording, graph: LayerGraph
) -> tuple[list[LayerInfo], list[LayerInfo], dict[str, Field | None]]:
    """Describe every layer and container of a recording; with the receptive field of each."""
    params = dict(Network.of(recording.model).weights)
    by_layer: dict[str, list[LayerCall]] = {}
    for call in graph.calls:
        by_layer.setdefault(call.layer, []).append(call)
    by_container: dict[str, list[ModuleCall]] = {}
    for frame in graph.containers:
        by_container.setdefault(frame.name, []).append(frame)
    layouts = layouts_of_recording(recording, graph)
    shared: set[int] = set()
    layers = []
    for name, calls in by_layer.items():
        owned = {id(value): value for call in calls for value in _owned(call.event, params)}
        info = _info(
            name,
            [call.event for call in calls],
            [value for key, value in owned.items() if key not in shared],
            recording.input_shape,
            layouts,
        )
        kind, detail = _kind_and_detail(calls[-1].event)
        functions, functional = tuple(calls[-1].functions), isinstance(calls[-1].event, Op)
        layers.append(replace(info, kind=kind, detail=detail, functions=functions, functional=functional))
        shared |= owned.keys()
    containers = [
        _info(name, frames, _owned(frames[-1], params), recording.input_shape, layouts)
        for name, frames in by_container.items()
    ]
    fields = {name: frames[-1].field for name, frames in by_container.items()}
    return layers, containers, fields | {name: calls[-1].event.field for name, calls in by_layer.items()}


def _owned(event: ModuleCall | Op, params: dict[str, nn.Parameter]) -> list[nn.Parameter]:
    if isinstance(event, Op):
        return [params[name] for name in event.params]
    return [value for _, value in Network.of(event.module).weights]


def _kind_and_detail(event: ModuleCall | Op) -> tuple[str, str]:
    if isinstance(event, Op):
        return kind_of_call(event.name), event.detail
    ops = [op for op in event.ops if op.name]
    names = [op.name for op in ops]
    kind = kind_of_module(event.module, names, has_params=bool(Network.of(event.module).weights))
    return kind, detail_of_module(event.module, kind, [op.detail for op in ops], names)


def _info(
    name: str,
    events: Sequence[ModuleCall | Op],
    owned: list[nn.Parameter],
    input_shape: tuple[int, ...],
    layouts: dict[int, Layout],
) -> LayerInfo:
    """What there is to say of all calls of one layer or container; its kind is told for layers only."""
    last = events[-1]
    title = last.name if isinstance(last, Op) else type(last.module).__name__
    receptive = last.field
    mixes = isinstance(last, Op) and kind_of_call(last.name) in ("attention", "linear")
    if mixes and receptive is not None and not receptive.axes():
        receptive = None  # (N, heads, tokens, width) is no stack of maps, though it has four axes
    return LayerInfo(
        name=name,
        type=title,
        output_shape=last.output_shape,
        params=sum(value.numel() for value in owned),
        trainable=sum(value.numel() for value in owned if value.requires_grad),
        macs=sum(map(_all_macs, events)),
        receptive_field=_sides_seen(receptive, last.output_shape, input_shape),
        calls=len(events),
        fields=tuple(_uncut(event.field, event.output_shape, input_shape) for event in events),
        input_shape=last.input_shape,
        detail=title,
        spatial=layouts[last.id].spatial,
    )


def _all_macs(event: ModuleCall | Op) -> int:
    return event.macs + sum(map(_all_macs, event.children if isinstance(event, ModuleCall) else ()))


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
