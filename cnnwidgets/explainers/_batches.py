"""Run a model on many edits of one image, a batch at a time, in the memory that there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch

from cnnwidgets.core.forward import is_out_of_memory

T = TypeVar("T")
Place = tuple[int, int]
"""Top and left of a patch, in pixels."""

# On a CPU larger batches are no faster an image, often slower (on two cores, EfficientNet-Lite0: 10 ms an image with 8,
# 27 ms with 32), and small ones let a live view move and a Cancel work within a moment.
_PIXELS_CPU = 8 * 224 * 224
_PIXELS_GPU = 64 * 224 * 224
_MOST = 256


def estimated_batch(image: torch.Tensor, places: int) -> int:
    """A batch size to begin with, for edits of an image (C, H, W); at most ``places``."""
    pixels = _PIXELS_CPU if image.device.type == "cpu" else _PIXELS_GPU
    return max(1, min(places, _MOST, pixels // (image.shape[-2] * image.shape[-1])))


class Batches:
    """Feeds edited copies of an image to a model, and makes the batches smaller when memory runs out.

    Attributes:
        size: edits a batch; halved each time the memory was not enough, and kept for the next sweep.
    """

    def __init__(self, size: int) -> None:
        self.size = size

    def sweep(
        self,
        image: torch.Tensor,
        filling: torch.Tensor,
        places: Sequence[Place],
        patch: tuple[int, int],
        forward: Callable[[torch.Tensor], T],
    ) -> Iterator[tuple[slice, T]]:
        """``forward`` on copies of ``image`` in which one patch each shows ``filling``.

        Args:
            image: (C, H, W).
            filling: (C, H, W), what a patch shows, wherever it is.
            places: where the patches go.
            patch: (height, width) in pixels.
            forward: given (B, C, H, W), which it may change; B is at most ``size``.

        Yields:
            A slice of ``places`` and what ``forward`` returned for them; use it before asking for the next, since
            the input is one buffer for all batches.

        Raises:
            RuntimeError, MemoryError: out of memory with a batch of 1.
        """
        buffer = image[None][:0]
        done = 0
        while done < len(places):
            now = places[done : done + self.size]
            enough = True
            try:
                if len(buffer) < len(now):
                    buffer = image.repeat(len(now), 1, 1, 1)
                _paste(buffer, filling, now, patch)
                writes = _writes(buffer)
                result = forward(buffer[: len(now)])
            except Exception as error:
                if not is_out_of_memory(error) or len(now) == 1:
                    raise
                enough = False
            if not enough:  # outside of the except block, which keeps the failed forward's tensors alive
                buffer, self.size = image[None][:0], len(now) // 2
                if image.device.type == "cuda":
                    torch.cuda.empty_cache()
                continue
            yield slice(done, done + len(now)), result
            if _writes(buffer) == writes:
                _paste(buffer, image, now, patch)
            else:  # the model changed its input in place
                buffer.copy_(image)
            done += len(now)


def _writes(buffer: torch.Tensor) -> int:
    """How often ``buffer`` was written to; torch counts it, under this name only."""
    return buffer._version  # noqa: SLF001


def _paste(buffer: torch.Tensor, source: torch.Tensor, places: Sequence[Place], patch: tuple[int, int]) -> None:
    for row, (top, left) in enumerate(places):
        window = (..., slice(top, top + patch[0]), slice(left, left + patch[1]))
        buffer[row][window] = source[window]
