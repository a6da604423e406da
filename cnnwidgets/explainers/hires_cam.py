"""HiResCAM: each place of each map, times the gradient right there."""

from __future__ import annotations

import torch
from torch import nn

from cnnwidgets.outputs.targets import Target
from cnnwidgets.tracing.layouts.token_layout import Tokens

from .attribution import Attribution
from .engine.one_layer import layer_pass
from .registry import register


@register(
    "hires_cam",
    family="cam",
    question="How much does each place of this layer add to the score, to first order?",
    label="HiResCAM",
    unit="activation times gradient",
    needs_layer=True,
)
def hires_cam(
    model: nn.Module,
    images: torch.Tensor,
    target: Target = None,
    *,
    layer: str | nn.Module | None = None,
    call: int = -1,
    score: str = "logit",
    tokens: Tokens = None,
) -> Attribution:
    """The layer's maps times the gradient of the score, place by place, summed over maps.

    ``sum_k dS_c / dA_k,ij * A_k,ij`` (Draelos and Carin 2020, "Use HiResCAM instead of Grad-CAM for faithful
    explanations of convolutional neural networks"), before its ReLU. Where everything after the layer is linear, the
    map sums to the score less its bias. Nothing is averaged, so that evidence stays at the place where it lies.

    Args:
        model, images, target, layer, call, score, tokens: as for :func:`~cnnwidgets.explainers.grad_cam.grad_cam`.

    Returns:
        Values (N, h, w), signed; larger is more evidence for the target.

    Raises:
        LayerNotFound, NotSpatial, InputError, TargetError, CnnWidgetsError: as for Grad-CAM.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.Flatten(), nn.Linear(2, 1, bias=False))
        >>> _ = nn.init.constant_(net[0].weight, 2.0), net[2].weight.data.copy_(torch.tensor([[3.0, 5.0]]))
        >>> hires_cam(net, torch.tensor([[[[1.0, -1.0]]]]), layer="0").values
        tensor([[[  6., -10.]]])
    """
    seen = layer_pass(model, images, target, layer, call, score, tokens)
    return seen.attribution(torch.einsum("nkhw,nkhw->nhw", seen.gradient, seen.maps), "hires_cam")
