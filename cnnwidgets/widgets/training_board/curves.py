"""The curves of a training, drawn by bqplot: what is learned from in one colour, what is held out dashed."""

from __future__ import annotations

import ipywidgets

from cnnwidgets.widgets._bqplot import bqplot, close_figure, panel_figure

from .numbers import HELD_OUT, TrainingRow, curve_points, number_name, per_point

_COLOURS = {False: "var(--cnnw-accent)", True: "var(--cnnw-activation)"}


class TrainingCurves:
    """One figure: a number of the training and, where there is one, the same of what is held out."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._x, self._y = bqplot.LinearScale(min=0.0, max=1.0), bqplot.LinearScale()
        scales = {"x": self._x, "y": self._y}
        self._lines = {
            held_out: bqplot.Lines(
                x=[],
                y=[],
                scales=scales,
                colors=[colour],
                stroke_width=2,
                line_style="dashed" if held_out else "solid",
                marker="square" if held_out else "circle",
                marker_size=16,
            )
            for held_out, colour in _COLOURS.items()
        }
        self._across = bqplot.Axis(scale=self._x, grid_lines="none", tick_format="~g", num_ticks=5)
        self._up = bqplot.Axis(scale=self._y, side="left", grid_lines="solid", tick_format="~g", num_ticks=4)
        margin = {"top": 6, "bottom": 22, "left": 44, "right": 14}
        lines, axes = list(self._lines.values()), [self._across, self._up]
        self._figure = panel_figure(lines, axes, margin, height="150px", padding_x=0)
        self._title = ipywidgets.Label(number_name(name))
        self._title.add_class("cnnw-tb-chart-title")
        self.box = ipywidgets.VBox([self._title, self._figure])
        self.box.add_class("cnnw-tb-chart")

    def show(self, rows: list[TrainingRow], *, epochs: bool) -> None:
        """Draw the finite numbers of ``rows``."""
        curves = {}
        for held_out, line in self._lines.items():
            curves[held_out] = curve_points(rows, HELD_OUT + self.name if held_out else self.name, epochs=epochs)
            with line.hold_sync():
                line.x, line.y = curves[held_out]
                # A point alone is no line.
                line.marker_size = 16 if len(curves[held_out][0]) <= MOST_MARKED else 1
        across = [value for xs, _ in curves.values() for value in xs]
        self._x.min, self._x.max = (min(across), max(max(across), min(across) + 1e-9)) if across else (0.0, 1.0)
        self._title.value = self._heading(rows, curves[True][0] != [], epochs=epochs)

    def _heading(self, rows: list[TrainingRow], held_out: bool, *, epochs: bool) -> str:
        name, axis = number_name(self.name), "epoch" if epochs else "step"
        text = (
            f"{name} by {axis}: solid, round: learned from; dashed, square: held out"
            if held_out
            else (f"{name} by {axis}")
        )
        width = per_point(len(rows))
        return text if width == 1 else f"{text}. Each point is the mean of {width} steps"

    @property
    def heading(self) -> str:
        """What stands above the figure."""
        return str(self._title.value)

    @property
    def points(self) -> dict[str, tuple[list[float], list[float]]]:
        """Name -> across and up, of the lines on show."""
        names = {False: self.name, True: HELD_OUT + self.name}
        return {names[held_out]: (list(line.x), list(line.y)) for held_out, line in self._lines.items() if len(line.x)}

    def close(self) -> None:
        """Close the figure and everything in it."""
        close_figure(self._figure)
        for widget in (self._title.layout, self._title.style, self._title, self.box.layout, self.box):
            widget.close()


MOST_MARKED = 60
"""Points of a line that are marked each; more of them would be a band."""
