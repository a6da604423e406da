"""Layers whose maps are looked at: which of their calls, how it holds maps, and what each cell sees of the image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from cnnwidgets.core.capture import attached
from cnnwidgets.core.errors import CnnWidgetsError, NotSpatial
from cnnwidgets.core.nested import layer_tensor
from cnnwidgets.core.network import Network, walked_once
from cnnwidgets.core.plain import plain_tensor
from cnnwidgets.explainers.engine.forward_pass import located
from cnnwidgets.explainers.engine.layer_notes import call_notes, layout_notes, placement_notes, rank, refusal
from cnnwidgets.explainers.engine.notes import change_notes, model_notes, random_notes
from cnnwidgets.outputs.readout import Readout, reading
from cnnwidgets.running.forward import again, fitted, run
from cnnwidgets.running.rounding import product_rounding
from cnnwidgets.state.preserved import generators_now, have_moved, preserved
from cnnwidgets.tracing.anatomy import Anatomy
from cnnwidgets.tracing.function_layers import FunctionCalls, FunctionLayer, Key, RunningModule
from cnnwidgets.tracing.layouts.layouts import Layout, Layouts, followed_layouts, returning_calls
from cnnwidgets.tracing.receptive.field import Field
from cnnwidgets.tracing.receptive.ranges import pixel_ranges

DIGITS = 2e-3
"""Of the value of an exemplar, which batches of another size, and half precision, may change."""
_ROUNDINGS = 20

T = TypeVar("T")
Ranges = npt.NDArray[np.int32]
Take = Callable[[str, torch.Tensor], T]
"""Is given the name of a layer and its maps (N, K, h, w) as it returned them, to be read at once and not kept."""


@dataclass(frozen=True, eq=False)
class MapLayer:
    """A layer, and where its maps lie.

    Attributes:
        name: dotted.
        call: which of its calls, from 0.
        channels: how many maps.
        grid: rows and columns of a map.
        image: height and width of the image, in pixels.
        rows: (h, 2) first pixel row, and the one behind the last, that each row of cells sees.
        columns: (w, 2) the same for columns.
        extent: top, left, bottom and right of the part of the image, in pixels, that the cells share out evenly; all
            of it where that is not known.
        notes: what the reader must know.
    """

    name: str
    call: int
    channels: int
    grid: tuple[int, int]
    image: tuple[int, int]
    rows: Ranges
    columns: Ranges
    extent: tuple[float, float, float, float]
    notes: tuple[str, ...] = ()

    def box(self, row: int, column: int) -> tuple[int, int, int, int]:
        """Top, left, bottom, right, the last two exclusive, of the pixels that a cell sees."""
        (top, bottom), (left, right) = self.rows[row].tolist(), self.columns[column].tolist()
        return top, left, bottom, right


class MapReader:
    """Runs a network on images, and hands over the maps of some of its layers as they are returned.

    Args:
        model: the network.
        example: (1, C, H, W); all images are as large.
        layers: names or modules.

    Attributes:
        model: the network.
        layers: by name, in the order in which they were asked for.
        notes: what the reader must know.
        digits: by what share of itself rounding may change a large value.

    Raises:
        LayerNotFound: there is no such layer.
        NotSpatial: a layer returns no maps.
        CnnWidgetsError: a layer does not run, or the network fails.
    """

    def __init__(self, model: nn.Module, example: torch.Tensor, layers: Iterable[str | nn.Module]) -> None:
        self.model = model
        self._functions: dict[Key, FunctionLayer] = {}
        notes = [*model_notes(model)]
        with _plainly(), walked_once(), torch.no_grad(), preserved(model, evaluate=True) as preservation:
            example = fitted(model, example)
            tf32 = product_rounding(example.dtype, example.device) if example.dtype == torch.float32 else 0.0
            self.digits = max(DIGITS, _ROUNDINGS * tf32)
            generators = generators_now()
            names = []
            for layer in layers:
                name, functions = located(model, example, layer)
                names.append(name)
                self._functions |= functions
            self._names = dict.fromkeys(names)
            self._layouts = followed_layouts(model, example)
            if self._layouts.calls is None:
                self._layouts = replace(self._layouts, calls=self._by_shape(example))
            fields = _fields(model, example)
            self.layers = {name: self._described(name, tuple(example.shape), fields) for name in self._names}
            notes += random_notes(model, example) if have_moved(generators) else ()
        self.notes = tuple(dict.fromkeys([*notes, *change_notes(preservation.changed)]))

    @contextmanager
    def ready(self) -> Iterator[None]:
        """The network is in evaluation mode in this block, and afterwards as it was."""
        with walked_once(), preserved(self.model, evaluate=True):
            yield

    def read(self, images: torch.Tensor, take: Take[T], *, only: str | None = None) -> dict[str, T]:
        """What ``take`` makes of the maps of each layer, for images (N, C, H, W); to be called in :meth:`ready`.

        Args:
            only: of this layer only.

        Raises:
            CnnWidgetsError: the network fails, or does something else than on the first image.
        """
        results: dict[str, T] = {}
        looked_at = self._names if only is None else {only: None}
        calls: Counter[str] = Counter()
        layouts = replace(self._layouts, batch=len(images))

        def returned(name: str, output: Any) -> None:
            if name not in looked_at:
                return
            layer, index = self.layers[name], calls[name]
            calls[name] += 1
            tensor = layer_tensor(output)
            if index != layer.call or tensor is None:
                return
            with torch.no_grad():
                if type(tensor) is not torch.Tensor or tensor.is_quantized or tensor.layout != torch.strided:
                    tensor = plain_tensor(tensor, f"What layer {name!r} returns", expanded=True)
                maps = layouts.of(name, index, tuple(tensor.shape)).maps(tensor.detach())
                if tuple(maps.shape) == (len(images), layer.channels, *layer.grid):
                    results[name] = take(name, maps.abs() if maps.is_complex() else maps)

        def once() -> None:
            results.clear()
            calls.clear()
            self._run(images, returned, looked_at)

        with _plainly(), torch.no_grad():
            again(once)
        for name in looked_at:
            layer = self.layers[name]
            if name not in results:
                raise CnnWidgetsError(
                    f"Layer {name!r} returned {layer.channels} maps of {layer.grid[0]} × {layer.grid[1]} cells for the "
                    "first image, and something else, or nothing, for a later one: its exemplars cannot be compared."
                )
        return results

    def _run(self, images: torch.Tensor, returned: Callable[[str, Any], None], looked_at: Collection[str]) -> None:
        network = Network.of(self.model)
        names = network.visible_layers
        modules = [module for module, name in names.items() if self._functions or name in looked_at]
        running, entered = [RunningModule("", 0)], Counter[str]()
        functions: FunctionCalls | None = None
        if self._functions:
            functions = FunctionCalls(self._functions, lambda: running[-1], network.tensors, returned)

        def enter(module: nn.Module, _: Any) -> None:
            name = names[module]
            if name:
                running.append(RunningModule(name, entered[name]))
                entered[name] += 1

        def leave(module: nn.Module, _: Any, output: Any) -> None:
            if names[module] not in looked_at:
                return
            if functions is not None:
                functions.busy = True
            try:
                returned(names[module], output)
            finally:
                if functions is not None:
                    functions.busy = False

        def always(module: nn.Module, *_: Any) -> None:
            if names[module]:
                running.pop()

        with attached(modules, enter=enter, leave=leave, always=always), functions or nullcontext():
            run(self.model, fitted(self.model, images).clone())

    def _by_shape(self, example: torch.Tensor) -> dict[tuple[str, int], Layout]:
        """The layouts where the axes could not be followed: the shape decides."""
        calls: dict[tuple[str, int], Layout] = {}
        counts: Counter[str] = Counter()
        layouts = Layouts(1)

        def returned(name: str, output: Any) -> None:
            tensor = layer_tensor(output)
            calls[name, counts[name]] = layouts.of(name, counts[name], () if tensor is None else tuple(tensor.shape))
            counts[name] += 1

        def once() -> None:
            counts.clear()
            self._run(example, returned, self._names)

        again(once)
        return {call: replace(layout, sure=False) for call, layout in calls.items()}

    def _described(self, name: str, shape: tuple[int, ...], fields: dict[tuple[str, int], Field | None]) -> MapLayer:
        every = self._layouts.calls or {}
        layouts = [every[name, index] for index in range(sum(own == name for own, _ in every))]
        if not layouts:
            raise CnnWidgetsError(f"Layer {name!r} did not run in this forward pass.")
        stacked = [index for index, layout in enumerate(layouts) if layout.stacked]
        if not stacked:
            spatial = [own for (own, _), layout in every.items() if layout.mapped]
            raise NotSpatial(refusal(name, layouts[-1], spatial))
        call = max(stacked, key=lambda index: (rank(layouts[index]), index))
        layout, field = layouts[call], fields.get((name, call))
        _, channels, *sides = layout.maps(torch.empty(layout.shape, device="meta")).shape
        grid, image = (sides[0], sides[1]), (shape[2], shape[3])
        rows, columns = (np.array(pixel_ranges(field, axis, grid[axis], image[axis]), np.int32) for axis in (0, 1))
        notes = (*call_notes(name, call, layouts), *layout_notes(name, layout, self._layouts), *placement_notes(layout))
        extent = layout.placement.box if layout.placement is not None else (0.0, 0.0, float(shape[2]), float(shape[3]))
        return MapLayer(name, call, channels, grid, image, rows, columns, extent, notes)


def _plainly() -> Any:
    """Without watching what the network's outputs are: nobody asks."""
    return reading(Readout())


def _fields(model: nn.Module, example: torch.Tensor) -> dict[tuple[str, int], Field | None]:
    """The receptive field of what each call of each layer returned; none where the network cannot be followed."""
    try:
        recording, graph = Anatomy.shared(model, example)
    except CnnWidgetsError:
        return {}
    counts: Counter[str] = Counter()
    fields = {}
    for name, event in returning_calls(recording, graph):
        fields[name, counts[name]] = event.field
        counts[name] += 1
    return fields
