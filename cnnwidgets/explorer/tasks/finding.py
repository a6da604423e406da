"""What a network does, told by what it returned for a photograph."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from cnnwidgets.core.errors import InputError, TargetError
from cnnwidgets.core.network import Network
from cnnwidgets.outputs.choice import OutputChoice
from cnnwidgets.outputs.detections import lies_beside_boxes
from cnnwidgets.outputs.kinds import Kind
from cnnwidgets.outputs.readout import Readout, reading
from cnnwidgets.outputs.scores import class_scores, holds_detections, images_in, outputs_of, score_tensor, shown
from cnnwidgets.outputs.targets import Target
from cnnwidgets.running.forward import fitted, run
from cnnwidgets.state.preserved import preserved

from .detection import detection_task
from .numbers import NumberTask, function_task, is_unit
from .segmentation import segmentation_task
from .task import Task

_EXPECTED = (
    "scores of classes (1, K), maps (1, K, h, w) as of a segmentation, a list with a dict of boxes, labels and scores, "
    "or numbers (1, K)"
)
_WAY_OUT = (
    "Pass output= a function that makes (N, K) of it, for example output=lambda raw: raw.mean(1), or target= a "
    "function that makes one score an image, (N,)"
)


def table_task(table: torch.Tensor, kind: Kind, labels: Sequence[str] | None) -> Task:
    """The task of a network that returned a table (1, K) whose numbers are of this kind."""
    count = table.shape[1]
    names = None if labels is None else tuple(labels)
    if kind == "number" or (labels is None and kind == "logits" and is_unit(table)):
        return NumberTask(outputs="number", labels=names, count=count, lengths=count > 1 and is_unit(table))
    return Task(labels=names)


def other_task(
    model: nn.Module,
    image: torch.Tensor,
    target: Target,
    *,
    labels: Sequence[str] | None = None,
    outputs: Kind | None = None,
    output: OutputChoice = None,
) -> Task | None:
    """The task of a network that returns no table of scores for ``image`` (1, C, H, W); None if it returns one.

    Args:
        model: it is run once.
        target: what is to be explained: a function of what it returns is a task of its own.
        labels: names that somebody gave.
        outputs, output: what somebody said of the outputs.

    Raises:
        InputError: nothing in it can be explained; says what there is.
    """
    plain = Readout(outputs, output, base=Network.of(model).base)
    with reading(plain):
        raw = _returned(model, image)
    with reading(plain), contextlib.suppress(TargetError):
        class_scores(raw, batch=1)
        return None
    if callable(target) and not isinstance(target, torch.Tensor):
        return function_task(target, plain, raw)
    objects_of = output if callable(output) else None
    if holds_detections(raw if objects_of is None else _by(objects_of, raw)):
        return detection_task(raw, labels, objects_of)

    def maps_of(returned: Any) -> torch.Tensor:
        with reading(plain):
            return _as_maps(score_tensor(returned), image)

    try:
        with outputs_of(1):
            maps = maps_of(raw)
            origin = plain.origin(raw, maps)
    except TargetError as error:
        if lies_beside_boxes(raw):
            raise InputError(
                f"The model returned {shown(raw)}: scores beside as many boxes, of objects and not of classes. Pass "
                'output= a function that makes [{"boxes": ..., "labels": ..., "scores": ...}] of it, one dict an '
                "image, or target= a function that makes one score an image, (N,)."
            ) from error
        raise InputError(f"{error} The Explorer takes {_EXPECTED}. {_WAY_OUT}.") from error
    if labels is not None and len(labels) != maps.shape[1]:
        raise InputError(f"There are {len(labels)} labels for {maps.shape[1]} classes; pass one name a class.")
    return segmentation_task(maps, maps_of, image, origin=origin, outputs=outputs, labels=labels, notes=plain.notes)


def _returned(model: nn.Module, image: torch.Tensor) -> Any:
    with torch.inference_mode(False), torch.no_grad(), preserved(model, evaluate=True):
        return run(model, fitted(model, image.clone()))


def _by(function: Callable[[Any], Any], raw: Any) -> Any:
    try:
        return function(raw)
    except Exception:
        return None  # told where its scores are read


def _as_maps(scores: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
    """(N, K, h, w) of scores that lie on places of the picture; with the channels last, or without channels, too.

    Raises:
        TargetError: they do not.
    """
    height, width = image.shape[2:]

    def covers(rows: int, columns: int) -> bool:
        return rows > 1 and columns > 1 and abs(rows * width - columns * height) <= max(height, width)

    if not scores.is_floating_point():
        raise TargetError(
            f"The model returned {scores.dtype} of shape {tuple(scores.shape)}; expected floating-point scores. "
            "Explain the model before it takes the argmax."
        )
    if scores.ndim == 4 and scores.numel():
        rows, columns = scores.shape[2:]
        if not covers(rows, columns) and covers(*scores.shape[1:3]):
            return scores.permute(0, 3, 1, 2)
        if rows * columns > 1:
            return scores
    if scores.ndim == 3 and scores.numel() and covers(*scores.shape[1:]):
        squeezed = images_in(scores) == 1 and len(scores) > 1
        return scores[None] if squeezed else scores[:, None]
    if scores.ndim == 2 and images_in(scores) == 1 and covers(*scores.shape):
        return scores[None, None]
    raise TargetError(f"The model returned {shown(scores)}, for one image.")
