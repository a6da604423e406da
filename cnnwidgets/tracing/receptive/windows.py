"""Receptive fields through windows that move over a map: convolution, pooling, resampling, padding."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any

from .call import RuleCall, each, field_rule, slid, unslid
from .field import Dim, Field, length_of, plain_dim, reach_of
from .interval import whole_axis


@field_rule("conv1d", "conv2d", "conv3d")
def _convolution_field(call: RuleCall) -> Field:
    weight = call.get(1, "weight")
    count = weight.ndim - 2
    kernel = weight.shape[2:]
    padding = call.get(4, "padding", 0)
    dilation = each(call.get(5, "dilation", 1), count)
    if padding == "same":
        padding = tuple(d * (k - 1) // 2 for d, k in zip(dilation, kernel, strict=True))
    padding = 0 if padding == "valid" else padding
    return _windowed(call, count, kernel, call.get(3, "stride", 1), padding, dilation, mixes_channels=True)


def _windowed(
    call: RuleCall, count: int, kernel: Any, stride: Any, padding: Any, dilation: Any, *, mixes_channels: bool
) -> Field:
    """Windows along the last ``count`` axes; each number one an axis, or one for all."""
    numbers = zip(*(each(value, count) for value in (kernel, stride, padding, dilation)), strict=True)
    return _along_last(call, count, slid, numbers, mixes_channels=mixes_channels)


def _along_last(
    call: RuleCall, count: int, change: Callable[..., Dim], numbers: Iterable[Any] = (), *, mixes_channels: bool
) -> Field:
    """``change(dim, size, *numbers)`` of each of the last ``count`` axes; those before stay, channels if not mixed."""
    dims, shape = call.source.dims, call.output.shape
    before = dims[:-count]
    if mixes_channels:
        before = (*before[:-1], plain_dim(shape[-count - 1]))
    axes = zip(dims[-count:], shape[-count:], numbers or [()] * count, strict=True)
    return Field((*before, *(change(dim, size, *of_axis) for dim, size, of_axis in axes)))


@field_rule("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def _transposed(call: RuleCall) -> Field:
    weight = call.get(1, "weight")
    count = weight.ndim - 2
    options = (call.get(at, name, default) for at, name, default in _TRANSPOSED)
    numbers = zip(weight.shape[2:], *(each(value, count) for value in options), strict=True)

    def change(dim: Dim, size: int, *of_axis: int) -> Dim:
        return _resampled(dim, size, _transposed_taps(*of_axis), Fraction(1, of_axis[1]))

    return _along_last(call, count, change, numbers, mixes_channels=True)


_TRANSPOSED = ((3, "stride", 1), (4, "padding", 0), (7, "dilation", 1))


def _transposed_taps(kernel: int, stride: int, padding: int, dilation: int) -> Callable[[int], tuple[int, int]]:
    def taps(o: int) -> tuple[int, int]:
        places = [o + padding - k * dilation for k in range(kernel)]
        read = [at // stride for at in places if at % stride == 0]
        return (min(read), max(read)) if read else (places[0] // stride,) * 2

    return taps


@field_rule(
    "max_pool1d", "max_pool2d", "max_pool3d", "max_pool1d_with_indices", "max_pool2d_with_indices",
    "max_pool3d_with_indices", "avg_pool1d", "avg_pool2d", "avg_pool3d", "lp_pool1d", "lp_pool2d", "lp_pool3d",
)  # fmt: skip
def _pooled(call: RuleCall) -> Field:
    is_lp = call.name.startswith("lp")  # the norm's degree comes first, and there is no padding
    kernel = call.get(1 + is_lp, "kernel_size")
    stride = call.get(2 + is_lp, "stride")
    stride = kernel if stride is None or stride == [] else stride
    padding = 0 if is_lp else call.get(3, "padding", 0)
    dilation = call.get(4, "dilation", 1) if call.name.startswith("max") else 1
    return _windowed(call, _axes_counted(call), kernel, stride, padding, dilation, mixes_channels=False)


def _axes_counted(call: RuleCall) -> int:
    """2 for ``max_pool2d``."""
    return int(next(letter for letter in call.name if letter.isdigit()))


def _resampled(dim: Dim, size: int, taps: Callable[[int], tuple[int, int]], ratio: Fraction) -> Dim:
    """``dim`` at ``size`` positions, ``ratio`` old ones for each new one."""
    reach = reach_of(dim)
    if reach is None:
        return unslid(dim, size)
    return plain_dim(size, reach.through(ratio.denominator, ratio.numerator, taps, size))


def _adaptively_pooled(dim: Dim, size: int) -> Dim:
    length = length_of(dim)
    ratio = Fraction(length, size)
    reach = reach_of(dim)
    if size == 1 and length > 1 and reach is not None:
        return plain_dim(1, whole_axis(reach.axis))
    return _resampled(dim, size, lambda o: (math.floor(o * ratio), math.ceil((o + 1) * ratio) - 1), ratio)


@field_rule(
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d", "adaptive_max_pool2d",
    "adaptive_max_pool3d", "adaptive_max_pool1d_with_indices", "adaptive_max_pool2d_with_indices",
    "adaptive_max_pool3d_with_indices",
)  # fmt: skip
def _adaptive_pool(call: RuleCall) -> Field:
    return _along_last(call, _axes_counted(call), _adaptively_pooled, mixes_channels=False)


@field_rule("interpolate", "upsample", "upsample_nearest", "upsample_bilinear")
def _interpolated(call: RuleCall) -> Field:
    mode = {"upsample_bilinear": "bilinear"}.get(call.name, call.get(3, "mode", "nearest"))
    aligned = bool(call.get(4, "align_corners")) or call.name == "upsample_bilinear"
    factor = call.get(2, "scale_factor")
    if call.get(5, "recompute_scale_factor"):
        factor = None
    field = call.source
    count = len(field.dims) - 2
    factors = each(factor, count)
    resampled = []
    for dim, size, scale in zip(field.dims[2:], call.output.shape[2:], factors, strict=True):
        length = length_of(dim)
        if mode == "area":
            resampled.append(_adaptively_pooled(dim, size))
            continue
        ratio = Fraction(length, size) if scale is None else 1 / Fraction(scale).limit_denominator(1000)
        if aligned and mode not in ("nearest", "nearest-exact"):
            ratio = Fraction(length - 1, size - 1) if size > 1 and length > 1 else Fraction(0)
        taps = _interpolation_taps(mode, ratio, aligned, bool(call.get(6, "antialias", False)))
        resampled.append(plain_dim(size, reach_of(dim)) if ratio == 1 else _resampled(dim, size, taps, ratio))
    return Field((*field.dims[:2], *resampled))


def _interpolation_taps(mode: str, ratio: Fraction, aligned: bool, antialias: bool) -> Callable[[int], tuple[int, int]]:
    half = Fraction(1, 2)

    def taps(o: int) -> tuple[int, int]:
        if mode == "nearest":
            return (math.floor(o * ratio),) * 2
        if mode == "nearest-exact":
            return (math.floor((o + half) * ratio),) * 2
        at = o * ratio if aligned else (o + half) * ratio - half
        reach = 2 if mode == "bicubic" else 1
        width = reach * max(ratio, Fraction(1)) if antialias else Fraction(reach)
        # Weights vanish at the ends of the kernel's support.
        return math.floor(at - width) + 1, math.ceil(at + width) - 1

    return taps


@field_rule("pad")
def _padded_field(call: RuleCall) -> Field:
    amounts = list(call.get(1, "pad"))
    dims = list(call.source.dims)
    for back in range(len(amounts) // 2):
        at = len(dims) - 1 - back
        before, size = amounts[2 * back], call.output.shape[at]
        dims[at] = slid(dims[at], size, 1, 1, before, 1)
        if call.get(2, "mode") == "circular":  # the border shows the other end
            dims[at] = tuple((n, None if reach is None else reach.everywhere()) for n, reach in dims[at])
    return Field(tuple(dims))


@field_rule("pixel_shuffle")
def _pixels_shuffled(call: RuleCall) -> Field:
    ratio = Fraction(1, call.get(1, "upscale_factor"))

    def change(dim: Dim, size: int) -> Dim:
        return _resampled(dim, size, lambda o: (math.floor(o * ratio),) * 2, ratio)

    return _along_last(call, 2, change, mixes_channels=True)


@field_rule("pixel_unshuffle")
def _unshuffled(call: RuleCall) -> Field:
    factor = call.get(1, "downscale_factor")
    return _windowed(call, 2, factor, factor, 0, 1, mixes_channels=True)
