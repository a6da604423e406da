"""Measures the agreement of each explainer with others on each network and writes docs/conformance.md; some minutes."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import torch

from .agreement import document
from .networks import CASES
from .ours import COMPARED, Bench, Cell, cell
from .theirs import Row, grad_cam_row, guided_row

OUT = Path(__file__).parent.parent.parent / "docs" / "conformance.md"


def main() -> None:
    """One network after the other."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(2)
    cells: dict[tuple[str, str], Cell] = {}
    rows: list[Row] = []
    for name in CASES:
        print(f"comparing on {name}", file=sys.stderr, flush=True)
        single, double = Bench(name, torch.float32), Bench(name, torch.float64)
        cells |= {(method, name): cell(method, single, double) for method in COMPARED}
        found = grad_cam_row(single)
        rows += [*([found] if found is not None else []), guided_row(single)]
    rows.sort(key=lambda row: row.what.startswith("guided"))
    OUT.write_text(document(cells, CASES, rows))
    print(f"written: {OUT}", file=sys.stderr)


if __name__ == "__main__":
    main()
