"""Channels times factors."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import torch

Factors = dict[int, float] | float
"""What each channel is multiplied by; a number: the whole layer. 0 is off, 1 as it is."""


def switches_key(switches: Mapping[str, Sequence[int] | Factors]) -> Hashable:
    """The same for the same switches of layers, in whatever order."""
    parts = ((layer, by.items() if isinstance(by, dict) else by) for layer, by in switches.items())
    return frozenset((layer, by if isinstance(by, int | float) else frozenset(by)) for layer, by in parts)


def scaled(tensor: torch.Tensor, axis: int, factors: Factors) -> torch.Tensor:
    """A copy of ``tensor`` with channels times their factors; 0 is 0, also of what is not a number.

    Example:
        >>> scaled(torch.ones(1, 3), 1, {0: 0.0, 2: 0.5})
        tensor([[0.0000, 1.0000, 0.5000]])
        >>> scaled(torch.full((1, 2), torch.nan), 1, 0.0)
        tensor([[0., 0.]])
    """
    if isinstance(factors, float):
        off = torch.ones((), dtype=torch.bool, device=tensor.device)
        return tensor * factors if factors else tensor.masked_fill(off, 0)
    along_channels = [-1 if at == axis else 1 for at in range(tensor.ndim)]
    zero = [channel for channel, factor in factors.items() if factor == 0]
    others = {channel: factor for channel, factor in factors.items() if factor != 0}
    if zero:  # a mask, which the incremental engine has a rule for
        mask = torch.zeros(tensor.shape[axis], dtype=torch.bool, device=tensor.device)
        mask[zero] = True
        tensor = tensor.masked_fill(mask.view(along_channels), 0)
    if others:
        along = torch.ones(tensor.shape[axis], dtype=tensor.dtype, device=tensor.device)
        along[list(others)] = torch.tensor(list(others.values()), dtype=tensor.dtype, device=tensor.device)
        tensor = tensor * along.view(along_channels)
    return tensor
