"""A model some of whose feature maps are zero or scaled."""

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
from cnnwidgets.tracing.layouts.token_layout import TokenLayout

from .scaling import Factors, scaled

Off = Mapping[str, Sequence[int] | Factors]
"""Dotted layer name -> its maps that are zero; or what each of them, or the whole layer, is multiplied by."""
Change = Callable[[torch.Tensor], torch.Tensor]
"""Makes a copy of what a layer returned, in which some of its maps are zero or scaled."""


@contextmanager
def zeroed(
    model: nn.Module,
    channels: Off,
    *,
    layouts: Layouts | None = None,
    counts: Mapping[str, int] | None = None,
    through: Callable[[torch.Tensor, Change], torch.Tensor] | None = None,
) -> Iterator[None]:
    """While the block runs, the maps ``channels`` of each layer are zero, or scaled, in every call of the layer.

    With all that a channel holds: of tokens, the class token too.

    Args:
        model: the network; its weights are not touched.
        channels: dotted layer name -> indices of maps, or factors.
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
        >>> with zeroed(net, {"0": [1]}):
        ...     net(torch.ones(1, 1, 1, 1))[0, 1].item()
        0.0
    """
    network = Network.of(model)
    zeros: dict[nn.Module, tuple[str, Factors]] = {}
    for name, off in channels.items():
        full_name, module = network.find(name)
        factors = off if isinstance(off, float | dict) else dict.fromkeys(off, 0.0)
        if factors != {}:
            zeros[module] = (full_name, factors)
    calls: Counter[str] = Counter()
    refused: dict[str, InputError | None] = {}

    def leave(module: nn.Module, _: tuple[Any, ...], output: Any) -> Any:
        name, factors = zeros[module]
        count = None if counts is None else counts.get(name)
        tensor = layer_tensor(output)
        layout = None
        if tensor is not None:
            shape = tuple(tensor.shape)
            layout = layouts.of(name, calls[name], shape) if layouts is not None else Layout(shape)
        calls[name] += 1
        if tensor is None or layout is None or not has_channels(layout, factors, count):
            returned = "no tensor" if tensor is None else f"shape {tuple(tensor.shape)}"
            maps = "maps" if isinstance(factors, float) else f"maps {list(factors)}"
            error = InputError(f"Layer {name!r} returns {returned}; {maps} cannot be switched off there.")
            if count is None:
                raise error
            refused.setdefault(name, error)
            return None
        refused[name] = None
        change = partial(scaled, axis=channel_axis(layout), factors=factors)
        without = change(tensor) if through is None else through(tensor, change)
        replaced = with_replaced(output, tensor, without)
        if replaced is output:
            raise InputError(f"Layer {name!r} returns {type(output).__name__}, in which maps cannot be switched off.")
        return replaced

    with attached(zeros, leave=leave):
        yield
    for error in refused.values():
        if error is not None:
            raise error


def has_channels(layout: Layout, factors: Factors, count: int | None) -> bool:
    """Whether an output that is laid out so, holds ``count`` maps, and those that are changed."""
    if not layout.stacked:
        return False
    maps = layout.shape[channel_axis(layout)]
    return count in (None, maps) and (isinstance(factors, float) or all(0 <= index < maps for index in factors))


def channel_axis(layout: Layout) -> int:
    """Which axis of a tensor that is, or holds, a stack of maps, holds the channels."""
    return layout.form.order.index("c") if isinstance(layout.form, TokenLayout) else 1
