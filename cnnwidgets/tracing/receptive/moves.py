"""Receptive fields through functions that move positions: shifts, mirror images, indices by tensors, warps.

Positions that were moved along an axis remember where they came from, so that a later call can move them back. Where
that cannot be followed they are scattered, for good.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import torch

from cnnwidgets.core.nested import tensors

from .call import Call, NoRule, each, elementwise, fields_of, rule, slid, with_dim
from .field import Dim, Field, combined, plain, reach_of, unfollowed
from .interval import scattered


def taken(field: Field, place: int, index: Sequence[int], by: str) -> Field:
    """``field`` with the positions ``index`` of the dim at ``place``, in that order."""
    dim = field.dims[place]
    size = math.prod(length for length, _ in dim)
    if size == 1 or not holds_places(field, place):
        return with_dim(field, place, plain(len(index)))
    index = [position % size for position in index]
    if index == list(range(size)):
        return field
    reach = dim[0][1]
    alone = len(dim) == 1 and reach is not None and sum(_carries(other, reach.axis) for other in field.dims) == 1
    if not alone or reach is None or len(reach.order) not in (0, size) or not index:
        return with_dim(field, place, plain(len(index), scattered(by)))
    if not reach.order and _steps(index) is not None:
        return with_dim(field, place, slid(dim, len(index), 1, _steps(index) or 1, -index[0], 1))
    if reach.axis not in (0, 1):
        return with_dim(field, place, plain(len(index), reach))
    order = reach.order or range(size)
    return with_dim(field, place, plain(len(index), reach.ordered([order[position] for position in index], by)))


def holds_places(field: Field, place: int) -> bool:
    """Whether places of the image may lie along the dim at ``place``."""
    if any(reach is not None for _, reach in field.dims[place]):
        return True
    return not field.axes() >= {0, 1} and not any(reach.axis == 2 for d in field.dims for _, reach in d if reach)


def _carries(dim: Dim, axis: int) -> bool:
    return any(reach is not None and reach.axis == axis for _, reach in dim)


def _steps(index: Sequence[int]) -> int | None:
    """The one step between the numbers of ``index``, if they go up in such."""
    jumps = {after - before for before, after in itertools.pairwise(index)}
    step = jumps.pop() if jumps else 1
    return step if not jumps and step > 0 else None


def lost(field: Field, shape: Sequence[int], by: str) -> Field:
    """A tensor of this shape into which the places of ``field`` went in an unknown order."""
    return unfollowed([Field((*field.dims[:1], plain(2, scattered(by))))], shape)


def _scattered_along(field: Field, place: int, size: int, by: str) -> Field:
    return with_dim(field, place, plain(size, scattered(by) if holds_places(field, place) else None))


@rule("roll")
def _rolled(call: Call) -> Field:
    field, dims = call.source, call.get(2, "dims")
    shifts = each(call.get(1, "shifts"), 1)
    if dims is None or dims in ((), []):
        if all(shift % call.output.numel() == 0 for shift in shifts):
            return field
        return lost(field, call.output.shape, "torch.roll")
    for shift, place in zip(shifts, each(dims, 1), strict=True):
        size = call.output.shape[place]
        field = taken(field, place, [(position - int(shift)) % size for position in range(size)], "torch.roll")
    return field


@rule("flip", "fliplr", "flipud")
def _flipped(call: Call) -> Field:
    field = call.source
    given = {"fliplr": (1,), "flipud": (0,)}.get(call.name)
    for place in given or each(call.rest(1, "dims"), 1):
        field = _mirrored(field, place, f"torch.{call.name}")
    return field


def _mirrored(field: Field, place: int, by: str) -> Field:
    size = math.prod(length for length, _ in field.dims[place])
    return taken(field, place, range(size - 1, -1, -1), by)


@rule("rot90")
def _rotated(call: Call) -> Field:
    field, turns = call.source, int(call.get(1, "k", 1)) % 4
    first, second = call.get(2, "dims", (0, 1))
    mirrored = {0: (), 1: (second,), 2: (first, second), 3: (first,)}[turns]
    for place in mirrored:
        field = _mirrored(field, place, "torch.rot90")
    dims = list(field.dims)
    if turns % 2:
        dims[first], dims[second] = dims[second], dims[first]
    return Field(tuple(dims))


@rule("index_select")
def _index_selected(call: Call) -> Field:
    return _taken_by(call, call.source, call.get(1, "dim"), call.get(2, "index"), "torch.index_select")


def _taken_by(call: Call, field: Field, place: int, index: Any, by: str) -> Field:
    """``field`` after one dim was indexed by a list, a tensor of whole numbers, or a mask."""
    if call.lookup(index) is None:
        values = torch.as_tensor(index)
        if values.dtype in (torch.bool, torch.uint8) and values.ndim == 1:
            values = values.nonzero()[:, 0]
        if values.ndim <= 1:
            return taken(field, place, values.reshape(-1).tolist(), by)
    elif getattr(index, "ndim", 0) == 1:
        return _scattered_along(field, place, len(index), by)
    raise NoRule


@rule("gather", "take_along_dim")
def _gathered(call: Call) -> Field:
    by, field, shape = f"torch.{call.name}", call.source, call.output.shape
    names = ("dim", "index") if call.name == "gather" else ("indices", "dim")
    found = [call.get(at, name) for at, name in enumerate(names, 1)]
    dim, index = found if call.name == "gather" else reversed(found)
    if dim is None or any(
        size != shape[place] for place, size in enumerate(_sizes(field)) if place != dim % len(shape)
    ):
        return lost(field, shape, by)
    rows = index.movedim(dim, 0).flatten(1)
    if call.lookup(index) is None and bool((rows == rows[:, :1]).all()):
        return taken(field, dim, rows[:, 0].tolist(), by)
    return _scattered_along(field, dim, shape[dim], by)


def _sizes(field: Field) -> list[int]:
    return [math.prod(size for size, _ in dim) for dim in field.dims]


@rule("sort", "msort", "argsort", "topk", "kthvalue")
def _sorted(call: Call) -> Field:
    place = {"msort": 0, "topk": call.get(2, "dim", -1), "kthvalue": call.get(2, "dim", -1)}.get(
        call.name, call.get(1, "dim", -1)
    )
    if len(call.source.dims) != call.output.ndim:
        raise NoRule
    return _scattered_along(call.source, place, call.output.shape[place], f"torch.{call.name}")


@rule("scatter", "scatter_add", "scatter_reduce", "index_add", "index_copy", "index_reduce")
def _written_to(call: Call) -> Field:
    place = call.get(1, "dim")
    source = next((field for field in fields_of(call) if _sizes(field) == list(call.output.shape)), None)
    if source is None:
        return lost(fields_of(call)[0], call.output.shape, f"torch.{call.name}")
    return _scattered_along(source, place, call.output.shape[place], f"torch.{call.name}")


@rule("take", "masked_select", "masked_scatter", "index_put", "put")
def _anywhere(call: Call) -> Field:
    return lost(fields_of(call)[0], call.output.shape, f"torch.{call.name}")


@rule("setitem")
def _set(call: Call) -> Field:
    if call.lookup(call.args[2]) is not None and any(True for _ in tensors(call.args[1])):
        return lost(fields_of(call)[0], call.output.shape, "an index")
    before, value = call.lookup(call.args[0]), call.lookup(call.args[2])
    key = call.args[1] if isinstance(call.args[1], tuple) else (call.args[1],)
    if value is None or any(isinstance(part, torch.Tensor | list) for part in key):
        return elementwise(call)
    written = _written_by_slices(key, value, tuple(call.output.shape))
    return written if before is None else combined([before, written], call.output.shape)


def _written_by_slices(key: Sequence[Any], value: Field, shape: tuple[int, ...]) -> Field:
    """What a tensor of this shape holds where ``value`` was written to a part of it."""
    used = sum(part is not None and part is not Ellipsis for part in key)
    parts: list[Any] = []
    for part in key if Ellipsis in key else (*key, Ellipsis):
        parts += [slice(None)] * (len(shape) - used) if part is Ellipsis else [part]
    waiting = list(value.dims)
    sizes = iter(reversed(shape))
    dims: list[Dim] = []
    for part in reversed(parts):
        if part is None:
            waiting = waiting[:-1]
            continue
        size = next(sizes)
        dim = waiting.pop() if isinstance(part, slice) and waiting else plain(1)
        start, _, step = part.indices(size) if isinstance(part, slice) else (0, size, 1)
        dims.insert(0, laid(dim, size, start, step))
    return Field(tuple(dims))


def laid(dim: Dim, size: int, start: int, step: int = 1) -> Dim:
    """One of ``size`` positions, on every ``step``-th of which from ``start`` on lie those of ``dim``.

    Raises:
        NoRule: it carries places of the image flattened together.
    """
    if (start, step, math.prod(length for length, _ in dim)) == (0, 1, size):
        return dim
    reach = reach_of(dim)
    if reach is None or step == 1:
        return slid(dim, size, 1, 1, start, 1)
    if step < 0 or not reach.is_placed:
        return plain(size, scattered("an index"))
    return plain(size, reach.through(step, 1, lambda o: ((o - start) // step,) * 2, size))


@rule("grid_sample", "grid_sampler")
def _warped(call: Call) -> Field:
    return Field((*call.source.dims[:2], *(plain(n, scattered("grid_sample")) for n in call.output.shape[2:])))


@rule("repeat", "tile")
def _repeated(call: Call) -> Field:
    field = call.source
    times = [int(value) for value in call.rest(1, "repeats", "dims")]
    times = [1] * (call.output.ndim - len(times)) + times
    dims = [plain(1)] * (call.output.ndim - len(field.dims)) + list(field.dims)
    for place, (count, size) in enumerate(zip(times, call.output.shape, strict=True)):
        if count > 1:
            single = size == count
            holds = not single and any(reach is not None for _, reach in dims[place])
            dims[place] = plain(size, scattered(f"torch.{call.name}") if holds else None)
    return Field(tuple(dims))


def indexed(call: Call, field: Field, key: Sequence[Any]) -> Field:
    """``field`` after an index by a tensor, a list or a mask among slices.

    Raises:
        NoRule: there is no such thing in ``key``, or none of it reaches places of the image.
    """
    dims = [place for place, part in _places(field, key) if isinstance(part, torch.Tensor | list)]
    whole_slices = all(part in (None, slice(None)) for _, part in _places(field, key) if isinstance(part, slice))
    if len(dims) == 1 and whole_slices and not any(isinstance(part, int) or part is None for part in key):
        try:
            part = next(part for part in key if isinstance(part, torch.Tensor | list))
            return _taken_by(call, field, dims[0], part, "an index")
        except NoRule:
            pass
    if any(holds_places(field, place) and _sizes(field)[place] > 1 for place in dims):
        return lost(field, call.output.shape, "an index")
    raise NoRule


def _places(field: Field, key: Sequence[Any]) -> list[tuple[int, Any]]:
    """Each part of ``key`` with the dim that it indexes; a mask of several axes counts for each."""
    found: list[tuple[int, Any]] = []
    widths = [
        part.ndim if isinstance(part, torch.Tensor) and part.dtype == torch.bool else int(part is not None)
        for part in key
        if part is not Ellipsis
    ]
    place = 0
    for part in key:
        if part is Ellipsis:
            place += len(field.dims) - sum(widths)
            continue
        width = part.ndim if isinstance(part, torch.Tensor) and part.dtype == torch.bool else int(part is not None)
        found += [(place + offset, part) for offset in range(width)]
        place += width
    return found
