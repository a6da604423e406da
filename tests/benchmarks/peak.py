"""The most memory that a task takes while it runs."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path

from .kept import resident


def peaks(tasks: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median bytes that each task adds to this process's resident set at its highest; they take turns.

    What the C library keeps of freed memory is given back before each, or the second task would seem to take nothing.
    """
    found: dict[str, list[int]] = {name: [] for name in tasks}
    for round_ in range(rounds + 1):
        for name, task in tasks.items():
            before = resident()
            Path("/proc/self/clear_refs").write_text("5")  # the highest resident set begins again from here
            task()
            if round_:  # the first warms up
                found[name].append(_highest() - before)
    return {name: statistics.median(values) for name, values in found.items()}


def _highest() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
