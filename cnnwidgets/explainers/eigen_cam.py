"""Eigen-CAM: what a layer's maps have most in common."""

from __future__ import annotations

import torch
from torch import nn

from cnnwidgets.outputs.targets import Target
from cnnwidgets.tracing.layouts.token_layout import Tokens

from .attribution import Attribution
from .engine.inputs import which_images
from .engine.one_layer import one_layer
from .registry import register

_TIE = 0.999
"""Ratio of the second to the first singular value from which on the first component is arbitrary."""


@register(
    "eigen_cam",
    family="cam",
    question="Where does this layer react most, whatever the class?",
    label="Eigen-CAM",
    unit="first principal component of the activations",
    needs_layer=True,
    needs_target=False,
)
def eigen_cam(
    model: nn.Module,
    images: torch.Tensor,
    target: Target = None,
    *,
    layer: str | nn.Module | None = None,
    call: int = -1,
    tokens: Tokens = None,
) -> Attribution:
    """The layer's maps projected on their first principal component. It does not depend on the class.

    ``A v`` with the activations as a matrix ``A`` (h*w, K) ``= U S V^T`` and ``v`` the first right singular vector
    (Muhammad and Yeasin 2020, "Eigen-CAM"). ``A`` is not centred, as in the paper. A singular vector has no sign of
    its own; here it is the one for which the map's sum over places is positive (if that is zero: its largest
    magnitude), so larger is more of what the maps share. For a layer after its ReLU nothing in the map is negative.

    Args:
        model, images, layer, call, tokens: as for :func:`~cnnwidgets.explainers.grad_cam.grad_cam`.
        target: only decides which score is reported beside the map.

    Returns:
        Values (N, h, w), in the units of the layer's maps.

    Raises:
        LayerNotFound, NotSpatial, InputError, TargetError, CnnWidgetsError: as for Grad-CAM, except that no gradient
            is needed.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False), nn.Flatten(), nn.Linear(4, 1))
        >>> _ = net[0].weight.data.copy_(torch.tensor([-3.0, -4.0]).view(2, 1, 1, 1))
        >>> eigen_cam(net, torch.tensor([[[[1.0, 2.0]]]]), layer="0").values
        tensor([[[ 5., 10.]]])
    """
    layer_pass = one_layer(model, images, target, layer, call, "logit", tokens, gradient=False)
    values, tied = zip(*(_first_component(maps) for maps in layer_pass.maps), strict=True)
    notes = ["the map does not depend on the class"]
    if any(tied):
        notes.append(
            f"the first two components are equally strong, so the map is arbitrary{which_images(torch.tensor(tied))}"
        )
    return layer_pass.attribution(torch.stack(values), "eigen_cam", *notes)


def _first_component(maps: torch.Tensor) -> tuple[torch.Tensor, bool]:
    """The first component of (K, h, w), as (h, w) in double, and whether the second is as strong."""
    matrix = maps.flatten(1).double()
    if not bool(matrix.isfinite().all()):
        return torch.full(maps.shape[1:], torch.nan, dtype=torch.float64, device=maps.device), False
    if not bool(matrix.any()):
        return matrix.new_zeros(maps.shape[1:]), False
    # Squaring the singular values costs half of double's 16 digits, for the small ones: the first is exact.
    wide = matrix.shape[0] > matrix.shape[1]
    strengths, vectors = torch.linalg.eigh(matrix.T @ matrix if wide else matrix @ matrix.T)
    first = vectors[:, -1]
    projected = first * strengths[-1].clamp(min=0).sqrt() if wide else first @ matrix
    total = projected.sum()
    settled = total.abs() > 1e-9 * projected.abs().sum()
    sign = torch.sign(total if bool(settled) else projected[projected.abs().argmax()])
    tied = len(strengths) > 1 and bool(strengths[-2].clamp(min=0).sqrt() >= _TIE * strengths[-1].sqrt())
    return (projected * sign).view(maps.shape[1:]), tied
