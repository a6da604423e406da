"""Receptive fields through functions that join tensors."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from .call import Call, rule, slid, with_dim
from .field import Dim, Field, combined, moved_by, plain, reach_of, smeared, whole
from .interval import scattered


@rule("cat", "concat", "concatenate")
def _joined(call: Call) -> Field:
    dim = call.get(1, "dim", call.kwargs.get("axis", 0)) % call.output.ndim
    fields = [field for field in map(call.lookup, call.get(0, "tensors")) if field is not None]
    size = call.output.shape[dim]
    if any(reach is not None for field in fields for _, reach in field.dims[dim]):
        beside = _beside(call, dim)
        if beside is not None:
            return beside
        if len(fields) == len(call.get(0, "tensors")):
            row = _in_a_row([field.dims[dim] for field in fields], size)
            if row is not None:
                return combined([with_dim(field, dim, row) for field in fields], call.output.shape)
        by = next((by for by in (moved_by(field.dims[dim]) for field in fields) if by is not None), None)
        if by is not None:
            row = plain(size, scattered(by))
            return combined([with_dim(smeared(field), dim, row) for field in fields], call.output.shape)
        return combined([with_dim(smeared(field), dim, plain(1)) for field in fields], call.output.shape)
    return combined([with_dim(field, dim, plain(call.output.shape[dim])) for field in fields], call.output.shape)


def _beside(call: Call, dim: int) -> Field | None:
    """The field of parts that stay in place beside each other, or beside what is not of the image; None if not so."""
    parts, start = [], 0
    size = call.output.shape[dim]
    for tensor in call.get(0, "tensors"):
        field = call.lookup(tensor)
        if field is not None:
            reach = reach_of(field.dims[dim])
            if reach is None or not reach.is_placed:
                return None
            parts.append(with_dim(field, dim, slid(field.dims[dim], size, 1, 1, start, 1)))
        start += tensor.shape[dim]
    joined = combined(parts, call.output.shape)
    reach = reach_of(joined.dims[dim])
    return joined if reach is not None and reach.is_placed else None


def _in_a_row(dims: Sequence[Dim], size: int) -> Dim | None:
    """One image axis joined of parts; scattered unless each part begins where the one before it ends."""
    reaches = [dim[0][1] for dim in dims if len(dim) == 1 and dim[0][1] is not None]
    axes = {reach.axis for reach in reaches}
    if len(reaches) != len(dims) or len(axes) != 1 or len(dims) < 2:
        return None
    if any(reach.is_moved or reach.is_whole for reach in reaches):
        return plain(size, scattered("torch.cat"))
    middles = [
        [sum(reach.at(position)) for position in range(dim[0][0])] for dim, reach in zip(dims, reaches, strict=True)
    ]
    inside = {after - before for part in middles for before, after in itertools.pairwise(part)}
    seams = {after[0] - before[-1] for before, after in itertools.pairwise(middles)}
    if min(seams) < 0 or (max(seams) > max(inside) if inside else len(seams) > 1):
        return plain(size, scattered("torch.cat"))
    return plain(size, whole(reaches[0].axis))


@rule("stack")
def _stacked(call: Call) -> Field:
    dim = call.get(1, "dim", 0) % call.output.ndim
    fields = [field for field in map(call.lookup, call.get(0, "tensors")) if field is not None]
    lifted = [Field((*f.dims[:dim], plain(call.output.shape[dim]), *f.dims[dim:])) for f in fields]
    return combined(lifted, call.output.shape)
