"""Bars of the classes a model thinks of first; a click selects one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import traitlets

from cnnwidgets.core.errors import InputError, TargetError
from cnnwidgets.outputs.class_names import class_names
from cnnwidgets.outputs.kinds import KINDS, Kind
from cnnwidgets.widgets._base import CnnWidget, nobody_listens
from cnnwidgets.widgets._maps.arrays import class_vector
from cnnwidgets.widgets._messages import command
from cnnwidgets.widgets._still import parts
from cnnwidgets.widgets._still.publish import title

from .ranking import Floats, Row, bar_scale, highest_first, ranked, scores_remark

_MORE = 20  # bars, where more are asked for
_LIKELIEST = 1000  # classes whose order the search knows


class ClassScores(CnnWidget, folder="class_scores"):
    """The classes with the highest scores as bars; a click, or the search, selects a class.

    ``on_follow`` is called when the class with the highest score is to be followed again.

    Args:
        logits: (classes,) or (1, classes) raw outputs of the model, or None to begin empty.
        labels: one name a class; None shows "class 17".
        target: the class selected at first.

    Example:
        >>> scores = ClassScores([0.0, 2.0], labels=["cat", "dog"])
        >>> [row.text for row in scores.shown]
        ['88.1 %', '11.9 %']
    """

    target = traitlets.Int(None, allow_none=True, help="The class selected, or None.")
    score = traitlets.Enum(
        ["probability", "logit"], "probability", help="What the bars show: softmax, or the raw output."
    )
    kind = traitlets.Enum(
        [None, *KINDS],
        None,
        allow_none=True,
        help="What the scores are, such as logits or independent sigmoids; None: probabilities if they add up to 1, a "
        "number if there is only one, else logits.",
    )
    top = traitlets.Int(6, min=1, help="How many bars; the reader can ask for 20.").tag(sync=False)
    remark = traitlets.Unicode("", help="What to know about the numbers beside the bars.")
    rows = traitlets.List(traitlets.Int(), help="Class of each bar, top to bottom.")
    names = traitlets.List(traitlets.Unicode(), help="Label of each bar, top to bottom.")
    values = traitlets.List(traitlets.Unicode(), help="Number of each bar as text, top to bottom.")
    bars = traitlets.List(
        traitlets.List(traitlets.Float(), minlen=2, maxlen=2),
        help="Where each bar begins and ends, top to bottom, in shares of the room for bars: [from, to], 0 to 1.",
    )
    more = traitlets.Bool(False, help="Show 20 bars, not only the first few.")
    has_more = traitlets.Bool(False, help="Whether there are more classes than the first few.")
    explains = traitlets.Unicode("", help="Which class is explained, and why it is that one; may be empty.")
    chosen = traitlets.Bool(False, help="Somebody chose it: a button offers to follow the highest score again.")
    message = traitlets.Unicode("No scores yet.", help="Shown in place of the bars; empty with bars.")

    on_follow: Callable[[], object] = nobody_listens

    def __init__(
        self, logits: Any = None, *, labels: Sequence[str] | None = None, target: int | None = None, **traits: Any
    ) -> None:
        self._logits: Floats = np.zeros(0)
        self._labels: Sequence[str] | None = None
        self.shown: list[Row] = []
        super().__init__(**traits)
        self.observe(self._redraw, ["target", "score", "top", "kind", "more"])
        if logits is not None:
            self.show(logits, labels=labels, target=target)

    def __repr__(self) -> str:
        return f"ClassScores({len(self._logits)} classes)"

    @command("follow")
    def _followed(self) -> None:
        self.on_follow()

    def show(
        self, logits: Any, *, labels: Sequence[str] | None = None, target: int | None = None, kind: Kind | None = None
    ) -> None:
        """Show other scores.

        Args:
            logits: (classes,) raw outputs.
            labels: one name a class, or None.
            target: the class to select; None selects nothing.
            kind: what the scores are; None leaves :attr:`kind` as it is.

        Raises:
            InputError: ``logits`` is no vector, or ``labels`` has another length.
        """
        values = class_vector(logits)
        labels = None if labels is None else class_names(labels)
        if labels is not None and len(labels) != len(values):
            raise InputError(f"There are {len(labels)} labels for {len(values)} classes; give one name a class.")
        self._logits, self._labels = values, labels
        with self.hold_trait_notifications():
            self.target = target
            self.kind = kind or self.kind
        self.push("classes", names=[self.label(index) for index in range(len(values))])
        self._rank()
        self._redraw()

    def move(self, logits: Any) -> None:
        """Show other scores of the same classes, as while an image is being edited; the names are not sent again.

        Args:
            logits: (classes,) raw outputs.

        Raises:
            InputError: not as many as :meth:`show` was given.
        """
        values = class_vector(logits)
        if values.shape != self._logits.shape:
            raise InputError(f"Scores have shape {values.shape}; there are {len(self._logits)} classes. Call show().")
        self._logits = values
        self._redraw()
        self._rank()

    def _rank(self) -> None:
        """Tell the search which classes are the likeliest."""
        self.push("likeliest", classes=highest_first(self._logits)[:_LIKELIEST])

    def clear(self, message: str) -> None:
        """Take the bars away and say why."""
        self._logits = np.zeros(0)
        self.shown = []
        with self.hold_sync():
            self.rows, self.names, self.values, self.bars, self.message = [], [], [], [], message

    def label(self, index: int) -> str:
        """The name of a class."""
        return str(self._labels[index]) if self._labels is not None else f"class {index}"

    @traitlets.validate("target")
    def _check_target(self, proposal: Any) -> int | None:
        target: int | None = proposal["value"]
        classes = len(self._logits)
        if target is not None and classes and not 0 <= target < classes:
            raise TargetError(f"Class {target} is out of range: there are {classes} classes, 0 to {classes - 1}.")
        return target

    def _redraw(self, _: Any = None) -> None:
        if not len(self._logits):
            return
        top = max(self.top, _MORE) if self.more else self.top
        self.shown = rows = ranked(self._logits, score=self.score, top=top, target=self.target, kind=self.kind)
        low, high = self.bar_scale
        with self.hold_sync():
            self.rows = [row.index for row in rows]
            self.names, self.values = [self.label(row.index) for row in rows], [row.text for row in rows]
            self.bars = [sorted((end - low) / (high - low) for end in (0.0, _drawn(row))) for row in rows]
            self.message, self.has_more = "", len(self._logits) > self.top < _MORE
            self.remark = scores_remark(self._logits, self.kind, self.score, (low, high))

    @property
    def bar_scale(self) -> tuple[float, float]:
        """What the left and the right end of the bars stand for."""
        return bar_scale([row.value for row in self.shown], score=self.score, kind=self.kind, classes=len(self._logits))

    def _still(self, width: int = parts.WIDTH) -> parts.Block | None:
        rows = self.shown
        if not rows:
            return parts.paragraph(self.message) if self.message else None
        low, high = self.bar_scale
        bars = [
            (self.label(row.index), (_drawn(row) - low) / (high - low), row.text, row.index == self.target)
            for row in rows
        ]
        return parts.bar_chart(bars, width)

    def _still_title(self) -> str:
        return title("Class scores", "", self)

    def close(self) -> None:
        """Free what is kept for the views, and close them."""
        self._logits = np.zeros(0)
        super().close()


def _drawn(row: Row) -> float:
    """The number that its bar ends at."""
    return row.value if np.isfinite(row.value) else 0.0
