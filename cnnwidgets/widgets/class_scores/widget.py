"""Bars of the classes a model thinks of first; a click selects one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import traitlets

from cnnwidgets.core.errors import InputError, TargetError
from cnnwidgets.outputs.class_names import class_names
from cnnwidgets.outputs.kinds import KINDS, Kind
from cnnwidgets.widgets._base import CnnWidget, WidgetBox
from cnnwidgets.widgets._bqplot import bqplot, close_figure, panel_figure
from cnnwidgets.widgets._maps.arrays import class_vector
from cnnwidgets.widgets._page_state import PageState
from cnnwidgets.widgets._still import parts
from cnnwidgets.widgets._still.publish import title

from .ranking import APART, Floats, Row, ellipsised, ranked, scores_remark


class ClassScoresHeader(CnnWidget, folder="class_scores"):
    """Title, menu and class search of :class:`ClassScores`; also makes whole rows clickable."""

    target = traitlets.Int(None, allow_none=True, help="The class that is selected, or None.")
    score = traitlets.Enum(
        ["probability", "logit"], "probability", help="What the bars show: softmax, or the raw output."
    )
    kind = traitlets.Unicode(
        None, allow_none=True, help="What the scores are; see core.output_kinds. None: logits or probabilities."
    )
    remark = traitlets.Unicode("", help="What to know about the numbers beside the bars.")
    rows = traitlets.List(traitlets.Int(), help="Class of each bar, top to bottom.")
    names = traitlets.List(traitlets.Unicode(), help="Label of each bar, whole, top to bottom.")
    values = traitlets.List(traitlets.Unicode(), help="Number of each bar as text, top to bottom.")
    message = traitlets.Unicode("No scores yet.", help="Shown in place of the bars; empty with bars.")


_ROW_HEIGHT = 26
_LABEL_WIDTH = 122  # px between the panel's edge and the bars


class _Bars(PageState, bqplot.Bars):
    """Bars that take no click that is none, and leave what there is to say to the widget that they stand in."""


class ClassScores(WidgetBox):
    """The classes with the highest scores as bars; a click, or the search, selects a class.

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
    score = traitlets.Enum(["probability", "logit"], "probability", help="What the bars show.")
    kind = traitlets.Enum(
        [None, *KINDS],
        None,
        allow_none=True,
        help="What the scores are, such as logits or independent sigmoids; None: probabilities if they add up to 1, a "
        "number if there is only one, else logits.",
    )
    top = traitlets.Int(6, min=1, help="How many bars.")

    def __init__(
        self, logits: Any = None, *, labels: Sequence[str] | None = None, target: int | None = None, **traits: Any
    ) -> None:
        self._logits: Floats = np.zeros(0)
        self._labels: Sequence[str] | None = None
        self.shown: list[Row] = []
        self.header = ClassScoresHeader()
        self._ranks = bqplot.OrdinalScale(domain=[])
        self._amount = bqplot.LinearScale(min=0.0, max=1.0)
        self._bars = _Bars(
            x=[],
            y=[],
            scales={"x": self._ranks, "y": self._amount},
            orientation="horizontal",
            padding=0.4,
            colors=["var(--cnnw-bar)"],
            selected_style={"fill": "var(--cnnw-accent)"},
            interactions={"click": "select"},
        )
        self._bars.speaker = self
        self._left = bqplot.Axis(scale=self._ranks, side="left", grid_lines="none")
        self._right = bqplot.Axis(scale=self._ranks, side="right", grid_lines="none")
        # A margin of 0 puts the axes' ticks at NaN.
        margin = {"top": 1, "bottom": 1, "left": 132, "right": 58}
        self._figure = panel_figure([self._bars], [self._left, self._right], margin, height="0")
        super().__init__("class-scores", self.header, children=[self.header, self._figure], **traits)
        traitlets.link((self, "target"), (self.header, "target"))
        traitlets.link((self, "score"), (self.header, "score"))
        self.observe(self._redraw, ["target", "score", "top", "kind"])
        self._bars.observe(self._clicked, "selected")
        if logits is not None:
            self.show(logits, labels=labels, target=target)

    def __repr__(self) -> str:
        return f"ClassScores({len(self._logits)} classes)"

    def show(
        self,
        logits: Any,
        *,
        labels: Sequence[str] | None = None,
        target: int | None = None,
        kind: Kind | None = None,
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
        self.header.push("classes", names=[self.label(index) for index in range(len(values))])
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

    def clear(self, message: str) -> None:
        """Take the bars away and say why."""
        self._logits = np.zeros(0)
        self.shown = []
        self._bars.y = self._bars.x = []
        self._figure.layout.height = "0"
        self.header.rows, self.header.names, self.header.values = [], [], []
        self.header.message = message

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
        self.shown = rows = ranked(self._logits, score=self.score, top=self.top, target=self.target, kind=self.kind)
        values = [row.value if np.isfinite(row.value) else 0.0 for row in rows]
        ranks = list(range(len(rows)))
        names = [self.label(row.index) for row in rows]
        header = self.header
        with header.hold_sync():
            header.rows = [row.index for row in rows]
            header.names, header.values = names, [row.text for row in rows]
            header.message = ""
            header.kind, header.remark = self.kind, scores_remark(self._logits, self.kind, self.score)
        self._ranks.domain = ranks[::-1]
        self._amount.min, self._amount.max = min(0.0, *values), max(max(values), min(0.0, *values) + 1e-9)
        if self.score == "probability" and self.kind in APART:
            self._amount.max = 1.0  # each is a share of a whole of its own
        self._left.tick_labels = {str(k): ellipsised(name, _LABEL_WIDTH) for k, name in enumerate(names)}
        self._right.tick_labels = {str(k): row.text for k, row in enumerate(rows)}
        with self._bars.hold_sync():
            self._bars.x, self._bars.y = ranks, values
        self._bars.selected = [k for k, row in enumerate(rows) if row.index == self.target]
        self._figure.layout.height = f"{_ROW_HEIGHT * len(rows)}px"

    def _clicked(self, change: Any) -> None:
        places = np.asarray([] if change["new"] is None else change["new"]).reshape(-1)
        if places.size == 1 and places.dtype.kind in "iuf" and 0 <= places[0] < len(self.shown):
            self.target = self.shown[int(places[0])].index
        elif self.target is not None:
            self._redraw()  # a click on the selected bar takes the selection away: put it back

    def _still(self, width: int = parts.WIDTH) -> parts.Block | None:
        rows = self.shown
        if not rows:
            return parts.paragraph(self.header.message) if self.header.message else None
        values = [row.value if np.isfinite(row.value) else 0.0 for row in rows]
        low, span = min(0.0, *values), max(*values, 0.0) - min(0.0, *values)
        return parts.bar_chart(
            [
                (self.label(row.index), (value - low) / (span or 1.0), row.text, row.index == self.target)
                for row, value in zip(rows, values, strict=True)
            ],
            width,
        )

    def _still_title(self) -> str:
        return title("Class scores", "", self)

    def close(self) -> None:
        """Close the figure and everything in it."""
        self._logits = np.zeros(0)
        self._bars.speaker = None
        close_figure(self._figure)
        self.header.layout.close()
        self.header.close()
        super().close()
