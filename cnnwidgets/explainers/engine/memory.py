"""As much at a time as the memory, and the model, allow."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import torch
from torch import nn

from cnnwidgets.core.arguments import checked_batch
from cnnwidgets.explainers.attribution import Attribution
from cnnwidgets.outputs.targets import Target
from cnnwidgets.running.batches_of_one import ONE_BY_ONE, may_be_the_batch, refuse_several, takes_one_image

T = TypeVar("T")
Explain = Callable[[nn.Module, torch.Tensor, Target, dict[str, Any]], Attribution]

# On a CPU larger batches are no faster an image, often slower (on two cores, EfficientNet-Lite0: 10 ms an image with 8,
# 27 ms with 32), and small ones let a live view move and a Cancel work within a moment.
_PIXELS_CPU = 8 * 224 * 224
_PIXELS_GPU = 64 * 224 * 224
_MOST_EDITS = 256
_MOST_ESTIMATES = 64
_IMAGES_ONE_BY_ONE = "the network takes one image at a time: the images were explained one by one"


def estimated_batch(image: torch.Tensor, edits: int) -> int:
    """How many edits of an image (C, H, W) to begin with at a time; at most ``edits``."""
    pixels = _PIXELS_CPU if image.device.type == "cpu" else _PIXELS_GPU
    return max(1, min(edits, _MOST_EDITS, pixels // (image.shape[-2] * image.shape[-1])))


class Chunks:
    """Batches that get smaller when memory runs out, or when the model takes one image at a time.

    Args:
        estimate: items a batch to begin with.
        batch: what the caller asked for in its place, in bounds that memory sets.

    Attributes:
        size: items a batch; halved each time the memory was not enough, and kept for the next list.
        notes: what the reader must know.

    Raises:
        InputError: ``batch`` is no int of at least 1.
    """

    def __init__(self, estimate: int, batch: Any = None) -> None:
        count = checked_batch(batch)
        # An operating system that promises any memory ends the process later.
        self.size = estimate if count is None else min(count, _MOST_ESTIMATES * estimate)
        self.notes: tuple[str, ...] = ()

    def each(self, items: Sequence[int], work: Callable[[list[int]], T]) -> Iterator[tuple[list[int], T]]:
        """``work`` on slices of ``items``: yields each slice and what ``work`` returned for it.

        Raises:
            RuntimeError, MemoryError: out of memory with a batch of 1.
            Exception: what ``work`` raised, also for one item.

        Example:
            >>> list(Chunks(2).each([5, 6, 7], sum))
            [([5, 6], 11), ([7], 7)]
        """
        start = 0
        while start < len(items):
            now = list(items[start : start + self.size])
            enough = True
            try:
                result = work(now)
            except Exception as error:
                if may_be_the_batch(error):
                    now, result = now[:1], self.first_alone(work, now, error)
                    self.size, self.notes = 1, (ONE_BY_ONE,)
                elif len(now) == 1:
                    raise
                else:
                    enough = False
            if not enough:  # outside of the except block, which keeps the failed forward's tensors alive
                self.size = len(now) // 2
                if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
                    torch.cuda.empty_cache()
                continue
            yield now, result
            start += len(now)

    def first_alone(self, work: Callable[[list[int]], T], now: list[int], error: Exception) -> T:
        """``work`` on the first item; ``error``, which the batch raised, if that fails too."""
        if len(now) == 1:
            raise error
        try:
            return work(now[:1])
        except Exception as another:
            if may_be_the_batch(another):
                raise error from error.__cause__
            raise


class _Images(Chunks):
    """Batches of images: whether one alone would do is asked of the model itself, since the target may not fit it."""

    def __init__(self, model: nn.Module, images: torch.Tensor) -> None:
        super().__init__(len(images))
        self._model, self._images = model, images

    def first_alone(self, work: Callable[[list[int]], T], now: list[int], error: Exception) -> T:
        if not takes_one_image(self._model, self._images):
            refuse_several(self._model, self._images, error)
            raise error
        return work(now[:1])


def in_parts(
    explain: Explain, model: nn.Module, images: torch.Tensor, target: Target, options: dict[str, Any]
) -> Attribution:
    """``explain`` on all images, or on as many at a time as the memory and the model allow, put together again.

    Raises:
        RuntimeError, MemoryError: the memory is not enough for one image.
        InputError: the model takes another number of images only.
    """

    def explained(indices: list[int]) -> Attribution:
        if len(indices) == len(images):
            return explain(model, images, target, options)
        part = slice(indices[0], indices[-1] + 1)
        pictures = {name: value for name, value in options.items() if getattr(value, "ndim", 0) == 4}
        some = options | {name: part_of(value, part, images) for name, value in pictures.items()}
        return explain(model, images[part], part_of(target, part, images), some)

    chunks = _Images(model, images)
    parts = [part for _, part in chunks.each(range(len(images)), explained)]
    if len(parts) == 1:
        return parts[0]
    note = f"memory was not enough for {len(images)} images at once: they were explained in parts"
    return _parts_joined(parts, _IMAGES_ONE_BY_ONE if chunks.notes else note)


def part_of(value: Any, part: slice, images: torch.Tensor) -> Any:
    """What of one value an image belongs to ``part``; anything else is for all images."""
    many = not isinstance(value, str | bytes | dict) and getattr(value, "ndim", 1) > 0 and hasattr(value, "__len__")
    return value[part] if many and len(value) == len(images) else value


def _parts_joined(parts: list[Attribution], note: str) -> Attribution:
    """One result of those for successive images; fields with one row an image follow one another."""
    first = parts[0]
    together: dict[str, Any] = {}
    for field in dataclasses.fields(first):
        values = [getattr(part, field.name) for part in parts]
        if isinstance(values[0], torch.Tensor) and [len(value) for value in values] == [len(p.scores) for p in parts]:
            together[field.name] = torch.cat(values)
    if isinstance(first.target, tuple):
        together["target"] = tuple(index for part in parts for index in part.target)  # type: ignore[union-attr]
    notes = [note]
    start = 0
    for part in parts:
        end = start + len(part.scores)
        notes += [
            note if all(note in other.notes for other in parts) else f"in images[{start}:{end}]: {note}"
            for note in part.notes
        ]
        start = end
    return dataclasses.replace(first, **together, notes=tuple(dict.fromkeys(notes)))
