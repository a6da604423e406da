"""Which axis of what a layer returns holds its channels."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from torch import nn

from cnnwidgets.core.errors import InputError
from cnnwidgets.tracing.layouts.layouts import Layouts, followed_layouts
from cnnwidgets.tracing.layouts.memory import remembered
from cnnwidgets.tracing.layouts.rules import NO_BATCH
from cnnwidgets.tracing.layouts.token_layout import TokenLayout

_CONVOLUTIONS = {
    1: nn.Conv1d | nn.ConvTranspose1d,
    2: nn.Conv2d | nn.ConvTranspose2d,
    3: nn.Conv3d | nn.ConvTranspose3d,
}
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm, nn.GroupNorm)


def width_of(module: nn.Module) -> int | None:
    """How many channels the layer returns, where it says so by itself.

    Example:
        >>> width_of(nn.Conv2d(3, 8, 1)), width_of(nn.ReLU())
        (8, None)
    """
    names = ("out_channels", "out_features", "num_features", "num_channels")
    sizes = (getattr(module, name, None) for name in names if axis_by_kind(module, 4) is not None)
    return next((size for size in sizes if isinstance(size, int)), None)


def axis_by_kind(module: nn.Module, dims: int) -> int | None:
    """The axis of the channels in an output of ``dims`` axes, where the kind of layer decides it."""
    for places, kinds in _CONVOLUTIONS.items():
        if isinstance(module, kinds):
            return dims - places - 1
    if isinstance(module, _NORMS):
        return 1
    # Classes derived from these, as torchvision's LayerNorm2d, may turn the axes round.
    if type(module).forward is nn.Linear.forward:
        return dims - 1
    if type(module).forward is nn.LayerNorm.forward and len(module.normalized_shape) == 1:  # type: ignore[arg-type]
        return dims - 1
    return 1 if dims == 2 else None


def layouts_for(model: nn.Module, x: torch.Tensor, stand_in: Callable[[], nn.Module] | None = None) -> Layouts:
    """How the layers of ``model`` hold their maps for such images; ``stand_in`` makes what runs where it must not."""
    memory = remembered(model, x)
    if memory.answers(None):
        return memory.layouts
    return followed_layouts(model if stand_in is None else stand_in(), x)


def layout_of_channels(name: str, index: int, shape: tuple[int, ...], layouts: Layouts) -> tuple[int, int]:
    """The axis of the channels in what call ``index`` of a layer returned, and that of the images.

    Raises:
        InputError: how the layer's output was followed does not say.

    Warns:
        UserWarning: it has four axes that could not be followed; the second is taken.
    """
    layout = layouts.of(name, index, shape)
    if isinstance(layout.form, TokenLayout):
        return layout.form.order.index("c"), layout.form.images_at
    if len(shape) == 4 and layout.why_not in (None, NO_BATCH):
        if layouts.calls is None or not layout.sure:
            text = f"The axes of layer {name!r} could not be followed: {shape} was read as (N, C, H, W)."
            warnings.warn(text, stacklevel=2)
        return 1, 0
    reason = f", {layout.why_not}" if layout.why_not else ""
    raise InputError(
        f"Layer {name!r} returns {shape}{reason}: which axis holds its channels is not known. Choose a "
        "convolution, a linear or a normalisation layer in it or before it."
    )
