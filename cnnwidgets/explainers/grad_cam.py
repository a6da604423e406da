"""Grad-CAM: which places of a layer speak for the score."""

from __future__ import annotations

import torch
from torch import nn

from cnnwidgets.outputs.targets import Target
from cnnwidgets.tracing.layouts.token_layout import Tokens

from .attribution import Attribution
from .engine.one_layer import layer_pass
from .engine.relu_rules import Rule
from .registry import register


@register(
    "grad_cam",
    family="cam",
    question="Which places of this layer's maps speak for the score?",
    label="Grad-CAM",
    unit="weighted activation",
    needs_layer=True,
)
def grad_cam(
    model: nn.Module,
    images: torch.Tensor,
    target: Target = None,
    *,
    layer: str | nn.Module | None = None,
    call: int = -1,
    score: str = "logit",
    backward: Rule = "plain",
    tokens: Tokens = None,
) -> Attribution:
    """The layer's maps, each weighted by the mean gradient of the score over it.

    ``sum_k mean_ij(dS_c / dA_k,ij) A_k`` (Selvaraju et al. 2017, "Grad-CAM"), before its ReLU. The maps ``A`` are the
    layer's output at the moment it returned: an in-place ReLU that follows does not change them.

    Args:
        model: any module that returns scores.
        images: (N, C, H, W), preprocessed.
        target: None for the predicted class, a class, one class an image, or ``outputs -> (N,)``.
        layer: a dotted name, the module itself, or None for the last layer whose output is spatial; of the layers of
            tokens in a transformer, the last whose tokens of the grid the gradient reaches.
        call: which call of a layer that the model uses several times; -1 for the last that sees the image as it is:
            not a fixed reference in its place, its mirror image, or a part of it, where another call sees more.
        score: ``"logit"`` or ``"probability"``.
        backward: ``"plain"``; or the rule at each ReLU between the layer and the score: ``"guided"``, as
            :func:`~cnnwidgets.explainers.guided_backprop.guided_backprop` has it, or ``"rectified"``, as ``deconvnet``.
        tokens: how a layer's output that is not (N, C, H, W) holds maps. None: channels last and tokens (N, T, C) are
            recognised, and tokens beside the grid, such as a class token, are dropped, which a note says.
            ``(rows, columns)``: the grid, where it cannot be told. Or a function from the output of ``layer`` to maps
            (N, C, h, w), which picks and rearranges its numbers.

    Returns:
        Values (N, h, w), signed; larger is more evidence for the target.

    Raises:
        LayerNotFound: no such layer.
        NotSpatial: its output holds no maps, such as one number a class or the weights of an attention.
        InputError, TargetError: the images, the target or ``tokens`` do not fit the model.
        CnnWidgetsError: the model failed, never ran the layer, or no gradient reaches it.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.Flatten(), nn.Linear(2, 1, bias=False))
        >>> _ = nn.init.constant_(net[0].weight, 2.0), nn.init.constant_(net[2].weight, 3.0)
        >>> grad_cam(net, torch.tensor([[[[1.0, -1.0]]]]), layer="0").values
        tensor([[[ 6., -6.]]])
    """
    seen = layer_pass(model, images, target, layer, call, score, tokens, backward=backward)
    values = torch.einsum("nk,nkhw->nhw", seen.gradient.mean((2, 3)), seen.maps)
    return seen.attribution(values, "grad_cam")
