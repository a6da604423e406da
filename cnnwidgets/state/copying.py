"""Copying what another thread may be changing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

_ATTEMPTS = 5

T = TypeVar("T")


def undisturbed(copy: Callable[[], T]) -> T:
    """What ``copy`` returns; called again, a few times, where another thread attached or removed a hook meanwhile."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return copy()
        except RuntimeError as error:
            if "during iteration" not in str(error):
                raise
    return copy()
