"""``make soak``: 10,000 random actions; nothing wrong, nothing left, memory flat within 5 %."""

from __future__ import annotations

import argparse
import gc
import threading
import time
from pathlib import Path

from tests.soak.actions import Soak
from tests.soak.state import assert_like_a_fresh_one, hooks

_FLAT = 1.05


def resident() -> float:
    """MB of memory that the process has in use."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--actions", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    soak = Soak(options.seed)
    part = max(1, options.actions // 10)
    first, began = 0.0, time.monotonic()
    for number in range(1, 11):
        soak.run(part)
        assert_like_a_fresh_one(soak)
        assert not hooks(soak.net)
        now = resident()
        first = first or now  # after the first part everything has been loaded
        threads = sum(thread.name == "cnnwidgets" for thread in threading.enumerate())
        seconds = time.monotonic() - began
        print(f"{number * part:6d} actions  {seconds:6.0f} s  {now:7.1f} MB  {threads} threads", flush=True)
    assert now <= _FLAT * first, f"memory grew from {first:.0f} to {now:.0f} MB"
    soak.explorer.close()


if __name__ == "__main__":
    main()
