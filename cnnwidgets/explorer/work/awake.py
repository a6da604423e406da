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
_awake: weakref.WeakKeyDictionary[Sleeper, None] = weakref.WeakKeyDictionary()  # in the order in which they were used


def woken(explorer: Sleeper) -> None:
    """``explorer`` holds maps from now on; those that were used longest ago let go of theirs."""
    with _lock:
        _awake.pop(explorer, None)
        _awake[explorer] = None
        too_many = list(_awake)[:-MOST]
    for other in too_many:
        if other.sleep():
            gone(other)


def gone(explorer: Sleeper) -> None:
    """``explorer`` is closed, or asleep."""
    with _lock:
        _awake.pop(explorer, None)
