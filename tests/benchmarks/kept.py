"""What an Explorer keeps of a photograph, in bytes, and what is left when it is closed."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch

LIMIT = 250_000_000


def tensors(value: Any) -> Iterator[torch.Tensor]:
    """Every tensor in dataclasses, mappings and sequences; the same one may come several times."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from tensors(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from tensors(one)
    elif hasattr(value, "__dataclass_fields__"):
        for field in fields(value):
            yield from tensors(getattr(value, field.name))


def distinct_bytes(value: Any) -> int:
    """Bytes of the memory behind the tensors in ``value``, shared memory counted once."""
    storages = {one.untyped_storage().data_ptr(): one.untyped_storage().nbytes() for one in tensors(value)}
    return sum(storages.values())


def watched(value: Any) -> list[weakref.ref[torch.Tensor]]:
    """A weak reference to each distinct tensor in ``value``."""
    return [weakref.ref(one) for one in {id(one): one for one in tensors(value)}.values()]


def alive(references: list[weakref.ref[torch.Tensor]]) -> int:
    """How many of the tensors somebody still holds."""
    gc.collect()
    return sum(reference() is not None for reference in references)


def resident() -> int:
    """This process's resident set, bytes, once the C library has given back what it can."""
    import ctypes

    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096
