"""Guided Grad-CAM: the details of guided backpropagation, where Grad-CAM says that they count."""

from __future__ import annotations

import torch
from torch import nn

from cnnwidgets.outputs.targets import Target
from cnnwidgets.tracing.layouts.token_layout import Tokens
from cnnwidgets.tracing.placement import enlarged

from .attribution import Attribution
from .engine.input_gradient import input_gradient, precise
from .engine.one_layer import layer_pass
from .registry import register


@register(
    "guided_grad_cam",
    family="gradient",
    question="Which details of the image, at the places that speak for the score, excite the filters?",
    label="Guided Grad-CAM",
    unit="guided gradient times Grad-CAM",
    needs_layer=True,
)
def guided_grad_cam(
    model: nn.Module,
    images: torch.Tensor,
    target: Target = None,
    *,
    layer: str | nn.Module | None = None,
    call: int = -1,
    score: str = "logit",
    tokens: Tokens = None,
) -> Attribution:
    """Guided backpropagation times the positive part of a layer's Grad-CAM.

    ``guided(x) * upsampled(max(gradcam, 0))``, pixel by pixel (Selvaraju et al. 2017, "Grad-CAM"), with the Grad-CAM
    map laid bilinearly over the part of the image where it lies, and the gradients as in
    :func:`~cnnwidgets.explainers.guided_backprop.guided_backprop` and ``grad_cam``.

    Args:
        model, images, target, score: as for ``guided_backprop``.
        layer, call, tokens: of Grad-CAM, as for :func:`~cnnwidgets.explainers.grad_cam.grad_cam`.

    Returns:
        Values (N, C, H, W), signed.

    Raises:
        LayerNotFound, NotSpatial, InputError, TargetError: as for Grad-CAM.
        CnnWidgetsError: the model failed, never ran the layer, or no gradient reaches it or the input.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.Flatten(), nn.Linear(2, 1, bias=False))
        >>> _ = nn.init.constant_(net[0].weight, 2.0), nn.init.constant_(net[2].weight, 3.0)
        >>> guided_grad_cam(net, torch.tensor([[[[1.0, -1.0]]]]), layer="0").values
        tensor([[[[36.,  0.]]]])
    """
    seen = layer_pass(model, images, target, layer, call, score, tokens)
    cam = torch.einsum("nk,nkhw->nhw", seen.gradient.mean((2, 3)), seen.maps)
    found = input_gradient(model, images, seen.chosen, score, "guided")
    places = enlarged(cam.clamp(min=0), images.shape[2:], seen.placement)[:, None]
    values = precise(found.gradient) * places
    notes = [note.replace("map is", "Grad-CAM is") for note in seen.attribution(cam, "grad_cam").notes]
    return found.attribution("guided_grad_cam", values, seen.name, *notes)
