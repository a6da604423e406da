"""Checks on what goes into an explainer, and notes on what is not a number."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from cnnwidgets.core.errors import CnnWidgetsError, InputError
from cnnwidgets.core.nested import version
from cnnwidgets.core.network import Network
from cnnwidgets.core.plain import plain_tensor
from cnnwidgets.explainers.attribution import Attribution
from cnnwidgets.running.forward import fitted


def checked(model: nn.Module, images: Any) -> torch.Tensor:
    """``images`` on the model's device and in its precision, out of any autograd graph.

    Raises:
        InputError: not a floating-point tensor (N, C, H, W) with at least one image and one pixel.
        CnnWidgetsError: the model has no weights yet: they are on the meta device.
    """
    network, tensor = Network.of(model), images
    if not isinstance(tensor, torch.Tensor):
        raise InputError(
            f"Expected a floating-point tensor (N, C, H, W), preprocessed for the model; got {type(images).__name__}. "
            "cnnwidgets.pictures.picture.load_picture(image, model).tensor makes one of a PIL image, a path or an "
            "array."
        )
    images = plain_tensor(tensor, "The images tensor")
    if not images.is_floating_point() or tensor.is_quantized:
        raise InputError(
            f"The images are {tensor.dtype}; expected floating-point values, preprocessed as the model was trained: "
            "images.float() / 255, then its normalisation."
        )
    tables = (module._parameters.values() for _, module in network.layers)  # noqa: SLF001
    if {value.is_meta for table in tables for value in table if value is not None} == {True}:
        raise CnnWidgetsError(
            "The model is on the meta device: its weights have shapes and no values. Load them first: "
            "model.to_empty(device='cpu'), then model.load_state_dict(...)."
        )
    shape = tuple(images.shape)
    if images.ndim == 3:
        raise InputError(f"Got one image of shape {shape}; expected a batch (N, C, H, W). Pass images[None].")
    if images.ndim != 4:
        raise InputError(f"Got a tensor of shape {shape}; expected a batch of images (N, C, H, W).")
    if 0 in shape:
        raise InputError(f"Got a tensor of shape {shape}: nothing to explain. Pass at least one image with pixels.")
    ready: torch.Tensor = fitted(network.base, images)
    return ready.clone() if ready.is_inference() else ready


def input_notes(images: torch.Tensor) -> Iterator[str]:
    """What is not a number in the input."""
    if not _finite(images) and not bool(images.isfinite().all()):
        yield f"the input contains {_counted(images)}"


def weight_notes(model: nn.Module, *, doubtful: bool = True) -> Iterator[str]:
    """What is not a number in the parameters and buffers.

    Args:
        doubtful: look at every value. If not, what was found to be finite is not looked at again until a tensor is
            exchanged or its version counter moves. Writing through ``.data`` moves none, so to be passed only when
            everything that came out of the model is finite: a NaN that nobody has looked at then changed nothing.
    """
    network = Network.of(model)
    base, tensors = network.base, network.tensors
    before = _finite_at.get(base, [])
    pairs = zip(before, tensors, strict=False)
    same = len(before) == len(tensors) and all(was() is now and state == _state(now) for (was, state), now in pairs)
    if same and not doubtful:
        return
    if all(_finite(tensor) for tensor in tensors):
        _finite_at[base] = [(weakref.ref(tensor), _state(tensor)) for tensor in tensors]
        return
    for name, value in [*base.named_parameters(), *base.named_buffers()]:
        if not _finite(value) and not bool(value.detach().isfinite().all()):
            yield f"the weights contain {_counted(value.detach())} in {name!r}"


_finite_at: weakref.WeakKeyDictionary[nn.Module, list[tuple[weakref.ref[torch.Tensor], tuple[int, int]]]] = (
    weakref.WeakKeyDictionary()
)


def _state(tensor: torch.Tensor) -> tuple[int, int]:
    """Where its values lie and how often they were written to, as far as torch counts that."""
    address = tensor.data_ptr() if tensor.layout == torch.strided else 0
    return address, version(tensor)


def _finite(tensor: torch.Tensor) -> bool:
    """Whether the sum is finite: one pass that makes no copy. Not so for a few values whose sum is too large."""
    tensor = tensor.detach()
    wide = torch.float32 if tensor.dtype in (torch.float16, torch.bfloat16) else None
    return tensor.is_meta or not tensor.is_floating_point() or bool(tensor.sum(dtype=wide).isfinite())


def result_notes(result: Attribution) -> Iterator[str]:
    """What is not a number in the scores and the maps."""
    if not bool(result.scores.isfinite().all()):
        yield f"the score is not a finite number{which_images(~result.scores.isfinite())}"
    if _finite(result.values):
        return
    broken = ~result.values.flatten(1).isfinite()
    if bool(broken.any()):
        yield f"the map contains {_counted(result.values)}{which_images(broken.any(1))}: they are left out, not painted"


def which_images(affected: torch.Tensor) -> str:
    """`` for image 0, 2`` of a (N,) bool; nothing where there is only one image."""
    if len(affected) == 1:
        return ""
    return " for image " + ", ".join(str(index) for index in affected.nonzero().flatten().tolist())


def _counted(values: torch.Tensor) -> str:
    counts = {"NaN": int(values.isnan().sum()), "infinite": int(values.isinf().sum())}
    parts = (f"{count} {word} {'value' if count == 1 else 'values'}" for word, count in counts.items() if count)
    return " and ".join(parts)
