"""What was measured, as one markdown table."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line of the table; ``met`` is None where nothing was promised."""

    name: str
    measured: str
    target: str = "–"
    met: bool | None = None

    def __str__(self) -> str:
        answer = {None: "–", True: "yes", False: "**no**"}[self.met]
        return f"| {self.name} | {self.measured} | {self.target} | {answer} |"


def table(rows: Iterable[Row]) -> str:
    """Markdown."""
    return "\n".join(["| what | measured | target | met? |", "|---|---|---|---|", *map(str, rows)])


def p95(values: Sequence[float]) -> float:
    """The 95th percentile, between the two nearest values."""
    return statistics.quantiles(values, n=20, method="inclusive")[-1]
