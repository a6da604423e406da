"""Grad-CAM++: positive gradients, so weighted that each of several objects counts."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from cnnwidgets.outputs.targets import Target
from cnnwidgets.tracing.layouts.token_layout import Tokens

from .attribution import Attribution
from .engine.inputs import which_images
from .engine.one_layer import layer_pass
from .registry import register


@register(
    "grad_cam_pp",
    family="cam",
    question="Which places speak for the score, if there may be several objects of the class?",
    label="Grad-CAM++",
    unit="weighted activation",
    needs_layer=True,
)
def grad_cam_pp(
    model: nn.Module,
    images: torch.Tensor,
    target: Target = None,
    *,
    layer: str | nn.Module | None = None,
    call: int = -1,
    score: str = "logit",
    tokens: Tokens = None,
) -> Attribution:
    """The layer's maps, each weighted by a sum of its positive gradients with closed-form coefficients.

    ``sum_k w_k A_k`` with ``w_k = sum_ij alpha_k,ij ReLU(g_k,ij)``, ``g = dS_c/dA`` and
    ``alpha_k,ij = g^2 / (2 g^2 + g^3 sum_ab A_k,ab)`` (Chattopadhay, Sarkar, Howlader and Balasubramanian 2018,
    "Grad-CAM++", equations 14 and 19), before its final ReLU. ``alpha`` is the closed form for the class score
    ``exp(S_c)``, whose derivatives are ``exp(S_c)`` times powers of ``g``. The weights' own factor ``exp(S_c)``, one
    positive number an image, is left out: it scales the map and overflows for large scores.

    Signs: the published weights take the ReLU of the gradient, so places where a map speaks against the target count
    nothing, and ``alpha`` is 0 where the gradient is. ``alpha`` equals ``1 / (2 + g sum A)``. The derivation takes
    ``A`` to be positive, after a ReLU; otherwise that denominator may be negative or near zero, which turns weights
    round or blows them up. They are used as the formula says, and a note tells of them.

    Args:
        model, images, target, layer, call, score, tokens: as for :func:`~cnnwidgets.explainers.grad_cam.grad_cam`.

    Returns:
        Values (N, h, w); larger is more evidence for the target. After a ReLU nothing in it is negative.

    Raises:
        LayerNotFound, NotSpatial, InputError, TargetError, CnnWidgetsError: as for Grad-CAM.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.Flatten(), nn.Linear(2, 1, bias=False))
        >>> _ = nn.init.constant_(net[0].weight, 1.0), net[2].weight.data.copy_(torch.tensor([[1.0, -5.0]]))
        >>> grad_cam_pp(net, torch.tensor([[[[2.0, 6.0]]]]), layer="0").values  # 1 / (2 + 1 * 8) = 0.1
        tensor([[[0.2000, 0.6000]]])
    """
    seen = layer_pass(model, images, target, layer, call, score, tokens)
    positive = seen.gradient.clamp(min=0)
    # g^2 / (2 g^2 + g^3 sum A) without its powers of g, which underflow.
    denominator = 2 + positive * seen.maps.sum((2, 3), keepdim=True)
    alpha = torch.where(denominator == 0, 0.0, 1 / denominator.where(denominator != 0, torch.ones_like(denominator)))
    weights = (alpha * positive).sum((2, 3))
    values = torch.einsum("nk,nkhw->nhw", weights, seen.maps)
    return seen.attribution(values, "grad_cam_pp", *_notes(denominator, positive))


def _notes(denominator: torch.Tensor, positive: torch.Tensor) -> Iterator[str]:
    turned = ((denominator <= 0) & (positive > 0)).flatten(2).any(2)
    if bool(turned.any()):
        yield (
            f"the maps of this layer are not positive: {int(turned.sum())} of {turned.numel()} have weights outside of "
            f"what the method's formula is derived for{which_images(turned.any(1))}: choose the layer after its ReLU"
        )
    elif bool((positive == 0).all()):
        yield "no gradient is positive: no map of this layer speaks for the target, and all weights are 0"
