"""What the numbers of each explainer's map measure."""

from __future__ import annotations

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


def unit_of(method: str) -> str:
    """The unit of ``method``'s map; empty for an explainer of the reader's own.

    >>> unit_of("saliency"), unit_of("mine")
    ('gradient of the score', '')
    """
    return _UNITS.get(method, "")
