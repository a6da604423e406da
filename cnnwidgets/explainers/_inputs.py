"""Checks on what goes into an explainer, and notes on what is not a number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from cnnwidgets.core.errors import InputError
from cnnwidgets.core.forward import fitted
from cnnwidgets.core.names import unwrapped
from cnnwidgets.core.results import Attribution


def checked(model: nn.Module, images: Any) -> torch.Tensor:
    """``images`` on the model's device and in its precision, out of any autograd graph.

    Raises:
        InputError: not a floating-point tensor (N, C, H, W) with at least one image and one pixel.
    """
    base = unwrapped(model)
    if not isinstance(images, torch.Tensor):
        raise InputError(
            f"Expected a floating-point tensor (N, C, H, W), preprocessed for the model; got {type(images).__name__}. "
            "cnnwidgets.core.images.load_picture(image, model).tensor makes one of a PIL image, a path or an array."
        )
    if not images.is_floating_point():
        raise InputError(
            f"The images are {images.dtype}; expected floating-point values, preprocessed as the model was trained: "
            "images.float() / 255, then its normalisation."
        )
    shape = tuple(images.shape)
    if images.ndim == 3:
        raise InputError(f"Got one image of shape {shape}; expected a batch (N, C, H, W). Pass images[None].")
    if images.ndim != 4:
        raise InputError(f"Got a tensor of shape {shape}; expected a batch of images (N, C, H, W).")
    if 0 in shape:
        raise InputError(f"Got a tensor of shape {shape}: nothing to explain. Pass at least one image with pixels.")
    ready: torch.Tensor = fitted(base, images.detach())
    return ready.clone() if ready.is_inference() else ready


def input_notes(images: torch.Tensor) -> Iterator[str]:
    """What is not a number in the input."""
    if bool(images.isfinite().all()):
        return
    yield f"the input contains {_counted(images)}"


def weight_notes(model: nn.Module) -> Iterator[str]:
    """What is not a number in the parameters and buffers."""
    base = unwrapped(model)
    for name, value in [*base.named_parameters(), *base.named_buffers()]:
        # One pass that makes no copy; the exact count is only taken when it is worth it.
        if value.is_floating_point() and not bool(value.detach().sum(dtype=torch.float64).isfinite()):
            yield f"the weights contain {_counted(value.detach())} in {name!r}"


def result_notes(result: Attribution) -> Iterator[str]:
    """What is not a number in the scores and the maps."""
    if not bool(result.scores.isfinite().all()):
        yield f"the score is not a finite number{_which(~result.scores.isfinite())}"
    broken = ~result.values.flatten(1).isfinite()
    if bool(broken.any()):
        yield f"the map contains {_counted(result.values)}{_which(broken.any(1))}: they are left out, not painted"


def _which(affected: torch.Tensor) -> str:
    if len(affected) == 1:
        return ""
    return " for image " + ", ".join(str(index) for index in affected.nonzero().flatten().tolist())


def _counted(values: torch.Tensor) -> str:
    parts = []
    for word, mask in (("NaN", values.isnan()), ("infinite", values.isinf())):
        count = int(mask.sum())
        if count:
            parts.append(f"{count} {word} {'value' if count == 1 else 'values'}")
    return " and ".join(parts)
