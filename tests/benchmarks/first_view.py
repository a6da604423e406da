"""From ``cw.explore(resnet50)`` to a whole first view, in JupyterLab."""

from __future__ import annotations

import statistics

from tests.browser.lab import Lab, ask, idle

from .pages import MODEL, opened
from .table import Row

_REPEATS = 7
_EXPLORE = """import time
start = time.perf_counter()
e = cw.explore(model)
seconds = time.perf_counter() - start
e"""


def measure(lab: Lab) -> list[Row]:
    """Two rows: the first in a fresh kernel and page, which also loads the bundles, and those that follow."""
    (first, first_call), *rest = times(lab)
    whole, call = (statistics.median(column) for column in zip(*rest, strict=True))
    return [
        Row(
            f"explore(resnet50) → complete first view, median of {len(rest)}",
            f"{whole:.2f} s (of which explore() itself {call:.2f} s)",
            "< 2.5 s",
            whole < 2.5,
        ),
        Row(
            "the same, the first time in a fresh kernel and page",
            f"{first:.2f} s (of which explore() itself {first_call:.2f} s)",
            "< 2.5 s",
            first < 2.5,
        ),
    ]


def times(lab: Lab) -> list[tuple[float, float]]:
    """Seconds from running the cell to the whole view, and of explore() alone."""
    results = []
    with opened(lab, "first_view", MODEL) as page:
        page.evaluate("source => bench.addCell(source)", _EXPLORE)
        for _ in range(_REPEATS):
            whole = float(page.evaluate("bench.firstView()")) / 1000
            idle(page)
            results.append((whole, float(ask(page, "print(seconds)"))))
            ask(page, "e.close()")
            page.wait_for_timeout(300)
    return results
