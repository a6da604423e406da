"""Models whose forward itself works with gradients: hooks on activations, ``torch.autograd.grad``, energies.

They cannot run without gradients. Which they are is found out by running them, once a model: where a run without
gradients fails and one with them does not, it fails with :class:`NeedsGradients`, and whoever began it begins it
again, see :func:`again`.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import nn

from cnnwidgets.core.errors import CnnWidgetsError
from cnnwidgets.core.nested import detached

T = TypeVar("T")
_needing: weakref.WeakSet[nn.Module] = weakref.WeakSet()


class NeedsGradients(CnnWidgetsError):
    """The model runs with gradients only, as is now known: the same call will succeed."""


def needs_gradients(base: nn.Module) -> bool:
    """Whether the module, without wrappers, is known to run with gradients only."""
    return base in _needing


def is_first_to_ask(base: nn.Module, inputs: Sequence[torch.Tensor]) -> bool:
    """Whether the module, which failed on ``inputs`` without gradients, runs with them; not if that was known."""
    if torch.is_grad_enabled() or base in _needing:
        return False
    try:
        with_gradients(base, *inputs)
    except Exception:
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
    with torch.enable_grad():
        return x.detach().clone().requires_grad_().clone() if x.is_floating_point() else x.clone()


def with_gradients(base: nn.Module, *inputs: torch.Tensor) -> Any:
    """What the module returns for copies of ``inputs``, made with gradients, and out of the graph."""
    with torch.inference_mode(False), torch.enable_grad():
        return detached(base(*map(in_graph, inputs)))
