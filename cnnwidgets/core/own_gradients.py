"""Models whose forward itself works with gradients: hooks on activations, ``torch.autograd.grad``, energies.

They cannot run without gradients. Which they are is found out by running them, once a model: what runs without
gradients fails with :class:`NeedsGradients`, and whoever began it begins it again, see :func:`again`.
"""

from __future__ import annotations

import re
import weakref
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch
from torch import nn

from .errors import CnnWidgetsError

T = TypeVar("T")
_ASKS = re.compile(
    r"register a hook on a tensor that doesn't require grad|can't retain_grad on Tensor that has requires_grad=False"
    r"|does not require grad|'NoneType' object has no attribute '(register_hook|register_prehook|next_functions|name)'"
)
_needing: weakref.WeakSet[nn.Module] = weakref.WeakSet()


class NeedsGradients(CnnWidgetsError):
    """The model runs with gradients only, as is now known: the same call will succeed."""


def needs_gradients(base: nn.Module) -> bool:
    """Whether the module, without wrappers, is known to run with gradients only."""
    return base in _needing


def is_first_to_ask(base: nn.Module, error: Exception) -> bool:
    """Whether ``error``, raised without gradients, says that they are needed, and that was not known; now it is."""
    if base in _needing or not isinstance(error, RuntimeError | AttributeError) or not _ASKS.search(str(error)):
        return False
    _needing.add(base)
    return True


def again(call: Callable[[], T]) -> T:
    """What ``call`` returns; it is called a second time if the model turns out to need gradients."""
    try:
        return call()
    except NeedsGradients:
        pass
    return call()


def in_graph(x: torch.Tensor) -> torch.Tensor:
    """A copy of ``x`` that may be written to, and that gradients reach."""
    return x.detach().clone().requires_grad_().clone() if x.is_floating_point() else x.clone()


def with_gradients(base: nn.Module, x: torch.Tensor) -> Any:
    """What the module returns for a copy of ``x``, made with gradients, and out of the graph."""
    with torch.inference_mode(False), torch.enable_grad():
        return _detached(base(in_graph(x)))


def _detached(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.detach()
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(_detached, value))
    if isinstance(value, list | tuple):
        return type(value)(map(_detached, value))
    if isinstance(value, Mapping):
        try:
            return type(value)({key: _detached(item) for key, item in value.items()})  # type: ignore[call-arg]
        except TypeError:
            return {key: _detached(item) for key, item in value.items()}
    return value
