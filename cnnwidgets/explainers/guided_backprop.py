"""Guided backpropagation: which details of the input excite what speaks for the score."""

from __future__ import annotations

import torch
from torch import nn

from cnnwidgets.outputs.targets import Target

from .attribution import Attribution
from .engine.input_gradient import input_gradient
from .registry import register


@register(
    "guided_backprop",
    family="gradient",
    question="Which details of the image excite the filters that speak for the score?",
    unit="guided gradient of the score",
)
def guided_backprop(
    model: nn.Module, images: torch.Tensor, target: Target = None, *, score: str = "logit"
) -> Attribution:
    """The gradient of the score for the input, with negative gradients stopped at each ReLU.

    At a ReLU ``y = max(x, 0)`` the gradient ``g`` becomes ``g * (g > 0) * (x > 0)`` (Springenberg et al. 2015,
    "Striving for simplicity"), wherever and however the ReLU is computed: a module, ``F.relu``, ``x.relu_()``,
    ``x.clamp(min=0)``, ReLU6. Other activations keep their plain gradient, and a note names them. A ReLU written as
    ``torch.where`` or as a product with a mask is not recognised.

    The maps look sharp whatever the network has learnt (Adebayo et al. 2018): they show what excites filters more than
    what the class depends on.

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
        >>> net[1].weight.data = torch.tensor([[1.0, 0.0], [1.0, 2.0]])
        >>> net[3].weight.data = torch.tensor([[3.0, -4.0]])
        >>> guided_backprop(net, torch.ones(1, 1, 1, 2)).values
        tensor([[[[3., 0.]]]])
    """
    return input_gradient(model, images, target, score, "guided").attribution("guided_backprop")
