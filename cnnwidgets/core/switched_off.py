"""A model some of whose feature maps are zero."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from .capture import attached
from .errors import InputError
from .names import find_layer


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
        tensor = next((value for value in _tensors(output) if value.ndim > 2), None)
        axis = axis_of.get(name, 1)
        if tensor is None or not all(0 <= index < tensor.shape[axis] for index in off):
            got = "no maps" if tensor is None else f"shape {tuple(tensor.shape)}"
            raise InputError(f"Layer {name!r} returns {got}; maps {off} cannot be switched off there.")
        without = tensor.index_fill(axis, torch.tensor(off, device=tensor.device), 0.0)
        return _put(output, tensor, without)

    with attached(wanted, leave=leave):
        yield


def _tensors(output: Any) -> Iterator[torch.Tensor]:
    if isinstance(output, torch.Tensor):
        yield output
    elif isinstance(output, Mapping):
        output = list(output.values())
    if isinstance(output, list | tuple):
        for item in output:
            yield from _tensors(item)


def _put(output: Any, tensor: torch.Tensor, other: torch.Tensor) -> Any:
    """``output`` with ``other`` in the place of ``tensor``."""
    if output is tensor:
        return other
    if isinstance(output, tuple) and hasattr(output, "_fields"):
        return type(output)(*(_put(item, tensor, other) for item in output))
    if isinstance(output, list | tuple):
        return type(output)(_put(item, tensor, other) for item in output)
    if isinstance(output, dict):
        return {key: _put(item, tensor, other) for key, item in output.items()}
    return output
