"""Modules that a module keeps without registering them: in a list, a closure, a class, a helper object."""

from __future__ import annotations

import functools
import types
import weakref
from collections import deque
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import torch
from torch import nn

_OF_TORCH = frozenset(vars(nn.Module()))
_DEPTH = 6
# A list of a million numbers, or an object that leads to half of a program, must cost nothing to look at.
_ITEMS = 2048
_OBJECTS = 2000
_ATOMS = (int, float, bool, str, bytes, complex, type(None), type, torch.dtype, torch.device, torch.Size, torch.Tensor)
_PLAIN = frozenset({*_ATOMS, nn.Parameter})
# Library code that keeps no modules in classes and globals, and has many of both.
_LIBRARIES = ("torch", "torchvision", "timm", "builtins", "numpy", "cnnwidgets", "typing", "abc", "collections")

Held = Iterator[tuple[str, nn.Module]]


def held_modules(module: nn.Module, of_classes: dict[type, list[tuple[str, nn.Module]]]) -> Held:
    """The path from ``module``, dotted, and the module, of each that it keeps in attributes of its own or its class.

    Those inside of what is yielded are not looked for, nor what is registered. A module may be yielded twice.

    Args:
        module: the one that keeps them.
        of_classes: what classes keep, as far as it is known; is added to.
    """
    kind = type(module)
    if isinstance(module, torch.jit.ScriptModule):
        return
    if not module._modules and kind.__module__.startswith("torch.nn.") and "forward" not in vars(module):  # noqa: SLF001
        return
    visited = {id(module)}
    for name, value in vars(module).copy().items():  # another thread may be running it, and setting attributes
        if type(value) not in _PLAIN and name not in _OF_TORCH:
            yield from _in_value(name, value, _DEPTH, visited)
    if kind not in of_classes:
        own = [base for base in kind.__mro__ if base.__module__.split(".", 1)[0] not in _LIBRARIES]
        of_classes[kind] = [held_module for base in own for held_module in _in_class(base, visited)]
    yield from of_classes[kind]


def _in_class(kind: type, visited: set[int]) -> Held:
    for name, value in vars(kind).items():
        if isinstance(value, types.FunctionType):
            yield from _in_value("", value, _DEPTH, visited)
        elif isinstance(value, nn.Module | list | tuple | dict):
            yield from _in_value(name, value, _DEPTH, visited)


def _in_globals(function: types.FunctionType) -> Held:
    """Modules that the code reads from its file or notebook by name."""
    for name in function.__code__.co_names:
        value = function.__globals__.get(name)
        if isinstance(value, nn.Module):
            yield name, value
        elif isinstance(value, list | tuple) and value and isinstance(value[0], nn.Module):
            yield from _in_value(name, value, 2, set())


def _in_value(path: str, value: Any, depth: int, visited: set[int]) -> Held:
    # What a proxy stands for is held elsewhere; one whose object is gone raises at every look.
    if type(value) in weakref.ProxyTypes:
        return
    if isinstance(value, nn.Module):
        yield path, value
        return
    if depth == 0 or isinstance(value, _ATOMS) or id(value) in visited or len(visited) > _OBJECTS:
        return
    visited.add(id(value))
    for name, item in _named_parts(value):
        if type(item) not in _PLAIN:
            yield from _in_value(dotted(path, name), item, depth - 1, visited)
    if isinstance(value, types.FunctionType):
        yield from _in_globals(value)


def dotted(path: str, name: str) -> str:
    """Both, with a dot between where there is something on either side."""
    return f"{path}.{name}" if path and name else path or name


def _named_parts(value: Any) -> Iterator[tuple[str, Any]]:
    """What a container holds, with the name of each part."""
    if isinstance(value, Mapping):
        for key, item in _pairs(value):
            yield str(key) if isinstance(key, str | int) else type(key).__name__, item
    elif isinstance(value, list | tuple | set | frozenset | deque):
        for index, item in enumerate(islice(tuple(value) if isinstance(value, set) else value, _ITEMS)):
            yield str(index), item
    elif isinstance(value, functools.partial):
        yield "", value.func
        for index, item in enumerate(value.args):
            yield str(index), item
        yield from value.keywords.items()
    elif isinstance(value, types.MethodType):
        yield "", value.__self__
    elif isinstance(value, types.FunctionType):
        yield from closure_of(value)
        for index, default in enumerate(value.__defaults__ or ()):
            yield f"default{index}", default
        yield from (value.__kwdefaults__ or {}).items()
    elif isinstance(value, weakref.ref):
        yield "", value()
    elif type(value).__module__.split(".", 1)[0] not in _LIBRARIES:
        attributes = getattr(value, "__dict__", None)
        if isinstance(attributes, dict):
            yield from list(attributes.items())
        for name in getattr(type(value), "__slots__", ()):
            if isinstance(name, str) and not name.startswith("__"):
                yield name, getattr(value, name, None)


def _pairs(mapping: Mapping[Any, Any]) -> list[tuple[Any, Any]]:
    try:
        return list(islice(mapping.items(), _ITEMS))
    except Exception:  # a mapping of somebody's own that does not hold what it promises
        return []


def closure_of(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    """(name, value) of what a function keeps of the ones around it."""
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        try:
            yield name, cell.cell_contents
        except ValueError:  # not filled yet
            continue
