"""The explainers' names for a reader."""

from __future__ import annotations

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


def method_label(name: str) -> str:
    """An explainer's name as menus and headings show it.

    >>> method_label("grad_cam"), method_label("my_method")
    ('Grad-CAM', 'My method')
    """
    return _LABELS.get(name, name.replace("_", " ").capitalize())
