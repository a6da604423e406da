"""Explain images together; where memory is short, or the model takes one image at a time, one after the other."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from cnnwidgets.core.errors import Cancelled, is_out_of_memory
from cnnwidgets.explainers.attribution import Attribution
from cnnwidgets.outputs.targets import Target
from cnnwidgets.running.batches_of_one import refuse_several, takes_one_image

_ONE_BY_ONE = "the network takes one image at a time: the images were explained one by one"
Explain = Callable[[nn.Module, torch.Tensor, Target, dict[str, Any]], Attribution]


def in_halves(
    explain: Explain, model: nn.Module, images: torch.Tensor, target: Target, options: dict[str, Any]
) -> Attribution:
    """``explain`` on all images, or on halves of halves of them, or on each, put together again.

    Raises:
        RuntimeError, MemoryError: the memory is not enough for one image.
        InputError: the model takes another number of images only.
    """
    try:
        return explain(model, images, target, options)
    except Exception as error:
        if isinstance(error, Cancelled) or (is_out_of_memory(error) and len(images) == 1):
            raise
        if not is_out_of_memory(error):
            if not takes_one_image(model, images):
                refuse_several(model, images, error)
                raise
            parts = [slice(index, index + 1) for index in range(len(images))]
            return _joined([_explained(explain, model, images, target, options, part) for part in parts], _ONE_BY_ONE)
    # Outside of the except block, which keeps the failed pass's tensors alive.
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.empty_cache()
    middle = len(images) // 2
    halves = slice(0, middle), slice(middle, len(images))
    note = f"memory was not enough for {len(images)} images at once: they were explained in parts"
    return _joined([_explained(explain, model, images, target, options, part) for part in halves], note)


def _explained(
    explain: Explain, model: nn.Module, images: torch.Tensor, target: Target, options: dict[str, Any], part: slice
) -> Attribution:
    return in_halves(explain, model, images[part], part_of(target, part, images), _parts(options, part, images))


def part_of(value: Any, part: slice, images: torch.Tensor) -> Any:
    """What of one value an image belongs to ``part``; anything else is for all images."""
    many = not isinstance(value, str | bytes | dict) and getattr(value, "ndim", 1) > 0 and hasattr(value, "__len__")
    return value[part] if many and len(value) == len(images) else value


def _parts(options: dict[str, Any], part: slice, images: torch.Tensor) -> dict[str, Any]:
    return {
        name: value[part]
        if isinstance(value, torch.Tensor) and value.ndim == 4 and len(value) == len(images)
        else value
        for name, value in options.items()
    }


def _joined(parts: list[Attribution], note: str) -> Attribution:
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
