"""Networks whose outputs are numbers and no classes: regression, embeddings, one function of whatever they return."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from cnnwidgets.core.errors import TargetError
from cnnwidgets.outputs.readout import Readout, reading
from cnnwidgets.outputs.scores import outputs_of, shown

from .task import Task

_FEW = 8
_SUGGESTION = "target=lambda out: torch.cosine_similarity(out, reference)"
_UNIT = 1e-3  # how far the length of a vector may be from 1


@dataclass(frozen=True, eq=False)
class NumberTask(Task):
    """Regression, an embedding: each number that the model returns is a column.

    Attributes:
        count: how many there are.
        lengths: they are the coordinates of a vector of length 1.
    """

    column: ClassVar[str] = "output"
    one_wins: ClassVar[bool] = False
    count: int = 1
    lengths: bool = False

    def sentence(self, index: int) -> str:
        """Which number is explained, and how to explain one of the reader's own."""
        if self.count == 1:
            return "Explains the number that the network returns."
        returns = "an embedding of length 1" if self.lengths else f"{self.count} numbers"
        text = f"The network returns {returns}; this explains {self.label(index)}, counted from 0."
        if self.count <= _FEW and not self.lengths:
            return text
        return f"{text} To explain how alike it is to another image's, explore with {_SUGGESTION}."


def is_unit(table: torch.Tensor) -> bool:
    """Whether the rows of (N, K) are vectors of length 1 that no softmax made: embeddings.

    >>> is_unit(torch.tensor([[0.6, -0.8]])), is_unit(torch.tensor([[1.0, 0.0]]))
    (True, False)
    """
    rows = table.detach().double()
    apart = (rows.norm(dim=1) - 1).abs()
    return table.shape[1] > 1 and bool((rows < 0).any()) and bool((apart <= _UNIT).all())


@dataclass(frozen=True, eq=False)
class FunctionTask(Task):
    """A function of the user's own, where the model returns no table: one column, named after the function."""

    column: ClassVar[str] = "score"
    one_wins: ClassVar[bool] = False

    def sentence(self, index: int) -> str:
        """Which function it is."""
        return f"Explains {self.label(index)}, a function of what the network returns."


def function_sentence(function: Any, task: Task) -> str:
    """What is explained where a function is, beside the table of the bars; empty where that needs no words."""
    if type(task) is Task:
        return ""
    return (
        f"Explains {_function_title(function)}, a function of what the network returns; the bars are its own outputs."
    )


def _function_title(function: Any) -> str:
    name = str(getattr(function, "__name__", None) or type(function).__name__)
    return "your target" if name == "<lambda>" else name


def function_task(target: Callable[[Any], torch.Tensor], plain: Readout, raw: Any) -> FunctionTask:
    """The task of explaining ``target``.

    Args:
        target: ``outputs -> (N,)``.
        plain: how the model's outputs are read where ``target`` reads them.
        raw: what the model returned for one image.

    Raises:
        TargetError: the function makes no such scores of it.
    """
    name = _function_title(target)

    def scores_of_target(outputs: Any) -> torch.Tensor:
        with reading(plain):
            scores = target(outputs)
        if not isinstance(scores, torch.Tensor) or scores.ndim != 1 or not scores.is_floating_point():
            returned = f"shape {tuple(scores.shape)}" if isinstance(scores, torch.Tensor) else type(scores).__name__
            raise TargetError(
                f"The target function {name!r} returned {returned}; expected floating-point scores of shape (N,), one "
                f"an image. It was given what the model returned: {shown(outputs)}."
            )
        return scores[:, None]

    with outputs_of(1):
        scores_of_target(raw)
    return FunctionTask(outputs="number", output=scores_of_target, labels=(name,), first=0)
