"""The parts of a check: what stands above the charts, and the curves, drawn by bqplot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets
import numpy as np
import traitlets

from cnnwidgets.widgets._base import CnnWidget, nobody_listens
from cnnwidgets.widgets._bqplot import bqplot, close_figure, panel_figure
from cnnwidgets.widgets._maps.arrays import Doubles
from cnnwidgets.widgets._messages import command

from .arrays import finite_points, round_ticks

STATES = ("empty", "idle", "running", "done", "stopped")
LEVELS = ("ok", "info", "warn")


class MapCheckPanel(CnnWidget, folder="map_check"):
    """What stands above the charts of a :class:`~.widget.MapCheck`."""

    state = traitlets.Enum(
        STATES, "empty", help="Nothing to check, ready, at work, finished, or stopped before the end."
    )
    hint = traitlets.Unicode("", help="Why there is nothing to check, or what to know before; empty: nothing.")
    progress = traitlets.Float(None, min=0, max=1, allow_none=True, help="Share of the work done; None: none.")
    progress_text = traitlets.Unicode("", help="What is being done, and the time left.")
    sentence = traitlets.Unicode("", help="One sentence on how to read the results; empty before there are any.")
    badge = traitlets.Unicode("", help="The result in a few words; empty before there is one.")
    level = traitlets.Enum(
        LEVELS, "info", help="Whether nothing speaks against the map, one cannot tell, or it should not be trusted."
    )
    notes = traitlets.List(traitlets.Unicode(), help="What else to know.")

    on_check: Callable[[], object] = nobody_listens
    on_cancel: Callable[[], object] = nobody_listens

    @command("check")
    def _check(self) -> None:
        self.clear_error()
        self.on_check()

    @command("cancel")
    def _cancelled(self) -> None:
        self.on_cancel()


_ACCENT, _SOFT, _WARN = "var(--cnnw-accent)", "var(--cnnw-other)", "var(--cnnw-warn)"
_BETTER = {"deletion": "lower is better", "insertion": "higher is better"}
_MEANINGS = {
    "similarity": "How like the original the map is, with random weights from the output down to each stage",
    "deletion": "The score while the places that the map marks are hidden, the most marked first",
    "insertion": "The score while the places that the map marks are uncovered, the most marked first",
}


class Chart:
    """One figure with a title: a line in the accent colour, and grey lines to compare it with."""

    def __init__(self, title: str, *, whole_numbers: bool = False) -> None:
        self._x = bqplot.LinearScale(min=0.0, max=1.0)
        self._y = bqplot.LinearScale(min=0.0, max=1.0)
        scales = {"x": self._x, "y": self._y}
        # Lists of one colour a line: bqplot begins again from the first when there are more lines.
        self._others = bqplot.Lines(x=[], y=[], scales=scales, colors=[_SOFT], stroke_width=1, opacities=[0.8])
        marker = {"marker": "circle", "marker_size": 24} if whole_numbers else {}
        self._line = bqplot.Lines(x=[], y=[], scales=scales, colors=[_ACCENT], stroke_width=2, **marker)
        self._across = bqplot.Axis(
            scale=self._x, grid_lines="none", tick_format="d" if whole_numbers else ".0%", tick_values=[0.0, 0.5, 1.0]
        )
        self._up = bqplot.Axis(scale=self._y, side="left", grid_lines="solid", tick_format="~g")
        self._whole_numbers = whole_numbers
        margin = {"top": 6, "bottom": 20, "left": 36, "right": 18}
        marks, axes = [self._others, self._line], [self._across, self._up]
        self._figure = panel_figure(marks, axes, margin, height="130px", padding_x=0)
        self._better = _BETTER.get(title)
        self._plain_title = title
        self._missing = ""
        self._title = ipywidgets.Label(title, tooltip=_MEANINGS.get(title, ""))
        self._title.add_class("cnnw-mc-chart-title")
        self.box = ipywidgets.VBox([self._title, self._figure])
        self.box.add_class("cnnw-mc-chart")

    @property
    def title(self) -> str:
        """What stands above the figure, without which direction is better."""
        return self._plain_title

    @property
    def heading(self) -> str:
        """All that stands above the figure."""
        return str(self._title.value)

    def show(self, title: str, x: Doubles, y: Doubles, others: Doubles, span: tuple[float, float, float]) -> None:
        """Draw the finite points of ``y`` (n,) and those of ``others`` (m, n) that are known from end to end.

        Args:
            title: stands above.
            x: (n,).
            y: (n,).
            others: (m, n), drawn in grey; may be empty.
            span: what the vertical axis must hold, from the lowest to the highest, and the end of the horizontal one.
        """
        self._plain_title = title
        self._title.value = f"{title}; {self._better}" if self._better else title
        low, high, end = span
        self._missing = _missing_part(x, y, others, end, stages=self._whole_numbers)
        ticks = round_ticks(low, high)
        self._y.min, self._y.max, self._x.max = ticks[0], ticks[-1], end
        self._up.tick_values = ticks
        if self._whole_numbers:
            self._across.tick_values = np.arange(0, end + 1, max(1, -(-end // 4)))
        with self._line.hold_sync():
            self._line.x, self._line.y = finite_points(x, y, whole=self._whole_numbers)
        complete = others[np.isfinite(others).all(axis=1)]
        with self._others.hold_sync():
            self._others.x, self._others.y = (x, complete) if len(complete) else ([], [])

    def stop(self) -> None:
        """Nothing more will come: a chart that is not complete says so, in the colour of warnings."""
        if self._missing:
            self._title.value = f"Partial, stopped at {self._missing}. {self._title.value}"
            self._line.colors = [_WARN]
            self.box.add_class("cnnw-mc-partial")

    @property
    def points(self) -> tuple[list[float], list[float]]:
        """The points of the line on show."""
        return list(self._line.x), list(self._line.y)

    @property
    def grey(self) -> Any:
        """(m, n) of the grey lines on show."""
        return self._others.y

    def close(self) -> None:
        """Close the figure and everything in it."""
        close_figure(self._figure)
        for widget in (self._title.layout, self._title.style, self._title, self.box.layout, self.box):
            widget.close()


def _missing_part(x: Doubles, y: Doubles, others: Doubles, end: float, *, stages: bool) -> str:
    """How much there is, where that is not all: "3 of 8 stages"; else empty."""
    if stages:
        stage = len(x) - 1
        return f"{stage} of {end:g} stages" if stage < end else ""
    points = int(np.isfinite(y).sum())
    if points < len(y):
        return f"{points} of {len(y)} points"
    whole = int(np.isfinite(others).all(axis=1).sum())
    return f"{whole} of {len(others)} grey lines" if whole < len(others) else ""
