"""Which score of the model's output is explained."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch

from cnnwidgets.core.errors import CnnWidgetsError, TargetError, is_out_of_memory

from .kinds import Kind, probabilities
from .scores import SATURATED, class_scores, explains, images_in, kind_of, remember, shown

__all__ = ["SATURATED", "Chosen", "Scorer", "Target", "class_scores", "kind_of", "probabilities", "resolve"]

Target: TypeAlias = int | Sequence[int] | torch.Tensor | Callable[[Any], torch.Tensor] | None
"""None: the class with the highest score, per image. An int: that class. A sequence of ints: one class an image.
A callable: ``outputs -> (N,)``, given what the model returned."""

Chosen: TypeAlias = tuple[int, ...] | Callable[[Any], torch.Tensor]
"""The class of each image, or the callable that was given."""


def resolve(
    target: Target, outputs: Any, *, score: str = "logit", batch: int | None = None
) -> tuple[torch.Tensor, Chosen]:
    """The score of each image, and the classes chosen.

    Args:
        target: see :data:`Target`. A model with one output, (N,) or (N, 1), takes None or 0.
        outputs: what the model returned; see :func:`~cnnwidgets.outputs.scores.score_tensor`.
        score: ``"logit"``, the model's own output; or ``"probability"``, which it stands for (see
            :data:`~cnnwidgets.outputs.kinds.Kind`): the softmax of logits in float32, outputs that are
            probabilities as they are. A number that is no class's stays itself. A callable decides by itself.
        batch: how many images went in, to check the outputs against.

    Returns:
        Scores (N,), in the autograd graph of ``outputs``; and a tuple of N classes, or the callable.

    Raises:
        TargetError: the target does not fit the outputs.

    Example:
        >>> resolve(None, torch.tensor([[1.0, 3.0], [5.0, 2.0]]))
        (tensor([3., 5.]), (1, 0))
    """
    if score not in ("logit", "probability"):
        raise TargetError(f'score must be "logit" or "probability"; got {score!r}.')
    by_function = callable(target) and not isinstance(target, torch.Tensor)
    remember(outputs, batch, by_function=by_function)
    if callable(target) and by_function:
        return _scores_by_function(target, outputs, batch), target
    table = class_scores(outputs, batch=batch)
    classes = _classes(target, table)
    explains(classes)
    if score == "probability":
        table = probabilities(table, kind_of(outputs, batch=batch))
    return table[torch.arange(len(table), device=table.device), torch.tensor(classes, device=table.device)], classes


def _classes(target: Target, table: torch.Tensor) -> tuple[int, ...]:
    images, classes = table.shape
    if target is None:
        return tuple(table.argmax(1).tolist())
    single = _as_int(target)
    indices = [single] * images if single is not None else _sequence(target, images)
    for value in indices:
        if not 0 <= value < classes:
            has = "one output: pass None or 0" if classes == 1 else f"{classes} classes: pass 0 to {classes - 1}"
            raise TargetError(f"target {value} is out of range. The model has {has}.")
    return tuple(indices)


def _sequence(target: Any, images: int) -> list[int]:
    no_sequence = isinstance(target, str | bytes | dict | set) or not hasattr(target, "__len__")
    if no_sequence or getattr(target, "ndim", 1) == 0:
        raise TargetError(
            f"target is {target!r}; expected None, a class index, a sequence of one index an image, or a callable."
        )
    values = [_as_int(item) for item in target]
    if any(value is None for value in values):
        raise TargetError(f"target {list(target)!r} must hold class indices only (ints).")
    if len(values) != images:
        raise TargetError(f"target has {len(values)} class indices for {images} images; pass one an image, or one int.")
    return [value for value in values if value is not None]


def _as_int(value: Any) -> int | None:
    """``value`` as a class index, or None if it is not one: True is no class, nor is 3.0."""
    if isinstance(value, bool) or type(value).__name__ in ("bool", "bool_"):
        raise TargetError(f"target is the boolean {value}; pass a class index (an int).")
    if isinstance(value, torch.Tensor) and value.dtype == torch.bool:
        raise TargetError("target holds booleans; pass class indices (ints).")
    if getattr(value, "ndim", 0) > 0:
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def _scores_by_function(target: Callable[[Any], torch.Tensor], outputs: Any, batch: int | None) -> torch.Tensor:
    name = getattr(target, "__name__", None) or type(target).__name__
    try:
        scores = target(outputs)
    except CnnWidgetsError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise TargetError(
            f"The target function {name!r} raised {type(error).__name__}: {error}. It was given what the model "
            f"returned, {shown(outputs)}, and must return one score an image."
        ) from error
    images = images_in(outputs) if batch is None else batch
    if images == 1 and getattr(outputs, "shape", None) == getattr(scores, "shape", None) == torch.Size(()):
        scores = scores[None]  # a model that squeezes its one number
    if not isinstance(scores, torch.Tensor) or tuple(scores.shape) != (images,) or not scores.is_floating_point():
        result = (
            f"shape {tuple(scores.shape)}, {scores.dtype}" if isinstance(scores, torch.Tensor) else repr(type(scores))
        )
        raise TargetError(
            f"The target function {name!r} returned {result}; expected floating-point scores of shape ({images},), one "
            f"an image. It was given what the model returned: {shown(outputs)}."
        )
    return scores


class Scorer:
    """Scores edits by the class, and as the kind of numbers, that were decided on the images as they are.

    Args:
        outputs: what the model returned for the images as they are.
        target: the class of each of these images, or a callable.
        score: ``"logit"`` or ``"probability"``.
        batch: how many images these are.

    Attributes:
        kind: what the model's numbers are; None where the target is a callable.
    """

    def __init__(self, outputs: Any, target: Chosen, score: str, batch: int) -> None:
        self._target, self._as_probability = target, score == "probability"
        self.kind: Kind | None = None
        self._classes = 0
        if not callable(target):
            self._classes = class_scores(outputs, batch=batch).shape[1]
            self.kind = kind_of(outputs, batch=batch)

    def __call__(self, outputs: Any, image: int, batch: int) -> torch.Tensor:
        """(batch,) scores, at least float32, of what the model returned for ``batch`` edits of image ``image``."""
        if callable(self._target):
            scores = resolve(self._target, outputs, batch=batch)[0]
        else:
            table = class_scores(outputs, batch=batch)
            if table.shape[1] != self._classes:  # a row of scores for all images together may look like one an image
                raise TargetError(f"The model returned scores {tuple(table.shape)} for {batch} images.")
            table = probabilities(table, self.kind) if self._as_probability else table
            scores = table[:, self._target[image]]
        return scores.float() if scores.dtype in (torch.float16, torch.bfloat16) else scores
