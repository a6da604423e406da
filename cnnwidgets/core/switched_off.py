"""A model some of whose feature maps are zero."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from .capture import attached, with_replaced
from .errors import InputError
from .names import find_layer
from .provenance import tensors


@contextmanager
def switched_off(
    model: nn.Module, channels: Mapping[str, Sequence[int]], *, axes: Mapping[str, int] | None = None
) -> Iterator[None]:
    """While the block runs, the maps ``channels`` of each layer are zero, in every call of the layer.

    Args:
        model: the network; its weights are not touched.
        channels: dotted layer name -> indices of maps.
        axes: dotted layer name -> the axis that counts the maps, 1 by default; -1 for channels-last and tokens.

    Raises:
        LayerNotFound: before anything is attached.
        InputError: while the model runs, where a layer has no such map.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Flatten())
        >>> with switched_off(net, {"0": [1]}):
        ...     net(torch.ones(1, 1, 1, 1))[0, 1].item()
        0.0
    """
    wanted: dict[nn.Module, tuple[str, list[int]]] = {}
    for name, off in channels.items():
        found, module = find_layer(model, name)
        if off:
            wanted[module] = (found, list(off))
    axis_of = axes or {}

    def leave(module: nn.Module, _: tuple[Any, ...], output: Any) -> Any:
        name, off = wanted[module]
        tensor = next((value for value in tensors(output) if value.ndim > 2), None)
        axis = axis_of.get(name, 1)
        if tensor is None or not all(0 <= index < tensor.shape[axis] for index in off):
            got = "no maps" if tensor is None else f"shape {tuple(tensor.shape)}"
            raise InputError(f"Layer {name!r} returns {got}; maps {off} cannot be switched off there.")
        without = tensor.index_fill(axis, torch.tensor(off, device=tensor.device), 0.0)
        replaced = with_replaced(output, tensor, without)
        if replaced is output:
            raise InputError(f"Layer {name!r} returns {type(output).__name__}, in which maps cannot be switched off.")
        return replaced

    with attached(wanted, leave=leave):
        yield
