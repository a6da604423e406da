"""What the numbers of kernels say by themselves: how large, how sparse, and which are nearly the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

ALIKE = 0.99
"""Kernels whose cosine is above it, or below its negative, are near-duplicates."""
MOST_PAIRS = 1000
_BLOCK = 512

Pairs = tuple[tuple[int, int, float], ...]
"""(first, second, cosine), the first the smaller index."""


def kernel_norms(kernels: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """(K,): the Euclidean norm of each of (K, ...).

    Example:
        >>> kernel_norms(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
        [5.0, 0.0]
    """
    flat = kernels.reshape(len(kernels), -1).astype(np.float64)
    with np.errstate(all="ignore"):
        largest = np.abs(flat).max(1, initial=0.0)
        scale = np.where((largest > 0) & np.isfinite(largest), largest, 1.0)
        norms: npt.NDArray[np.float64] = np.sqrt(((flat / scale[:, None]) ** 2).sum(1)) * scale
    return norms


def kernel_sparsity(kernels: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """(K,): the share of each that is exactly zero, in [0, 1]."""
    share: npt.NDArray[np.float64] = (kernels.reshape(len(kernels), -1) == 0).mean(1)
    return share


def near_duplicates(kernels: npt.NDArray[Any], groups: int = 1) -> Pairs:
    """The pairs of (K, ...) that differ by a factor only, nearly: the absolute cosine is above :data:`ALIKE`.

    Kernels of several groups read other channels, so they are compared within their group. Kernels of a single number,
    of zeros, or with something that is not a number are like none. At most :data:`MOST_PAIRS`, the most alike first.

    Example:
        >>> near_duplicates(np.array([[1.0, 2.0], [2.0, 4.0], [2.0, -1.0], [-1.0, -2.0]]))
        ((0, 1, 1.0), (0, 3, -1.0), (1, 3, -1.0))
    """
    flat = kernels.reshape(len(kernels), -1)
    if flat.shape[1] < 2:
        return ()
    norms = kernel_norms(kernels)
    usable = np.isfinite(norms) & (norms > 0)
    unit = np.zeros(flat.shape)
    unit[usable] = flat[usable] / norms[usable, None]
    pairs: list[tuple[int, int, float]] = []
    size = len(flat) // groups
    for start in range(0, size * groups, size):
        for first in range(start, start + size, _BLOCK):
            cosines = unit[first : min(first + _BLOCK, start + size)] @ unit[first : start + size].T
            rows, columns = np.nonzero(np.triu(np.abs(cosines) > ALIKE, 1))
            alike = np.clip(cosines[rows, columns], -1, 1).round(6)
            pairs += zip((rows + first).tolist(), (columns + first).tolist(), alike.tolist(), strict=True)
    return tuple(sorted(pairs, key=lambda pair: (-abs(pair[2]), pair[0], pair[1]))[:MOST_PAIRS])
