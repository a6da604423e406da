"""Measures everything, prints the table and writes it to tests/artefacts/benchmarks.md; about five minutes."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import time
from pathlib import Path

import torch

from tests.browser.lab import lab

from . import clicks, drawing, first_view, memory, peers, size
from .table import table

OUT = Path(__file__).parent.parent / "artefacts" / "benchmarks.md"


def main() -> None:
    """Run all; a target that is missed is reported, not raised."""
    start, before = time.monotonic(), os.getloadavg()[0]
    rows = size.measure()
    for measure in (memory.measure, peers.measure):
        _say(measure.__module__)
        rows += measure()
    with tempfile.TemporaryDirectory() as folder, lab(Path(folder)) as running:
        for in_lab in (first_view.measure, clicks.measure, drawing.measure):
            _say(in_lab.__module__)
            rows = [*in_lab(running), *rows] if in_lab is not drawing.measure else [*rows, *in_lab(running)]
    header = (
        f"{os.cpu_count()} cores, 2 threads, torch {torch.__version__}, Python {platform.python_version()}, JupyterLab "
        f"in headless Chromium, {time.strftime('%Y-%m-%d')}. Load average {before:.1f} before, {os.getloadavg()[0]:.1f} "
        f"after {time.monotonic() - start:.0f} s. Seeded random weights, 224 × 224; medians of several rounds, in turns "
        "with the peer; the first round warms up."
    )
    text = f"{header}\n\n{table(rows)}\n"
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(text)
    print(text)


def _say(name: str) -> None:
    print(f"{name.rsplit('.', 1)[-1]} …", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
