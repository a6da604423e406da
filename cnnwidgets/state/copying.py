"""Copies of a model: what another thread may be changing, what ``copy.deepcopy`` refuses, and one to be changed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import TypeVar

import torch
from torch import nn

from cnnwidgets.core.errors import CnnWidgetsError, is_out_of_memory
from cnnwidgets.core.network import Network

from .attributes import Contents

_ATTEMPTS = 5

T = TypeVar("T")


def undisturbed(copy: Callable[[], T]) -> T:
    """What ``copy`` returns; called again, a few times, where another thread attached or removed a hook meanwhile."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return copy()
        except RuntimeError as error:
            if "during iteration" not in str(error):
                raise
    return copy()


def graph_copies(contents: Contents) -> dict[int, torch.Tensor]:
    """By their ids, copies of those that ``copy.deepcopy`` refuses: results of a computation that is differentiated."""
    graph = (value for value in contents.tensors if value.requires_grad and not value.is_leaf)
    return {id(value): value.detach().clone() for value in graph}


def private_copy(model: nn.Module) -> nn.Module:
    """A deep copy of the module under ``model``'s wrappers, which shares no parameter with it.

    Raises:
        CnnWidgetsError: it cannot be copied; names the part that cannot. Or the copy shares memory with the original.
    """
    base = Network.of(model).base
    try:
        duplicate = deep_copy(base)
    except Exception as error:
        if is_out_of_memory(error):
            raise _too_big(base) from error
        raise _not_copied(base, error) from error
    shared = _storages(base) & _storages(duplicate)
    if shared or duplicate is base:
        raise CnnWidgetsError(
            f"copy.deepcopy of this {type(base).__name__} gives a model that shares weights with it, so nothing was "
            "randomised. Remove its __deepcopy__, or let it copy the parameters too."
        )
    return duplicate


def deep_copy(base: nn.Module) -> nn.Module:
    """``copy.deepcopy(base)``, also where it holds results of a computation, or another thread attaches hooks."""
    with torch.inference_mode(False), torch.no_grad():
        return undisturbed(lambda: copy.deepcopy(base, graph_copies(Contents(base.modules()))))


def _storages(model: nn.Module) -> set[int]:
    return {parameter.untyped_storage().data_ptr() for parameter in model.parameters()} - {0}


def _too_big(base: nn.Module) -> CnnWidgetsError:
    amount = sum(value.numel() * value.element_size() for value in (*base.parameters(), *base.buffers()))
    return CnnWidgetsError(
        f"There is no memory for a second copy of the {type(base).__name__}, {amount / 2**20:.0f} MB; the check works "
        "on a copy, so that your model is never changed. Free memory, or check on a machine with more."
    )


def _not_copied(base: nn.Module, error: Exception) -> CnnWidgetsError:
    part = next(_uncopied(base), None)
    where = f" Its attribute {part!r} cannot be copied." if part else ""
    return CnnWidgetsError(
        f"The check works on a copy of the model, and copy.deepcopy of this {type(base).__name__} raised "
        f"{type(error).__name__}: {error}.{where} Remove that part from the model, or give it a __deepcopy__."
    )


def _uncopied(base: nn.Module) -> Iterator[str]:
    """Dotted names of the attributes that raise when they are copied by themselves."""
    for path, module in base.named_modules():
        for name, value in vars(module).items():
            if name == "_modules":
                continue
            parts = value.items() if name in ("_parameters", "_buffers") else [(name, value)]
            for part, item in list(parts):
                try:
                    # The module itself is already known, or a bound method of it would copy everything.
                    copy.deepcopy(item, {id(inner): inner for inner in base.modules()})
                except Exception:
                    yield f"{path}.{part}" if path else part
