"""What torch keeps in tables of a module, remembered and put back: buffers, hooks, weights of inference mode."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.utils.weak import WeakIdKeyDictionary

from cnnwidgets.core.capture import is_watching

_HOOKS = tuple(name for name, value in vars(nn.Module()).items() if "hooks" in name and isinstance(value, dict))


class Buffers:
    """The buffers of ``modules`` and a copy of what they hold.

    Contents are compared bit by bit, so what was written through ``.data``, which no version counter sees, is found,
    and NaN is the same as itself.
    """

    def __init__(self, modules: Iterable[nn.Module]) -> None:
        with torch.inference_mode(False), torch.no_grad():
            self._entries = [
                (module, name, buffer, buffer.detach().clone())
                for module in modules
                for name, buffer in module._buffers.items()  # noqa: SLF001 (named_buffers takes ten times as long)
                if buffer is not None and not buffer.is_meta
            ]

    def restore(self) -> list[tuple[nn.Module, str]]:
        """Put everything back; returns the buffers that had been replaced or written to."""
        changed = []
        for module, name, buffer, before in self._entries:
            replaced, written = getattr(module, name, None) is not buffer, not same_bits(buffer, before)
            if replaced:
                setattr(module, name, buffer)
            if written:
                write(buffer, before)
            if replaced or written:
                changed.append((module, name))
        return changed


def same_bits(now: torch.Tensor, before: torch.Tensor) -> bool:
    """Whether both are the same bit by bit, where that can be asked."""
    if now.shape != before.shape:
        return False
    now, before = now.detach(), before.detach()
    if now.layout != torch.strided:  # torch compares no sparse tensors
        now, before = now.to_dense(), before.to_dense()
    if not now.is_quantized and now.numel() and now.dtype != torch.uint8:
        now, before = (tensor.contiguous().view(-1).view(torch.uint8) for tensor in (now, before))
    return torch.equal(now, before)


def write(tensor: torch.Tensor, before: torch.Tensor) -> None:
    """Let ``tensor`` hold what ``before`` does."""
    # An inference tensor may only be written to in inference mode, and any other only outside of it.
    with torch.inference_mode(tensor.is_inference()), torch.no_grad():
        if tensor.shape == before.shape:
            tensor.copy_(before)
        else:
            tensor.set_(before.clone())  # type: ignore[call-overload]


class NewHooks:
    """Which hooks ``modules`` have, so that those that the model's own forward registers can be removed.

    A forward that fails, as it may without gradients, does not come to removing its own.
    """

    def __init__(self, modules: Iterable[nn.Module]) -> None:
        self._before = [
            (module, {key for name in _HOOKS for key in vars(module).get(name, ())}, _kind_of(module))
            for module in modules
        ]

    def remove(self) -> None:
        """Remove them."""
        for module, before, kind in self._before:
            tables = [table for name in _HOOKS if (table := vars(module).get(name))]
            new = {
                key
                for table in tables
                for key, hook in table.items()
                if key not in before and callable(hook) and not is_watching(hook)
            }
            for table in tables if new else ():
                for key in new & table.keys():
                    del table[key]
            if not module._backward_hooks and _kind_of(module) is not kind:  # noqa: SLF001
                module._is_full_backward_hook = kind  # noqa: SLF001


def _kind_of(module: nn.Module) -> bool | None:
    return vars(module).get("_is_full_backward_hook")


class OrdinaryWeights:
    """Copies in place of the parameters and buffers of ``modules`` that autograd refuses, until :meth:`restore`.

    They were made in ``torch.inference_mode()``: torch keeps no version of such tensors and saves none of them for a
    backward pass. A copy is made again where the
    original's values have changed, and lives as long as it.
    """

    def __init__(self, modules: Iterable[nn.Module]) -> None:
        self._swapped: list[tuple[dict[str, Any], str, torch.Tensor, torch.Tensor]] = [
            (table, name, value, _copy_of(value))
            for module in modules
            for table in (module._parameters, module._buffers)  # noqa: SLF001
            for name, value in table.items()
            if value is not None and value.is_inference()
        ]

    def swap(self) -> None:
        """Put the copies in their place."""
        for table, name, _, copy in self._swapped:
            table[name] = copy

    def restore(self) -> None:
        """Put the originals back, but for what somebody has exchanged meanwhile."""
        for table, name, original, copy in self._swapped:
            if table.get(name) is copy:
                table[name] = original


# Where many calls follow one another, what is computed with the copies of the first stays valid.
_copies: WeakIdKeyDictionary = WeakIdKeyDictionary()


def _copy_of(value: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode(False), torch.no_grad():
        plain = value.detach()
        copy: torch.Tensor | None = _copies.get(value)  # type: ignore[no-untyped-call]
        if copy is not None and copy.shape == value.shape and torch.equal(copy, plain):
            return copy
        copy = plain.clone()
        if isinstance(value, nn.Parameter):
            copy = nn.Parameter(copy, requires_grad=value.requires_grad)
        _copies[value] = copy
        return copy
