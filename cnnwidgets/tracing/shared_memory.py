"""Where one tensor lies in another that looks at the same memory."""

from __future__ import annotations

from .provenance import MemoryView
from .receptive.call import NoRule, mixed, unplaced
from .receptive.field import Dim, Field, plain_dim
from .receptive.moves import laid_apart


def field_through(field: Field, writer: MemoryView, reader: MemoryView) -> Field:
    """The field of ``reader``, where ``field`` is that of ``writer``, which was written into the same memory."""
    if writer == reader:
        return field
    axes = {stride: dim_at for dim_at, stride in enumerate(writer.strides) if writer.shape[dim_at] > 1}
    read = {stride for dim_at, stride in enumerate(reader.strides) if reader.shape[dim_at] > 1}
    if any(stride not in read and _carries_places(field.dims[dim_at]) for stride, dim_at in axes.items()):
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


def _carries_places(dim: Dim) -> bool:
    return any(reach is not None for _, reach in dim)
