"""Peak memory of an occlusion map, ours and captum's, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from .table import Row

ROOT = Path(__file__).parent.parent.parent
_PLACES = 64


def measure(batches: Mapping[str, int], side: int = 224) -> list[Row]:
    """One row a network; ``batches`` holds the batch size with which captum is fastest on it."""
    rows = []
    for name, batch in batches.items():
        ours, theirs = (_peak(name, side, batch, who) for who in ("ours", "captum"))
        said = f"{ours / 1e6:.0f} MB above the model's own; captum, batches of {batch}: {theirs / 1e6:.0f} MB"
        rows.append(Row(f"{name}, peak memory", said, "no more than captum", ours <= theirs))
    return rows


def _peak(name: str, side: int, batch: int, who: str) -> float:
    command = [sys.executable, "-m", "tests.benchmarks.occlusion_memory", name, str(side), str(batch), who]
    return float(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)


def _main(name: str, side: int, batch: int, who: str) -> None:
    import torch

    import cnnwidgets as cw

    from .occlusion import captum, network

    torch.set_num_threads(2)
    model, pictures = network(name, side)
    x = next(iter(pictures.values()))
    with torch.no_grad():
        model(x)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = _status("VmRSS")
    if who == "captum":
        for _ in range(_PLACES // batch):
            captum(model, x, batch)
    else:
        cw.explainers.occlusion(model, x, 0, patch=16, stride=(side - 16) // 7)
    print(_status("VmHWM") - before)


def _status(name: str) -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return 1024 * int(line.split()[1])


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
