"""The scores in what a model returned, and whether they are probabilities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch

from .errors import TargetError
from .state import first_tensor

SATURATED = 0.9999
"""From this probability on, softmax's gradient is next to nothing."""


@dataclass
class Seen:
    """What a model returned the first time that a score was asked for.

    Attributes:
        table: (N, classes), out of the graph; None where nothing was seen or there are no such scores.
        are_probabilities: see :func:`are_probabilities`.
        asked: whether a score was asked for.
    """

    table: torch.Tensor | None = None
    are_probabilities: bool = False
    asked: bool = False


_seen: ContextVar[Seen | None] = ContextVar("outputs seen", default=None)


@contextmanager
def outputs_seen() -> Iterator[Seen]:
    """What :func:`~cnnwidgets.core.targets.resolve` is given first in this block: for who does not run the model."""
    seen = Seen()
    token = _seen.set(seen)
    try:
        yield seen
    finally:
        _seen.reset(token)


def remember(outputs: Any, batch: int | None) -> None:
    """Tell the block of :func:`outputs_seen` around, if there is one."""
    seen = _seen.get()
    if seen is None or seen.asked:
        return
    seen.asked = True
    try:
        table = class_scores(outputs, batch=batch)
    except TargetError:
        return  # a segmentation map, say, explained by a callable
    seen.table, seen.are_probabilities = table.detach(), are_probabilities(table)


def class_scores(outputs: Any, *, batch: int | None = None) -> torch.Tensor:
    """The (N, classes) scores in what a model returned; a single output an image gives (N, 1).

    Raises:
        TargetError: it holds no such scores.
    """
    if holds_detections(outputs):
        raise TargetError(
            "The model returns detections, a dict of boxes, labels and scores an image, and no score a class. Pass "
            "target=explainers.targets.detection(model(images)[0], 0) for its first detection, or another callable."
        )
    table = first_tensor(outputs)
    if not table.is_floating_point():
        raise TargetError(
            f"The model returned {table.dtype} of shape {tuple(table.shape)}; expected floating-point scores, one a "
            "class. Explain the model before it takes the argmax."
        )
    if batch == 1 and table.ndim < 2 and table.shape != (1,):
        table = table.reshape(1, -1)  # a model that squeezes its output
    if table.ndim == 1:
        table = table[:, None]
    if table.ndim != 2 or (batch is not None and len(table) != batch) or table.shape[1] == 0:
        images = "" if batch is None else f" for {batch} {'image' if batch == 1 else 'images'}"
        raise TargetError(
            f"The model returned shape {tuple(first_tensor(outputs).shape)}{images}; a class index needs (N, classes). "
            "Pass target=callable that takes the model's output and returns one score an image, shape (N,); "
            "for example: target=lambda out: out[:, 5].mean((1, 2))."
        )
    return table


def probabilities(table: torch.Tensor) -> torch.Tensor:
    """Softmax of (N, classes) in at least float32; a single column, and rows that sum to one, stay as they are."""
    if table.shape[1] == 1 or are_probabilities(table):
        return table
    return table.softmax(1, dtype=None if table.dtype == torch.float64 else torch.float32)


def are_probabilities(table: torch.Tensor) -> bool:
    """Whether (N, classes) is the output of a softmax.

    What made it decides, where the autograd graph tells: a softmax, or a linear layer or convolution, whose outputs
    are logits whatever their values. Otherwise each row must lie in [0, 1] and sum to one but for rounding.

    Example:
        >>> are_probabilities(torch.tensor([[0.25, 0.75]])), are_probabilities(torch.nn.Linear(1, 2)(torch.ones(1, 1)))
        (True, False)
    """
    if table.shape[1] < 2:
        return False
    operation = _made_by(table)
    if operation == "Softmax":
        return True
    if operation in ("Addmm", "Convolution"):
        return False
    precision = torch.finfo(table.dtype).eps
    table = table.detach().double()
    if not bool(((table >= 0) & (table <= 1 + precision)).all()):
        return False
    return bool(((table.sum(1) - 1).abs() <= max(1e-5, precision)).all())


# They only arrange what another operation computed.
_ARRANGE = {"View", "UnsafeView", "Squeeze", "Unsqueeze", "Clone", "Select", "Slice", "Alias", "Expand", "Reshape"}
_ARRANGE |= {"ToCopy", "Transpose", "Permute", "T"}


def _made_by(table: torch.Tensor) -> str | None:
    """The operation that computed ``table``, as autograd calls it; None without a graph."""
    node = table.grad_fn
    while node is not None:
        kind = node.name().rstrip("0123456789").removesuffix("Backward")
        if kind not in _ARRANGE or not node.next_functions:
            return kind
        node = node.next_functions[0][0]
    return None


def holds_detections(outputs: Any) -> bool:
    """Whether this is what torchvision's detectors return."""
    return isinstance(outputs, list | tuple) and any(
        isinstance(item, Mapping) and {"boxes", "scores"} <= set(item) for item in outputs
    )


def shown(outputs: Any) -> str:
    """What a model returned, in a few words."""
    if isinstance(outputs, torch.Tensor):
        return f"a tensor of shape {tuple(outputs.shape)}"
    if isinstance(outputs, Mapping):
        return "{" + ", ".join(f"{key!r}: {shown(outputs[key])}" for key in list(outputs)[:4]) + "}"
    if isinstance(outputs, list | tuple):
        return f"a {type(outputs).__name__} of {len(outputs)}" + (f", the first {shown(outputs[0])}" if outputs else "")
    return f"a {type(outputs).__name__}"
