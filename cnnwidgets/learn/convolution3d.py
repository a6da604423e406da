"""Convolution over a volume: the kernel also slides along a third axis, depth or time."""

from __future__ import annotations

from typing import Any

import numpy as np

from .convolution2d import check_channels, first_kernels
from .layer import Array, Layer, floats
from .sliding import Sizes, crop, pad, put_back, sizes_along, sliding_windows


def conv3d(
    x: Any,
    weight: Any,
    bias: Any = None,
    *,
    stride: int | Sizes = 1,
    padding: int | Sizes = 0,
    dilation: int | Sizes = 1,
    groups: int = 1,
) -> Array:
    """As :func:`~cnnwidgets.learn.conv2d`, with one axis more to slide along.

    A 2D convolution of a colour image reads three channels too, but its kernel is as deep as they are, so that it can
    only slide along rows and columns. Here depth is an axis like the others: the output has a depth as well.

    Args:
        x: (N, C, D, H, W).
        weight: (O, C / groups, kd, kh, kw).
        bias: (O,), or None.
        stride, padding, dilation: an int, or (along depth, rows, columns).
        groups: how many parts the channels are cut into.

    Returns:
        (N, O, D', H', W').

    Raises:
        InputError: shapes that do not fit each other.

    Example:
        >>> x = np.arange(3.0).reshape(1, 1, 3, 1, 1)
        >>> conv3d(x, np.ones((1, 1, 2, 1, 1))).ravel().tolist()
        [1.0, 3.0]
    """
    x, weight = floats(x, "x", "NCDHW"), floats(weight, "weight", "OCDHW")
    check_channels(x, weight, bias, groups)
    x = pad(x, sizes_along(padding, "padding", 3, least=0))
    windows = sliding_windows(
        x, weight.shape[2:], sizes_along(stride, "stride", 3), sizes_along(dilation, "dilation", 3)
    )
    parts = zip(np.split(windows, groups, axis=1), np.split(weight, groups), strict=True)
    sums = [np.einsum("ncdhwijk,ocijk->nodhw", patches, kernels, optimize=True) for patches, kernels in parts]
    out = np.concatenate(sums, axis=1)
    return out if bias is None else out + np.asarray(bias)[:, None, None, None]


class Conv3d(Layer):
    """:func:`conv3d` with kernels that are learned; arguments as for :class:`~cnnwidgets.learn.Conv2d`."""

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
        self.stride, self.padding = sizes_along(stride, "stride", 3), sizes_along(padding, "padding", 3, least=0)
        self.dilation, self.groups = sizes_along(dilation, "dilation", 3), groups
        self.parameters = first_kernels(
            in_channels, out_channels, sizes_along(kernel_size, "kernel_size", 3), groups, seed
        )
        if not bias:
            del self.parameters["bias"]

    def forward(self, x: Array) -> Array:
        weight, bias = self.parameters["weight"], self.parameters.get("bias")
        steps = {"stride": self.stride, "padding": self.padding, "dilation": self.dilation}
        return self._remember(conv3d(x, weight, bias, groups=self.groups, **steps), np.asarray(x))

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
            grads_weight.append(np.einsum("ncdhwijk,nodhw->ocijk", patches, grad_part, optimize=True))
            grads_windows.append(np.einsum("nodhw,ocijk->ncdhwijk", grad_part, kernels, optimize=True))
        self.gradients = {"weight": np.concatenate(grads_weight)}
        if "bias" in self.parameters:
            self.gradients["bias"] = grad.sum(axis=(0, 2, 3, 4))
        return crop(put_back(np.concatenate(grads_windows, axis=1), x.shape, self.stride, self.dilation), self.padding)
