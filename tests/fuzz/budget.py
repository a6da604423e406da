"""How long the fuzzing goes on: moments in ``make test``; ``CNNW_FUZZ_SECONDS=600`` for the long run."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator

SECONDS = float(os.environ.get("CNNW_FUZZ_SECONDS", "1.5"))
SEED = int(os.environ.get("CNNW_FUZZ_SEED", "0"))
LEAST = 20


def rounds(name: str) -> Iterator[random.Random]:
    """A generator of random numbers for each round: the same ones whenever the seed is the same."""
    begun, number = time.monotonic(), 0
    while number < LEAST or time.monotonic() - begun < SECONDS:
        yield random.Random(f"{SEED} {name} {number}")  # noqa: S311
        number += 1
