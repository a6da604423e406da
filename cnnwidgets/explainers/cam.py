"""CAM: the score itself, laid out over the places that make it up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from cnnwidgets.core.errors import CnnWidgetsError, TargetError
from cnnwidgets.outputs.targets import Target, class_scores
from cnnwidgets.running.rounding import product_rounding
from cnnwidgets.tracing.layouts.token_layout import Tokens

from .attribution import Attribution
from .engine.one_layer import LayerPass, one_layer
from .registry import register

Head = tuple[torch.Tensor, torch.Tensor | None]

_POOLING = {"adaptive_avg_pool2d", "avg_pool2d", "mean"}


@register(
    "cam",
    family="cam",
    question="How much of the score comes from each place? Exact, where one pooled linear layer makes it.",
    label="CAM",
    unit="share of the logit, before the mean over places",
    needs_layer=True,
)
def cam(
    model: nn.Module,
    images: torch.Tensor,
    target: Target = None,
    *,
    layer: str | nn.Module | None = None,
    call: int = -1,
    tokens: Tokens = None,
) -> Attribution:
    """The layer's maps, each weighted by the weight that the linear head gives to its mean.

    ``sum_k w_ck A_k`` (Zhou, Khosla, Lapedriza, Oliva and Torralba 2016, "Learning deep features for discriminative
    localization"). It is exact: the mean of the map over places plus the head's bias is the logit of the class. For
    that, nothing but a global average and one linear layer, an ``nn.Linear`` or a 1x1 convolution before or after the
    average, may lie between the layer and the logits (dropout and flattening change nothing). Whether it does is
    verified on the numbers: for each class of each image the logit must be what the map says.

    Args:
        model, images: as for :func:`~cnnwidgets.explainers.grad_cam.grad_cam`.
        target: None for the predicted class, a class, or one class an image.
        layer: a dotted name, the module itself, or None for the last layer whose output is spatial. With None, maps
            that a function call changes after that layer, a ReLU as in DenseNet, are taken as they are pooled, and a
            note says so.
        call: which call of a layer that the model uses several times; the last by default.

    Returns:
        Values (N, h, w), signed, in the units of the logits.

    Raises:
        LayerNotFound, NotSpatial, InputError, TargetError: as for Grad-CAM; a callable is no class.
        CnnWidgetsError: the model failed, or the layer does not feed a pooled linear head.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 1, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, 1, bias=False))
        >>> _ = nn.init.constant_(net[0].weight, 2.0), nn.init.zeros_(net[0].bias)
        >>> _ = nn.init.constant_(net[3].weight, 5.0)
        >>> result = cam(net, torch.tensor([[[[1.0, 3.0]]]]))
        >>> result.values, result.scores
        (tensor([[[10., 30.]]]), tensor([20.]))
    """
    if callable(target) and not isinstance(target, torch.Tensor):
        raise TargetError(
            "cam takes a score apart that one linear layer makes, so target must be a class, not a callable."
        )
    layer_pass, weight, notes = linear_parts(model, images, target, layer, call, tokens)
    classes: Any = layer_pass.target
    values = torch.einsum("nk,nkhw->nhw", weight[list(classes)], layer_pass.maps)
    return layer_pass.attribution(values, "cam", *notes)


def linear_parts(
    model: nn.Module, images: torch.Tensor, target: Target, layer: str | nn.Module | None, call: int, tokens: Tokens
) -> tuple[LayerPass, torch.Tensor, list[str]]:
    """The layer's maps, the (classes, K) weights that make the logits of their means, and notes; as of :func:`cam`."""
    with LinearHeads() as linear:
        layer_pass = one_layer(model, images, target, layer, call, "logit", tokens, gradient=False)
    logits = class_scores(layer_pass.outputs, batch=len(images)).detach()
    logits = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
    notes = []
    weight = _weight(linear.heads, layer_pass.maps, logits, images.dtype)
    if weight is None and layer is None and linear.pooled is not None:
        layer_pass.maps = linear.pooled.to(layer_pass.maps.dtype)
        weight = _weight(linear.heads, layer_pass.maps, logits, images.dtype)
        notes.append(
            f"the maps are those that are pooled, after what the model does to the output of {layer_pass.name!r}"
        )
    if weight is None:
        raise CnnWidgetsError(
            f"CAM needs a layer that feeds a global average and one linear layer, which makes the {logits.shape[1]} "
            f"logits. {layer_pass.name!r} with its {layer_pass.maps.shape[1]} maps does not: the logits are not the "
            "means of its class maps plus a bias. Choose the layer right before the pooling; or give the model such a "
            f"head and train it, cnnwidgets.heads.with_cam_head(model, {logits.shape[1]}); or use grad_cam, which "
            "needs no such head."
        )
    return layer_pass, weight, notes


class LinearHeads(TorchFunctionMode):
    """Sees ``F.linear`` and 1x1 convolutions, of modules or not.

    Attributes:
        heads: (weight (classes, K), bias (classes,) or None) of each, in order.
        pooled: (name of the function, a copy of what went in) of the last average over more than one place of a
            (N, K, h, w), or None.
    """

    def __init__(self) -> None:
        super().__init__()
        self.heads: list[Head] = []
        self.pooled: torch.Tensor | None = None

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name in _POOLING:
            value = args[0] if args else kwargs.get("input")
            if isinstance(value, torch.Tensor) and value.ndim == 4 and value.shape[2] * value.shape[3] > 1:
                self.pooled = value.detach().clone()
        elif name in ("linear", "conv2d"):
            arguments = dict(zip(("input", "weight", "bias"), args, strict=False)) | dict(kwargs)
            weight, bias = arguments.get("weight"), arguments.get("bias")
            if isinstance(weight, torch.Tensor) and (weight.ndim == 2 or tuple(weight.shape[2:]) == (1, 1)):
                self.heads.append((weight.detach().flatten(1), None if bias is None else bias.detach()))
        return func(*args, **kwargs)


def _weight(heads: list[Head], maps: torch.Tensor, logits: torch.Tensor, dtype: torch.dtype) -> torch.Tensor | None:
    """(classes, K) of the head that makes ``logits`` (N, classes) of the means of ``maps`` (N, K, h, w)."""
    classes, channels = logits.shape[1], maps.shape[1]
    pooled = maps.mean((2, 3))
    candidates = [head for head in reversed(heads) if tuple(head[0].shape) == (classes, channels)]
    if classes == channels:  # maps that are pooled to the logits as they are
        candidates.append((torch.eye(classes, dtype=maps.dtype, device=maps.device), None))
    for weight, bias in candidates:
        weight = weight.to(maps.dtype)
        part = pooled @ weight.T
        if _as_expected(part, logits - (0.0 if bias is None else bias.to(logits.dtype)), logits, dtype):
            return weight
    return None


def _as_expected(part: torch.Tensor, expected: torch.Tensor, logits: torch.Tensor, dtype: torch.dtype) -> bool:
    """Whether (N, classes) is as expected, by rounding; images with what is no number say nothing."""
    finite = logits.isfinite().all(1)
    if not bool(finite.any()):
        return True
    single = max(1e-4, 4 * product_rounding(torch.float32, part.device))
    tolerance = {torch.float64: 1e-9, torch.float32: single}.get(dtype, 3e-2)
    # Beside a large bias a wrong part would hardly show, so it is judged by its own size, up to what is rounded off.
    rounding = 8 * torch.finfo(dtype).eps * float(logits[finite].abs().max())
    difference, scale = (part - expected)[finite].abs(), float(part[finite].abs().max())
    return float(difference.max()) <= tolerance * scale + rounding
