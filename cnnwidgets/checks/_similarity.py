"""How alike two maps are: rank correlation and structural similarity."""

from __future__ import annotations

import torch
from torch.nn import functional

_WINDOW = 7
_K1, _K2 = 0.01, 0.03


def merged(values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Magnitudes and signed values, (N, h, w) each, of maps (N, h, w) or (N, C, H, W).

    Channels of an input gradient are merged as they are shown: by the largest magnitude, and by their sum.

    Example:
        >>> magnitude, signed = merged(torch.tensor([[[[3.0]], [[-4.0]]]]))
        >>> magnitude.item(), signed.item()
        (4.0, -1.0)
    """
    if values.ndim == 4:
        broken = ~values.isfinite().all(1)
        return values.abs().amax(1).masked_fill(broken, torch.nan), values.sum(1).masked_fill(broken, torch.nan)
    return values.abs(), values


def rank_correlation(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Spearman's rank correlation of two maps, over the places where both are finite; ties get their mean rank.

    Args:
        a: real numbers of any shape.
        b: the same shape.

    Returns:
        float64 scalar in [-1, 1]; NaN where one of them is constant, or fewer than three places are left.

    Example:
        >>> round(rank_correlation(torch.tensor([1.0, 2.0, 9.0]), torch.tensor([10.0, 20.0, 21.0])).item(), 12)
        1.0
    """
    finite = a.isfinite() & b.isfinite()
    if int(finite.sum()) < 3:
        return torch.tensor(torch.nan, dtype=torch.float64)
    return torch.corrcoef(torch.stack([_mean_ranks(values[finite]) for values in (a, b)]))[0, 1]


def structural_similarity(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """SSIM of two maps in [0, 1] (Wang et al. 2004, "Image quality assessment"), in square windows of 7 places.

    The mean over all windows that lie inside; smaller maps get one of the largest odd size that fits.

    Args:
        a: (h, w).
        b: (h, w).

    Returns:
        float64 scalar in [-1, 1]; NaN where a place is not finite, or a side is shorter than 3.

    Example:
        >>> ramp = torch.linspace(0, 1, 9).expand(9, 9)
        >>> round(structural_similarity(ramp, ramp).item(), 12)
        1.0
    """
    shortest = min(a.shape)
    if shortest < 3 or not bool(a.isfinite().all() & b.isfinite().all()):
        return torch.tensor(torch.nan, dtype=torch.float64)
    window = min(_WINDOW, shortest - (shortest + 1) % 2)
    x, y = a.double(), b.double()

    def mean(values: torch.Tensor) -> torch.Tensor:
        return functional.avg_pool2d(values[None, None], window, stride=1)

    sample = window**2 / (window**2 - 1)
    mean_x, mean_y = mean(x), mean(y)
    variance_x = sample * (mean(x * x) - mean_x**2)
    variance_y = sample * (mean(y * y) - mean_y**2)
    covariance = sample * (mean(x * y) - mean_x * mean_y)
    likeness = (2 * mean_x * mean_y + _K1**2) * (2 * covariance + _K2**2)
    return (likeness / ((mean_x**2 + mean_y**2 + _K1**2) * (variance_x + variance_y + _K2**2))).mean()


def over_largest(magnitude: torch.Tensor) -> torch.Tensor:
    """A map (h, w) of magnitudes over the largest finite one."""
    largest = magnitude[magnitude.isfinite()].max() if bool(magnitude.isfinite().any()) else torch.tensor(0.0)
    return magnitude / largest if largest > 0 else magnitude


def _mean_ranks(values: torch.Tensor) -> torch.Tensor:
    """Ranks from 1, float64; equal values share the mean of theirs."""
    _, index_of_value, counts = torch.unique(values, return_inverse=True, return_counts=True)
    last = counts.cumsum(0)
    ranks: torch.Tensor = (last.double() - (counts.double() - 1) / 2)[index_of_value]
    return ranks
