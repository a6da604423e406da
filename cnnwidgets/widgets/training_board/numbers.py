"""The numbers of a training: one row a step, and how few of them say nearly as much."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnwidgets.core.errors import InputError

HELD_OUT = "held_out_"
MOST_POINTS = 400
MOST_ROWS = 40


@dataclass(frozen=True)
class TrainingRow:
    """The numbers of one step.

    Attributes:
        step: counted from 1.
        epoch: as the caller counts, or None.
        values: name -> number; not finite where the training went wrong.
    """

    step: int
    epoch: float | None
    values: dict[str, float]

    @property
    def label(self) -> str:
        """ "epoch 3", with the step where epochs are not counted as steps are."""
        if self.epoch is None:
            return f"step {self.step:,}"
        same = self.epoch in (self.step, self.step - 1)
        return f"epoch {self.epoch:g}" if same else f"epoch {self.epoch:g}, step {self.step:,}"


def checked_number(name: str, value: Any) -> float:
    """``value`` (number, array or tensor of one element, on any device, in any graph) as a float.

    Raises:
        InputError: it is something else.
    """
    detach = getattr(value, "detach", None)
    try:
        array = np.asarray(detach().cpu().tolist() if callable(detach) else value)
        if array.size == 1 and array.dtype.kind in "iuf":
            return float(array.reshape(()))
    except Exception as error:  # whatever a class of the caller's raises
        raise InputError(f"{name} is a {type(value).__name__} that gives no number: {str(error)[:200]}") from error
    shape = f" of shape {array.shape}" if array.ndim else ""
    raise InputError(f"{name} is a {type(value).__name__}{shape}; expected one number, such as loss.item().")


def base_name(name: str) -> str:
    """ "loss" of "loss" and of "held_out_loss": they are drawn together."""
    return name.removeprefix(HELD_OUT)


def names_of(rows: list[TrainingRow]) -> list[str]:
    """Of all numbers that there are, in the order in which they came, what is held out after its like."""
    names = list(dict.fromkeys(name for row in rows for name in row.values))
    bases = list(dict.fromkeys(map(base_name, names)))
    return [name for base in bases for name in (base, HELD_OUT + base) if name in names]


def by_epoch(rows: list[TrainingRow]) -> bool:
    """Whether epochs can be drawn along the axis: every row has one, higher than the one before."""
    epochs = [row.epoch for row in rows]
    if any(epoch is None for epoch in epochs):
        return False
    numbers = [epoch for epoch in epochs if epoch is not None]
    return all(first < second for first, second in itertools.pairwise(numbers))


def curve_points(rows: list[TrainingRow], name: str, *, epochs: bool) -> tuple[list[float], list[float]]:
    """Across and up of a curve: the finite numbers, of many the means of as many in a row each."""
    own = [row for row in rows if math.isfinite(row.values.get(name, math.nan))]
    width = per_point(len(own))
    across = np.array([row.epoch if epochs else row.step for row in own], np.float64)
    up = np.array([row.values[name] for row in own], np.float64)
    starts = range(0, len(own), width)
    return (
        [float(across[start : start + width].mean()) for start in starts],
        [float(up[start : start + width].mean()) for start in starts],
    )


def per_point(count: int) -> int:
    """How many numbers one point of a curve stands for.

    >>> per_point(400), per_point(401)
    (1, 2)
    """
    return max(1, -(-count // MOST_POINTS))


def number_table(rows: list[TrainingRow]) -> dict[str, Any]:
    """Texts for a table: at most :data:`MOST_ROWS` rows, evenly taken, the newest among them."""
    names = names_of(rows)
    every = max(1, -(-len(rows) // MOST_ROWS))
    selected = rows[::-1][::every][::-1]
    return {
        "head": ["", *map(number_name, names)],
        "body": [[row.label, *(number_text(row.values, name) for name in names)] for row in selected],
        "every": every,
    }


def number_name(name: str) -> str:
    """ "held-out loss" of "held_out_loss"."""
    held_out = name.startswith(HELD_OUT)
    return ("held-out " if held_out else "") + base_name(name).replace("_", " ")


def number_text(values: Mapping[str, float], name: str) -> str:
    """A number in a table, "–" where there is none."""
    return f"{values[name]:.4g}" if name in values else "–"


def non_finite(rows: list[TrainingRow]) -> str:
    """A sentence on the first number that is NaN or infinite; empty where all are well."""
    for row in rows:
        for name, value in row.values.items():
            if not math.isfinite(value):
                return f"{number_name(name)} is {value} at {row.label}: what is not finite is left out of the curves."
    return ""
