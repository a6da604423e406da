"""Receptive fields through functions that move positions: shifts, mirror images, indices by tensors, warps.

Positions that were moved along an axis remember where they came from, so that a later call can move them back. Where
that cannot be followed they are scattered, for good.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from cnnwidgets.core.nested import tensors

from .call import NoRule, RuleCall, each, elementwise, field_rule, fields_of, slid, with_dim
from .field import Dim, Field, carries_places, combined, length_of, plain_dim, reach_of, unfollowed
from .interval import scattered


def positions_at(field: Field, at: int, index: Sequence[int], by: str) -> Field:
    """``field`` with the positions ``index`` of the dim at ``place``, in that order."""
    dim = field.dims[at]
    size = length_of(dim)
    if size == 1 or not holds_places(field, at):
        return with_dim(field, at, plain_dim(len(index)))
    index = [position % size for position in index]
    if index == list(range(size)):
        return field
    reach = dim[0][1]
    axes = [other.axis for d in field.dims for other in {r for _, r in d if r is not None}]
    if len(dim) > 1 or reach is None or axes.count(reach.axis) > 1 or len(reach.order) not in (0, size) or not index:
        return with_dim(field, at, plain_dim(len(index), scattered(by)))
    if reach.axis not in (0, 1):
        return with_dim(field, at, plain_dim(len(index), reach))
    order = reach.order or range(size)
    return with_dim(field, at, plain_dim(len(index), reach.ordered([order[position] for position in index], by)))


def holds_places(field: Field, at: int) -> bool:
    """Whether places of the image may lie along the dim at ``place``."""
    if carries_places(field.dims[at]):
        return True
    return not field.axes() >= {0, 1} and not any(reach.axis == 2 for d in field.dims for _, reach in d if reach)


def lost(field: Field, shape: Sequence[int], by: str) -> Field:
    """A tensor of this shape into which the places of ``field`` went in an unknown order."""
    return unfollowed([Field((*field.dims[:1], plain_dim(2, scattered(by))))], shape)


@field_rule("roll")
def _rolled(call: RuleCall) -> Field:
    field, dims = call.source, call.get(2, "dims")
    shifts = each(call.get(1, "shifts"), 1)
    if dims is None or dims in ((), []):
        if all(shift % call.output.numel() == 0 for shift in shifts):
            return field
        return lost(field, call.output.shape, "torch.roll")
    for shift, at in zip(shifts, each(dims, 1), strict=True):
        size = call.output.shape[at]
        field = positions_at(field, at, [(position - int(shift)) % size for position in range(size)], "torch.roll")
    return field


@field_rule("flip", "fliplr", "flipud")
def _flipped(call: RuleCall) -> Field:
    field = call.source
    mirrored = {"fliplr": (1,), "flipud": (0,)}.get(call.name) or each(call.rest(1, "dims"), 1)
    for at in mirrored:
        backwards = range(call.output.shape[at] - 1, -1, -1)
        field = positions_at(field, at, backwards, f"torch.{call.name}")
    return field


@field_rule("index_select")
def _index_selected(call: RuleCall) -> Field:
    at = call.get(1, "dim") % len(call.source.dims)
    return indexed(call, [*[slice(None)] * at, call.get(2, "index")], "torch.index_select")


@field_rule(
    "rot90", "gather", "take_along_dim", "sort", "msort", "argsort", "topk", "kthvalue", "scatter", "scatter_add",
    "scatter_reduce", "index_add", "index_copy", "index_reduce", "take", "masked_select", "masked_scatter",
    "index_put", "put", "grid_sample", "grid_sampler",
)  # fmt: skip
def _anywhere(call: RuleCall) -> Field:
    by = "grid_sample" if call.name.startswith("grid_sample") else f"torch.{call.name}"
    return lost(fields_of(call)[0], call.output.shape, by)


@field_rule("setitem")
def _set(call: RuleCall) -> Field:
    if call.lookup(call.args[2]) is not None and any(True for _ in tensors(call.args[1])):
        return lost(fields_of(call)[0], call.output.shape, "an index")
    before, value = call.lookup(call.args[0]), call.lookup(call.args[2])
    key = whole_key(call.args[1], call.output.ndim)
    if value is None or any(isinstance(part, torch.Tensor | list) for part in key):
        return elementwise(call)
    written = _written_by_slices(key, value, tuple(call.output.shape))
    return written if before is None else combined([before, written], call.output.shape)


def _written_by_slices(key: Sequence[Any], value: Field, shape: tuple[int, ...]) -> Field:
    """What a tensor of this shape holds where ``value`` was written to a part of it."""
    waiting = list(value.dims)
    sizes = iter(reversed(shape))
    dims: list[Dim] = []
    for part in reversed(key):
        if part is None:
            waiting = waiting[:-1]
            continue
        size = next(sizes)
        dim = waiting.pop() if isinstance(part, slice) and waiting else plain_dim(1)
        start, _, step = part.indices(size) if isinstance(part, slice) else (0, size, 1)
        dims.insert(0, laid_apart(dim, size, start, step))
    return Field(tuple(dims))


def laid_apart(dim: Dim, size: int, start: int, step: int = 1) -> Dim:
    """One of ``size`` positions, on every ``step``-th of which from ``start`` on lie those of ``dim``.

    Raises:
        NoRule: it carries places of the image flattened together.
    """
    if (start, step, length_of(dim)) == (0, 1, size):
        return dim
    reach = reach_of(dim)
    if reach is None or step == 1:
        return slid(dim, size, 1, 1, start, 1)
    if step < 0 or not reach.is_placed:
        return plain_dim(size, scattered("an index"))
    return plain_dim(size, reach.through(step, 1, lambda o: ((o - start) // step,) * 2, size))


@field_rule("repeat", "tile")
def _tiled(call: RuleCall) -> Field:
    field = call.source
    times = [int(value) for value in call.rest(1, "repeats", "dims")]
    times = [1] * (call.output.ndim - len(times)) + times
    dims = [plain_dim(1)] * (call.output.ndim - len(field.dims)) + list(field.dims)
    for at, (count, size) in enumerate(zip(times, call.output.shape, strict=True)):
        if count > 1:
            single = size == count
            holds = not single and carries_places(dims[at])
            dims[at] = plain_dim(size, scattered(f"torch.{call.name}") if holds else None)
    return Field(tuple(dims))


def indexed(call: RuleCall, key: Sequence[Any], by: str) -> Field:
    """The field after an index by tensors, lists or masks among slices; followed where there is one, beside whole dims.

    Raises:
        NoRule: no such index reaches places of the image.
    """
    field = call.source
    dim_parts = (part for part in key for _ in range(_width(part)))  # a mask of several axes counts for each
    dims = [(at, part) for at, part in enumerate(dim_parts) if isinstance(part, torch.Tensor | list)]
    others = [part for part in key if not isinstance(part, torch.Tensor | list)]
    if len(dims) == 1 and all(part == slice(None) for part in others) and call.lookup(dims[0][1]) is None:
        at, values = dims[0][0], torch.as_tensor(dims[0][1])
        if values.dtype in (torch.bool, torch.uint8):
            values = values.nonzero()[:, 0]
        if values.ndim <= 1:
            return positions_at(field, at, values.reshape(-1).tolist(), by)
    sizes = [length_of(dim) for dim in field.dims]
    if any(holds_places(field, at) and sizes[at] > 1 for at, _ in dims):
        return lost(field, call.output.shape, by)
    raise NoRule


def whole_key(key: Any, ndim: int) -> list[Any]:
    """The parts of an index of a tensor, with slices for the axes that it leaves out."""
    parts = list(key) if isinstance(key, tuple) else [key]
    left_out = [slice(None)] * (ndim - sum(map(_width, parts)))
    at = next((at for at, part in enumerate(parts) if part is Ellipsis), len(parts))
    return [*parts[:at], *left_out, *parts[at + 1 :]]


def _width(part: Any) -> int:
    """How many dims a part of an index is about."""
    if part is None or part is Ellipsis:
        return 0
    return part.ndim if isinstance(part, torch.Tensor) and part.dtype == torch.bool else 1
