"""A model some of whose feature maps are zero."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn

from cnnwidgets.core.capture import attached
from cnnwidgets.core.errors import InputError
from cnnwidgets.core.nested import layer_tensor, with_replaced
from cnnwidgets.core.network import Network
from cnnwidgets.tracing.layouts.layouts import Layout, Layouts

Change = Callable[[torch.Tensor], torch.Tensor]
"""Makes a copy of what a layer returned, in which some of its maps are zero."""


@contextmanager
def switched_off(
    model: nn.Module,
    channels: Mapping[str, Sequence[int]],
    *,
    layouts: Layouts | None = None,
    counts: Mapping[str, int] | None = None,
    through: Callable[[torch.Tensor, Change], torch.Tensor] | None = None,
) -> Iterator[None]:
    """While the block runs, the maps ``channels`` of each layer are zero, in every call of the layer.

    Of tokens, those of the grid are: a class token, which is in no map, stays as it is.

    Args:
        model: the network; its weights are not touched.
        channels: dotted layer name -> indices of maps.
        layouts: how the layers hold their maps; None: all as (N, C, H, W).
        counts: dotted layer name -> how many maps it has. Where a layer stands in several places, as a ReLU often does,
            calls that return another number of them are left alone; without a count there must be no such call.
        through: for a model that runs on tensors that stand for others: given one, and what makes the change to
            another, it returns what stands for the changed one.

    Raises:
        LayerNotFound: before anything is attached.
        InputError: a layer has no such maps: while the model runs, or, with ``counts``, when the block ends.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Flatten())
        >>> with switched_off(net, {"0": [1]}):
        ...     net(torch.ones(1, 1, 1, 1))[0, 1].item()
        0.0
    """
    wanted: dict[nn.Module, tuple[str, list[int]]] = {}
    network = Network.of(model)
    for name, off in channels.items():
        found, module = network.find(name)
        if off:
            wanted[module] = (found, list(off))
    calls: Counter[str] = Counter()
    refused: dict[str, InputError | None] = {}

    def leave(module: nn.Module, _: tuple[Any, ...], output: Any) -> Any:
        name, off = wanted[module]
        count = None if counts is None else counts.get(name)
        tensor = layer_tensor(output)
        layout = None
        if tensor is not None:
            shape = tuple(tensor.shape)
            layout = layouts.of(name, calls[name], shape) if layouts is not None else Layout(shape)
        calls[name] += 1
        if tensor is None or layout is None or not _has(layout, off, count):
            got = "no tensor" if tensor is None else f"shape {tuple(tensor.shape)}"
            error = InputError(f"Layer {name!r} returns {got}; maps {off} cannot be switched off there.")
            if count is None:
                raise error
            refused.setdefault(name, error)
            return None
        refused[name] = None
        change = partial(_without, layout, off)
        without = change(tensor) if through is None else through(tensor, change)
        replaced = with_replaced(output, tensor, without)
        if replaced is output:
            raise InputError(f"Layer {name!r} returns {type(output).__name__}, in which maps cannot be switched off.")
        return replaced

    with attached(wanted, leave=leave):
        yield
    for error in refused.values():
        if error is not None:
            raise error


def _has(layout: Layout, off: list[int], count: int | None) -> bool:
    """Whether an output that is laid out so, holds the maps ``off``, and ``count`` of them."""
    if not layout.stacked:
        return False
    there = layout.shape[1] if layout.form is None else layout.form.maps(torch.zeros(layout.shape)).shape[1]
    return count in (None, there) and all(0 <= index < there for index in off)


def _without(layout: Layout, off: list[int], tensor: torch.Tensor) -> torch.Tensor:
    """A copy of what a layer returned, in which the maps ``off`` are zero."""
    without = layout.maps(tensor).index_fill(1, torch.tensor(off, device=tensor.device), 0.0)
    return without if layout.form is None else layout.form.put(without, tensor)
