"""The architecture of a network, seen in one forward pass."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from . import summary as text
from .errors import LayerNotFound, NotSpatial
from .graph import LayerCall, build
from .kinds import detail_of_module, kind_of_call, kind_of_module
from .layers import Join, LayerInfo, Node
from .names import unknown_layer
from .receptive import Field
from .recording import Frame, Recording, record

__all__ = ["Architecture", "Join", "LayerInfo", "Node", "trace"]


def trace(model: nn.Module, example: torch.Tensor | Sequence[torch.Tensor]) -> Architecture:
    """Look at ``model`` while it runs once on ``example``.

    The model runs in evaluation mode and without gradients; afterwards it is as it was. Control flow, functional
    calls, in-place operations and modules used several times are all seen, since nothing is parsed: only what the
    forward pass does counts.

    Args:
        model: any module that runs; ``DataParallel`` and compiled wrappers are looked through.
        example: what the model takes, usually (1, C, H, W); a tuple for a model with several inputs.

    Raises:
        InputError: ``example`` is not a tensor or a tuple of tensors.
        CnnWidgetsError: the model's forward raised, or it cannot be looked into (a ScriptModule).

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2))
        >>> architecture = trace(net, torch.zeros(1, 1, 8, 8))
        >>> [(layer.detail, layer.output_shape, layer.receptive_field) for layer in architecture.layers]
        [('Conv 3×3', (1, 4, 6, 6), (3, 3)), ('ReLU', (1, 4, 6, 6), (3, 3)), ('Max pool 2×2 /2', (1, 4, 3, 3), (4, 4))]
        >>> architecture.edges
        [('input', '0'), ('0', '1'), ('1', '2')]
    """
    return described(record(model, example))


@dataclass(frozen=True)
class Architecture:
    """Layers of a network, in the order in which they first ran, and the graph between them."""

    name: str
    """The model's class."""
    input_shape: tuple[int, ...]
    layers: list[LayerInfo]
    """The modules that call no other module; torch calls where there is no module to name (``functional``)."""
    containers: list[LayerInfo]
    """The modules that do call others, without the model itself."""
    edges: list[tuple[str, str]]
    """(source, target) names of layers, straight through adds, cats and functional calls. The network's input is the
    first source, usually ``"input"``. A layer used twice may close a cycle; ``links`` has none."""
    outputs: list[str]
    """The layers that feed what the model returns."""
    joins: list[Join]
    nodes: list[Node]
    """The graph to draw: the input, each call of a layer, each join."""
    links: list[tuple[str, str]]
    """(source id, target id) between ``nodes``."""
    total_params: int
    """All of the model's parameters, shared ones once."""
    trainable_params: int
    total_macs: int
    """Multiply-adds of the whole forward pass."""
    unattributed_params: int
    """Parameters that belong to no layer that ran, such as a class token or a layer that was not called."""
    _fields: dict[str, Field | None] = field(repr=False, compare=False)

    def find(self, name: str) -> LayerInfo:
        """The layer or container called ``name``.

        Raises:
            LayerNotFound: none that ran is called so; names the closest.
        """
        for layer in (*self.layers, *self.containers):
            if layer.name == name:
                return layer
        raise LayerNotFound(unknown_layer(name, [layer.name for layer in (*self.layers, *self.containers)]))

    def receptive_box(self, name: str, row: int, column: int) -> tuple[int, int, int, int]:
        """The input pixels that one unit of a layer's map sees: top, left, bottom, right, the last two exclusive.

        Raises:
            LayerNotFound: no such layer.
            NotSpatial: its output is not a stack of maps.

        Example:
            >>> architecture = trace(nn.Conv2d(1, 1, 3, stride=2, padding=1), torch.zeros(1, 1, 8, 8))
            >>> architecture.receptive_box("", 1, 0)
            (1, 0, 4, 2)
        """
        layer = self.find(name)
        if layer.receptive_field is None:
            raise NotSpatial(f"The output of {name!r} has shape {layer.output_shape}; expected maps (N, C, H, W).")
        reached = self._fields[name]
        box: list[tuple[int, int]] = []
        for axis, position in enumerate((row, column)):
            size = self.input_shape[axis - 2]
            reach = reached.along(axis) if reached is not None else None
            first, last = (0, size - 1) if reach is None or reach.is_whole else reach.at(position)
            box.append((max(first, 0), min(last + 1, size)))
        return box[0][0], box[1][0], box[0][1], box[1][1]

    def summary(self, width: int = 100) -> str:
        """The familiar text table: a line a layer, and the totals.

        Args:
            width: characters in a line at most, 60 or more; long names are cut.
        """
        return text.table(self, width)

    def __str__(self) -> str:
        return self.summary()

    def __repr__(self) -> str:
        return (
            f"<Architecture of {self.name}: {len(self.layers)} layers, {self.total_params:,} parameters, "
            f"{text.macs(self.total_macs)}, input {text.shape(self.input_shape)}>"
        )

    def _repr_html_(self) -> str:
        return text.page(self)


def described(recording: Recording) -> Architecture:
    """The architecture that a recording shows."""
    graph = build(recording)
    params = dict(recording.model.named_parameters())
    by_layer: dict[str, list[LayerCall]] = {}
    for call in graph.calls:
        by_layer.setdefault(call.layer, []).append(call)
    by_container: dict[str, list[Frame]] = {}
    for frame in graph.containers:
        by_container.setdefault(frame.name, []).append(frame)
    counted: set[int] = set()
    fields: dict[str, Field | None] = {}
    layers = []
    for name, calls in by_layer.items():
        owned = [value for value in _owned(calls, params) if id(value) not in counted]
        counted.update(id(value) for value in owned)
        layers.append(_layer(name, calls, owned, recording.input_shape))
        fields[name] = _field(calls[-1])
    containers = [_container(name, frames, recording.input_shape) for name, frames in by_container.items()]
    fields.update((name, frames[-1].field) for name, frames in by_container.items() if name not in fields)
    return Architecture(
        name=type(recording.model).__name__,
        input_shape=recording.input_shape,
        layers=layers,
        containers=containers,
        edges=graph.edges,
        outputs=graph.outputs,
        joins=graph.joins,
        nodes=graph.nodes,
        links=graph.links,
        total_params=sum(value.numel() for value in params.values()),
        trainable_params=sum(value.numel() for value in params.values() if value.requires_grad),
        total_macs=sum(frame.macs for frame in recording.frames),
        unattributed_params=sum(value.numel() for value in params.values() if id(value) not in counted),
        _fields=fields,
    )


def _owned(calls: Iterable[LayerCall], params: dict[str, nn.Parameter]) -> list[nn.Parameter]:
    owned: list[nn.Parameter] = []
    for call in calls:
        if call.frame is not None:
            owned += call.frame.module.parameters()
        elif call.op is not None:
            owned += [params[name] for name in call.op.params]
    return list({id(value): value for value in owned}.values())


def _field(call: LayerCall) -> Field | None:
    seen = call.frame or call.op
    return seen.field if seen is not None else None


def _macs(call: LayerCall) -> int:
    seen = call.frame or call.op
    return seen.macs if seen is not None else 0


def _layer(name: str, calls: list[LayerCall], owned: list[nn.Parameter], input_shape: tuple[int, ...]) -> LayerInfo:
    last = calls[-1]
    if last.frame is not None:
        module = last.frame.module
        ops = [op for op in last.frame.ops if op.name]
        names = [op.name for op in ops]
        has_params = any(True for _ in module.parameters())
        kind = kind_of_module(module, names, has_params=has_params)
        title, detail = type(module).__name__, detail_of_module(module, kind, [op.detail for op in ops], names)
        shape, given, reached = last.frame.output_shape, last.frame.input_shape, last.frame.field
    else:
        assert last.op is not None
        op = last.op
        title, kind, detail = op.name, kind_of_call(op.name), op.detail
        shape, given, reached = op.shape, op.input_shape, op.field
        if kind in ("attention", "linear") and reached is not None and not reached.axes():
            reached = None  # (N, heads, tokens, width) is no stack of maps, though it has four axes
    return LayerInfo(
        name=name,
        type=title,
        output_shape=shape,
        params=sum(value.numel() for value in owned),
        trainable=sum(value.numel() for value in owned if value.requires_grad),
        macs=sum(_macs(call) for call in calls),
        receptive_field=_seen(reached, shape, input_shape),
        calls=len(calls),
        input_shape=given,
        kind=kind,
        detail=detail,
        functions=tuple(last.functions),
        spatial=_is_spatial(reached, shape),
        functional=last.frame is None,
    )


def _container(name: str, frames: list[Frame], input_shape: tuple[int, ...]) -> LayerInfo:
    last = frames[-1]
    owned = list(last.module.parameters())
    return LayerInfo(
        name=name,
        type=type(last.module).__name__,
        output_shape=last.output_shape,
        params=sum(value.numel() for value in owned),
        trainable=sum(value.numel() for value in owned if value.requires_grad),
        macs=sum(_all_macs(frame) for frame in frames),
        receptive_field=_seen(last.field, last.output_shape, input_shape),
        calls=len(frames),
        input_shape=last.input_shape,
        kind="other",
        detail=type(last.module).__name__,
        spatial=_is_spatial(last.field, last.output_shape),
    )


def _all_macs(frame: Frame) -> int:
    return frame.macs + sum(_all_macs(child) for child in frame.children)


def _seen(reached: Field | None, shape: tuple[int, ...], input_shape: tuple[int, ...]) -> tuple[int, int] | None:
    """Height and width of the receptive field, if the output has a height and a width."""
    if reached is None or len(input_shape) < 3:
        return None
    along = [reached.along(0), reached.along(1)]
    if len(shape) < 4 and None in along:
        return None
    height, width = (
        input_shape[axis - 2] if reach is None or reach.is_whole else reach.size for axis, reach in enumerate(along)
    )
    return height, width


def _is_spatial(reached: Field | None, shape: tuple[int, ...]) -> bool:
    if reached is None or len(shape) != 4 or shape[2:] == (1, 1):
        return False
    places = (reached.position(0), reached.position(1))
    return places[0] in (2, None) and places[1] in (3, None)
