"""The target's score for edits of an image."""

from __future__ import annotations

import torch
from torch import nn

from cnnwidgets.core.forward import run
from cnnwidgets.core.own_gradients import again
from cnnwidgets.core.targets import Target, are_probabilities, class_scores, resolve


class Scorer:
    """Scores that can be compared with one another.

    Attributes:
        whole: (N,) float32, of the images as they are.
        chosen: the class of each image, or the callable.
        kind: ``"probability"``, ``"logit"``, or ``"score"`` for a callable's.
    """

    def __init__(self, model: nn.Module, images: torch.Tensor, target: Target, score: str) -> None:
        self._model = model
        outputs = again(lambda: run(model, images.clone()))
        whole, self.chosen = resolve(target, outputs, score=score, batch=len(images))
        self.whole = whole.detach().float().cpu()
        self._softmax, self.kind = False, "score"
        if not callable(self.chosen):
            # Decided once: a batch of edits whose logits happen to look like probabilities must not switch it.
            table = class_scores(outputs, batch=len(images))
            given = are_probabilities(table)
            self._softmax = score == "probability" and table.shape[1] > 1 and not given
            self.kind = "probability" if given or self._softmax else "logit"

    def of(self, index: int, edited: torch.Tensor) -> torch.Tensor:
        """(B,) float32 on the CPU, for edits (B, C, H, W) of image ``index``."""
        outputs = run(self._model, edited)
        if callable(self.chosen):
            scores, _ = resolve(self.chosen, outputs, batch=len(edited))
            return scores.detach().float().cpu()
        table = class_scores(outputs, batch=len(edited))
        if self._softmax:
            table = table.softmax(1, dtype=None if table.dtype == torch.float64 else torch.float32)
        return table[:, self.chosen[index]].detach().float().cpu()
