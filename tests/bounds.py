"""What bad input may cost before it is refused."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def bounded(kilobytes: int, seconds: float) -> Iterator[None]:
    """The block needs no more memory and time than this."""
    before, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    yield
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < kilobytes, "KB"
    assert time.monotonic() - begun < seconds
