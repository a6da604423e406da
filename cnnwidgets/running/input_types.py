"""In which types a network may want its images."""

from __future__ import annotations

import weakref

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from cnnwidgets.core.network import Network

Kind = tuple[torch.device, torch.dtype]


def input_types(base: nn.Module) -> list[Kind]:
    """The device and floating-point type of the parameters: where they differ, what most numbers have first.

    The first device that appears comes before the others: that is where an image goes in. Without such parameters,
    those of the buffers; none if nothing is in floating point.
    """
    for tables in ("_parameters", "_buffers"):
        numbers: dict[Kind, int] = {}
        devices: dict[torch.device, int] = {}
        for _, module in Network.of(base).layers:
            for value in vars(module).get(tables, {}).values():
                if isinstance(value, torch.Tensor) and not is_lazy(value) and value.is_floating_point():
                    kind = value.device, value.dtype
                    numbers[kind] = numbers.get(kind, 0) + value.numel()
                    devices.setdefault(value.device, len(devices))
        real = [kind for kind in numbers if kind[0].type != "meta"] or list(numbers)
        if real:
            return sorted(real, key=lambda kind: (devices[kind[0]], -numbers[kind]))
    return []


_proven: weakref.WeakKeyDictionary[nn.Module, tuple[list[Kind], Kind]] = weakref.WeakKeyDictionary()


def proven(base: nn.Module, kinds: list[Kind]) -> Kind | None:
    """The one of ``kinds`` that the network has run with, if that was tried and none of them has changed."""
    before, kind = _proven.get(base, ([], None))
    return kind if before == kinds else None


def prove(base: nn.Module, kinds: list[Kind], kind: Kind) -> None:
    """Remember that the network runs with ``kind``."""
    _proven[base] = kinds, kind
