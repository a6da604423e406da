"""Which classes to show, and how their numbers read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


# How far probabilities may be from adding up to one.
_ROUNDING = 1e-5


@dataclass(frozen=True)
class Row:
    """One bar.

    Attributes:
        index: the class.
        value: what the bar shows: a probability in [0, 1] or a logit.
        text: the same for a reader.
    """

    index: int
    value: float
    text: str


def probabilities(logits: Floats) -> Floats:
    """Softmax over the classes, unless they are probabilities already.

    NaN where a logit is not a number makes all of it NaN, as it should.
    """
    if (logits >= 0).all() and (logits <= 1).all() and abs(logits.sum() - 1) <= _ROUNDING:
        return logits
    shifted = np.exp(logits - np.max(logits))
    result: Floats = shifted / shifted.sum()
    return result


def ranked(logits: Floats, *, score: str, top: int, target: int | None) -> list[Row]:
    """The ``top`` classes, highest first, and ``target`` in the last row if it is not among them."""
    if len(logits) == 1:
        score = "logit"  # a softmax of one number is 1 whatever it is
    values = probabilities(logits) if score == "probability" else logits
    order = [int(index) for index in np.argsort(-np.nan_to_num(logits, nan=-np.inf), kind="stable")[:top]]
    if target is not None and target not in order:
        order = [*order[: max(top - 1, 0)], target]
    return [Row(index, float(values[index]), _text(float(values[index]), score)) for index in order]


def _text(value: float, score: str) -> str:
    if not np.isfinite(value):
        return "NaN" if np.isnan(value) else ("∞" if value > 0 else "−∞")
    if score != "probability":
        return f"{value:.2f}".replace("-", "−")
    return "<0.1 %" if 0 < value < 0.0005 else f"{100 * value:.1f} %"
