"""What torch keeps in tables of a module, remembered and put back: buffers, hooks, weights of inference mode."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.utils.weak import WeakIdKeyDictionary

from cnnwidgets.core.capture import is_watching

SMALL = 2**16
"""Numbers in a tensor whose copy costs next to nothing."""
_HOOKS = tuple(name for name, value in vars(nn.Module()).items() if "hooks" in name and isinstance(value, dict))


class Buffers:
    """The buffers of ``modules`` and a copy of what they hold.

    Contents are compared bit by bit, so what was written through ``.data``, which no version counter sees, is found,
    and NaN is the same as itself. Small ones are copied and compared together: a network may have hundreds.
    """

    def __init__(self, modules: Iterable[nn.Module]) -> None:
        # named_buffers takes ten times as long
        every = ((module, name, value) for module in modules for name, value in module._buffers.items())  # noqa: SLF001
        groups: dict[Any, list[tuple[int, nn.Module, str, torch.Tensor, torch.Size]]] = {}
        for number, (module, name, buffer) in enumerate(every):
            if buffer is not None and not buffer.is_meta:
                groups.setdefault(_group_of(buffer), []).append((number, module, name, buffer, buffer.shape))
        with torch.inference_mode(False), torch.no_grad():
            self._groups = [
                (group, entries, _in_a_row(entries) if len(entries) > 1 else entries[0][3].detach().clone())
                for group, entries in groups.items()
            ]

    def restore(self) -> list[tuple[nn.Module, str]]:
        """Put everything back; returns the buffers that had been replaced or written to."""
        changed = []
        for group, entries, before in self._groups:
            alike = all(buffer.shape == shape and _group_of(buffer) == group for *_, buffer, shape in entries)
            same = alike and same_bits(_in_a_row(entries), before)
            start = 0
            for number, module, name, buffer, shape in entries:
                replaced, written = getattr(module, name, None) is not buffer, False
                if not same:
                    end = start + shape.numel()
                    content, start = before[start:end].view(shape) if len(entries) > 1 else before, end
                    written = not same_bits(buffer, content)
                    if written:
                        write(buffer, content)
                if replaced:
                    setattr(module, name, buffer)
                if replaced or written:
                    changed.append((number, module, name))
        return [(module, name) for _, module, name in sorted(changed, key=lambda entry: entry[0])]


def _group_of(buffer: torch.Tensor) -> Any:
    """The same for buffers that may be joined."""
    plain = type(buffer) is torch.Tensor and buffer.layout is torch.strided and not buffer.is_quantized
    return (buffer.dtype, buffer.device) if plain and buffer.numel() <= SMALL else id(buffer)


def _in_a_row(entries: list[Any]) -> torch.Tensor:
    """What the buffers hold, one after the other; the buffer itself where it is the only one."""
    buffers = [buffer for *_, buffer, _ in entries]
    # Where modes of torch are switched, an interrupt may leave them so.
    flat = (buffer if buffer.ndim == 1 else buffer.reshape(-1) for buffer in buffers)
    return torch.cat(list(flat)) if len(buffers) > 1 else buffers[0]


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
        self._before = [(module, set().union(*_hook_tables(module)), _hook_kind(module)) for module in modules]

    def remove(self) -> None:
        """Remove them."""
        for module, before, kind in self._before:
            for table in _hook_tables(module):
                for key, hook in list(table.items()):
                    if key not in before and callable(hook) and not is_watching(hook):
                        for other in _hook_tables(module):
                            other.pop(key, None)
            if _hook_kind(module) is not kind and not module._backward_hooks:  # noqa: SLF001
                module._is_full_backward_hook = kind  # noqa: SLF001


def _hook_tables(module: nn.Module) -> list[dict[int, Any]]:
    """Those that are not empty."""
    return [table for table in map(vars(module).get, _HOOKS) if table]


def _hook_kind(module: nn.Module) -> bool | None:
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
