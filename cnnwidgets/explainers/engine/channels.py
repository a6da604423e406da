"""Scores of edited copies of what a pass saw, and which maps are worth editing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from cnnwidgets.core.arguments import checked_count
from cnnwidgets.core.errors import CnnWidgetsError, TargetError
from cnnwidgets.outputs.targets import class_scores, kind_of, probabilities, resolve

from .one_layer import LayerPass


class Scorer:
    """Scores of edited copies of the images of a pass, for the same targets."""

    def __init__(self, seen: LayerPass) -> None:
        self._chosen, self._kind, self._classes = seen.chosen, None, 0
        if not callable(seen.chosen):
            self._classes = class_scores(seen.outputs, batch=len(seen.scores)).shape[1]
            if seen.score == "probability":
                self._kind = kind_of(seen.outputs, batch=len(seen.scores))

    def __call__(self, outputs: Any, image: int, batch: int) -> torch.Tensor:
        """(batch,) scores, at least float32, of what the model returned for ``batch`` edits of image ``image``."""
        if callable(self._chosen):
            scores = resolve(self._chosen, outputs, batch=batch)[0]
        else:
            table = class_scores(outputs, batch=batch)
            if table.shape[1] != self._classes:  # a row of scores for all images together may look like one an image
                raise TargetError(f"The model returned scores {tuple(table.shape)} for {batch} images.")
            table = table if self._kind is None else probabilities(table, self._kind)
            scores = table[:, self._chosen[image]]
        return scores.float() if scores.dtype in (torch.float16, torch.bfloat16) else scores


def strongest(maps: torch.Tensor, channels: int | None) -> torch.Tensor:
    """Indices, ascending, of the ``channels`` maps of (K, h, w) that vary most over places; None: of all.

    Raises:
        CnnWidgetsError: ``channels`` is no int of at least 1.
    """
    if channels is None:
        return torch.arange(len(maps))
    checked_count(channels, "channels", alternative=", or None for all", error=CnnWidgetsError)
    spread = maps.flatten(1).double().var(1, correction=0).nan_to_num(torch.inf)
    return spread.topk(min(channels, len(maps))).indices.sort().values.cpu()


def limit_notes(channels: int | None, there: int) -> Iterator[str]:
    """That only some of a layer's maps were looked at."""
    if channels is not None and channels < there:
        yield f"only the {channels} of {there} maps that vary most were used; the others count as 0"
