"""How alike a layer treats a synthetic image and natural ones that excite the same unit."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from cnnwidgets.core.errors import InputError
from cnnwidgets.core.interrupts import Deferral
from cnnwidgets.core.network import walked_once
from cnnwidgets.state.preserved import preserved

from .layer_maps import LayerMaps
from .result import Synthesis
from .space import InputSpace, Levels

_AT_A_TIME = 8


def alikeness(
    model: nn.Module,
    synthesis: Synthesis,
    natural: Sequence[torch.Tensor],
    *,
    others: Sequence[torch.Tensor] = (),
    value_range: tuple[Levels, Levels] | None = None,
    mean: Levels | None = None,
    std: Levels | None = None,
) -> torch.Tensor:
    """Whether a network processes synthetic images as it does natural ones (Geirhos et al. 2024).

    The means of the layer's channels are compared by Spearman's rank correlation: of a unit's synthetic image with its
    natural exciters. The scale is the network's own: 0 is how alike natural exciters of different units are, 1 how
    alike those of one unit are. Near 0, the image excites its unit by another way than photographs do.

    Args:
        model: the network that ``synthesis`` is of.
        synthesis: K images of a layer's channels.
        natural: for each of the K images, (k, C, H, W): two or more natural images that excite its unit most, prepared
            for the network.
        others: natural images that excite further units of the layer most, (k, C, H, W) each: of a single unit's image
            they say what images of other units give.
        value_range, mean, std: as for :func:`~cnnwidgets.synthesis.maximize`.

    Returns:
        (K,) float32; NaN for dead units, and where natural exciters of one unit are no more alike than of others.

    Raises:
        InputError: there are not as many groups of images, some hold fewer than two, or all units are the same.
    """
    if not synthesis.layer:
        raise InputError("alikeness compares images of a layer's channels; these are of class scores.")
    if len(natural) != len(synthesis) or any(images.ndim != 4 or len(images) < 2 for images in natural):
        raise InputError(
            f"natural has {len(natural)} groups, {[tuple(images.shape) for images in natural][:3]}; expected one for "
            f"each of {len(synthesis)} images, (k, C, H, W) with at least two in each."
        )
    with Deferral(), torch.inference_mode(False), torch.no_grad(), walked_once(), preserved(model, evaluate=True):
        space = InputSpace.of(model, value_range, mean, std)

        def channel_means(inputs: torch.Tensor) -> torch.Tensor:
            ready = inputs.to(space.device, space.dtype)
            maps = LayerMaps(model, synthesis.layer, ready[:1])
            starts = range(0, len(ready), _AT_A_TIME)
            parts = [maps(ready[start : start + _AT_A_TIME]).mean((2, 3)).float().cpu() for start in starts]
            return torch.cat(parts)

        synthetic = _ranks(channel_means(space.inputs(synthesis.images.to(space.device))))
        groups = [_ranks(channel_means(images)) for images in natural]
        further = [_ranks(channel_means(images)) for images in others]
    return torch.stack([_scaled(synthetic[row], groups, row, synthesis, further) for row in range(len(synthesis))])


def _scaled(
    synthetic: torch.Tensor, groups: list[torch.Tensor], row: int, synthesis: Synthesis, further: list[torch.Tensor]
) -> torch.Tensor:
    """On the scale from other units' exciters to the same unit's."""
    own, channel = groups[row], synthesis.channels[row]
    others = [group for group, unit in zip(groups, synthesis.channels, strict=True) if unit != channel or unit < 0]
    others = [*(group for group in others if group is not own), *further]
    if not others:
        raise InputError(
            "All images are of one unit: what images of other units give is not known. Pass several, or others=."
        )
    pairs = own @ own.T
    same = (pairs.sum() - pairs.trace()) / (len(own) * (len(own) - 1))
    other = (own @ torch.cat(others).T).mean()
    if bool(synthesis.dead[row]) or not bool(same > other):
        return torch.tensor(torch.nan)
    return ((own @ synthetic).mean() - other) / (same - other)


def _ranks(values: torch.Tensor) -> torch.Tensor:
    """Ranks (n, K) along the channels, ties shared, centred and of length 1: their products are correlations."""
    smaller = (values[:, None] < values[:, :, None]).sum(2)
    same = (values[:, None] == values[:, :, None]).sum(2)
    ranks = smaller + (same - 1) / 2
    ranks = ranks - ranks.mean(1, keepdim=True)
    length: torch.Tensor = ranks.norm(dim=1, keepdim=True)
    return ranks / length.clamp(min=1e-12)
