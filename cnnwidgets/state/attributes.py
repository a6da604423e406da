"""What modules keep in attributes of their own, beside parameters, buffers and submodules."""

from __future__ import annotations

import operator
from collections import deque
from collections.abc import Iterable
from types import ModuleType
from typing import Any
from weakref import ProxyTypes

import torch
from torch import nn

from .tables import SMALL, same_bits, write

_OF_TORCH = frozenset(vars(nn.Module()))
_MOST = 20_000  # values looked at: a model may hold a vocabulary, or a whole data set
_LEAVES = (str, bytes, int, float, bool, complex, type(None), type, ModuleType, torch.dtype, torch.device, torch.Size)
_PLAIN = frozenset({str, int, float, bool, type(None)})
_FOREIGN = frozenset({"torch", "numpy", "builtins", "threading", "_thread", "logging", "cnnwidgets", "functools"})


def own_attributes(module: nn.Module) -> dict[str, Any]:
    """The attributes that ``nn.Module`` did not make."""
    return {name: value for name, value in vars(module).copy().items() if name not in _OF_TORCH}


class Contents:
    """What is reached from the attributes of ``modules`` through containers and plain objects.

    Attributes:
        boxes: lists, dicts, sets, deques, and the ``__dict__`` of objects.
        tensors: tensors that are neither parameters nor buffers of a module.
        modules: modules that are no submodules of the given ones, such as those in a plain list.
    """

    def __init__(self, modules: Iterable[nn.Module], also: Iterable[Any] = ()) -> None:
        self.boxes: list[Any] = []
        self.tensors: list[torch.Tensor] = []
        self.modules: list[nn.Module] = []
        modules = list(modules)
        self._visited = {id(module) for module in modules}
        self._left = _MOST
        pending: list[Any] = list(also)
        for module in modules:
            table = vars(module).copy()
            pending += [item for name, item in table.items() if type(item) not in _PLAIN and name not in _OF_TORCH]
        while pending:
            self._look(pending.pop(), pending)

    def _look(self, value: Any, pending: list[Any]) -> None:
        if type(value) is tuple and _PLAIN.issuperset(map(type, value)):  # most are: strides, paddings
            return
        # What a proxy stands for is held elsewhere; one whose object is gone raises at every look.
        if type(value) in ProxyTypes or isinstance(value, _LEAVES) or id(value) in self._visited:
            return
        self._visited.add(id(value))
        if isinstance(value, torch.Tensor):
            if not isinstance(value, nn.Parameter):
                self.tensors.append(value)
            return
        if isinstance(value, nn.Module):
            for inner in value.modules():
                if inner is value or id(inner) not in self._visited:
                    self._visited.add(id(inner))
                    self.modules.append(inner)
                    pending += own_attributes(inner).values()
            return
        box = _box(value)
        if box is not None:
            self.boxes.append(box)
        if box is not None or isinstance(value, tuple):
            members = list(box.values()) if isinstance(box, dict) else list(value)
            self._left -= len(members)
            if self._left >= 0:
                pending += [member for member in members if type(member) not in _PLAIN]


def _box(value: Any) -> Any:
    """The container in ``value`` whose content may change; None: there is none."""
    if isinstance(value, dict | list | set | deque):
        return value
    if type(value).__module__.split(".")[0] in _FOREIGN or isinstance(value, tuple):
        return None
    attributes = getattr(value, "__dict__", None)
    return attributes if type(attributes) is dict else None


class Attributes:
    """What the attributes of ``modules`` are, to be put back: rebound, added, deleted, or changed in place.

    Of tensors the content is remembered only where it is small; all else is remembered by identity.
    """

    def __init__(self, modules: Iterable[nn.Module], contents: Contents) -> None:
        modules = (module for module in modules if not isinstance(module, torch.jit.ScriptModule))
        self._attributes = [(vars(module), vars(module).copy()) for module in modules]
        self._boxes = [(box, box.copy()) for box in contents.boxes]
        self._tensors = [(value, value.detach().clone()) for value in contents.tensors if _remembered(value)]

    def restore(self) -> None:
        """Put everything back; what is as it was is not touched."""
        for table, before in self._attributes:
            if list(table) != list(before) or not all(map(operator.is_, table.values(), before.values())):
                for name in [name for name in table if name not in _OF_TORCH and name not in before]:
                    del table[name]
                table.update((name, value) for name, value in before.items() if name not in _OF_TORCH)
        for box, content in self._boxes:
            if _marks(box) != _marks(content):
                refill(box, content)
        for value, content in self._tensors:
            if value.shape == content.shape and not same_bits(value, content):
                write(value, content)


def _remembered(value: torch.Tensor) -> bool:
    plain = type(value) is torch.Tensor and value.layout == torch.strided and not value.is_quantized
    return plain and not value.is_meta and value.numel() <= SMALL


def _marks(box: Any) -> Any:
    """What is in a container, by identity."""
    if isinstance(box, dict):
        return [(name, id(value)) for name, value in box.items()]
    return set(map(id, box)) if isinstance(box, set) else list(map(id, box))


def refill(box: Any, content: Any) -> None:
    box.clear()
    if isinstance(box, dict | set):
        box.update(content)
    else:
        box.extend(content)
