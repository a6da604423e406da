"""The scores in what a model returned, read in the same way for every edit of an image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from cnnwidgets.core.errors import TargetError
from cnnwidgets.outputs.choice import OutputChoice
from cnnwidgets.outputs.readout import reading, readout_of
from cnnwidgets.outputs.scores import class_scores, outputs_of

from .edited_model import ordinary


class ScoreReader:
    """Takes the scores out of a model's outputs.

    Args:
        model: the network.
        read: ``outputs -> (B, K)``; None: its class scores.
        output: which of several outputs holds the class scores; None: found out.

    Attributes:
        columns: the shape of one image's scores; None before any were read.
    """

    def __init__(
        self, model: nn.Module, read: Callable[[Any], torch.Tensor] | None = None, output: OutputChoice = None
    ) -> None:
        self.columns: torch.Size | None = None
        self._read, self._readout = read, readout_of(model, None, output).inner()

    @property
    def notes(self) -> tuple[str, ...]:
        """How it was found out where the class scores are."""
        return self._readout.notes if self._read is None else ()

    def table(self, outputs: Any, count: int) -> torch.Tensor:
        """The scores of ``count`` images.

        Raises:
            TargetError: they are of another number of images, or have other columns.
        """
        outputs = ordinary(outputs)
        with reading(self._readout), outputs_of(count):
            table = class_scores(outputs) if self._read is None else self._read(outputs)
        if len(table) != count or table.shape[1:] != (table.shape[1:] if self.columns is None else self.columns):
            raise TargetError(f"The model returned scores {tuple(table.shape)} for {count} images.")
        self.columns = table.shape[1:]
        return table

    def settled(self, run: Callable[[], Any]) -> Any:
        """What ``run``, of the whole model on one image, returns; which of its outputs holds the scores is decided."""
        with reading(self._readout):
            outputs = run()
            # It is told by what made them, in a run of the whole model.
            if self._read is None and not self._readout.is_read:
                self._readout.settle(outputs, 1)
        return outputs

    def compared(self, outputs: Any) -> Any:
        """What of the outputs for one image the scores are made of, as far as it is known."""
        if self._read is not None:
            return outputs
        with reading(self._readout):
            return class_scores(outputs, batch=1)
