"""The kernels of a convolution or a linear layer, as its forward uses them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd
from torch.overrides import TorchFunctionMode

from cnnwidgets.core.arrays import as_array
from cnnwidgets.core.errors import InputError
from cnnwidgets.core.network import Network
from cnnwidgets.state.preserved import preserved

_PLAIN = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d, nn.Linear)
_MAKES_WEIGHT = ("compute_weight", "apply_mask")
"""Of weight_norm, spectral_norm and pruning in their older forms: hooks that set the weight before each forward."""


@dataclass(frozen=True, eq=False, repr=False)
class Kernels:
    """The weights of one layer.

    Attributes:
        array: (K, C, kh, kw) float32; (K, C, k) of a Conv1d, (K, C, kd, kh, kw) of a Conv3d, (K, C, 1, 1) of a linear
            layer. C counts the channels that one filter reads: those of its group. Those of a transposed convolution
            are turned round to this order.
        layer: dotted name.
        kind: the class of the layer, "Conv2d".
        bias: (K,) float32, or None.
        groups: how many groups the filters form.
        stride, padding, dilation: one number an axis; the padding may be "same" or "valid"; empty of a linear layer.
        padding_mode: "zeros", "reflect", "replicate" or "circular".
        transposed: whether it is a transposed convolution.
        notes: what the reader must know.
    """

    array: npt.NDArray[np.float32]
    layer: str
    kind: str
    bias: npt.NDArray[np.float32] | None = None
    groups: int = 1
    stride: tuple[int, ...] = ()
    padding: tuple[int, ...] | str = ()
    dilation: tuple[int, ...] = ()
    padding_mode: str = "zeros"
    transposed: bool = False
    notes: tuple[str, ...] = ()

    @property
    def depthwise(self) -> bool:
        """Whether each filter reads one channel of its own."""
        return self.groups > 1 and self.array.shape[1] == 1

    @property
    def pointwise(self) -> bool:
        """Whether it looks at one place: 1 × 1, or a linear layer."""
        return all(size == 1 for size in self.array.shape[2:])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return np.array(self.array, dtype) if copy or dtype is not None else self.array

    def __repr__(self) -> str:
        form = "depthwise" if self.depthwise else f"{self.groups} groups" if self.groups > 1 else ""
        words = [f"{self.layer!r}", self.kind, str(self.array.shape), form]
        return f"Kernels({', '.join(word for word in words if word)})"


def weights(model: nn.Module, layer: str | nn.Module) -> Kernels:
    """The kernels of ``layer``, a convolution, a transposed convolution or a linear layer.

    Of a layer that makes its weight anew (weight norm, spectral norm, pruning, any parametrisation, a class of one's
    own that standardises it), the weight that its forward uses in evaluation mode.

    Raises:
        LayerNotFound: no such layer; names the closest.
        InputError: it has no kernels of its own, or they are quantised, complex or not there yet.

    Example:
        >>> weights(nn.Sequential(nn.Conv2d(4, 8, 3, groups=2)), "0")
        Kernels('0', Conv2d, (8, 2, 3, 3), 2 groups)
    """
    network = Network.of(model)
    name, module = network.find(layer)
    if "quantized" in type(module).__module__ or "Quantized" in type(module).__name__:
        raise InputError(
            f"Layer {name!r} is a quantised {type(module).__name__}: its kernels are packed whole numbers. Look at the "
            "model before it was quantised."
        )
    if not isinstance(module, (*_PLAIN, _ConvNd)):
        raise InputError(_no_kernels(name, module))
    with torch.inference_mode(False), torch.no_grad(), preserved(model, evaluate=True):
        weight, notes = _effective(name, module)
        bias = None if module.bias is None else np.array(as_array(module.bias, "The bias"), np.float32)
    if weight.is_complex() or weight.is_quantized:
        kind = "quantised" if weight.is_quantized else "complex"
        raise InputError(f"The kernels of layer {name!r} are {kind}; expected real floating-point numbers.")
    return Kernels(_arranged(module, weight), name, type(module).__name__, bias, notes=notes, **_geometry(module))


def _effective(name: str, module: nn.Module) -> tuple[torch.Tensor, tuple[str, ...]]:
    """The weight that the forward uses, a copy."""
    for hook in module._forward_pre_hooks.values():  # noqa: SLF001 (no public name)
        if any(hasattr(hook, method) for method in _MAKES_WEIGHT):
            hook(module, ())
    stored: Any = module.weight
    if not isinstance(stored, torch.Tensor) or stored.is_meta or torch.nn.parameter.is_lazy(stored):
        raise InputError(
            f"Layer {name!r} has no weights that can be read: they are lazy, on the meta device, or packed. Load them, "
            "or run the model once on an input, first."
        )
    kind = type(module)
    if any(kind.forward is plain.forward and _inner(kind) is _inner(plain) for plain in _PLAIN):
        return stored.detach().clone(), ()
    applied = _applied_weight(module, stored)
    if applied is None:
        note = f"{kind.__name__} has a forward of its own, which could not be run alone: the stored weight is shown"
        return stored.detach().clone(), (note,)
    same = applied.shape == stored.shape and torch.equal(applied, stored)
    return applied, () if same else (f"the weight as the forward of {kind.__name__} uses it, not as it is stored",)


def _inner(kind: type) -> Any:
    return getattr(kind, "_conv_forward", None)


def _applied_weight(module: nn.Module, stored: torch.Tensor) -> torch.Tensor | None:
    """What a layer with a forward of its own convolves with, by running it alone; None if that fails."""
    if not isinstance(module, _ConvNd):
        x = torch.zeros(1, stored.shape[-1], dtype=stored.dtype, device=stored.device)
    else:
        extent = [(size - 1) * step + 1 + size for size, step in zip(module.kernel_size, module.dilation, strict=True)]
        x = torch.zeros(1, module.in_channels, *extent, dtype=stored.dtype, device=stored.device)
    watch = _WeightWatch()
    try:
        with watch:
            module.forward(x)  # past the user's hooks, which are not to see this
    except Exception:  # whatever the layer makes of an image of zeros
        return None
    return watch.weight


class _WeightWatch(TorchFunctionMode):
    """Keeps the weight of the first convolution or linear map."""

    weight: torch.Tensor | None = None

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if self.weight is None and (name.startswith("conv") or name == "linear"):
            weight = kwargs.get("weight", args[1] if len(args) > 1 else None)
            self.weight = weight.detach().clone() if isinstance(weight, torch.Tensor) else None
        return func(*args, **kwargs)


def _arranged(module: nn.Module, weight: torch.Tensor) -> npt.NDArray[np.float32]:
    """(K, C, ...)."""
    if not isinstance(module, _ConvNd):
        weight = weight[:, :, None, None]
    elif module.transposed:
        weight = torch.unflatten(weight, 0, (module.groups, -1)).transpose(1, 2).flatten(0, 1)
    return np.ascontiguousarray(as_array(weight, "The weight"), np.float32)


def _geometry(module: nn.Module) -> dict[str, Any]:
    if not isinstance(module, _ConvNd):
        return {}
    names = ("groups", "stride", "padding", "dilation", "padding_mode", "transposed")
    return {name: getattr(module, name) for name in names}


def _no_kernels(name: str, module: nn.Module) -> str:
    inner = [f"{name}.{own}" if name else own for own, part in module.named_modules() if isinstance(part, _PLAIN)]
    message = f"Layer {name!r} is a {type(module).__name__}, which has no kernels of its own."
    if inner:
        rest = f" and {len(inner) - 4} more" if len(inner) > 4 else ""
        return f"{message} In it: {', '.join(map(repr, inner[:4]))}{rest}."
    return f"{message} Choose a convolution or a linear layer."
