"""Explainers: pure functions of a model, images and a target. See :func:`names` and :func:`register`."""

from __future__ import annotations

from typing import Any

from ._registry import Info, get, info, names, register, unregister
from .every_layer import every_layer
from .grad_cam import grad_cam
from .occlusion import Occlusion, occlusion
from .saliency import saliency

__all__ = [
    "Info",
    "Occlusion",
    "every_layer",
    "get",
    "grad_cam",
    "info",
    "names",
    "occlusion",
    "register",
    "saliency",
    "unregister",
]


def __getattr__(name: str) -> Any:
    if name in names():
        return get(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; explainers: {', '.join(names())}")


def __dir__() -> list[str]:
    return sorted({*globals(), *names()})
