"""Explainers: pure functions of a model, images and a target. See :func:`names` and :func:`register`."""

from __future__ import annotations

from typing import Any

from . import targets
from .ablation_cam import ablation_cam
from .cam import cam
from .deconvnet import deconvnet
from .eigen_cam import eigen_cam
from .every_layer import every_layer
from .grad_cam import grad_cam
from .grad_cam_pp import grad_cam_pp
from .guided_backprop import guided_backprop
from .guided_grad_cam import guided_grad_cam
from .hires_cam import hires_cam
from .input_x_gradient import input_x_gradient
from .integrated_gradients import integrated_gradients
from .layer_cam import layer_cam
from .occlusion.explainer import Occlusion, occlusion
from .registry import Info, get, info, names, on_change, register, unregister
from .saliency import saliency
from .score_cam import score_cam
from .smooth_grad import smooth_grad
from .xgrad_cam import xgrad_cam

__all__ = [
    "Info",
    "Occlusion",
    "ablation_cam",
    "cam",
    "deconvnet",
    "eigen_cam",
    "every_layer",
    "get",
    "grad_cam",
    "grad_cam_pp",
    "guided_backprop",
    "guided_grad_cam",
    "hires_cam",
    "info",
    "input_x_gradient",
    "integrated_gradients",
    "layer_cam",
    "names",
    "occlusion",
    "on_change",
    "register",
    "saliency",
    "score_cam",
    "smooth_grad",
    "targets",
    "unregister",
    "xgrad_cam",
]


def __getattr__(name: str) -> Any:
    if name in names():
        return get(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; explainers: {', '.join(names())}")


def __dir__() -> list[str]:
    return sorted({*__all__, *names()})
