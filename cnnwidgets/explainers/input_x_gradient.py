"""Input times gradient: what each input value adds to the score."""

from __future__ import annotations

import torch
from torch import nn

from cnnwidgets.outputs.targets import Target

from .attribution import Attribution
from .engine.input_gradient import input_gradient, precise
from .registry import register


@register(
    "input_x_gradient",
    family="gradient",
    question="What does each input value add to the score?",
    label="Input × gradient",
    unit="input times gradient",
)
def input_x_gradient(
    model: nn.Module, images: torch.Tensor, target: Target = None, *, score: str = "logit"
) -> Attribution:
    """The gradient of the score for the input, times the input.

    ``x dS_c / dx`` (Shrikumar et al. 2016, "Not just a black box"). For a network of ReLUs without biases the values
    add up to the score. They are in terms of the preprocessed input: a value of 0 there, the mean colour for most
    models, counts as nothing.

    Args:
        model: any module that returns scores.
        images: (N, C, H, W), preprocessed.
        target: None for the predicted class, a class, one class an image, or ``outputs -> (N,)``.
        score: ``"logit"`` or ``"probability"``.

    Returns:
        Values (N, C, H, W), signed, in units of the score.

    Raises:
        InputError, TargetError: the images or the target do not fit the model.
        CnnWidgetsError: the model failed, or no gradient reaches the input.

    Example:
        >>> net = nn.Sequential(nn.Flatten(), nn.Linear(2, 1, bias=False))
        >>> _ = nn.init.constant_(net[1].weight, 3.0)
        >>> input_x_gradient(net, torch.tensor([[[[2.0, -1.0]]]])).values
        tensor([[[[ 6., -3.]]]])
    """
    found = input_gradient(model, images, target, score)
    return found.attribution("input_x_gradient", precise(images) * precise(found.gradient))
