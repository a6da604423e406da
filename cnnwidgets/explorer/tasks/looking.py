"""One look at a photograph: what the network does with it, and what its layers and scores are."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

import torch
from torch import nn

from cnnwidgets.core.errors import InputError, TargetError
from cnnwidgets.core.network import Network
from cnnwidgets.explainers.engine.all_layers import Observation, observe
from cnnwidgets.outputs.readout import Readout, reading
from cnnwidgets.outputs.targets import Target
from cnnwidgets.pictures.preprocess import labels_for
from cnnwidgets.running.forward import fitted, run
from cnnwidgets.state.preserved import preserved

from .finding import OutputHints, other_task, table_task
from .task import Region, Task


def look(
    model: nn.Module,
    image: torch.Tensor,
    target: Target,
    region: Region,
    hints: OutputHints,
    before: Task,
    *,
    functions: Collection[str] = (),
) -> tuple[Task, Observation]:
    """What the network does with ``image`` (1, C, H, W), and what one forward and one backward say about ``target``.

    Args:
        region: the part of the picture to be explained, where the task has such parts.
        before: the task with the photograph before; a plain :class:`Task` where there was none.
        functions: names of the torch calls that are to be looked at as layers.

    Raises:
        InputError: nothing in what the model returns can be explained; or the region does not fit.
        TargetError: there is no such class, or the target function failed.
    """
    is_function = callable(target) and not isinstance(target, torch.Tensor)
    if callable(target) and is_function:
        hints.function = target
    refused: TargetError | None = None
    if type(before) is Task or before.output is None:
        readout = _readout(model, hints, None if hints.labels is None else len(hints.labels))
        try:
            with reading(readout):
                observation = observe(model, image, target, functions=functions)
        except TargetError as error:
            refused = error
        else:
            if observation.outputs is not None:
                labels = _labels(model, hints, observation.outputs.shape[1])
                task = table_task(observation.outputs, observation.kind, labels).at(region)
                if task.outputs not in (None, observation.kind):
                    readout = dataclasses.replace(readout, outputs=task.outputs, kind=task.outputs)
                task = dataclasses.replace(task, output=hints.output, readout=readout)
                return task, dataclasses.replace(observation, kind=task.outputs or observation.kind)
    plain = _readout(model, hints)
    try:
        with reading(plain), torch.inference_mode(False), torch.no_grad(), preserved(model, evaluate=True):
            raw = run(model, fitted(model, image.clone()))
        other = other_task(raw, image, target if hints.function is None else hints.function, plain, hints)
    except InputError:
        if refused is not None and (hints.output is not None or hints.outputs is not None):
            raise refused from None
        raise
    if other is None:  # a table after all
        if refused is not None:
            raise refused
        return look(model, image, target, region, hints, Task(), functions=functions)
    task = other.at(region)
    task = dataclasses.replace(task, readout=Readout(task.outputs, task.output))
    if task.first is not None and (target is None or is_function):
        target = task.first
    with task.reading():
        return task, observe(model, image, target, functions=functions)


def _readout(model: nn.Module, hints: OutputHints, classes: int | None = None) -> Readout:
    """How the outputs are read before the task is known."""
    return Readout(hints.outputs, hints.output, classes, Network.of(model).base)


def _labels(model: nn.Module, hints: OutputHints, classes: int) -> list[str] | None:
    """One name a class; the model's own where nobody gave any."""
    hints.check_labels(classes)
    if hints.labels is not None:
        return hints.labels
    own = labels_for(model)
    return list(own) if own is not None and len(own) == classes else None
