"""In which order the pixels of an image are hidden or revealed, and what stands in their stead."""

from __future__ import annotations

import torch
from torch.nn import functional

from cnnwidgets.explainers.engine.patches import blurred, filling
from cnnwidgets.tracing.placement import Placement

from ._similarity import merged

_SIGMA = 1 / 20  # of the image's longer side: what a network recognises in it is gone


def importance(values: torch.Tensor, size: tuple[int, int], placement: Placement | None = None) -> torch.Tensor:
    """A number a pixel, (N, H, W), of maps (N, h, w), signed, or (N, C, H, W), by the largest magnitude over channels.

    Bilinear between the cells, where they lie in the image; -inf, so that it comes last: what is not finite, and pixels
    that the map has no cell for.
    """
    maps = merged(values)[0] if values.ndim == 4 else values
    broken = ~maps.isfinite()
    finite = maps.masked_fill(broken, 0.0)[:, None]
    if placement is not None and not placement.is_everywhere:
        stretched = placement.on(finite[:, 0], size, outside=-torch.inf)
        lost = placement.on(broken.float(), size) > 0
    else:
        stretched = functional.interpolate(finite, size, mode="bilinear", align_corners=False)[:, 0]
        lost = functional.interpolate(broken[:, None].float(), size, mode="nearest")[:, 0] > 0
    # Stretching rounds: a map that is the same everywhere must stay so, or its order would come from the rounding.
    flat = finite.amin((1, 2, 3)) == finite.amax((1, 2, 3))
    stretched = torch.where(flat[:, None, None] & stretched.isfinite(), finite[:, 0, :1, :1], stretched)
    return stretched.masked_fill(lost, -torch.inf)


def ranks(importances: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """The place of each pixel of (H, W) in the order from the largest to the smallest; equal ones in random order.

    Example:
        >>> ranks(torch.tensor([[0.0, 3.0], [5.0, -1.0]]), torch.Generator()).tolist()
        [[2, 1], [0, 3]]
    """
    shuffled = torch.randperm(importances.numel(), generator=generator)
    order = shuffled[importances.flatten()[shuffled].argsort(descending=True, stable=True)]
    return order.argsort().view(importances.shape)


def elsewhere(importances: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """The map (H, W) at another place: mirrored by chance, and moved around the edges by a quarter to three quarters.

    It stays as coarse as it is. Single pixels at random would be another thing: they hide far more of an image than a
    patch of the same area.
    """
    flips = torch.randint(2, (2,), generator=generator).tolist()
    mirrored = importances.flip([axis for axis, flip in enumerate(flips) if flip])
    return mirrored.roll([_far(side, generator) for side in importances.shape], (0, 1))


def _far(side: int, generator: torch.Generator) -> int:
    least, most = -(-side // 4), 3 * side // 4
    return int(torch.randint(least, max(least, most) + 1, (1,), generator=generator))


def baselines(images: torch.Tensor, baseline: float | str | None) -> tuple[torch.Tensor, torch.Tensor]:
    """What hidden pixels show in deletion and in insertion."""
    if baseline is None or baseline == "blur":
        soft = blurred(images, _SIGMA * max(images.shape[2:]))
        return (torch.zeros_like(images) if baseline is None else soft), soft
    plain = filling(images, baseline, (1, 1))
    return plain, plain
