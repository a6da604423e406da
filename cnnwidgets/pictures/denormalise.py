"""From the tensor a network gets back to a picture of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from .preprocess import Preprocess

GUESSED = "The input's normalisation is not known: its colours are shown as if it were ImageNet's; pass preprocess=."
STRETCHED = "The input's normalisation is not known: its colours are stretched to the full range for display."


def denormalised(tensor: torch.Tensor, undo: Any, sure: bool = True) -> tuple[npt.NDArray[np.uint8], tuple[str, ...]]:
    """The (H, W, 3) uint8 picture of a (1, C, H, W) tensor, and notes on how far its colours are true.

    ``undo`` is what made the tensor, or what makes such tensors: a :class:`Preprocess`, or any transform in which a
    ``Normalize`` can be found. ``sure=False``: that is a guess, and values in [0, 1] are rather taken for colours.
    """
    values = tensor[0]
    plain = Preprocess(mean=(0.0,), std=(1.0,))
    if not sure and values.shape[0] in (1, 3) and _in_range(values):
        return plain.pixels(tensor), ()
    for mean, std in _normalisations(undo):
        if len(mean) in (1, values.shape[0]) and values.shape[0] in (1, 3):
            preprocess = Preprocess(mean=mean, std=std)
            if _in_range(preprocess.colours(values)):
                return preprocess.pixels(tensor), () if sure else (GUESSED,)
    notes: tuple[str, ...] = ()
    if values.shape[0] not in (1, 3):
        notes = (f"The input has {values.shape[0]} channels; their mean is shown, in grey.",)
        values = values.mean(0, keepdim=True)
    if _in_range(values):
        return plain.pixels(values), notes
    finite = values[torch.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.numel() else (0.0, 1.0)
    return plain.pixels((values - low) / ((high - low) or 1.0)), (*notes, STRETCHED)


def _in_range(values: torch.Tensor) -> bool:
    """True colours lie in [0, 1]; a little slack for interpolation that overshoots and for half precision."""
    finite = values[torch.isfinite(values)]
    return bool(((finite < -0.02) | (finite > 1.02)).sum() <= 0.001 * finite.numel())


def _normalisations(transform: Any) -> Iterable[tuple[tuple[float, ...], tuple[float, ...]]]:
    """Mean and std of each normalisation inside ``transform``: its own, or those of the steps it is composed of."""
    mean, std = getattr(transform, "mean", None), getattr(transform, "std", None)
    try:
        if mean is not None and std is not None:
            yield _channel_numbers(mean), _channel_numbers(std)
    except (TypeError, ValueError):
        pass
    steps = getattr(transform, "transforms", None)
    if isinstance(transform, torch.nn.Sequential):
        steps = list(transform)
    if isinstance(steps, list | tuple | torch.nn.ModuleList):
        for step in steps:
            yield from _normalisations(step)


def _channel_numbers(values: Any) -> tuple[float, ...]:
    flat = torch.as_tensor(values, dtype=torch.float32).flatten().tolist()
    return tuple(float(value) for value in flat)
