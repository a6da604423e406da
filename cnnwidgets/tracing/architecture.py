"""The architecture of a network, seen in one forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import torch
from torch import nn

from cnnwidgets.core.arrays import dataframe
from cnnwidgets.core.errors import LayerNotFound, NotSpatial
from cnnwidgets.core.network import Network, unknown_layer

from . import summary as text
from .anatomy import Anatomy
from .describe_layers import describe_layers
from .kinds import times
from .layers import Join, LayerInfo, Node
from .receptive.field import Field
from .receptive.ranges import pixel_ranges

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
    recording, graph = Anatomy.of(model, example)
    layers, containers, receptive_fields = describe_layers(recording, graph)
    params = [value for _, value in Network.of(recording.model).weights]
    total = sum(value.numel() for value in params)
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
        total_params=total,
        trainable_params=sum(value.numel() for value in params if value.requires_grad),
        total_macs=sum(frame.macs for frame in recording.frames),
        unattributed_params=total - sum(layer.params for layer in layers),
        _fields=receptive_fields,
    )


@dataclass(frozen=True)
class Architecture:
    """Layers of a network, in the order in which they first ran, and the graph between them."""

    name: str
    """The model's class."""
    input_shape: tuple[int, ...]
    layers: list[LayerInfo]
    """The modules that call no other module; torch calls (``functional``) where there is no module to name, and those
    that pool or resize maps."""
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

    @property
    def resizing_functions(self) -> list[str]:
        """Names of the torch calls that make maps of another height or width: no module returns these maps."""
        functions = [layer for layer in self.layers if layer.functional and layer.spatial]
        return [layer.name for layer in functions if layer.input_shape[2:] != layer.output_shape[2:]]

    def find(self, name: str) -> LayerInfo:
        """The layer or container called ``name``.

        Raises:
            LayerNotFound: none that ran is called so; names the closest.
        """
        every = {layer.name: layer for layer in (*self.containers, *self.layers)}
        if name not in every:
            raise LayerNotFound(unknown_layer(name, [layer.name for layer in (*self.layers, *self.containers)]))
        return every[name]

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
        rows, columns = self.receptive_spans(name, (row + 1, column + 1))
        return rows[row][0], columns[column][0], rows[row][1], columns[column][1]

    def receptive_spans(self, name: str, grid: tuple[int, int]) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """The same for all units of a map of ``grid`` cells: (top, bottom) of each row, (left, right) of each column.

        Raises:
            LayerNotFound, NotSpatial: as for :meth:`receptive_box`.

        Example:
            >>> architecture = trace(nn.Conv2d(1, 1, 3, stride=2, padding=1), torch.zeros(1, 1, 4, 8))
            >>> architecture.receptive_spans("", (2, 4))
            ([(0, 2), (1, 4)], [(0, 2), (1, 4), (3, 6), (5, 8)])
        """
        layer = self.find(name)
        if layer.receptive_field is None:
            raise NotSpatial(f"The output of {name!r} has shape {layer.output_shape}; expected maps (N, C, H, W).")
        field, sides = self._fields[name], self.input_shape[-2:]
        rows, columns = (pixel_ranges(field, axis, grid[axis], sides[axis]) for axis in (0, 1))
        return rows, columns

    def summary(self, width: int = 100) -> str:
        """The familiar text table: a line a layer, and the totals.

        Args:
            width: characters in a line at most, 60 or more; long names are cut.
        """
        return text.text_table(self.layers, self._totals(), width)

    def to_dataframe(self) -> Any:
        """The table as a ``pandas.DataFrame``: a row a layer, in order, with the attributes of :class:`LayerInfo`.

        Raises:
            CnnWidgetsError: pandas is not installed.
        """
        names = [each.name for each in fields(LayerInfo)]
        return dataframe({name: [getattr(layer, name) for layer in self.layers] for name in names})

    def __str__(self) -> str:
        return self.summary()

    def __repr__(self) -> str:
        return (
            f"<Architecture of {self.name}: {len(self.layers)} layers, {self.total_params:,} parameters, "
            f"{text.macs(self.total_macs)}, input {times(self.input_shape)}>"
        )

    def _totals(self) -> list[str]:
        lines = [
            f"Input: {tuple(self.input_shape)}",
            f"Total params: {self.total_params:,}",
            f"Trainable params: {self.trainable_params:,}",
            f"Non-trainable params: {self.total_params - self.trainable_params:,}",
            f"Multiply-adds: {self.total_macs:,} ({text.macs(self.total_macs)})",
        ]
        if any(layer.calls > 1 for layer in self.layers):
            lines.append("(n×): called n times; the receptive fields of the first and the last call")
        if self.unattributed_params:
            lines.insert(4, f"Params outside the layers above: {self.unattributed_params:,}")
        return lines

    def _repr_html_(self) -> str:
        return text.page(self.name, self.layers, self._totals())
