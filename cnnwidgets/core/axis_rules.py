"""Receptive fields through functions that sum, move, split, join or index axes."""

from __future__ import annotations

import math

import torch

from .field_calls import Call, NoRule, each, elementwise, rule, slid, with_dim
from .receptive import Dim, Field, combined, mixed_along, plain, reach_of, reshaped, smeared, whole


@rule("linear", "embedding")
def _linear(call: Call) -> Field:
    return Field((*call.source.dims[:-1], plain(call.output.shape[-1])))


@rule("matmul", "mm", "bmm", "rmatmul")
def _matmul(call: Call) -> Field:
    other = call.get(1, "other", call.get(1, "mat2"))
    if call.lookup(other) is None and call.name != "rmatmul" and call.get(0, "input").ndim == call.output.ndim:
        return _linear(call)
    raise NoRule


@rule("softmax", "log_softmax", "softmin", "gumbel_softmax", "cumsum", "cumprod", "normalize", "glu", "sort")
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
    if len(field.dims) == call.output.ndim:
        return Field(tuple(_summed(dim) if place in gone else dim for place, dim in enumerate(field.dims)))
    return Field(tuple(dim for place, dim in enumerate(field.dims) if place not in gone))


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


@rule("cat", "concat", "concatenate")
def _joined(call: Call) -> Field:
    dim = call.get(1, "dim", call.kwargs.get("axis", 0)) % call.output.ndim
    fields = [field for field in map(call.lookup, call.get(0, "tensors")) if field is not None]
    if any(reach is not None for field in fields for _, reach in field.dims[dim]):
        return combined([with_dim(smeared(field), dim, plain(1)) for field in fields], call.output.shape)
    return combined([with_dim(field, dim, plain(call.output.shape[dim])) for field in fields], call.output.shape)


@rule("stack")
def _stacked(call: Call) -> Field:
    dim = call.get(1, "dim", 0) % call.output.ndim
    fields = [field for field in map(call.lookup, call.get(0, "tensors")) if field is not None]
    lifted = [Field((*f.dims[:dim], plain(call.output.shape[dim]), *f.dims[dim:])) for f in fields]
    return combined(lifted, call.output.shape)


@rule("chunk", "split", "split_with_sizes", "tensor_split", "hsplit", "vsplit")
def _split(call: Call) -> Field:
    dim = call.get(2, "dim", 0)
    source = call.source
    if any(reach is not None for _, reach in source.dims[dim]):
        raise NoRule
    return with_dim(source, dim, plain(call.output.shape[dim]))


@rule("unbind")
def _unbound(call: Call) -> Field:
    dim = call.get(1, "dim", 0) % (call.output.ndim + 1)
    dims = call.source.dims
    return Field((*dims[:dim], *dims[dim + 1 :]))


@rule("narrow")
def _narrowed(call: Call) -> Field:
    dim, start = call.get(1, "dim"), int(call.get(2, "start"))
    source = call.source
    return with_dim(source, dim, slid(source.dims[dim], call.output.shape[dim], 1, 1, -start, 1))


@rule("select")
def _selected(call: Call) -> Field:
    dim = call.get(1, "dim") % (call.output.ndim + 1)
    dims = call.source.dims
    return Field((*dims[:dim], *dims[dim + 1 :]))


@rule("getitem")
def _indexed(call: Call) -> Field:
    key = call.args[1] if isinstance(call.args[1], tuple) else (call.args[1],)
    if not all(part is None or part is Ellipsis or isinstance(part, int | slice) for part in key):
        raise NoRule
    waiting = list(call.source.dims)
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
                dims.append(slid(dim, len(range(start, stop, step)), 1, step, -start, 1))
    return Field(tuple(dims))


@rule("flip")
def _flipped(call: Call) -> Field:
    return mixed_along(call.source, call.rest(1, "dims"))


@rule("channel_shuffle", "native_channel_shuffle")
def _channels_moved(call: Call) -> Field:
    return call.source
