"""Keeps images of one goal apart: a price on how alike they are to the layer."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional

_SHARE = 0.3
"""Of the size of the activation's gradient."""


def likeness(maps: torch.Tensor, groups: Sequence[int]) -> torch.Tensor:
    """The sum, over pairs of images in one group, of the cosine between the Gram matrices of maps (n, K, h, w)."""
    flat = maps.flatten(2)
    grams = functional.normalize(torch.bmm(flat, flat.transpose(1, 2)).flatten(1), dim=1)
    of = torch.tensor(groups, device=maps.device)
    same = (of[:, None] == of[None]).triu(1)
    return ((grams @ grams.T) * same).sum()


def likeness_gradient(
    maps: torch.Tensor, groups: Sequence[int], leaf: torch.Tensor, gradients: torch.Tensor
) -> torch.Tensor:
    """What of the gradient (n, ...) for ``leaf`` makes images of a group more alike, in proportion to ``gradients``."""
    (slope,) = torch.autograd.grad(likeness(maps, groups), leaf)
    sizes = [part.nan_to_num(0, 0, 0).flatten(1).norm(dim=1) for part in (gradients, slope)]
    factor = _SHARE * sizes[0] / sizes[1].clamp(min=1e-30)
    price: torch.Tensor = slope.nan_to_num(0, 0, 0) * factor.view(-1, *[1] * (slope.ndim - 1))
    return price
