"""The scores in what a model returned, and what they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch

from cnnwidgets.core.errors import TargetError

from .detections import images_detected_in, lies_beside_boxes
from .kinds import Kind, probabilities
from .readout import current

__all__ = ["SATURATED", "class_scores", "kind_of", "probabilities", "score_tensor"]

SATURATED = 0.9999
"""From this probability on, softmax's gradient is next to nothing."""

_images: ContextVar[int | None] = ContextVar("images in the outputs", default=None)


@contextmanager
def outputs_of(images: int | None) -> Iterator[None]:
    """Outputs that are read in this block are those of so many images, where nobody says otherwise."""
    token = _images.set(images)
    try:
        yield
    finally:
        _images.reset(token)


def remember(outputs: Any, batch: int | None, *, by_function: bool = False) -> None:
    """Keep the first scores, and what they are, in the readout in force.

    Args:
        outputs: what the model returned.
        batch: for how many images.
        by_function: the score is a function of all of it.
    """
    readout = current()
    if readout.is_read:
        return
    readout.by_function = by_function
    try:
        table = class_scores(outputs, batch=batch)
        readout.decide(outputs, table)
    except TargetError:
        if not by_function:
            raise
    else:  # no segmentation map, say, explained by a function
        readout.table = table.detach()
    readout.is_read = True


def explains(classes: tuple[int, ...]) -> None:
    """Keep the class of each image for which a score is asked first."""
    readout = current()
    if readout.explained is None and readout.table is not None and len(readout.table) == len(classes):
        readout.explained = classes


def score_tensor(outputs: Any, *, batch: int | None = None) -> torch.Tensor:
    """The tensor that holds the scores, of any shape, in what a model returned, by the readout in force.

    A tensor is itself. Of several, a name that says so wins: ``logits``, ``scores``, ``cls``, ``pred``, ``out`` and
    their like; else the only one of shape (N, K); else what the others were not computed from, a linear layer made, or
    that comes first. A single number beside other tensors, such as a loss, is no score.

    Raises:
        TargetError: there is no tensor in it.

    Example:
        >>> score_tensor({"aux": torch.zeros(1), "out": torch.ones(1)})
        tensor([1.])
    """
    return current().tensor(outputs, _images.get() if batch is None else batch)


def class_scores(outputs: Any, *, batch: int | None = None) -> torch.Tensor:
    """The (N, classes) scores in what a model returned; a single output an image gives (N, 1).

    Raises:
        TargetError: it holds no such scores.
    """
    batch = _images.get() if batch is None else batch
    with outputs_of(batch):
        if current().output is None and holds_detections(outputs):
            raise TargetError(
                "The model returns detections, a dict of boxes, labels and scores an image, and no score a class. Pass "
                "target=explainers.targets.detection(model(images)[0], 0) for its first detection, or another callable."
            )
        tensor = table = score_tensor(outputs, batch=batch)
    if current().output is None and batch == 1 and table.ndim == 1 and lies_beside_boxes(outputs):
        raise TargetError(
            f"The model returns {len(table)} scores beside as many boxes, of objects and not of classes. Pass "
            "target=callable that makes one score an image of it, (N,), or output= what holds scores of classes."
        )
    if not table.is_floating_point():
        raise TargetError(
            f"The model returned {table.dtype} of shape {tuple(table.shape)}; expected floating-point scores, one a "
            "class. Explain the model before it takes the argmax."
        )
    while table.ndim > 2 and table.shape[-1] == 1:  # (N, K, 1, 1), one place
        table = table[..., 0]
    if batch == 1 and table.ndim < 2 and table.shape != (1,):
        table = table.reshape(1, -1)  # a model that squeezes its output
    if table.ndim == 1:
        table = table[:, None]
    if table.ndim != 2 or (batch is not None and len(table) != batch) or table.shape[1] == 0:
        images = "" if batch is None else f" for {batch} {'image' if batch == 1 else 'images'}"
        raise TargetError(
            f"The model returned shape {tuple(tensor.shape)}{images}; a class index needs (N, classes). "
            "Pass target=callable that takes the model's output and returns one score an image, shape (N,); "
            "for example: target=lambda out: out[:, 5].mean((1, 2)). Or pass output= a function that makes "
            "(N, classes) of what the model returns."
        )
    return table


def kind_of(outputs: Any, *, batch: int | None = None) -> Kind:
    """What the class scores in what a model returned are; decided once for the readout in force."""
    readout = current()
    return readout.kind or readout.decide(outputs, class_scores(outputs, batch=batch))


def images_in(outputs: Any) -> int:
    """For how many images a model returned this."""
    batch = _images.get()
    if batch is not None:
        return batch
    images = images_detected_in(outputs)
    return len(score_tensor(outputs)) if images is None else images


def holds_detections(outputs: Any) -> bool:
    """Whether this is what detectors return, see :func:`~cnnwidgets.outputs.detections.detections`."""
    if isinstance(outputs, Mapping) and "labels" not in outputs and {"boxes", "scores"} <= set(outputs):
        scores = outputs["scores"]
        if isinstance(scores, torch.Tensor) and scores.shape == (_images.get() or 1,):
            return False  # a box and a number an image
    return images_detected_in(outputs) is not None


def shown(outputs: Any) -> str:
    """What a model returned, in a few words."""
    if isinstance(outputs, torch.Tensor):
        return f"a tensor of shape {tuple(outputs.shape)}"
    if isinstance(outputs, Mapping):
        return "{" + ", ".join(f"{key!r}: {shown(outputs[key])}" for key in list(outputs)[:4]) + "}"
    if isinstance(outputs, list | tuple):
        return f"a {type(outputs).__name__} of {len(outputs)}" + (f", the first {shown(outputs[0])}" if outputs else "")
    return f"a {type(outputs).__name__}"
