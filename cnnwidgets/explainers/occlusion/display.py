"""Fill in a grid of which only some places are known, so that it can be looked at."""

from __future__ import annotations

import torch
from torch.nn import functional


def filled_in(grid: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """``grid`` with values between the known ones where nothing is known: coarse means, enlarged bilinearly.

    The pull-push algorithm (Gortler et al. 1996, "The Lumigraph", section 3.2).

    Args:
        grid: (C, rows, cols); what it holds where ``known`` is False is not looked at.
        known: (rows, cols) bool.

    Returns:
        (C, rows, cols) float32; NaN where no place is known at all, and where a known one is.

    Example:
        >>> line = torch.tensor([[[1.0, 0.0, 0.0, 4.0]]])
        >>> filled_in(line, torch.tensor([[True, False, False, True]]))[0, 0]
        tensor([1.0000, 1.7500, 3.2500, 4.0000])
    """
    usable = known & grid.isfinite().all(0)
    filled = _filled(grid.float().masked_fill(~usable, 0.0), usable.float()[None])
    return torch.where(known, grid.float(), filled)


def _filled(grid: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """``grid`` is zero where ``weight`` (1, rows, cols) is."""
    rows, cols = grid.shape[1:]
    if bool((weight > 0).all()):
        return grid
    if rows == cols == 1:
        return torch.full_like(grid, torch.nan)
    edge = (0, cols % 2, 0, rows % 2)
    below = functional.avg_pool2d(functional.pad(weight, edge), 2)
    mean = functional.avg_pool2d(functional.pad(grid * weight, edge), 2) / below
    coarse = _filled(mean.masked_fill(below == 0, 0.0), (below > 0).float())
    size = (2 * coarse.shape[1], 2 * coarse.shape[2])
    fine = functional.interpolate(coarse[None], size, mode="bilinear", align_corners=False)[0, :, :rows, :cols]
    return torch.where(weight > 0, grid, fine)


def nearest_class(classes: torch.Tensor) -> torch.Tensor:
    """``classes`` (rows, cols), where -1, unknown, that of a known place nearby; -1 where no place is known at all.

    Example:
        >>> nearest_class(torch.tensor([[5, -1, -1, -1, 7]]))
        tensor([[5, 5, 5, 7, 7]])
    """
    filled = classes
    while bool((filled < 0).any()) and bool((filled >= 0).any()):
        around = functional.pad(filled, (1, 1, 1, 1), value=-1)
        for beside in (around[1:-1, :-2], around[1:-1, 2:], around[:-2, 1:-1], around[2:, 1:-1]):
            filled = torch.where(filled < 0, beside, filled)
    return filled
