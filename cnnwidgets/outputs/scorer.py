"""The target's score for edits of images, whoever makes the edits."""

from __future__ import annotations

from typing import Any

import torch

from cnnwidgets.core.errors import TargetError

from .kinds import Kind, probabilities
from .scores import class_scores, kind_of
from .targets import Chosen, resolve


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
