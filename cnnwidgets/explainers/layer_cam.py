"""LayerCAM: each place of each map, times the positive part of the gradient right there."""

from __future__ import annotations

import torch
from torch import nn

from cnnwidgets.outputs.targets import Target
from cnnwidgets.tracing.layouts.token_layout import Tokens

from .attribution import Attribution
from .engine.one_layer import layer_pass
from .registry import register


@register(
    "layer_cam",
    family="cam",
    question="At which places, also of an early layer, would stronger maps raise the score?",
    label="LayerCAM",
    unit="activation times positive gradient",
    needs_layer=True,
)
def layer_cam(
    model: nn.Module,
    images: torch.Tensor,
    target: Target = None,
    *,
    layer: str | nn.Module | None = None,
    call: int = -1,
    score: str = "logit",
    tokens: Tokens = None,
) -> Attribution:
    """The layer's maps times the positive part of the gradient of the score, place by place.

    ``sum_k ReLU(dS_c / dA_k,ij) * A_k,ij`` (Jiang, Zhang, Hou, Cheng and Wei 2021, "LayerCAM: Exploring hierarchical
    class activation maps for localization"), before its ReLU. Evidence against the target is left out, so for a layer
    after a ReLU nothing in the map is negative.

    Args:
        model, images, target, layer, call, score, tokens: as for :func:`~cnnwidgets.explainers.grad_cam.grad_cam`.

    Returns:
        Values (N, h, w); larger is more evidence for the target. Negative only where the layer's maps are.

    Raises:
        LayerNotFound, NotSpatial, InputError, TargetError, CnnWidgetsError: as for Grad-CAM.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.Flatten(), nn.Linear(2, 1, bias=False))
        >>> _ = nn.init.constant_(net[0].weight, 2.0), net[2].weight.data.copy_(torch.tensor([[3.0, -5.0]]))
        >>> layer_cam(net, torch.tensor([[[[1.0, 1.0]]]]), layer="0").values
        tensor([[[6., 0.]]])
    """
    seen = layer_pass(model, images, target, layer, call, score, tokens)
    return seen.attribution(torch.einsum("nkhw,nkhw->nhw", seen.gradient.clamp(min=0), seen.maps), "layer_cam")
