"""Deconvnet: what the input would look like that the score's filters were made for."""

from __future__ import annotations

import torch
from torch import nn

from cnnwidgets.outputs.targets import Target

from .attribution import Attribution
from .engine.input_gradient import input_gradient
from .registry import register


@register(
    "deconvnet",
    family="gradient",
    question="Which pattern do the filters that speak for the score draw, run backwards?",
    unit="rectified gradient of the score",
)
def deconvnet(model: nn.Module, images: torch.Tensor, target: Target = None, *, score: str = "logit") -> Attribution:
    """The score sent back to the input with a ReLU on the way back in place of each ReLU on the way up.

    At a ReLU the gradient ``g`` becomes ``max(g, 0)``, whether the ReLU was open or not (Zeiler and Fergus 2014,
    "Visualizing and understanding convolutional networks"); max pooling sends it to where the maximum was. How ReLUs
    are found, and what is noted, is as in :func:`~cnnwidgets.explainers.guided_backprop.guided_backprop`.

    Args:
        model: any module that returns scores.
        images: (N, C, H, W), preprocessed.
        target: None for the predicted class, a class, one class an image, or ``outputs -> (N,)``.
        score: ``"logit"`` or ``"probability"``.

    Returns:
        Values (N, C, H, W), signed.

    Raises:
        InputError, TargetError: the images or the target do not fit the model.
        CnnWidgetsError: the model failed, or no gradient reaches the input.

    Example:
        >>> net = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False), nn.ReLU(), nn.Linear(2, 1, bias=False))
        >>> net[1].weight.data = torch.tensor([[-1.0, -5.0], [1.0, 2.0]])
        >>> net[3].weight.data = torch.tensor([[3.0, -4.0]])
        >>> deconvnet(net, torch.ones(1, 1, 1, 2)).values
        tensor([[[[ -3., -15.]]]])
    """
    return input_gradient(model, images, target, score, "rectified").attribution("deconvnet")
