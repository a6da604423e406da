"""What a model's buffers hold, remembered and compared in a few operations however many there are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import nn

# Larger tensors are compared where they lie: joining them would copy them once more.
_SMALL = 2**16

Entry = tuple[nn.Module, str, torch.Tensor]
"""A module, the name of one of its buffers, and the buffer."""


class Buffers:
    """The buffers of ``modules`` and a copy of what they hold.

    Contents are compared bit by bit, so what was written through ``.data``, which no version counter sees, is found,
    and NaN is the same as itself.
    """

    def __init__(self, modules: Iterable[nn.Module]) -> None:
        self._groups = [_Group(entries) for entries in _grouped(modules)]

    def restore(self) -> list[tuple[nn.Module, str]]:
        """Put everything back; returns the buffers that had been replaced or written to."""
        return list(dict.fromkeys(changed for group in self._groups for changed in group.restore()))


class _Group:
    """Buffers whose contents are kept in one tensor, one after the other; or one buffer as it is."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries
        self._shapes = [buffer.shape for _, _, buffer in entries]
        self._before = self._now()

    def _now(self) -> torch.Tensor:
        buffers = [buffer.detach() for _, _, buffer in self._entries]
        with torch.inference_mode(False), torch.no_grad():
            if len(buffers) == 1:
                return buffers[0].clone()
            return torch.cat([buffer.reshape(-1) for buffer in buffers])

    def restore(self) -> Iterator[tuple[nn.Module, str]]:
        for module, name, buffer in self._entries:
            if getattr(module, name, None) is not buffer:
                setattr(module, name, buffer)
                yield module, name
        if len(self._entries) > 1 and _same_bits(self._now(), self._before):
            return
        start = 0
        for (module, name, buffer), shape in zip(self._entries, self._shapes, strict=True):
            before = self._before
            if len(self._entries) > 1:
                before = before[start : start + shape.numel()].view(shape)
                start += shape.numel()
            if buffer.shape != shape or not _same_bits(buffer, before):
                _write(buffer, before)
                yield module, name


def _grouped(modules: Iterable[nn.Module]) -> Iterator[list[Entry]]:
    """Small plain tensors together by type and device, all others one by one."""
    together: dict[tuple[torch.dtype, torch.device], list[Entry]] = {}
    for module in modules:
        for name, buffer in module._buffers.items():  # noqa: SLF001 (named_buffers takes ten times as long)
            if buffer is None or buffer.is_meta:
                continue
            if _is_dense(buffer) and buffer.numel() <= _SMALL:
                together.setdefault((buffer.dtype, buffer.device), []).append((module, name, buffer))
            else:
                yield [(module, name, buffer)]
    yield from together.values()


def _is_dense(tensor: torch.Tensor) -> bool:
    return tensor.layout == torch.strided and not tensor.is_quantized


def _same_bits(now: torch.Tensor, before: torch.Tensor) -> bool:
    """Bit by bit, where that can be asked."""
    if now.shape != before.shape:
        return False
    now, before = now.detach(), before.detach()
    if now.layout != torch.strided:  # torch compares no sparse tensors
        now, before = now.to_dense(), before.to_dense()
    if _is_dense(now) and now.numel() and now.dtype != torch.uint8:
        now, before = (tensor.contiguous().view(-1).view(torch.uint8) for tensor in (now, before))
    return torch.equal(now, before)


def _write(buffer: torch.Tensor, before: torch.Tensor) -> None:
    # An inference tensor may only be written to in inference mode, and any other only outside of it.
    with torch.inference_mode(buffer.is_inference()), torch.no_grad():
        if buffer.shape == before.shape:
            buffer.copy_(before)
        else:
            buffer.set_(before.clone())  # type: ignore[call-overload]
