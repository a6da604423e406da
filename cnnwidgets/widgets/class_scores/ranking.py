"""Which classes to show, how their numbers read, and how much of a label fits beside its bar."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from cnnwidgets.outputs import kinds as output_kinds
from cnnwidgets.outputs.kinds import Kind

Floats = npt.NDArray[np.float64]


APART = frozenset({"sigmoid", "log_sigmoid", "independent_logits", "logit"})
"""Kinds of which each probability is a share of a whole of its own."""
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


def scores_remark(scores: Floats, kind: Kind | None, score: str) -> str:
    """What to know about the numbers beside the bars; empty where they are what one expects."""
    classes = len(scores)
    if kind is None and classes > 1 and score == "probability" and _may_be_shares(scores):
        return 'Taken for logits; if each is a probability, pass kind="sigmoid".'
    if kind == "number" or (kind is None and classes == 1):
        return "The network's own number, not a probability." if classes == 1 else "Numbers, not probabilities."
    if kind is None or kind in output_kinds.COMPETING or classes == 1:
        return "Log-probabilities." if kind == "log_softmax" and score == "logit" else ""
    if score == "logit" and kind != "sigmoid":
        return "Independent of one another."
    return "Independent probabilities: they need not add up to 100 %."


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
    return [Row(index, float(values[index]), _row_text(float(values[index]), as_share)) for index in order]


def _row_text(value: float, as_share: bool) -> str:
    if not np.isfinite(value):
        return "NaN" if np.isnan(value) else ("∞" if value > 0 else "−∞")
    if not as_share:
        return f"{value:.2f}".replace("-", "−")
    return "<0.1 %" if 0 < value < 0.0005 else f"{100 * value:.1f} %"


# Widths of letters in px at 12 px, those of a wide face (DejaVu Sans): the reader's own is seldom wider.
_NARROW, _CAPITAL, _BROAD, _SQUARE, _USUAL = 5.0, 8.4, 11.7, 12.0, 7.6
_ELLIPSIS = 12.0


def width(text: str) -> float:
    """About how wide ``text`` is, in px."""
    return sum(map(_letter, text))


def ellipsised(name: str, room: float) -> str:
    """``name``, or as much of it as fits into ``room`` px, and an ellipsis.

    Example:
        >>> ellipsised("tiger cat", 120), ellipsised("German short-haired pointer", 120)
        ('tiger cat', 'German short-ha…')
    """
    if width(name) <= room:
        return name
    left, end = room - _ELLIPSIS, 0
    while end < len(name) and (left := left - _letter(name[end])) >= 0:
        end += 1
    return name[:end].rstrip() + "…"


def _letter(letter: str) -> float:
    if unicodedata.combining(letter) or unicodedata.category(letter) == "Cf":
        return 0.0
    if unicodedata.east_asian_width(letter) in "WF":
        return _SQUARE
    if letter in "mwMW@%—":
        return _BROAD
    if letter in " !'(),-./:;I[]fijlrt|`":
        return _NARROW
    if letter.isupper() or letter in "#$&*+<=>_~^":
        return _CAPITAL + (1.7 if letter in "+<=>#~^" else 0.0)
    return _USUAL
