"""The mean gradient over many variants of each image, a batch at a time, in the memory that there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import nn

from cnnwidgets.core.progress import Meter, ProgressCallback
from cnnwidgets.explainers.attribution import Attribution
from cnnwidgets.outputs.targets import Chosen

from .batches import estimated_batch
from .chunks import Chunks, batch_size
from .input_gradient import input_gradient, precise

Variant = Callable[[int, int], torch.Tensor]
"""``(image, number) -> (C, H, W)``, the same whenever it is asked for."""


class MeanGradient:
    """The weighted mean of the score's gradients at variants of images.

    Args:
        images: (N, C, H, W).
        chosen: what is explained, as :func:`~cnnwidgets.outputs.targets.resolve` returned it for ``images``.
        variant: makes the input of one visit.
        weights: of each variant.
        batch: variants at a time; None: by the image's size. Halved when memory runs out.
    """

    def __init__(
        self,
        model: nn.Module,
        images: torch.Tensor,
        chosen: Chosen,
        score: str,
        variant: Variant,
        weights: Sequence[float],
        batch: int | None,
    ) -> None:
        self._model, self._images, self._chosen, self._score = model, images, chosen, score
        self._variant, self._weights = variant, weights
        self._chunks = Chunks(batch_size(batch, estimated_batch(images[0], len(weights))))
        self._sums = torch.full_like(precise(images), torch.nan)
        self._done = [0.0] * len(images)

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
                        done = meter.done + count
                        partial = result(self._mean(), (f"partial: {done} of {total} gradients are known", *self.notes))
                    meter.advance(count, partial)
        return self._mean()

    @property
    def notes(self) -> tuple[str, ...]:
        """What the reader must know."""
        return self._chunks.notes

    def _mean(self) -> torch.Tensor:
        done = torch.tensor(self._done, device=self._sums.device, dtype=self._sums.dtype)
        return self._sums / done[:, None, None, None]

    def _visit(self, index: int) -> Iterator[int]:
        # Spread over the whole range from the beginning, so that the mean so far says something about the mean.
        order = sorted(range(len(self._weights)), key=lambda number: f"{number:032b}"[::-1])
        for now, gradient in self._chunks.each(order, lambda numbers: self._gradient(index, numbers)):
            weights = [self._weights[number] for number in now]
            self._sums[index] += torch.einsum("b,bchw->chw", gradient.new_tensor(weights), gradient)
            self._done[index] += sum(weights)
            yield len(now)

    def _gradient(self, index: int, numbers: list[int]) -> torch.Tensor:
        variants = torch.stack([self._variant(index, number) for number in numbers]).to(self._images.dtype)
        target = self._chosen if callable(self._chosen) else self._chosen[index]
        return precise(input_gradient(self._model, variants, target, self._score).gradient)
