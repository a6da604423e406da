"""XGrad-CAM: the layer's maps, each weighted by the gradient where the map is active."""

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

_CANCELS = 0.01
"""A map whose sum is below this share of the sum of its magnitudes has no weight worth the name."""


@register(
    "xgrad_cam",
    family="cam",
    question="Which places speak for the score, with gradients counted where the maps are active?",
    label="XGrad-CAM",
    unit="weighted activation",
    needs_layer=True,
)
def xgrad_cam(
    model: nn.Module,
    images: torch.Tensor,
    target: Target = None,
    *,
    layer: str | nn.Module | None = None,
    call: int = -1,
    score: str = "logit",
    tokens: Tokens = None,
) -> Attribution:
    """The layer's maps, each weighted by the mean of the gradient, taken with the map itself as weights.

    ``sum_k w_k A_k`` with ``w_k = sum_ij A_k,ij dS_c/dA_k,ij / sum_ij A_k,ij`` (Fu, Hu, Dong, Guo, Gao and Li 2020,
    "Axiom-based Grad-CAM"), before its ReLU. The map sums to ``sum A * dS/dA``, as HiResCAM's does. A map that is zero
    everywhere adds nothing. The formula is meant for a layer after its ReLU: the sum of a map with both signs may be
    near zero, which makes its weight arbitrary; a note says so.

    Args:
        model, images, target, layer, call, score, tokens: as for :func:`~cnnwidgets.explainers.grad_cam.grad_cam`.

    Returns:
        Values (N, h, w), signed; larger is more evidence for the target.

    Raises:
        LayerNotFound, NotSpatial, InputError, TargetError, CnnWidgetsError: as for Grad-CAM.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.Flatten(), nn.Linear(2, 1, bias=False))
        >>> _ = nn.init.constant_(net[0].weight, 1.0), net[2].weight.data.copy_(torch.tensor([[3.0, 7.0]]))
        >>> xgrad_cam(net, torch.tensor([[[[1.0, 3.0]]]]), layer="0").values  # (1*3 + 3*7) / 4 = 6
        tensor([[[ 6., 18.]]])
    """
    seen = layer_pass(model, images, target, layer, call, score, tokens)
    total = seen.maps.sum((2, 3))
    weighted = torch.einsum("nkhw,nkhw->nk", seen.gradient, seen.maps)
    # A map without any activation adds nothing, whatever its weight is.
    weights = torch.where(total == 0, 0.0, weighted / total.where(total != 0, torch.ones_like(total)))
    values = torch.einsum("nk,nkhw->nhw", weights, seen.maps)
    return seen.attribution(values, "xgrad_cam", *_notes(seen.maps, total))


def _notes(maps: torch.Tensor, total: torch.Tensor) -> Iterator[str]:
    magnitude = maps.abs().sum((2, 3))
    cancels = (total.abs() <= _CANCELS * magnitude) & (magnitude > 0)
    if bool(cancels.any()):
        yield (
            f"{int(cancels.sum())} of {cancels.numel()} maps sum to nearly zero, so their weights are arbitrary"
            f"{which_images(cancels.any(1))}: choose the layer after its ReLU"
        )
