"""Saliency: which pixels the score is most sensitive to."""

from __future__ import annotations

import torch
from torch import nn

from cnnwidgets.outputs.targets import Target

from .attribution import Attribution
from .engine.input_gradient import input_gradient
from .registry import register


@register(
    "saliency",
    family="gradient",
    question="Which pixels would change the score most if they changed a little?",
    unit="gradient of the score",
)
def saliency(model: nn.Module, images: torch.Tensor, target: Target = None, *, score: str = "logit") -> Attribution:
    """The gradient of the score with respect to the input.

    ``dS_c / dx`` (Simonyan, Vedaldi and Zisserman 2014, "Deep inside convolutional networks"). Their picture is the
    largest magnitude over channels, which ``.heatmap()`` gives.

    Args:
        model: any module that returns scores.
        images: (N, C, H, W), preprocessed.
        target: None for the predicted class, a class, one class an image, or ``outputs -> (N,)``.
        score: ``"logit"`` or ``"probability"``.

    Returns:
        Values (N, C, H, W), signed: how fast the score grows with each input value.

    Raises:
        InputError, TargetError: the images or the target do not fit the model.
        CnnWidgetsError: the model failed, or no gradient reaches the input.

    Example:
        >>> net = nn.Sequential(nn.Flatten(), nn.Linear(2, 1, bias=False))
        >>> _ = nn.init.constant_(net[1].weight, 3.0)
        >>> saliency(net, torch.zeros(1, 1, 1, 2)).values
        tensor([[[[3., 3.]]]])
    """
    return input_gradient(model, images, target, score).attribution("saliency")
