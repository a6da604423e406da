"""Convolution over a volume: the kernel also slides along a third axis, depth or time."""

from __future__ import annotations

from typing import Any

import numpy as np

from .convolution2d import Conv2d, check_channels
from .layer import Array, floats
from .sliding import Sizes, pad, sizes_along, sliding_windows


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


class Conv3d(Conv2d):
    """:func:`conv3d` with kernels that are learned: as :class:`~cnnwidgets.learn.Conv2d`, with one axis more."""

    _axes = 3
    _convolution = staticmethod(conv3d)
    _to_weights, _to_windows = "ncdhwijk,nodhw->ocijk", "nodhw,ocijk->ncdhwijk"
