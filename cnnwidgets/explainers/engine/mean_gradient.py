"""The mean gradient over many variants of each image, a batch at a time, in the memory that there is."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import torch
from torch import nn

from cnnwidgets.core.progress import Meter, ProgressCallback
from cnnwidgets.explainers.attribution import Attribution
from cnnwidgets.outputs.targets import Chosen

from .gradients import input_gradient
from .memory import Chunks, estimated_batch
from .values import precise

Variant = Callable[[int, int], torch.Tensor]
"""``(image, number) -> (C, H, W)``, the same whenever it is asked for."""


def mean_gradient(
    model: nn.Module,
    images: torch.Tensor,
    target: Chosen,
    score: str,
    variant: Variant,
    weights: Sequence[float],
    *,
    batch: int | None,
    progress: ProgressCallback | bool | None,
    result: Callable[[torch.Tensor, tuple[str, ...]], Attribution],
) -> tuple[torch.Tensor, tuple[str, ...]]:
    """The weighted mean of the score's gradients at variants of images, and what the reader must know.

    Args:
        images: (N, C, H, W).
        target: what is explained, as :func:`~cnnwidgets.outputs.targets.resolve` returned it for ``images``.
        variant: makes the input of one visit.
        weights: of each variant.
        batch: variants at a time; None: by the image's size. Halved when memory runs out.
        progress: called after each batch.
        result: makes the result so far of the mean so far and notes on it.

    Returns:
        (N, C, H, W), in at least float32.
    """
    chunks = Chunks(estimated_batch(images[0], len(weights)), batch)
    sums = torch.full_like(precise(images), torch.nan)
    counted = torch.zeros(len(images), 1, 1, 1, dtype=torch.float64, device=images.device)
    # Spread over the whole range from the beginning, so that the mean so far says something about the mean.
    order = sorted(range(len(weights)), key=lambda number: f"{number:032b}"[::-1])

    def gradients(index: int, numbers: list[int]) -> torch.Tensor:
        variants = torch.stack([variant(index, number) for number in numbers]).to(images.dtype)
        explained = target if callable(target) else target[index]
        return precise(input_gradient(model, variants, explained, score).gradient)

    with Meter(progress, len(weights) * len(images)) as meter:
        for index in range(len(images)):
            sums[index] = 0
            for numbers, values in chunks.each(order, functools.partial(gradients, index)):
                shares = [weights[number] for number in numbers]
                sums[index] += torch.einsum("b,bchw->chw", values.new_tensor(shares), values)
                counted[index] += sum(shares)
                partial = None
                if callable(progress):
                    note = f"partial: {meter.done + len(numbers)} of {meter.total} gradients are known"
                    partial = result(sums / counted.to(sums), (note, *chunks.notes))
                meter.advance(len(numbers), partial)
    return sums / counted.to(sums), chunks.notes
