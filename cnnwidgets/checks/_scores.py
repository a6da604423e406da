"""The target's score for images and edits of them, as the curves show it."""

from __future__ import annotations

import torch
from torch import nn

from cnnwidgets.outputs.kinds import Kind
from cnnwidgets.outputs.readout import Readout, reading
from cnnwidgets.outputs.targets import Scorer, Target, resolve
from cnnwidgets.running.forward import again, run


class ComparableScores:
    """Scores that can be compared with one another.

    Args:
        readout: how the model's outputs are read.

    Attributes:
        whole: (N,) float32, of the images as they are.
        classes: the class of each image, or the callable.
        unit: ``"probability"``, ``"logit"``, or ``"score"`` for a callable's and for what was said to be a number.
        notes: what there is to say about how the outputs are read.
    """

    def __init__(self, model: nn.Module, images: torch.Tensor, target: Target, score: str, readout: Readout) -> None:
        self._model, self._readout = model, readout
        with reading(readout):
            outputs = again(lambda: run(model, images.clone()))
            whole, self.classes = resolve(target, outputs, score=score, batch=len(images))
            self._scorer = Scorer(outputs, self.classes, score, len(images))
        self.whole = whole.detach().float().cpu()
        self.unit = _score_unit(self._scorer.kind, score, stated=readout.outputs is not None)
        self.notes = readout.notes

    def of(self, index: int, edited: torch.Tensor) -> torch.Tensor:
        """(B,) float32 on the CPU, for edits (B, C, H, W) of image ``index``."""
        with reading(self._readout):
            return self._scorer(run(self._model, edited), index, len(edited)).detach().float().cpu()


def _score_unit(kind: Kind | None, score: str, *, stated: bool) -> str:
    if kind is None:
        return "score"
    if kind == "number":
        return "score" if stated else "logit"  # which of the two a single output is, nobody knows
    return "probability" if score == "probability" or kind in ("softmax", "sigmoid") else "logit"
