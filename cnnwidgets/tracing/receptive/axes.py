"""Receptive fields through functions that sum, move, split, join or index axes."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from .call import NoRule, RuleCall, each, elementwise, field_rule, fields_of, slid, with_dim
from .field import (
    Dim,
    Factor,
    Field,
    carries_places,
    combined,
    length_of,
    mixed_along,
    moved_by,
    plain_dim,
    reach_of,
    reshaped,
    smeared,
)
from .interval import scattered, whole_axis
from .moves import indexed, whole_key


@field_rule("linear", "embedding")
def _linear_field(call: RuleCall) -> Field:
    return Field((*call.source.dims[:-1], plain_dim(call.output.shape[-1])))


@field_rule("matmul", "mm", "bmm", "rmatmul")
def _matmul(call: RuleCall) -> Field:
    other = call.get(1, "other", call.get(1, "mat2"))
    if call.lookup(other) is None and call.name != "rmatmul" and call.get(0, "input").ndim == call.output.ndim:
        return _linear_field(call)
    raise NoRule


@field_rule("einsum")
def _einsum(call: RuleCall) -> Field:
    equation = call.get(0, "equation")
    operands = call.rest(1, "operands")
    fields = [call.lookup(operand) for operand in operands]
    read = [at for at, field in enumerate(fields) if field is not None]
    if len(read) != 1 or not isinstance(equation, str) or "->" not in equation or "." in equation:
        raise NoRule
    source = fields[read[0]]
    sides, result = equation.replace(" ", "").split("->")
    letters = sides.split(",")[read[0]]
    if source is None or len(set(letters)) != len(letters):
        raise NoRule
    return Field(
        tuple(
            source.dims[letters.index(letter)] if letter in letters else plain_dim(size)
            for letter, size in zip(result, call.output.shape, strict=True)
        )
    )


@field_rule("softmax", "log_softmax", "softmin", "gumbel_softmax", "cumsum", "cumprod", "normalize", "glu")
def _along_one(call: RuleCall) -> Field:
    default = {"normalize": 1, "glu": -1}.get(call.name)
    at = 2 if call.name == "normalize" else 1
    dim = call.get(at, "dim", default)
    field = mixed_along(call.source, [dim])
    if call.name != "glu":
        return field
    return with_dim(field, dim, plain_dim(call.output.shape[dim], reach_of(field.dims[dim])))


@field_rule("layer_norm", "rms_norm")
def _layer_norm(call: RuleCall) -> Field:
    return mixed_along(call.source, range(-len(call.get(1, "normalized_shape")), 0))


@field_rule(
    "mean", "sum", "amax", "amin", "max", "min", "prod", "std", "var", "norm", "vector_norm", "logsumexp", "any", "all",
    "argmax", "argmin", "median", "nanmean", "nansum", "std_mean", "var_mean",
)  # fmt: skip
def _reduced(call: RuleCall) -> Field:
    at = 2 if call.name in ("norm", "vector_norm") else 1
    dims = call.get(at, "dim", call.kwargs.get("axis"))
    if isinstance(dims, torch.Tensor):
        return elementwise(call)
    field = call.source
    gone = {dim % len(field.dims) for dim in (range(len(field.dims)) if dims is None else each(dims, 1))}
    keeps = len(field.dims) == call.output.ndim
    left = [_summed(dim) if at in gone else dim for at, dim in enumerate(field.dims) if keeps or at not in gone]
    return _without_dims([field.dims[at] for at in gone], Field(tuple(left)), f"torch.{call.name}")


def _summed(dim: Dim) -> Dim:
    reach = reach_of(dim)
    return plain_dim(1, None if reach is None else whole_axis(reach.axis))


@field_rule("view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze", "view_as", "reshape_as", "ravel")
def _reshaped(call: RuleCall) -> Field:
    return reshaped(call.source, call.output.shape)


@field_rule("permute", "transpose", "swapaxes", "swapdims", "movedim", "moveaxis", "t", "T", "mT", "H", "mH", "adjoint")
def _reordered(call: RuleCall) -> Field:
    dims = call.source.dims
    # torch itself is asked, with a tensor whose sizes tell its axes apart.
    moved = getattr(torch.empty(*range(len(dims)), device="meta"), call.name)
    options = {name: value for name, value in call.kwargs.items() if name != "input"}
    moved = moved(*call.args[1:], **options) if callable(moved) else moved
    return Field(tuple(dims[at] for at in moved.shape))


@field_rule("chunk", "split", "split_with_sizes", "tensor_split", "hsplit", "vsplit", "narrow")
def _split(call: RuleCall) -> Field:
    dim = {"hsplit": 1, "vsplit": 0}.get(call.name, call.get(1 if call.name == "narrow" else 2, "dim", 0))
    source, size = call.source, call.output.shape[dim]
    if not carries_places(source.dims[dim]):
        return with_dim(source, dim, plain_dim(size))
    # Where the part begins is read off its memory, which it shares with the whole.
    whole_one = call.get(0, "input", call.kwargs.get("tensor"))
    offset = call.output.storage_offset() - whole_one.storage_offset()
    start = offset // whole_one.stride(dim) % whole_one.shape[dim]
    return with_dim(source, dim, _slice(source.dims[dim], range(start, start + size)))


@field_rule("select", "unbind")
def _selected(call: RuleCall) -> Field:
    dims = call.source.dims
    dim = call.get(1, "dim", 0) % len(dims)
    return _without_dims([dims[dim]], Field((*dims[:dim], *dims[dim + 1 :])), "an index")


@field_rule("getitem")
def _indexed(call: RuleCall) -> Field:
    key = whole_key(call.args[1], len(call.source.dims))
    if not all(part is None or isinstance(part, int | slice) for part in key):
        return indexed(call, key, "an index")
    waiting = iter(call.source.dims)
    gone: list[Dim] = []
    dims: list[Dim] = []
    for part in key:
        if part is None:
            dims.append(plain_dim(1))
        elif isinstance(part, slice):
            dim = next(waiting)
            dims.append(_slice(dim, range(*part.indices(length_of(dim)))))
        else:
            gone.append(next(waiting))
    return _without_dims(gone, Field(tuple(dims)), "an index")


def _slice(dim: Dim, positions: range) -> Dim:
    size = length_of(dim)
    if positions == range(size):
        return dim
    if len(dim) > 1 and carries_places(dim):
        return plain_dim(len(positions), scattered("a slice of tokens"))  # where it begins is not remembered
    return slid(dim, len(positions), 1, positions.step, -positions.start, 1)


def _without_dims(gone: Sequence[Dim], left: Field, by: str) -> Field:
    """``left`` after dims are gone; what is inside windows that are gone has no place any more."""
    outer = [(reach.axis, reach.stride) for dim in gone for size, reach in dim if reach is not None and size > 1]

    def cut(factor: Factor) -> Factor:
        size, reach = factor
        if reach is None or size == 1 or not any(a == reach.axis and s > reach.stride for a, s in outer):
            return factor
        return size, scattered(by)

    return left.changed(cut)


@field_rule("channel_shuffle", "native_channel_shuffle")
def _channels_moved(call: RuleCall) -> Field:
    return call.source


@field_rule("cat", "concat", "concatenate")
def _concatenated(call: RuleCall) -> Field:
    dim = call.get(1, "dim", call.kwargs.get("axis", 0)) % call.output.ndim
    fields = fields_of(call)
    size = call.output.shape[dim]
    if any(reach is not None for field in fields for _, reach in field.dims[dim]):
        beside = _beside(call, dim)
        if beside is not None:
            return beside
        by = moved_by(*(field.dims[dim] for field in fields))
        if by is None and len(fields) == len(call.get(0, "tensors")) and all(reach_of(f.dims[dim]) for f in fields):
            by = "torch.cat"
        row = plain_dim(1) if by is None else plain_dim(size, scattered(by))
        return combined([with_dim(smeared(field), dim, row) for field in fields], call.output.shape)
    return combined([with_dim(field, dim, plain_dim(call.output.shape[dim])) for field in fields], call.output.shape)


def _beside(call: RuleCall, dim: int) -> Field | None:
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


@field_rule("stack")
def _stacked(call: RuleCall) -> Field:
    dim = call.get(1, "dim", 0) % call.output.ndim
    fields = fields_of(call)
    lifted = [Field((*f.dims[:dim], plain_dim(call.output.shape[dim]), *f.dims[dim:])) for f in fields]
    return combined(lifted, call.output.shape)
