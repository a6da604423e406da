"""Which recorded call each tensor came from, through views and in-place writes."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch

from .receptive.call import NoRule, mixed, unplaced
from .receptive.field import Field, carries_places, plain_dim
from .receptive.moves import laid_apart


@dataclass(frozen=True)
class CallOrigin:
    """Where a tensor's present content came from."""

    op: int
    field: Field


@dataclass(frozen=True)
class MemoryView:
    """What a tensor sees of its memory: its shape, the step of each axis, and where it begins."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    start: int

    @classmethod
    def of(cls, tensor: torch.Tensor) -> MemoryView:
        """That of ``tensor``."""
        return cls(tuple(tensor.shape), tuple(tensor.stride()), int(tensor.storage_offset()))

    def corner(self, strides: Iterable[int]) -> dict[int, int]:
        """Where it begins, as a position along each axis of the memory with these strides."""
        rest, corner = self.start, {}
        for stride in sorted({*strides} - {0}, reverse=True):
            corner[stride], rest = divmod(rest, stride)
        return corner


class Provenance:
    """A table from live tensors to their origin.

    Entries hold weak references and are believed only while the very tensor is alive, so an ``id`` that Python gives
    to a new object is never mistaken for the old one. Tensors that do not depend on the network's input have no entry.
    """

    def __init__(self) -> None:
        self._origins: dict[int, tuple[weakref.ref[torch.Tensor], CallOrigin]] = {}
        self._sharing: dict[int, list[weakref.ref[torch.Tensor]]] = {}
        # Constant memory that was written to through a view: kept alive, so that its address stays its own.
        self._filled: dict[int, tuple[Any, CallOrigin, MemoryView]] = {}

    def origin(self, tensor: torch.Tensor) -> CallOrigin | None:
        """Where ``tensor`` came from; None if not from the network's input."""
        entry = self._origins.get(id(tensor))
        if entry is not None and entry[0]() is tensor:
            return entry[1]
        return self.filled(tensor)

    def filled(self, tensor: torch.Tensor) -> CallOrigin | None:
        """What was written to the memory of ``tensor``, if nothing was known of it before."""
        entry = self._filled.get(_storage_key(tensor)) if self._filled else None
        if entry is None:
            return None
        _, origin, written = entry
        return CallOrigin(origin.op, field_through(origin.field, written, MemoryView.of(tensor)))

    def assign(self, tensor: torch.Tensor, origin: CallOrigin) -> None:
        """Record that ``tensor`` now holds what ``origin`` made."""
        entry = self._origins.get(id(tensor))
        if entry is not None and entry[0]() is tensor:
            self._origins[id(tensor)] = (entry[0], origin)
            return
        reference = weakref.ref(tensor)
        self._origins[id(tensor)] = (reference, origin)
        sharing = self._sharing.setdefault(_storage_key(tensor), [])
        sharing[:] = [other for other in sharing if other() is not None]
        sharing.append(reference)

    def forget(self, tensor: torch.Tensor) -> None:
        """Record that ``tensor`` was overwritten by something that does not depend on the input."""
        self._origins.pop(id(tensor), None)

    def fill(self, tensor: torch.Tensor, origin: CallOrigin) -> None:
        """Record that memory of which nothing was known now holds, at ``tensor``, what ``origin`` made."""
        self._filled[_storage_key(tensor)] = (tensor.untyped_storage(), origin, MemoryView.of(tensor))

    def aliases(self, tensor: torch.Tensor) -> list[torch.Tensor]:
        """Known tensors other than ``tensor`` that share some of its memory."""
        first, last = _memory_span(tensor)
        others = [
            other
            for reference in self._sharing.get(_storage_key(tensor), ())
            if (other := reference()) is not None and other is not tensor and id(other) in self._origins
        ]
        return [other for other in others if first < _memory_span(other)[1] and _memory_span(other)[0] < last]


def field_through(field: Field, writer: MemoryView, reader: MemoryView) -> Field:
    """The field of ``reader``, where ``field`` is that of ``writer``, which was written into the same memory."""
    if writer == reader:
        return field
    axes = {stride: dim_at for dim_at, stride in enumerate(writer.strides) if writer.shape[dim_at] > 1}
    read = {stride for dim_at, stride in enumerate(reader.strides) if reader.shape[dim_at] > 1}
    if any(stride not in read and carries_places(field.dims[dim_at]) for stride, dim_at in axes.items()):
        return unplaced(mixed([field], reader.shape))
    begins, looks = writer.corner({*axes, *read}), reader.corner({*axes, *read})
    dims = []
    try:
        for size, stride in zip(reader.shape, reader.strides, strict=True):
            at = axes.get(stride) if size > 1 else None
            start = begins.get(stride, 0) - looks.get(stride, 0)
            dims.append(plain_dim(size) if at is None else laid_apart(field.dims[at], size, start))
    except NoRule:
        return unplaced(mixed([field], reader.shape))
    return Field(tuple(dims))


def covers(writer: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether writing all of ``writer`` overwrites all of ``other``, given that they share storage."""
    first, last = _memory_span(writer)
    start, end = _memory_span(other)
    return last - first == writer.numel() and first <= start and end <= last


def _memory_span(tensor: torch.Tensor) -> tuple[int, int]:
    """First element in storage, and one past the last."""
    start = int(tensor.storage_offset())
    if tensor.numel() == 0:
        return start, start
    return start, start + 1 + int(sum((n - 1) * step for n, step in zip(tensor.shape, tensor.stride(), strict=True)))


def _storage_key(tensor: torch.Tensor) -> int:
    try:
        return int(tensor.untyped_storage()._cdata)  # noqa: SLF001 (the address; there is no public name)
    except (NotImplementedError, RuntimeError):  # sparse and other tensors without storage: each for itself
        return -id(tensor)
