"""Which classes to show, and how their numbers read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from cnnwidgets.outputs import kinds as output_kinds
from cnnwidgets.outputs.kinds import Kind

Floats = npt.NDArray[np.float64]


# How far probabilities may be from adding up to one.
_ROUNDING = 1e-5
# A network is called unsure whose most probable class has less than this.
_UNSURE = 0.25


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


def class_shares(scores: Floats, kind: Kind | None = None) -> Floats:
    """The probabilities that ``scores`` (classes,) stand for; numbers that stand for none stay as they are.

    NaN where a logit is not a number makes all of it NaN, as it should.

    Args:
        scores: as the model returns them.
        kind: what they are; None: probabilities if they add up to 1, a number if there is only one, else logits.
    """
    if kind is None:
        kind = "number" if len(scores) == 1 else "softmax" if _add_up(scores) else "logits"
    shares: Floats = output_kinds.probabilities(torch.from_numpy(scores)[None], kind)[0].numpy()
    return shares


def _add_up(scores: Floats) -> bool:
    return bool((scores >= 0).all() and (scores <= 1).all() and abs(scores.sum() - 1) <= _ROUNDING)


def _may_be_shares(scores: Floats) -> bool:
    """Whether nobody can tell if these are logits or independent probabilities."""
    inside = (scores >= 0).all() and (scores <= 1).all() and ((scores > 0) & (scores < 1)).any()
    return bool(inside) and not _add_up(scores)


def are_shares(classes: int, kind: Kind | None) -> bool:
    """Whether there are probabilities to show: of a single number nobody knows what it is, if nobody says."""
    return classes > 1 if kind is None else output_kinds.has_probabilities(kind)


def bar_scale(values: Sequence[float], *, score: str, kind: Kind | None, classes: int) -> tuple[float, float]:
    """What the ends of the bars stand for: 0 and 1 of probabilities, else the least and the largest, and 0 between.

    Example:
        >>> bar_scale([0.038], score="probability", kind="logits", classes=1000)
        (0.0, 1.0)
        >>> bar_scale([7.5, -1.0], score="logit", kind="logits", classes=2)
        (-1.0, 7.5)
    """
    if score == "probability" and are_shares(classes, kind):
        return 0.0, 1.0
    finite = [0.0, *(value for value in values if np.isfinite(value))]
    return min(finite), max(*finite, min(finite) + 1e-9)


def scores_remark(scores: Floats, kind: Kind | None, score: str, scale: tuple[float, float]) -> str:
    """What to know about the numbers beside the bars; empty where they are what one expects.

    Args:
        scores: (classes,) as the model returned them.
        kind: what they are.
        score: what the bars show.
        scale: what their ends stand for.
    """
    remark = _kind_remark(scores, kind, score)
    if score == "probability" and are_shares(len(scores), kind):
        return remark
    low, high = (score_in_words(end, as_share=False) for end in scale)
    return f"{remark} The bars' own scale: {low} to {high}.".lstrip()


def _kind_remark(scores: Floats, kind: Kind | None, score: str) -> str:
    classes = len(scores)
    if kind is None and classes > 1 and score == "probability" and _may_be_shares(scores):
        return 'Taken for logits; if each is a probability, pass kind="sigmoid".'
    if kind == "number" or (kind is None and classes == 1):
        return "The network's own number, not a probability." if classes == 1 else "Numbers, not probabilities."
    if kind is None or kind in output_kinds.COMPETING or classes == 1:
        remarks = ["Log-probabilities."] if kind == "log_softmax" and score == "logit" else []
        return " ".join([*remarks, *_unsure(class_shares(scores, kind))])
    if score == "logit" and kind != "sigmoid":
        return "Independent of one another."
    return "Independent probabilities: they need not add up to 100 %."


def _unsure(shares: Floats) -> list[str]:
    """That no class stands out, of several that compete."""
    highest = float(shares.max())
    if len(shares) <= 1 / _UNSURE or not highest < _UNSURE:
        return []
    return [f"The network is unsure: no class has more than {score_in_words(highest, as_share=True)}."]


def highest_first(scores: Floats) -> list[int]:
    """The classes by their scores, NaN last."""
    return [int(index) for index in np.argsort(-np.nan_to_num(scores, nan=-np.inf), kind="stable")]


def ranked(logits: Floats, *, score: str, top: int, target: int | None, kind: Kind | None = None) -> list[Row]:
    """The ``top`` classes, highest first, and ``target`` in the last row if it is not among them."""
    as_share = score == "probability" and are_shares(len(logits), kind)
    values = class_shares(logits, kind) if as_share else logits
    order = highest_first(logits)[:top]
    if target is not None and target not in order:
        order = [*order[: max(top - 1, 0)], target]
    return [
        Row(index, float(values[index]), score_in_words(float(values[index]), as_share=as_share)) for index in order
    ]


def score_in_words(value: float, *, as_share: bool) -> str:
    """What stands behind a bar.

    >>> score_in_words(0.1234, as_share=True), score_in_words(0.0001, as_share=True)
    ('12.3 %', '<0.1 %')
    """
    if not np.isfinite(value):
        return "NaN" if np.isnan(value) else ("∞" if value > 0 else "−∞")
    if not as_share:
        return f"{value:.2f}".replace("-", "−")
    return "<0.1 %" if 0 < value < 0.0005 else f"{100 * value:.1f} %"
