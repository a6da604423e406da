"""The explainers' names for a reader, and what the numbers of their maps measure."""

from __future__ import annotations

from typing import Any

_LABELS = {
    "grad_cam": "Grad-CAM",
    "grad_cam_pp": "Grad-CAM++",
    "xgrad_cam": "XGrad-CAM",
    "hires_cam": "HiResCAM",
    "layer_cam": "LayerCAM",
    "eigen_cam": "Eigen-CAM",
    "score_cam": "Score-CAM",
    "ablation_cam": "Ablation-CAM",
    "cam": "CAM",
    "guided_grad_cam": "Guided Grad-CAM",
    "smooth_grad": "SmoothGrad",
    "input_x_gradient": "Input × gradient",
    "deconvnet": "Deconvnet",
}
_UNITS = {
    "grad_cam": "weighted activation",
    "grad_cam_pp": "weighted activation",
    "xgrad_cam": "weighted activation",
    "hires_cam": "activation times gradient",
    "layer_cam": "activation times positive gradient",
    "score_cam": "weighted activation",
    "ablation_cam": "weighted activation",
    "eigen_cam": "first principal component of the activations",
    "cam": "share of the logit, before the mean over places",
    "saliency": "gradient of the score",
    "guided_backprop": "guided gradient of the score",
    "deconvnet": "rectified gradient of the score",
    "smooth_grad": "mean gradient of the score",
    "input_x_gradient": "input times gradient",
    "integrated_gradients": "part of the score's change",
    "guided_grad_cam": "guided gradient times Grad-CAM",
    "occlusion": "drop of the score when hidden",
}


def method_label(name: str) -> str:
    """An explainer's name as menus and headings show it.

    >>> method_label("grad_cam"), method_label("my_method")
    ('Grad-CAM', 'My method')
    """
    return _LABELS.get(name, name.replace("_", " ").capitalize())


def map_label(attribution: Any) -> str:
    """The name of the method that made ``attribution``, as menus and headings show it."""
    return getattr(attribution, "label", "") or method_label(attribution.method)


def map_unit(attribution: Any) -> str:
    """What the numbers of ``attribution`` measure; empty for an explainer of the reader's own.

    >>> from types import SimpleNamespace
    >>> map_unit(SimpleNamespace(method="saliency")), map_unit(SimpleNamespace(method="mine"))
    ('gradient of the score', '')
    """
    return getattr(attribution, "unit", "") or method_unit(attribution.method)


def method_unit(name: str) -> str:
    """As :func:`map_unit`, by the method's name."""
    return _UNITS.get(name, "")
