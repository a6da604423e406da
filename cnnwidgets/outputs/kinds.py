"""What the numbers are that a model returns, and the probabilities in them."""

from __future__ import annotations

import difflib
from typing import Any, Literal, NamedTuple, get_args

import torch

from cnnwidgets.core.errors import TargetError

from .origins import from_graph

Kind = Literal[
    "logits",
    "softmax",
    "log_softmax",
    "sigmoid",
    "log_sigmoid",
    "independent_logits",
    "logit",
    "number",
]
"""What outputs are:

- ``"logits"``: of classes of which one is right, before a softmax.
- ``"softmax"``: their probabilities, which add up to one; ``"log_softmax"``: the logarithms of these.
- ``"sigmoid"``: probabilities that need not add up to one, of classes that do not compete, or of a single one;
  ``"log_sigmoid"``: their logarithms.
- ``"independent_logits"``: logits of classes that do not compete, before a sigmoid each.
- ``"logit"``: one output, the logit of one class.
- ``"number"``: no classes, as in a regression.
"""

KINDS: tuple[Kind, ...] = get_args(Kind)
COMPETING = frozenset({"logits", "softmax", "log_softmax"})
"""Kinds whose probabilities share one whole among the classes."""
_PROBABILITIES = frozenset({"softmax", "sigmoid"})
_LENIENT = 0.02
"""How far shares may be from adding up to one that are known to come out of a softmax, clamped or in half precision."""


class Decision(NamedTuple):
    """What the outputs are, and what there is to say about how that was found out; no note where nothing is unsure."""

    kind: Kind
    note: str = ""


def checked_kind(kind: Any, classes: int | None = None) -> Kind:
    """``kind`` as one of :data:`KINDS`.

    Args:
        kind: what somebody said the outputs are.
        classes: how many outputs an image has, if that is known.

    Raises:
        TargetError: there is no such kind, or it is not for so many outputs.
    """
    if kind not in KINDS:
        close = difflib.get_close_matches(str(kind), KINDS, n=1, cutoff=0.5)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise TargetError(f"outputs is {kind!r}; expected one of {', '.join(map(repr, KINDS))}.{hint}")
    if classes == 1 and kind in ("logits", "independent_logits"):
        return "logit"  # a softmax of one number is 1 whatever it is
    if kind == "logit" and classes is not None and classes != 1:
        raise TargetError(
            f'outputs="logit" is for a model with one output an image; this one has {classes}. Pass '
            'outputs="independent_logits" if each goes through a sigmoid of its own, "logits" if a softmax follows.'
        )
    return kind  # type: ignore[no-any-return]


def has_probabilities(kind: Kind) -> bool:
    """Whether the outputs, of this kind, stand for probabilities of classes."""
    return kind != "number"


def probabilities(table: torch.Tensor, kind: Kind | None = None) -> torch.Tensor:
    """The probabilities (N, K) that outputs (N, K) of this kind stand for, in at least float32 where it computes.

    Outputs that are probabilities, and numbers that are none, stay as they are. Without a kind, the last operation in
    the autograd graph tells, or the values.

    Example:
        >>> probabilities(torch.tensor([[0.0, 0.0]]), "logits"), probabilities(torch.tensor([[0.0]]), "logit")
        (tensor([[0.5000, 0.5000]]), tensor([[0.5000]]))
    """
    kind = kind or decided(table, from_graph(table)).kind
    if kind in _PROBABILITIES or kind == "number":
        return table
    exact = table if table.dtype in (torch.float32, torch.float64) else table.float()
    if kind == "logits":
        return exact.softmax(1)
    return exact.sigmoid() if kind in ("independent_logits", "logit") else exact.exp()


def decided(table: torch.Tensor, origin: str | None) -> Decision:
    """What the outputs (N, K) are.

    What made them decides, if the values do not contradict it; the values alone only where that is not known.

    Args:
        table: (N, K), what the model returned.
        origin: what made it, as :mod:`~cnnwidgets.outputs.origins` calls it; None: nobody knows.
    """
    values = _Values(table)
    if origin == "negative_log_softmax":
        return Decision("number", _NEGATIVE)
    if table.shape[1] == 1:
        return Decision(_single(values, origin))
    if origin == "linear":
        return Decision("logits")
    if origin == "softmax" and values.within:
        return Decision("softmax") if values.share(_LENIENT) else Decision("sigmoid", _NO_SHARES)
    if origin == "sigmoid" and values.within:
        return Decision("sigmoid")
    if origin == "log_sigmoid" and values.logarithms:
        return Decision("log_sigmoid")
    if origin == "log_softmax" and values.share_logarithms(_LENIENT):
        return Decision("log_softmax")
    if values.none:
        return Decision("logits")
    if origin in _PROBABILITIES and not values.within:
        return Decision("number", _SCALED)
    if origin is None and _Values(-table).share_logarithms():
        return Decision("number", _NEGATIVE)
    if values.within:
        if values.share():
            return Decision("softmax")
        return Decision("logits", "" if values.alike else _ASSUMED)
    if values.share_logarithms():
        return Decision("log_softmax")
    return Decision("logits", _BOUNDED if origin == "tanh" else "")


_NO_SHARES = (
    "the outputs come out of a softmax and do not add up to 1 over the classes (a softmax over another axis, several "
    "side by side, or some of its classes): they are taken as they are"
)
_SCALED = (
    "the outputs come out of a softmax or a sigmoid and do not lie between 0 and 1 (percentages, or sums of several): "
    "they are taken as the numbers they are"
)
_BOUNDED = (
    "the outputs come out of a tanh, each between -1 and 1: they are taken for logits. If they are numbers and no "
    'classes, pass outputs="number"'
)
_ASSUMED = (
    "what the outputs are is assumed: each lies between 0 and 1, they do not add up to 1, and nothing tells what made "
    'them; they are taken for logits. If they are probabilities, pass outputs="sigmoid"'
)
_NEGATIVE = (
    "the outputs are logarithms of probabilities with the sign changed: the class with the highest number is the least "
    "likely. Pass output=lambda raw: -raw"
)


def _single(values: _Values, origin: str | None) -> Kind:
    if origin in ("sigmoid", "softmax") and values.within:
        return "sigmoid"
    return "log_sigmoid" if origin in ("log_sigmoid", "log_softmax") and values.logarithms else "number"


class _Values:
    """What the rows of (N, K) have in common, of those that are numbers.

    Attributes:
        none: there are no such rows.
        within: all lie between 0 and 1.
        logarithms: none is larger than 0.
        alike: in each row all are the same, so that what they are makes no difference to the classes.
    """

    def __init__(self, table: torch.Tensor) -> None:
        self._precision = torch.finfo(table.dtype).eps
        rows = table.detach().double()
        self._rows = rows = rows[~rows.isnan().any(1)]
        self.none = len(rows) == 0
        self.alike = bool((rows == rows[:, :1]).all())
        self.within = bool(((rows >= 0) & (rows <= 1 + self._precision)).all())
        self.logarithms = bool((rows <= self._precision).all())  # of 0 it is minus infinity

    def share(self, tolerance: float = 1e-5) -> bool:
        """Whether each row adds up to 1, but for rounding."""
        return bool(((self._rows.sum(1) - 1).abs() <= max(tolerance, self._precision)).all())

    def share_logarithms(self, tolerance: float = 1e-5) -> bool:
        """Whether they are logarithms of such rows."""
        if not self.logarithms:
            return False
        # A logarithm is rounded by a share of its own size, and by as much its number.
        likely = self._rows.exp()
        rounding = self._precision * (1 + (likely * self._rows.clamp(min=-1e3).abs()).sum(1))
        return bool(((likely.sum(1) - 1).abs() <= rounding.clamp(min=tolerance)).all())
