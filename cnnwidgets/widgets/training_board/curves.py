"""The curves of a training: what is learned from, and the same of what is held out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cnnwidgets.widgets._maps.ticks import round_ticks

from .numbers import HELD_OUT, TrainingRow, base_name, by_epoch, curve_points, names_of, number_name, per_point


@dataclass(frozen=True)
class TrainingCurves:
    """One chart.

    Attributes:
        heading: what stands above it.
        points: name -> across and up, of its one or two lines.
    """

    heading: str
    points: dict[str, tuple[list[float], list[float]]]

    def sent(self) -> dict[str, Any]:
        """What the page draws it from."""
        across = [value for xs, _ in self.points.values() for value in xs]
        up = [value for _, ys in self.points.values() for value in ys]
        low, high = min(up), max(up)
        return {
            "heading": self.heading,
            "ticks": round_ticks(low, high if high > low else low + (abs(low) or 1.0)),
            "ends": [min(across), max(across)],
            "lines": [
                {"held_out": name.startswith(HELD_OUT), "x": xs, "y": ys} for name, (xs, ys) in self.points.items()
            ],
        }


def training_curves(rows: list[TrainingRow]) -> dict[str, TrainingCurves]:
    """Name -> its chart, of all numbers of which one is finite."""
    epochs, names = by_epoch(rows), names_of(rows)
    charts = {}
    for base in dict.fromkeys(map(base_name, names)):
        own = {name: curve_points(rows, name, epochs=epochs) for name in names if base_name(name) == base}
        points = {name: curve for name, curve in own.items() if curve[0]}
        if points:
            charts[base] = TrainingCurves(_chart_heading(base, points, len(rows), epochs=epochs), points)
    return charts


def _chart_heading(base: str, points: dict[str, Any], count: int, *, epochs: bool) -> str:
    text = f"{number_name(base)} by {'epoch' if epochs else 'step'}"
    if HELD_OUT + base in points:
        text += ": solid, round: learned from; dashed, square: held out"
    width = per_point(count)
    return text if width == 1 else f"{text}. Each point is the mean of {width} steps"
