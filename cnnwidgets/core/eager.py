"""Run what was compiled as the Python that it was compiled from, so that the calls inside are seen."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def never_compiled() -> Iterator[None]:
    """Run compiled parts eagerly; the compiler is asked only if something has already loaded it."""
    if "torch._dynamo" not in sys.modules or not hasattr(torch.compiler, "set_stance"):
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield
