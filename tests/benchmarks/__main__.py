"""Measures everything, prints the table and writes it to tests/artefacts/benchmarks.md; fifteen minutes to an hour."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import time
from pathlib import Path

import torch

from tests.browser.lab import lab
from tests.chromium import started

from . import (
    clicks,
    dragging,
    drawing,
    exemplars,
    filters,
    first_view,
    memory,
    occlusion,
    peers,
    size,
    switching,
    synthetic,
)
from .table import Row, table

OUT = Path(__file__).parent.parent / "artefacts" / "benchmarks.md"


def main() -> None:
    """Run all; a target that is missed is reported, not raised."""
    start, before = time.monotonic(), os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder, started() as browser, lab(Path(folder), browser) as running:
        in_lab = (first_view, clicks, drawing, dragging, switching)
        rows = [row for part in in_lab for row in _said(part.__name__, part.measure(running))]
    alone = (size, memory, peers, filters, occlusion, exemplars, synthetic)
    rows += [row for part in alone for row in _said(part.__name__, part.measure())]
    policy = os.environ.get("OMP_WAIT_POLICY")
    text = (
        f"{os.cpu_count()} cores, torch {torch.__version__} with 2 threads, Python {platform.python_version()}, "
        f"JupyterLab in headless Chromium, {time.strftime('%Y-%m-%d')}. "
        f"Load average {before:.1f} before, {os.getloadavg()[0]:.1f} after {time.monotonic() - start:.0f} s"
        f"{f', OMP_WAIT_POLICY={policy}' if policy else ''}. "
        "Seeded random weights, 224 × 224; after a warm-up, medians of several rounds, in turns with the peer.\n\n"
        f"{table(rows)}\n"
    )
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(text)
    print(text)


def _said(name: str, rows: list[Row]) -> list[Row]:
    print(f"measured: {name.rsplit('.', 1)[-1]}", *rows, sep="\n", file=sys.stderr, flush=True)
    return rows


if __name__ == "__main__":
    main()
