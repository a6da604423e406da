"""A network that computes as the user's does, for threads that must not touch the user's."""

from __future__ import annotations

import copy
import functools
import threading
from collections import deque
from collections.abc import Callable
from types import CellType, FunctionType, MethodType
from typing import Any

import torch
from torch import nn

from cnnwidgets.core.capture import is_watching
from cnnwidgets.core.errors import is_out_of_memory
from cnnwidgets.core.network import Network

from .attributes import Contents, own_attributes
from .copying import graph_copies, undisturbed
from .fingerprint import functions_of, outside_values

_LOCKS: dict[type, Any] = {type(make()): make for make in (threading.Lock, threading.RLock)}


class Twin:
    """A copy of a network that shares its parameters, the very same objects, and owns everything else.

    So an optimizer's step is seen at once and no weight is held twice, while evaluation mode, hooks, running statistics
    and attributes of the twin are its own. Buffers are copied: they are as at the time of making.

    The user's hooks, and a forward set on an instance, come along with copies of the containers that they fill, so that
    results are the same and the user's lists stay as they are. Locks are made anew. Wrappers are looked through.

    Args:
        model: the user's; only read.

    Attributes:
        module: the twin; where ``note`` is not empty, the user's network itself.
        note: why it could not be copied; empty where it could.
    """

    def __init__(self, model: nn.Module) -> None:
        base = Network.of(model).base
        self.module, self.note = base, ""
        why: Exception | None = None
        for attempt in (_by_deepcopy, _by_dict):
            try:
                duplicate = undisturbed(functools.partial(attempt, base))
            except Exception as error:
                if is_out_of_memory(error):
                    raise
                why = why or error
                continue
            self.module = duplicate
            return
        self.note = (
            f"This {type(base).__name__} cannot be copied ({type(why).__name__}: {why}), so the Explorer computes on "
            "the network itself, and takes turns with your cells: each click waits until a running cell has ended."
        )

    @property
    def private(self) -> bool:
        """Whether ``module`` is a copy."""
        return not self.note


def _by_deepcopy(base: nn.Module) -> nn.Module:
    return _copied(base, lambda memo: copy.deepcopy(base, memo))


def _by_dict(base: nn.Module) -> nn.Module:
    """For modules whose ``__deepcopy__`` or ``__getstate__`` does something else than copying."""

    def make(memo: dict[int, Any]) -> nn.Module:
        blank = {module: object.__new__(type(module)) for module in base.modules()}
        memo.update({id(module): new for module, new in blank.items()})
        for module, new in blank.items():
            new.__dict__ = {name: _shared_if_uncopied(value, memo) for name, value in vars(module).copy().items()}
        return blank[base]

    return _copied(base, make)


def _shared_if_uncopied(value: Any, memo: dict[int, Any]) -> Any:
    try:
        return copy.deepcopy(value, memo)
    except Exception as error:
        if is_out_of_memory(error) or isinstance(value, dict) or "during iteration" in str(error):
            raise
        return value


def _copied(base: nn.Module, make: Callable[[dict[int, Any]], nn.Module]) -> nn.Module:
    modules = [module for module in base.modules() if not isinstance(module, torch.jit.ScriptModule)]
    functions = [function for module in modules for function in functions_of(module)]
    hosts = [function.__self__ for function in functions if isinstance(function, MethodType)]
    contents = Contents(modules, [host for host in hosts if not isinstance(host, nn.Module)])
    every = [*modules, *contents.modules]
    memo: dict[int, Any] = {}
    for module in every:
        memo.update({id(value): value for value in list(module._parameters.values()) if value is not None})  # noqa: SLF001
        memo.update(
            {id(value): _LOCKS[type(value)]() for value in own_attributes(module).values() if type(value) in _LOCKS}
        )
    memo.update(graph_copies(contents))
    rebound = _Rebound(memo)
    for function in functions:
        rebound.announce(function)
    with torch.inference_mode(False), torch.no_grad():
        duplicate = make(memo)
        rebound.fill()
    pairs: list[tuple[nn.Module, nn.Module]] = []
    for module in every:
        new = memo.get(id(module))
        if new is None or new is module:
            raise ValueError("its __deepcopy__ does not copy")
        pairs.append((module, new))
    for module, new in pairs:
        _take_parameters(module, new)
        _drop_our_hooks(new)
        for name, child in module.named_children():
            if isinstance(child, torch.jit.ScriptModule):
                _share_memory(child, getattr(new, name))
    return duplicate


def _take_parameters(module: nn.Module, new: Any) -> None:
    """Where copying made parameters of its own, let them lie in the same memory."""
    for name, value in module._parameters.items():  # noqa: SLF001
        own = new._parameters.get(name)  # noqa: SLF001
        if own is not value:
            if own is None or value is None or own.shape != value.shape:
                raise ValueError(f"its copy has another parameter {name!r}")
            new._parameters[name] = value  # noqa: SLF001


def _share_memory(scripted: nn.Module, new: nn.Module) -> None:
    """A scripted module's copy holds parameters of its own: let them lie in the memory of the user's."""
    if new is scripted:
        raise ValueError("a scripted part of it is not copied")
    for value, own in zip(scripted.parameters(), new.parameters(), strict=True):
        own.data = value.data


def _drop_our_hooks(module: nn.Module) -> None:
    for table in (module._forward_hooks, module._forward_pre_hooks):  # noqa: SLF001
        for key in [key for key, hook in table.items() if is_watching(hook)]:
            del table[key]


class _Globals(dict[str, Any]):
    """The globals of a function, live, but for a few names that have values of their own."""

    def __init__(self, original: dict[str, Any], own: dict[str, Any]) -> None:
        super().__init__(own)
        self._original = original

    def __missing__(self, name: str) -> Any:
        return self._original[name]


class _Rebound:
    """Functions made anew, with closures that refer to the twin's modules and to containers of its own."""

    def __init__(self, memo: dict[int, Any]) -> None:
        self._memo = memo
        self._functions: list[tuple[FunctionType, FunctionType, _Globals]] = []

    def announce(self, function: Any) -> None:
        """Let ``copy.deepcopy`` put another in the place of ``function``, filled later by :meth:`fill`."""
        function = getattr(function, "__func__", function)
        if not isinstance(function, FunctionType) or id(function) in self._memo:
            return
        values = dict(outside_values(function))
        names = [name for name in function.__code__.co_names if isinstance(values.get(name), _OWNED)]
        if not function.__closure__ and not names:
            return
        own = _Globals(function.__globals__, dict.fromkeys(names))
        cells = tuple(CellType() for _ in function.__closure__ or ())
        rebound = FunctionType(function.__code__, own, function.__name__, function.__defaults__, cells)
        rebound.__kwdefaults__, rebound.__module__ = function.__kwdefaults__, function.__module__
        self._memo[id(function)] = rebound
        self._functions.append((function, rebound, own))
        for value in values.values():
            if isinstance(value, FunctionType) and value.__closure__:
                self.announce(value)

    def fill(self) -> None:
        """Once the modules have been copied."""
        for function, rebound, own in self._functions:
            for cell, old in zip(rebound.__closure__ or (), function.__closure__ or (), strict=True):
                try:
                    cell.cell_contents = self._own(old.cell_contents)
                except ValueError:  # not filled yet
                    continue
            for name in own:
                own[name] = self._own(function.__globals__[name])

    def _own(self, value: Any) -> Any:
        """What the twin's function sees instead of ``value``."""
        if id(value) in self._memo:
            return self._memo[id(value)]
        if isinstance(value, MethodType):
            return MethodType(self._own(value.__func__), self._own(value.__self__))
        if isinstance(value, functools.partial):
            return functools.partial(self._own(value.func), *map(self._own, value.args), **value.keywords)
        if isinstance(value, dict | list | set | deque):
            new: Any = copy.copy(value)
            self._memo[id(value)] = new
            if isinstance(value, dict):
                new.update({key: self._own(item) for key, item in value.items()})
            elif not isinstance(value, set):
                new.clear()
                new.extend(map(self._own, value))
            return new
        return value


_OWNED = (dict, list, set, deque, nn.Module)
