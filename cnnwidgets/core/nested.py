"""The tensors in what a model takes and returns: one way to list them, to change them, and to look at one of them."""

from __future__ import annotations

import copy
import dataclasses
from collections import OrderedDict
from collections.abc import Callable, Mapping
from types import EllipsisType, NoneType
from typing import Any

import torch
from torch import nn

# Most arguments of an operation; asking what else they may be would take longer than the operation.
_ATOMS = frozenset(
    {int, float, bool, str, NoneType, EllipsisType, slice, torch.dtype, torch.device, torch.layout, torch.memory_format}
)


def tensors(value: Any) -> list[torch.Tensor]:
    """All tensors in nested tuples, lists, mappings and plain objects, in order.

    Example:
        >>> tensors({"a": torch.tensor(1), "b": [torch.tensor(2), "text"]})
        [tensor(1), tensor(2)]
    """
    gathered: list[torch.Tensor] = []
    _gather(value, gathered)
    return gathered


def _gather(value: Any, gathered: list[torch.Tensor]) -> None:
    if isinstance(value, torch.Tensor):
        gathered.append(value)
    elif isinstance(value, list | tuple):
        for item in value:
            if type(item) not in _ATOMS:
                _gather(item, gathered)
    elif isinstance(value, Mapping):
        for item in value.values():
            _gather(item, gathered)
    else:
        for item in _record(value).values():
            _gather(item, gathered)


def _record(value: Any) -> dict[str, Any]:
    """The attributes of a plain object, such as a data class, that hold tensors directly or in a list."""
    if callable(value):
        return {}
    return {name: item for name, item in _attributes(value).items() if isinstance(item, torch.Tensor | list | tuple)}


def _attributes(value: Any) -> dict[str, Any]:
    kinds = type(value).__mro__[:-1]
    slots = (name for kind in kinds for name in _slots(kind))
    of_class = {name: item for kind in reversed(kinds) for name, item in vars(kind).items() if torch.is_tensor(item)}
    own = {name: getattr(value, name) for name in slots if hasattr(value, name)} | getattr(value, "__dict__", {})
    return of_class | own


def _slots(kind: type) -> tuple[str, ...]:
    slots = vars(kind).get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)


def mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    """``value`` with ``change`` made of whatever in it is no container, in containers of their own types.

    Example:
        >>> mapped({"a": 1, "b": (2, [3])}, str)
        {'a': '1', 'b': ('2', ['3'])}
    """
    if type(value) in _ATOMS or isinstance(value, torch.Tensor):
        return change(value)
    if isinstance(value, list | tuple):
        items = [mapped(item, change) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    if isinstance(value, Mapping):
        named = {key: mapped(item, change) for key, item in value.items()}
        try:
            return named if type(value) is dict else type(value)(named)  # type: ignore[call-arg]
        except TypeError:
            return named
    changed = change(value)
    attributes = _record(value) if changed is value else {}
    if any(tensors(item) for item in attributes.values()):
        changed = copy.copy(value)
        for name, item in attributes.items():
            object.__setattr__(changed, name, mapped(item, change))
    return changed


def detached(value: Any) -> Any:
    """``value`` with each tensor in it out of the graph."""
    return mapped(value, lambda item: item.detach() if isinstance(item, torch.Tensor) else item)


def copied(value: Any) -> Any:
    """``value`` with each tensor in it copied, still in the autograd graph, safe from later in-place operations."""
    return mapped(value, lambda item: item.clone() if isinstance(item, torch.Tensor) else item)


def with_replaced(output: Any, old: torch.Tensor, new: torch.Tensor) -> Any:
    """``output`` with ``new`` in place of ``old``; itself where it is a mapping that may take no other tensor."""
    if isinstance(output, Mapping) and type(output) not in (dict, OrderedDict):
        return output
    return mapped(output, lambda item: new if item is old else item)


def layer_tensor(output: Any) -> torch.Tensor | None:
    """The first stack of maps in what a layer returned, else the first tensor; None if there is no tensor.

    Example:
        >>> maps, tokens = torch.zeros(1, 2, 3, 3), torch.zeros(1, 9, 2)
        >>> layer_tensor({"tokens": tokens, "maps": [maps]}) is maps, layer_tensor((tokens, None)) is tokens
        (True, True)
    """
    all_tensors = tensors(output)
    for tensor in all_tensors:
        if tensor.ndim == 4:
            first = all_tensors[0]
            weights = first.ndim == 3 and first.shape[1] == tensor.shape[2] == tensor.shape[3]
            return first if weights else tensor
    return all_tensors[0] if all_tensors else None


def members(value: Any) -> list[tuple[Any, Any]]:
    """What a container or an object holds, by key, index or name."""
    if isinstance(value, Mapping):
        return list(value.items())
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return list(zip(value._fields, value, strict=True))
    if isinstance(value, list | tuple):
        return list(enumerate(value))
    if value is None or isinstance(value, str | bytes | int | float | complex | type | nn.Module) or callable(value):
        return []
    if dataclasses.is_dataclass(value):
        return [(field.name, getattr(value, field.name, None)) for field in dataclasses.fields(value)]
    public = [(name, item) for name, item in _attributes(value).items() if not name.startswith("_")]
    if not {"logits", "probs"} & set(dict(public)) and isinstance(getattr(value, "logits", None), torch.Tensor):
        public.append(("logits", value.logits))  # a property
    return public


def version(tensor: torch.Tensor) -> int:
    """Changes when the tensor is written to in place; -1 for one made in inference mode, whose writes nobody counts."""
    return -1 if tensor.is_inference() else tensor._version  # noqa: SLF001 (torch has no other name for it)
