"""The mean gradient over many variants of each image, a batch at a time, in the memory that there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import nn

from cnnwidgets.core.progress import Meter, ProgressCallback
from cnnwidgets.explainers.attribution import Attribution
from cnnwidgets.outputs.targets import Chosen

from .gradients import input_gradient
from .memory import Chunks, batch_size, estimated_batch
from .values import precise

Variant = Callable[[int, int], torch.Tensor]
"""``(image, number) -> (C, H, W)``, the same whenever it is asked for."""


class MeanGradient:
    """The weighted mean of the score's gradients at variants of images.

    Args:
        images: (N, C, H, W).
        target: what is explained, as :func:`~cnnwidgets.outputs.targets.resolve` returned it for ``images``.
        variant: makes the input of one visit.
        weights: of each variant.
        batch: variants at a time; None: by the image's size. Halved when memory runs out.
    """

    def __init__(
        self,
        model: nn.Module,
        images: torch.Tensor,
        target: Chosen,
        score: str,
        variant: Variant,
        weights: Sequence[float],
        batch: int | None,
    ) -> None:
        self._model, self._images, self._target, self._score = model, images, target, score
        self._variant, self._weights = variant, weights
        self._chunks = Chunks(batch_size(batch, estimated_batch(images[0], len(weights))))
        self._sums = torch.full_like(precise(images), torch.nan)
        self._weight_sums = [0.0] * len(images)

    def run(
        self,
        progress: ProgressCallback | bool | None,
        result: Callable[[torch.Tensor, tuple[str, ...]], Attribution],
    ) -> torch.Tensor:
        """Visit all variants.

        Args:
            progress: called after each batch.
            result: makes the result so far of the mean so far and a note on how much that is.

        Returns:
            (N, C, H, W), in at least float32.
        """
        total = len(self._weights) * len(self._images)
        with Meter(progress, total) as meter:
            for index in range(len(self._images)):
                self._sums[index] = 0
                for count in self._visit(index):
                    partial = None
                    if callable(progress):
                        ready = meter.done + count
                        partial = result(
                            self._mean(), (f"partial: {ready} of {total} gradients are known", *self.notes)
                        )
                    meter.advance(count, partial)
        return self._mean()

    @property
    def notes(self) -> tuple[str, ...]:
        """What the reader must know."""
        return self._chunks.notes

    def _mean(self) -> torch.Tensor:
        weight_sums = torch.tensor(self._weight_sums, device=self._sums.device, dtype=self._sums.dtype)
        return self._sums / weight_sums[:, None, None, None]

    def _visit(self, index: int) -> Iterator[int]:
        # Spread over the whole range from the beginning, so that the mean so far says something about the mean.
        order = sorted(range(len(self._weights)), key=lambda number: f"{number:032b}"[::-1])
        for now, gradient in self._chunks.each(order, lambda numbers: self._gradient(index, numbers)):
            weights = [self._weights[number] for number in now]
            self._sums[index] += torch.einsum("b,bchw->chw", gradient.new_tensor(weights), gradient)
            self._weight_sums[index] += sum(weights)
            yield len(now)

    def _gradient(self, index: int, numbers: list[int]) -> torch.Tensor:
        variants = torch.stack([self._variant(index, number) for number in numbers]).to(self._images.dtype)
        target = self._target if callable(self._target) else self._target[index]
        return precise(input_gradient(self._model, variants, target, self._score).gradient)
