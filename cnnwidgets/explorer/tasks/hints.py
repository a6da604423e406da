"""What somebody said of a model's outputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from cnnwidgets.core.errors import InputError
from cnnwidgets.core.network import Network
from cnnwidgets.outputs.choice import OutputChoice
from cnnwidgets.outputs.kinds import Kind
from cnnwidgets.outputs.readout import Readout
from cnnwidgets.pictures.preprocess import labels_for


@dataclass
class OutputHints:
    """What somebody said of a model's outputs.

    Attributes:
        labels: names of the classes.
        outputs, output: what the numbers are, and which output holds the scores.
        function: the function that is explained.
    """

    labels: list[str] | None = None
    outputs: Kind | None = None
    output: OutputChoice = None
    function: Callable[[Any], torch.Tensor] | None = None

    def readout(self, model: nn.Module, classes: int | None = None) -> Readout:
        """How the outputs are read before the task is known."""
        return Readout(self.outputs, self.output, classes, Network.of(model).base)

    def check_labels(self, classes: int) -> None:
        """Raise InputError where there are more labels than classes, or fewer."""
        if self.labels is not None and len(self.labels) != classes:
            raise InputError(f"There are {len(self.labels)} labels for {classes} classes; pass one name a class.")

    def labels_of(self, model: nn.Module, classes: int) -> list[str] | None:
        """One name a class; the model's own where nobody gave any.

        Raises:
            InputError: there are more labels, or fewer.
        """
        self.check_labels(classes)
        if self.labels is not None:
            return self.labels
        own = labels_for(model)
        return list(own) if own is not None and len(own) == classes else None
