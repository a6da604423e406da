"""The target's score for edits of an image."""

from __future__ import annotations

import torch
from torch import nn

from cnnwidgets.outputs.kinds import Kind
from cnnwidgets.outputs.readout import Readout, reading
from cnnwidgets.outputs.targets import Target, class_scores, kind_of, probabilities, resolve
from cnnwidgets.running.forward import run
from cnnwidgets.running.own_gradients import again


class Scorer:
    """Scores that can be compared with one another.

    Args:
        readout: how the model's outputs are read.

    Attributes:
        whole: (N,) float32, of the images as they are.
        chosen: the class of each image, or the callable.
        kind: ``"probability"``, ``"logit"``, or ``"score"`` for a callable's and for what was said to be a number.
        notes: what there is to say about how the outputs are read.
    """

    def __init__(self, model: nn.Module, images: torch.Tensor, target: Target, score: str, readout: Readout) -> None:
        self._model, self._readout = model, readout
        with reading(readout):
            outputs = again(lambda: run(model, images.clone()))
            whole, self.chosen = resolve(target, outputs, score=score, batch=len(images))
            self.whole = whole.detach().float().cpu()
            self._as: Kind | None = None
            self.kind = "score"
            if not callable(self.chosen):
                kind = kind_of(outputs, batch=len(images))
                self._as = kind if score == "probability" else None
                self.kind = _unit(kind, score, told=readout.outputs is not None)
        self.notes = readout.notes

    def of(self, index: int, edited: torch.Tensor) -> torch.Tensor:
        """(B,) float32 on the CPU, for edits (B, C, H, W) of image ``index``."""
        with reading(self._readout):
            outputs = run(self._model, edited)
            if callable(self.chosen):
                scores, _ = resolve(self.chosen, outputs, batch=len(edited))
                return scores.detach().float().cpu()
            table = class_scores(outputs, batch=len(edited))
        table = table if self._as is None else probabilities(table, self._as)
        return table[:, self.chosen[index]].detach().float().cpu()


def _unit(kind: Kind, score: str, *, told: bool) -> str:
    if kind == "number":
        return "score" if told else "logit"  # which of the two a single output is, nobody knows
    return "probability" if score == "probability" or kind in ("softmax", "sigmoid") else "logit"
