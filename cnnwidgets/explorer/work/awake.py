"""Which Explorers of the process hold their maps: those that were used last."""

from __future__ import annotations

import threading
import weakref
from typing import Protocol

MOST = 3
"""Explorers that hold their maps at the same time; the others make them again at the next click."""


class Sleeper(Protocol):
    """What can let go of its maps."""

    def sleep(self) -> bool:
        """Let go of them; False: it is being used just now."""


_lock = threading.Lock()
_awake: list[weakref.ref[Sleeper]] = []


def woken(explorer: Sleeper) -> None:
    """``explorer`` holds maps from now on; those that were used longest ago let go of theirs."""
    with _lock:
        others = _others(explorer)
        _awake[:] = [*others, weakref.ref(explorer)]
        too_many = others[: max(0, len(others) + 1 - MOST)]
    for reference in too_many:
        other = reference()
        if other is None or other.sleep():
            with _lock:
                if reference in _awake:
                    _awake.remove(reference)


def gone(explorer: Sleeper) -> None:
    """``explorer`` is closed."""
    with _lock:
        _awake[:] = _others(explorer)


def _others(explorer: Sleeper) -> list[weakref.ref[Sleeper]]:
    return [reference for reference in _awake if reference() not in (None, explorer)]
