"""What modules keep in attributes of their own, beside parameters, buffers and submodules."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from types import ModuleType
from typing import Any
from weakref import ProxyTypes

import torch
from torch import nn

_OF_TORCH = frozenset(vars(nn.Module()))
_MOST = 20_000  # values looked at: a model may hold a vocabulary, or a whole data set
_SMALL = 2**16  # numbers in a tensor whose content is remembered
_LEAVES = (str, bytes, int, float, bool, complex, type(None), type, ModuleType, torch.dtype, torch.device, torch.Size)
_PLAIN = frozenset({str, int, float, bool})
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
        complete: whether everything was looked at, not only the first values of many.
    """

    def __init__(self, modules: Iterable[nn.Module], also: Iterable[Any] = ()) -> None:
        self.boxes: list[Any] = []
        self.tensors: list[torch.Tensor] = []
        self.modules: list[nn.Module] = []
        self.complete = True
        modules = list(modules)
        self._seen = {id(module) for module in modules}
        self._left = _MOST
        pending: list[Any] = list(also)
        for module in modules:
            pending += [
                value for value in own_attributes(module).values() if type(value) not in _PLAIN and value is not None
            ]
        while pending:
            self._look(pending.pop(), pending)

    def _look(self, value: Any, pending: list[Any]) -> None:
        # What a proxy stands for is held elsewhere; one whose object is gone raises at every look.
        if type(value) in ProxyTypes or isinstance(value, _LEAVES) or id(value) in self._seen:
            return
        self._seen.add(id(value))
        if isinstance(value, torch.Tensor):
            if not isinstance(value, nn.Parameter):
                self.tensors.append(value)
            return
        if isinstance(value, nn.Module):
            for one in value.modules():
                if one is value or id(one) not in self._seen:
                    self._seen.add(id(one))
                    self.modules.append(one)
                    pending += own_attributes(one).values()
            return
        box = _box(value)
        if box is not None:
            self.boxes.append(box)
        if box is not None or isinstance(value, tuple):
            members = list(box.values()) if isinstance(box, dict) else list(value)
            self._left -= len(members)
            if self._left < 0:
                self.complete = False
                return
            pending += members


def _box(value: Any) -> Any:
    """The container in ``value`` whose content may change; None: there is none."""
    if isinstance(value, dict | list | set | deque):
        return value
    if type(value).__module__.split(".")[0] in _FOREIGN or isinstance(value, tuple):
        return None
    held = getattr(value, "__dict__", None)
    return held if type(held) is dict else None


class Attributes:
    """What the attributes of ``modules`` are, to be put back: rebound, added, deleted, or changed in place.

    Of tensors the content is remembered only where it is small; all else is remembered by identity.
    """

    def __init__(self, modules: Iterable[nn.Module], contents: Contents) -> None:
        self._attributes = [
            (vars(module), own_attributes(module), len(vars(module)))
            for module in modules
            if not isinstance(module, torch.jit.ScriptModule)
        ]
        self._boxes = [(box, box.copy()) for box in contents.boxes]
        self._tensors = [(value, value.detach().clone()) for value in contents.tensors if _remembered(value)]

    def restore(self) -> None:
        """Put everything back; what is as it was is not touched."""
        for held, before, count in self._attributes:
            if len(held) != count or any(held.get(name, before) is not value for name, value in before.items()):
                for name in [name for name in held if name not in _OF_TORCH and name not in before]:
                    del held[name]
                held.update(before)
        for box, content in self._boxes:
            if not _same_content(box, content):
                _refill(box, content)
        for value, content in self._tensors:
            if value.shape == content.shape and not torch.equal(_bits(value), _bits(content)):
                with torch.inference_mode(value.is_inference()), torch.no_grad():
                    value.copy_(content)


def _remembered(value: torch.Tensor) -> bool:
    plain = type(value) is torch.Tensor and value.layout == torch.strided and not value.is_quantized
    return plain and not value.is_meta and value.numel() <= _SMALL


def _bits(value: torch.Tensor) -> torch.Tensor:
    value = value.detach()
    return value.nan_to_num() if value.is_floating_point() or value.is_complex() else value


def _same_items(now: dict[Any, Any], before: dict[Any, Any]) -> bool:
    return len(now) == len(before) and all(
        name == other and value is known
        for (name, value), (other, known) in zip(now.items(), before.items(), strict=True)
    )


def _same_content(box: Any, content: Any) -> bool:
    if isinstance(box, dict):
        return _same_items(box, content)
    if isinstance(box, set):
        return set(map(id, box)) == set(map(id, content))
    return len(box) == len(content) and all(one is other for one, other in zip(box, content, strict=True))


def _refill(box: Any, content: Any) -> None:
    box.clear()
    if isinstance(box, dict | set):
        box.update(content)
    else:
        box.extend(content)
