"""Convolution over an image: a small kernel slides over rows and columns, and adds up products at each place."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnwidgets.core.arguments import checked_count
from cnnwidgets.core.errors import InputError

from .layer import Array, Layer, floats
from .sliding import Sizes, crop, pad, put_back, sizes_along, sliding_windows


def conv2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    *,
    stride: int | Sizes = 1,
    padding: int | Sizes = 0,
    dilation: int | Sizes = 1,
    groups: int = 1,
) -> Array:
    """Each output channel: the sum over input channels, rows and columns of patch times kernel, plus a bias.

    ``out[n, o, y, x] = bias[o] + sum_cij weight[o, c, i, j] * x[n, c, y*stride + i*dilation, x*stride + j*dilation]``,
    after ``padding`` zeros were put around the input. As in PyTorch, the kernel is not turned around.

    Args:
        x: (N, C, H, W).
        weight: (O, C / groups, kh, kw), one kernel for each of O output channels.
        bias: (O,), or None.
        stride, padding, dilation: an int, or (along rows, along columns).
        groups: how many parts the channels are cut into; each output channel reads one part only. ``groups=C`` is a
            depthwise convolution.

    Returns:
        (N, O, H', W') with ``H' = (H + 2 * padding - dilation * (kh - 1) - 1) // stride + 1``.

    Raises:
        InputError: shapes that do not fit each other.

    Example:
        >>> conv2d([[[[1, 2, 3], [4, 5, 6]]]], [[[[1, 10], [0, 0]]]]).tolist()
        [[[[21.0, 32.0]]]]
    """
    x, weight = floats(x, "x", "NCHW"), floats(weight, "weight", "OCHW")
    check_channels(x, weight, bias, groups)
    x = pad(x, sizes_along(padding, "padding", 2, least=0))
    windows = sliding_windows(
        x, weight.shape[2:], sizes_along(stride, "stride", 2), sizes_along(dilation, "dilation", 2)
    )
    parts = zip(np.split(windows, groups, axis=1), np.split(weight, groups), strict=True)
    out = np.concatenate(
        [np.einsum("nchwij,ocij->nohw", patches, kernels, optimize=True) for patches, kernels in parts], axis=1
    )
    return out if bias is None else out + np.asarray(bias)[:, None, None]


def check_channels(x: Array, weight: Array, bias: Any, groups: int) -> None:
    """Refuse a kernel for another number of channels, and groups or a bias that do not fit."""
    checked_count(groups, "groups")
    channels, outputs = x.shape[1], weight.shape[0]
    if channels % groups or outputs % groups:
        raise InputError(
            f"groups is {groups}; expected a number that divides {channels} input and {outputs} output channels."
        )
    if weight.shape[1] != channels // groups:
        raise InputError(
            f"The kernels have shape {weight.shape}, for {weight.shape[1] * groups} input channels in {groups} groups, "
            f"but the input has {channels}. Expected ({outputs}, {channels // groups}, ...)."
        )
    if bias is not None and np.shape(bias) != (outputs,):
        raise InputError(f"bias has shape {np.shape(bias)}; expected ({outputs},), a number for each output channel.")


class Conv2d(Layer):
    """:func:`conv2d` with kernels that are learned.

    Args:
        in_channels, out_channels: C and O.
        kernel_size: an int, or (rows, columns).
        stride, padding, dilation, groups: as for :func:`conv2d`.
        bias: whether there is one.
        seed: an int, or a numpy Generator: where the first weights are drawn from (He et al. 2015: normal, with
            variance 2 / (numbers that a kernel reads), so that signals neither fade nor grow from layer to layer).
    """

    _axes = 2
    _convolution = staticmethod(conv2d)
    # A weight was multiplied by what it met at each place, and what it met by the weight.
    _to_weights, _to_windows = "nchwij,nohw->ocij", "nohw,ocij->nchwij"

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sizes,
        *,
        stride: int | Sizes = 1,
        padding: int | Sizes = 0,
        dilation: int | Sizes = 1,
        groups: int = 1,
        bias: bool = True,
        seed: int | np.random.Generator = 0,
    ) -> None:
        super().__init__()
        axes = self._axes
        self.stride, self.padding = sizes_along(stride, "stride", axes), sizes_along(padding, "padding", axes, least=0)
        self.dilation, self.groups = sizes_along(dilation, "dilation", axes), groups
        self.parameters = first_kernels(
            in_channels, out_channels, sizes_along(kernel_size, "kernel_size", axes), groups, seed
        )
        if not bias:
            del self.parameters["bias"]

    def forward(self, x: Array) -> Array:
        weight, bias = self.parameters["weight"], self.parameters.get("bias")
        steps = {"stride": self.stride, "padding": self.padding, "dilation": self.dilation}
        return self._remember(self._convolution(x, weight, bias, groups=self.groups, **steps), np.asarray(x))

    def backward(self, grad: Array) -> Array:
        (x,) = self._recall(grad)
        weight, x = self.parameters["weight"], pad(x, self.padding)
        windows = sliding_windows(x, weight.shape[2:], self.stride, self.dilation)
        grads_weight, grads_windows = [], []
        for patches, kernels, grad_part in zip(
            np.split(windows, self.groups, axis=1),
            np.split(weight, self.groups),
            np.split(grad, self.groups, axis=1),
            strict=True,
        ):
            grads_weight.append(np.einsum(self._to_weights, patches, grad_part, optimize=True))
            grads_windows.append(np.einsum(self._to_windows, grad_part, kernels, optimize=True))
        self.gradients = {"weight": np.concatenate(grads_weight)}
        if "bias" in self.parameters:
            self.gradients["bias"] = grad.sum(axis=(0, *range(2, grad.ndim)))
        return crop(put_back(np.concatenate(grads_windows, axis=1), x.shape, self.stride, self.dilation), self.padding)


def first_kernels(
    in_channels: int, out_channels: int, size: Sizes, groups: int, seed: int | np.random.Generator
) -> dict[str, Array]:
    """Random weights (O, C / groups, ...) and biases of zero."""
    checked_count(in_channels, "in_channels")
    checked_count(out_channels, "out_channels")
    checked_count(groups, "groups")
    if in_channels % groups or out_channels % groups:
        raise InputError(
            f"groups is {groups}; expected a number that divides {in_channels} and {out_channels} channels."
        )
    shape = (out_channels, in_channels // groups, *size)
    scale = np.sqrt(2 / np.prod(shape[1:]))
    return {"weight": np.random.default_rng(seed).normal(0, scale, shape), "bias": np.zeros(out_channels)}
