"""One look at a photograph: what the network does with it, and what its layers and scores are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from cnnwidgets.core.errors import InputError, TargetError
from cnnwidgets.core.output_choice import Output
from cnnwidgets.core.output_kinds import Kind
from cnnwidgets.core.preprocess import labels_for
from cnnwidgets.core.readout import Readout, reading
from cnnwidgets.core.targets import Target
from cnnwidgets.explainers._observe import Observation, observe

from .finding import other_task, table_task
from .task import Region, Task


@dataclass
class Said:
    """What somebody said of a model's outputs.

    Attributes:
        labels: names of the classes.
        outputs, output: what the numbers are, and which output holds the scores.
        function: the function that is explained.
    """

    labels: list[str] | None = None
    outputs: Kind | None = None
    output: Output = None
    function: Callable[[Any], torch.Tensor] | None = None

    def readout(self) -> Readout:
        """How the outputs are read before the task is known."""
        return Readout(self.outputs, self.output, None if self.labels is None else len(self.labels))

    def labels_of(self, model: nn.Module, classes: int) -> list[str] | None:
        """One name a class; the model's own where nobody gave any.

        Raises:
            InputError: there are more labels, or fewer.
        """
        if self.labels is None:
            own = labels_for(model)
            return list(own) if own is not None and len(own) == classes else None
        if len(self.labels) != classes:
            raise InputError(f"There are {len(self.labels)} labels for {classes} classes; pass one name a class.")
        return self.labels


def look(
    model: nn.Module, image: torch.Tensor, target: Target, region: Region, said: Said, before: Task
) -> tuple[Task, Observation]:
    """What the network does with ``image`` (1, C, H, W), and what one forward and one backward say about ``target``.

    Args:
        region: the part of the picture to be explained, where the task has such parts.
        before: the task with the photograph before; a plain :class:`Task` where there was none.

    Raises:
        InputError: nothing in what the model returns can be explained; or the region does not fit.
        TargetError: there is no such class, or the target function failed.
    """
    if callable(target) and not isinstance(target, torch.Tensor):
        said.function = target
    refused: TargetError | None = None
    if type(before) is Task or before.output is None:
        try:
            with reading(said.readout()):
                observation = observe(model, image, target)
        except TargetError as error:
            refused = error
        else:
            if observation.outputs is not None:
                labels = said.labels_of(model, observation.outputs.shape[1])
                task = table_task(observation.outputs, observation.kind, labels).at(region)
                return replace(task, output=said.output), replace(observation, kind=task.outputs or observation.kind)
    task = _other(model, image, target, said)
    if task is None:  # a table after all
        if refused is not None:
            raise refused
        return look(model, image, target, region, said, Task())
    task = task.at(region)
    if task.first is not None and (target is None or (callable(target) and not isinstance(target, torch.Tensor))):
        target = task.first
    with task.reading():
        return task, observe(model, image, target)


def _other(model: nn.Module, image: torch.Tensor, target: Target, said: Said) -> Task | None:
    explained = target if said.function is None else said.function
    return other_task(model, image, explained, labels=said.labels, outputs=said.outputs, output=said.output)


