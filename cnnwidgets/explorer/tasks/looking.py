"""One look at a photograph: what the network does with it, and what its layers and scores are."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from cnnwidgets.core.errors import InputError, TargetError
from cnnwidgets.core.network import Network
from cnnwidgets.explainers.engine.all_layers import Observation, observe
from cnnwidgets.outputs.choice import OutputChoice
from cnnwidgets.outputs.kinds import Kind
from cnnwidgets.outputs.readout import Readout, reading
from cnnwidgets.outputs.targets import Target
from cnnwidgets.pictures.preprocess import labels_for

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
    output: OutputChoice = None
    function: Callable[[Any], torch.Tensor] | None = None

    def readout(self, model: nn.Module) -> Readout:
        """How the outputs are read before the task is known."""
        classes = None if self.labels is None else len(self.labels)
        return Readout(self.outputs, self.output, classes, Network.of(model).base)

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
    if callable(target) and _is_function(target):
        said.function = target
    refused: TargetError | None = None
    if type(before) is Task or before.output is None:
        readout = said.readout(model)
        try:
            with reading(readout):
                observation = observe(model, image, target)
        except TargetError as error:
            refused = error
        else:
            if observation.outputs is not None:
                labels = said.labels_of(model, observation.outputs.shape[1])
                task = table_task(observation.outputs, observation.kind, labels).at(region)
                if task.outputs not in (None, observation.kind):
                    readout = dataclasses.replace(readout, outputs=task.outputs, kind=task.outputs)
                task = dataclasses.replace(task, output=said.output, readout=readout)
                return task, dataclasses.replace(observation, kind=task.outputs or observation.kind)
    other = _other(model, image, target, said, refused)
    if other is None:  # a table after all
        if refused is not None:
            raise refused
        return look(model, image, target, region, said, Task())
    task = other.at(region)
    task = dataclasses.replace(task, readout=Readout(task.outputs, task.output))
    if task.first is not None and (target is None or _is_function(target)):
        target = task.first
    with task.reading():
        return task, observe(model, image, target)


def _other(
    model: nn.Module, image: torch.Tensor, target: Target, said: Said, refused: TargetError | None
) -> Task | None:
    explained = target if said.function is None else said.function
    try:
        return other_task(model, image, explained, labels=said.labels, outputs=said.outputs, output=said.output)
    except InputError:
        if refused is not None and (said.output is not None or said.outputs is not None):
            raise refused from None
        raise


def _is_function(target: Target) -> bool:
    return callable(target) and not isinstance(target, torch.Tensor)
