"""The curves of a check, as they are drawn."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnwidgets.widgets._maps.arrays import Doubles
from cnnwidgets.widgets._maps.ticks import round_ticks

from .arrays import finite_points

_BETTER = {"deletion": "lower is better", "insertion": "higher is better"}
_MEANINGS = {
    "similarity": "How like the original the map is, with random weights from the output down to each stage",
    "deletion": "The score while the places that the map marks are hidden, the most marked first",
    "insertion": "The score while the places that the map marks are uncovered, the most marked first",
}


@dataclass(frozen=True)
class Chart:
    """A line, and grey lines to compare it with.

    Attributes:
        kind: "similarity", "deletion" or "insertion".
        title: what stands above the figure, without which direction is better.
        points: x and y of the line.
        x, grey: (n,) and (m, n) of the grey lines.
        ticks: round numbers along the vertical axis; the first and the last are its ends.
        end: of the horizontal axis, which begins at 0.
        stages: the horizontal axis counts stages; else it is a share of the image.
        missing: how much there is, where that is not all: "3 of 8 stages"; else empty.
        partial: nothing more will come, and it is not all.
    """

    kind: str
    title: str
    points: tuple[list[float], list[float]]
    x: Doubles
    grey: Doubles
    ticks: list[float]
    end: float
    stages: bool
    missing: str
    partial: bool = False

    @property
    def heading(self) -> str:
        """All that stands above the figure."""
        better = _BETTER.get(self.kind)
        heading = f"{self.title}; {better}" if better else self.title
        return f"Partial, stopped at {self.missing}. {heading}" if self.partial else heading

    def stopped(self) -> Chart:
        """The same, of which nothing more will come."""
        return dataclasses.replace(self, partial=bool(self.missing))

    def sent(self) -> dict[str, Any]:
        """What the browser draws."""
        axes = {"ticks": self.ticks, "end": self.end, "stages": self.stages}
        lines = {"points": self.points, "x": np.nan_to_num(self.x).tolist(), "grey": self.grey.tolist()}
        said = {"heading": self.heading, "meaning": _MEANINGS[self.kind], "partial": self.partial}
        return {**said, **axes, **lines}


def chart_of(kind: str, title: str, x: Doubles, y: Doubles, others: Doubles, span: tuple[float, float, float]) -> Chart:
    """The finite points of ``y`` (n,) over ``x`` (n,), and those of ``others`` (m, n) that are known from end to end.

    Args:
        kind: "similarity", "deletion" or "insertion".
        title: stands above.
        span: what the vertical axis must hold, from the lowest to the highest, and the end of the horizontal one.
    """
    low, high, end = span
    stages = kind == "similarity"
    complete = others[np.isfinite(others).all(axis=1) & np.isfinite(x).all()]
    points, missing = finite_points(x, y, whole=stages), _missing_part(x, y, others, end, stages=stages)
    return Chart(kind, title, points, x, complete, round_ticks(low, high), end, stages, missing)


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
