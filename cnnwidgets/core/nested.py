"""What models return, made anew with other tensors in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch


def rebuilt(value: Any, change: Callable[[Any], Any]) -> Any:
    """A list, tuple or mapping with ``change`` made of each item, of its own type; anything else as it is.

    Example:
        >>> rebuilt({"a": 1, "b": 2}, str)
        {'a': '1', 'b': '2'}
    """
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(change, value))
    if isinstance(value, list | tuple):
        return type(value)(map(change, value))
    if isinstance(value, Mapping):
        items = {key: change(item) for key, item in value.items()}
        try:
            return type(value)(items)  # type: ignore[call-arg]
        except TypeError:
            return items
    return value


def detached(value: Any) -> Any:
    """``value`` with each tensor in its containers out of the graph."""
    return value.detach() if isinstance(value, torch.Tensor) else rebuilt(value, detached)
