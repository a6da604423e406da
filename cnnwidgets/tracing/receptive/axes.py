"""Receptive fields through functions that sum, move, split, join or index axes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch

from .call import Call, NoRule, each, elementwise, rule, slid, with_dim
from .field import Dim, Factor, Field, combined, mixed_along, moved_by, plain, reach_of, reshaped, smeared, whole
from .interval import scattered
from .moves import indexed


@rule("linear", "embedding")
def _linear(call: Call) -> Field:
    return Field((*call.source.dims[:-1], plain(call.output.shape[-1])))


@rule("matmul", "mm", "bmm", "rmatmul")
def _matmul(call: Call) -> Field:
    other = call.get(1, "other", call.get(1, "mat2"))
    if call.lookup(other) is None and call.name != "rmatmul" and call.get(0, "input").ndim == call.output.ndim:
        return _linear(call)
    raise NoRule


@rule("einsum")
def _einsum(call: Call) -> Field:
    equation = call.get(0, "equation")
    operands = call.rest(1, "operands")
    fields = [call.lookup(operand) for operand in operands]
    read = [place for place, field in enumerate(fields) if field is not None]
    if len(read) != 1 or not isinstance(equation, str) or "->" not in equation or "." in equation:
        raise NoRule
    source = fields[read[0]]
    sides, result = equation.replace(" ", "").split("->")
    letters = sides.split(",")[read[0]]
    if source is None or len(set(letters)) != len(letters):
        raise NoRule
    return Field(
        tuple(
            source.dims[letters.index(letter)] if letter in letters else plain(size)
            for letter, size in zip(result, call.output.shape, strict=True)
        )
    )


@rule("softmax", "log_softmax", "softmin", "gumbel_softmax", "cumsum", "cumprod", "normalize", "glu")
def _along_one(call: Call) -> Field:
    default = {"normalize": 1, "glu": -1}.get(call.name)
    at = 2 if call.name == "normalize" else 1
    dim = call.get(at, "dim", default)
    field = mixed_along(call.source, [dim])
    if call.name != "glu":
        return field
    return with_dim(field, dim, plain(call.output.shape[dim], reach_of(field.dims[dim])))


@rule("layer_norm", "rms_norm")
def _layer_norm(call: Call) -> Field:
    return mixed_along(call.source, range(-len(call.get(1, "normalized_shape")), 0))


@rule(
    "mean", "sum", "amax", "amin", "max", "min", "prod", "std", "var", "norm", "vector_norm", "logsumexp", "any", "all",
    "argmax", "argmin", "median", "nanmean", "nansum", "std_mean", "var_mean",
)  # fmt: skip
def _reduced(call: Call) -> Field:
    at = 2 if call.name in ("norm", "vector_norm") else 1
    dims = call.get(at, "dim", call.kwargs.get("axis"))
    if isinstance(dims, torch.Tensor):
        return elementwise(call)
    field = call.source
    gone = {dim % len(field.dims) for dim in (range(len(field.dims)) if dims is None else each(dims, 1))}
    keeps = len(field.dims) == call.output.ndim
    left = [
        _summed(dim) if place in gone else dim for place, dim in enumerate(field.dims) if keeps or place not in gone
    ]
    return _without([field.dims[place] for place in gone], Field(tuple(left)), f"torch.{call.name}")


def _summed(dim: Dim) -> Dim:
    reach = reach_of(dim)
    return plain(1, None if reach is None else whole(reach.axis))


@rule("view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze", "view_as", "reshape_as", "ravel")
def _reshaped(call: Call) -> Field:
    return reshaped(call.source, call.output.shape)


@rule("permute")
def _permuted(call: Call) -> Field:
    dims = call.source.dims
    return Field(tuple(dims[place] for place in call.rest(1, "dims")))


@rule("transpose", "swapaxes", "swapdims")
def _swapped(call: Call) -> Field:
    dims = list(call.source.dims)
    first = call.get(1, "dim0", call.kwargs.get("axis0"))
    second = call.get(2, "dim1", call.kwargs.get("axis1"))
    dims[first], dims[second] = dims[second], dims[first]
    return Field(tuple(dims))


@rule("movedim", "moveaxis")
def _moved(call: Call) -> Field:
    dims = call.source.dims
    sources = [place % len(dims) for place in each(call.get(1, "source"), 1)]
    targets = [place % len(dims) for place in each(call.get(2, "destination"), 1)]
    left = iter([place for place in range(len(dims)) if place not in sources])
    order = [sources[targets.index(place)] if place in targets else next(left) for place in range(len(dims))]
    return Field(tuple(dims[place] for place in order))


@rule("t", "T", "mT", "H", "mH", "numpy_T", "adjoint")
def _turned(call: Call) -> Field:
    dims = call.source.dims
    if call.name in ("mT", "mH", "adjoint"):
        return Field((*dims[:-2], dims[-1], dims[-2]))
    return Field(tuple(reversed(dims)))


@rule("chunk", "split", "split_with_sizes", "tensor_split", "hsplit", "vsplit")
def _split(call: Call) -> Field:
    dim = {"hsplit": 1, "vsplit": 0}.get(call.name, call.get(2, "dim", 0))
    source, size = call.source, call.output.shape[dim]
    if not any(reach is not None for _, reach in source.dims[dim]):
        return with_dim(source, dim, plain(size))
    # One of several parts: where it begins is read off its memory, which it shares with the whole.
    whole_one = call.get(0, "input", call.kwargs.get("tensor"))
    offset = call.output.storage_offset() - whole_one.storage_offset()
    start = offset // whole_one.stride(dim) % whole_one.shape[dim]
    return with_dim(source, dim, _slice(source.dims[dim], range(start, start + size)))


@rule("unbind")
def _unbound(call: Call) -> Field:
    return _dropped(call, call.get(1, "dim", 0))


@rule("narrow")
def _narrowed(call: Call) -> Field:
    dim, start = call.get(1, "dim"), int(call.get(2, "start"))
    source = call.source
    start %= math.prod(size for size, _ in source.dims[dim])
    return with_dim(source, dim, _slice(source.dims[dim], range(start, start + call.output.shape[dim])))


@rule("select")
def _selected(call: Call) -> Field:
    return _dropped(call, call.get(1, "dim"))


def _dropped(call: Call, dim: int) -> Field:
    dims = call.source.dims
    dim %= len(dims)
    return _without([dims[dim]], Field((*dims[:dim], *dims[dim + 1 :])), "an index")


@rule("getitem")
def _indexed(call: Call) -> Field:
    key = call.args[1] if isinstance(call.args[1], tuple) else (call.args[1],)
    if not all(part is None or part is Ellipsis or isinstance(part, int | slice) for part in key):
        return indexed(call, key, "an index")
    waiting = list(call.source.dims)
    gone: list[Dim] = []
    used = sum(part is not None and part is not Ellipsis for part in key)
    if Ellipsis not in key:
        key = (*key, Ellipsis)
    dims: list[Dim] = []
    for part in key:
        if part is None:
            dims.append(plain(1))
        elif part is Ellipsis:
            skipped = len(waiting) - used
            dims += waiting[:skipped]
            waiting = waiting[skipped:]
        else:
            dim, used = waiting.pop(0), used - 1
            if isinstance(part, slice):
                start, stop, step = part.indices(math.prod(size for size, _ in dim))
                dims.append(_slice(dim, range(start, stop, step)))
            else:
                gone.append(dim)
    return _without(gone, Field(tuple(dims)), "an index")


def _slice(dim: Dim, positions: range) -> Dim:
    size = math.prod(length for length, _ in dim)
    if positions == range(size):
        return dim
    if len(dim) > 1 and any(reach is not None for _, reach in dim):
        return plain(len(positions), scattered("a slice of tokens"))  # where it begins is not remembered
    return slid(dim, len(positions), 1, positions.step, -positions.start, 1)


def _without(gone: Sequence[Dim], left: Field, by: str) -> Field:
    """``left`` after dims are gone; what is inside windows that are gone has no place any more."""
    outer = [(reach.axis, reach.stride) for dim in gone for size, reach in dim if reach is not None and size > 1]

    def cut(factor: Factor) -> Factor:
        size, reach = factor
        if reach is None or size == 1 or not any(a == reach.axis and s > reach.stride for a, s in outer):
            return factor
        return size, scattered(by)

    return Field(tuple(tuple(cut(factor) for factor in dim) for dim in left.dims))


@rule("channel_shuffle", "native_channel_shuffle")
def _channels_moved(call: Call) -> Field:
    return call.source


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
