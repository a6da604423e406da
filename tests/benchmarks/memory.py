"""Memory of ResNet-50's Explorer. Runs in a process of its own: ``python -m tests.benchmarks.memory``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from .kept import LIMIT
from .table import Row

ROOT = Path(__file__).parent.parent.parent


def measure() -> list[Row]:
    """Two rows."""
    command = [sys.executable, "-m", "tests.benchmarks.memory"]
    found = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
    held, resident, again, closed = (found[name] / 1e6 for name in ("held", "resident", "again", "closed"))
    measured = f"{held:.0f} MB of tensors, resident set +{resident:.0f} MB (+{again:.0f} after another photograph)"
    most = max(found["held"], found["resident"], found["again"])
    left = f"{found['alive']} of {found['tensors']} tensors alive, resident set +{closed:.0f} MB"
    return [
        Row("kept for one photograph, ResNet-50 at 224", measured, "< 250 MB", most < LIMIT),
        # The allocator keeps some, more or less from run to run.
        Row(
            "left after close()",
            left,
            "no tensor, < 20 % of it",
            not found["alive"] and found["closed"] < found["held"] / 5,
        ),
    ]


def _main() -> None:
    import torch
    from torchvision.models import resnet50

    import cnnwidgets as cw

    from .kept import alive, distinct_bytes, resident, watched

    torch.set_num_threads(2)
    model = resnet50(weights=None).eval()
    photographs = cw.demo.photographs()
    # All of it before the measurement: the thread pools' and allocator's own memory is not the photograph's.
    for _ in range(3):
        e = cw.explore(model, photographs)
        e.picture = e.pictures[1]
        e.wait(60)
        e.close()
    before = resident()
    e = cw.explore(model, photographs)
    after = resident()
    held = distinct_bytes(e._scene)
    references = watched(e._scene)
    e.picture = e.pictures[1]
    e.wait(60)
    again = resident()
    references += watched(e._scene)
    e.close()
    count = alive(references)
    closed = resident()
    print(
        json.dumps(
            {
                "held": held,
                "resident": after - before,
                "again": again - before,
                "closed": closed - before,
                "alive": count,
                "tensors": len(references),
            }
        )
    )


if __name__ == "__main__":
    _main()
