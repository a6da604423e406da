"""A torch call as seen by the rules that carry receptive fields, and the register of those rules."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from cnnwidgets.core.nested import tensors

from .field import Dim, Field, carries_places, combined, length_of, moved_by, plain_dim, reach_of, smeared, unfollowed
from .interval import PADDING, Reach, scattered


@dataclass(frozen=True)
class RuleCall:
    """One torch call, as its rule sees it."""

    name: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    output: torch.Tensor
    """What it returned, or one of several."""
    lookup: Callable[[Any], Field | None]
    """The field of an argument; None for what does not depend on the network's input."""

    def get(self, index: int, name: str, default: Any = None) -> Any:
        """The argument at ``index`` or called ``name``."""
        if index < len(self.args):
            return self.args[index]
        return self.kwargs.get(name, default)

    def rest(self, index: int, *names: str) -> Any:
        """Arguments from ``index`` on given as a tuple or one by one, as in ``permute(0, 2, 1)``."""
        if index < len(self.args):
            first = self.args[index]
            return tuple(first) if isinstance(first, list | tuple) else tuple(self.args[index:])
        return next((self.kwargs[name] for name in names if name in self.kwargs), None)

    @property
    def source(self) -> Field:
        """The field of the first argument."""
        field = self.lookup(self.get(0, "input"))
        if field is None:
            raise NoRule
        return field


class NoRule(Exception):
    """The rule does not cover this call."""


Rule = Callable[[RuleCall], Field]
"""``rule(call)``: the field of ``call.output``."""
RULES: dict[str, Rule] = {}


def mixed(inputs: Sequence[Field], shape: Sequence[int]) -> Field:
    """The safe answer: axes keep their place where shapes agree, and every position sees everything."""
    for field in inputs:
        if tuple(map(length_of, field.dims)) == tuple(shape):
            return smeared(field)
    return unfollowed(inputs, shape)


def unplaced(field: Field) -> Field:
    """``field``, where it is not known any more on which places its positions lie."""
    return field.changed(lambda factor: (factor[0], None if factor[1] is None else factor[1].unplaced()))


def words(*lines: str) -> frozenset[str]:
    """All words of some lines."""
    return frozenset(" ".join(lines).split())


@functools.cache
def is_pointwise(name: str) -> bool:
    """Whether a function computes each output element from the input elements at the same place only."""
    if name in _SAME_PLACE:
        return True
    packet = getattr(torch.ops.aten, name, None)
    if packet is None:
        return False
    return all(
        torch.Tag.pointwise in getattr(packet, overload).tags
        for overload in packet.overloads()
        if not overload.endswith("out")
    )


_SAME_PLACE = words(
    "add sub mul div true_divide radd rsub rmul rdiv rtruediv truediv pow rpow iadd isub imul itruediv neg relu relu6",
    "hardtanh leaky_relu elu selu celu gelu silu mish hardswish hardsigmoid hardshrink softshrink tanhshrink softsign",
    "softplus logsigmoid sigmoid tanh prelu rrelu threshold clamp clip clamp_min clamp_max abs exp log sqrt rsqrt",
    "square where lerp addcmul addcdiv maximum minimum dropout dropout1d dropout2d dropout3d alpha_dropout",
    "feature_alpha_dropout batch_norm contiguous clone detach to float double half bfloat16 type type_as data alias",
    "masked_fill nan_to_num round floor ceil sign copy write setitem requires_grad cpu cuda expand expand_as",
    "broadcast_to local_response_norm fake_quantize_per_tensor_affine positive identity",
)


def field_rule(*names: str) -> Callable[[Rule], Rule]:
    """Register a rule for functions of these names."""

    def register(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return register


def fields_of(call: RuleCall) -> list[Field]:
    """The fields of all tensors that the call read."""
    fields = [field for field in map(call.lookup, tensors((call.args, call.kwargs))) if field is not None]
    if not fields:
        raise NoRule
    return fields


def elementwise(call: RuleCall) -> Field:
    """The rule for functions that combine elements at the same place, with broadcasting."""
    return combined(fields_of(call), call.output.shape)


def each(value: Any, count: int) -> tuple[Any, ...]:
    """One number an axis, where a single one stands for all."""
    values = tuple(value) if isinstance(value, list | tuple | torch.Size) else (value,)
    return values * count if len(values) == 1 else values


def slid(dim: Dim, size: int, kernel: int, stride: int, padding: int, dilation: int) -> Dim:
    """A window of ``kernel`` positions moved along ``dim``."""
    reach = reach_of(dim)
    if reach is None:
        return unslid(dim, size)
    first = -padding
    last = first + (kernel - 1) * dilation
    if reach.order:
        return plain_dim(size, _slid_order(reach, [o * stride + (first + last) // 2 for o in range(size)]))
    if not reach.lo or reach.length:
        return plain_dim(size, replace(reach.unplaced(), stride=reach.stride * stride))
    return plain_dim(size, reach.through(1, stride, lambda o: (o * stride + first, o * stride + last), size))


def unslid(dim: Dim, size: int) -> Dim:
    """What comes of a window over a dim that is no single image axis.

    Raises:
        NoRule: it carries places of the image, in order.
    """
    if not carries_places(dim):
        return plain_dim(size)
    by = moved_by(dim) or (None if dim[0][1] is not None else "channels laid beside each other")
    if by is None:
        raise NoRule
    return plain_dim(size, scattered(by))


def _slid_order(reach: Reach, centres: list[int]) -> Reach:
    """What lies at ``centres`` of an axis whose positions were moved."""
    if reach.stride != 1:
        return scattered(reach.by)
    inside = range(len(reach.order))
    return reach.ordered([reach.order[centre] if centre in inside else PADDING for centre in centres], reach.by)


def with_dim(field: Field, at: int, dim: Dim) -> Field:
    """``field`` with another dim at ``place``."""
    dims = list(field.dims)
    dims[at] = dim
    return Field(tuple(dims))
