"""Operations that look at one place at a time: activations, arithmetic, normalisation with fixed statistics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from cnnwidgets.incremental.dispatch import edits_in, memory_layout
from cnnwidgets.incremental.run import EditRun
from cnnwidgets.incremental.values.boxes import EditBox, Ints, union
from cnnwidgets.incremental.values.edits import Edits, piece, untouched, whole, windowed
from cnnwidgets.incremental.values.sharing import strides_like
from cnnwidgets.incremental.values.windows import Axes, Pair, windows

from .registry import ELEMENTWISE, rule

_UNARY = """relu gelu silu sigmoid hardtanh hardswish hardsigmoid leaky_relu elu celu selu tanh exp exp2 expm1 neg mish
softplus softshrink hardshrink threshold sqrt rsqrt square log log1p log_sigmoid erf sin cos atan abs sign round floor
ceil trunc frac reciprocal logical_not isnan isinf isfinite clone nan_to_num _to_copy relu6 log2 log10 sinc logit
native_dropout positive fill zero conj_physical"""
_SEVERAL = """add sub mul div pow clamp clamp_min clamp_max maximum minimum fmod remainder rsub atan2 eq ne lt le gt ge
where addcmul addcdiv lerp logical_and logical_or logical_xor bitwise_and bitwise_or masked_fill _prelu_kernel fmax fmin
copysign hypot"""


@dataclass(frozen=True)
class _TargetWindows:
    """Where the result of an operation on windowed values may differ, and the windows that hold it."""

    box: EditBox
    size: Pair
    corners: tuple[Ints, Ints]
    side: Pair
    axes: Axes
    shape: tuple[int, ...]

    def part(self, value: Any) -> Any:
        """What of an operand the windows need; it broadcasts against them."""
        if isinstance(value, Edits) and value.is_windowed:
            return piece(value, self.corners, self.size)
        value = value.base if isinstance(value, Edits) else value
        if not isinstance(value, torch.Tensor):
            return value
        rows, columns = (axis - len(self.shape) for axis in self.axes)
        if value.dim() < -rows and value.dim() < -columns:
            return value
        value = value.reshape((1,) * (len(self.shape) - value.dim()) + value.shape)
        if self.size == self.side or value.shape[rows] == value.shape[columns] == 1:
            return value
        full = list(value.shape)
        full[rows], full[columns] = self.side
        return windows(value.expand(full), *self.corners, self.size, self.axes)


def _target_windows(args: tuple[Any, ...]) -> _TargetWindows | None:
    """None: the operands do not lie on each other."""
    touched = [value for value in edits_in(args) if value.is_windowed]
    shape = torch.broadcast_shapes(*[value.shape for value in args if isinstance(value, torch.Tensor)])  # type: ignore[no-untyped-call]
    axes = touched[0].axes
    side = (shape[axes[0]], shape[axes[1]])
    if any(value.dim() != len(shape) or value.axes != axes or value.side != side for value in touched):
        return None
    return _TargetWindows(*joint_windows(touched), side, axes, tuple(shape))


def joint_windows(values: list[Edits]) -> tuple[EditBox, Pair, tuple[Ints, Ints]]:
    """What edits of windowed ``values`` reach together, and the windows that hold it."""
    box, side = union(value.reach for value in values), values[0].side
    size = box.window(side)
    return box, size, box.corners(size, side)


@rule(*_SEVERAL.split())
def binary_arithmetic(run: EditRun, function: Any, *args: Any, **kwargs: Any) -> Any:
    """Arithmetic on several values, broadcast against each other."""
    operands = edits_in(args)
    if any(value.is_whole for value in operands) or _varies(args):
        return NotImplemented
    touched = [value for value in operands if value.is_windowed]
    if not touched:
        base = run.base(function, *args, **kwargs)
        return untouched(run, base) if base.shape[0] == 1 else NotImplemented
    target = _target_windows(args)
    if target is None:
        return NotImplemented
    base = run.base(function, *args, **kwargs)
    win = function(*map(target.part, args), **kwargs)
    return windowed(run, base, win, target.corners, target.box, target.axes, strides=_strides(target.shape, touched[0]))


def _strides(shape: Any, like: Edits) -> tuple[int, ...] | None:
    return strides_like(like) if tuple(shape) == tuple(like.shape) else None


def _varies(args: Any) -> bool:
    """Whether a plain tensor holds one value an edit, as far as its shape tells."""
    values = [value for value in args if isinstance(value, torch.Tensor)]
    dims = max(value.dim() for value in values)
    largest = [value for value in values if value.dim() == dims > 0 and not isinstance(value, Edits)]
    return any(value.shape[0] > 1 for value in largest)


@rule(*_UNARY.split())
def by_window(run: EditRun, function: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
    """An operation on one value that may be done on its window alone."""
    if not isinstance(x, Edits) or x.is_whole or edits_in(args, kwargs):
        return NotImplemented
    base = run.base(function, x, *args, **kwargs)
    strides = _strides((run.count, *base.shape[1:]), x)
    if "memory_format" in kwargs:
        strides = function(
            memory_layout(x), *args, **{**kwargs, "device": "meta"} if "device" in kwargs else kwargs
        ).stride()
        kwargs = {name: value for name, value in kwargs.items() if name != "memory_format"}
    if x.is_untouched:
        if base.shape == x.source.shape:  # what a reduction is made of, edits will look at
            x.source.let_go()
        return untouched(run, base, strides)
    win = function(x.win, *args, **kwargs)
    return windowed(run, base, win, (x.y, x.x), x.reach, x.axes, strides=strides)


ELEMENTWISE.update((binary_arithmetic, by_window))


@rule("native_batch_norm", "_native_batch_norm_legit_no_training", "_native_batch_norm_legit", "cudnn_batch_norm")
@rule("miopen_batch_norm")
def batch_norm(
    run: EditRun, function: Any, x: Any, weight: Any, bias: Any, mean: Any, variance: Any, *rest: Any
) -> Any:
    """Batch normalisation with running statistics; the statistics that are returned beside it stay empty."""
    training = isinstance(rest[0], bool) and rest[0]  # the variant without training has no such argument
    if training or not isinstance(x, Edits) or edits_in((weight, bias, mean, variance)) or x.axes[0] == 1:
        return NotImplemented
    eps = rest[-1] if isinstance(rest[-1], float) else rest[-2]
    fixed = (mean, variance, weight, bias, eps)
    nothing = [torch.empty(0, device=x.device) for _ in function._schema.returns[1:]]  # noqa: SLF001
    if x.is_whole:
        return whole(run, _normalised(x.every, *fixed), strides=strides_like(x)), *nothing
    return by_window(run, _normalised, x, *fixed), *nothing


def _normalised(x: Any, mean: Any, variance: Any, weight: Any, bias: Any, eps: float) -> torch.Tensor:
    return torch.nn.functional.batch_norm(x, mean, variance, weight, bias, False, 0.0, eps)
