"""Progress of long work, with the time that is left, and a way to stop it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeAlias

from .errors import CnnWidgetsError


@dataclass(frozen=True)
class Step:
    """How far the work is.

    Attributes:
        done: units finished, 0 to ``total``.
        total: units in all; 0 where that is not known.
        elapsed: seconds since the start.
        remaining: estimated seconds left, or None before the first unit is done, or without ``total``.
        partial: the result so far, where the method has one; else None.
    """

    done: int
    total: int
    elapsed: float
    remaining: float | None
    partial: Any = None


ProgressCallback: TypeAlias = Callable[[Step], None]
"""Called after each piece of work. Raise :class:`~cnnwidgets.core.errors.Cancelled` in it to stop the work."""


class Meter(AbstractContextManager["Meter"]):
    """Counts finished units and tells ``progress``.

    Args:
        progress: a callback; True for a tqdm bar if tqdm is installed; None or False for nothing.
        total: units in all; 0 where that is not known.
        clock: seconds from any origin.

    Example:
        >>> with Meter(lambda step: print(step.done, "of", step.total), 4) as meter:
        ...     meter.advance(1)
        ...     meter.advance(3)
        1 of 4
        4 of 4
    """

    def __init__(
        self, progress: ProgressCallback | bool | None, total: int, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._close: Callable[[], object] = lambda: None
        self._report: ProgressCallback | None = None
        if progress is True:
            self._show_bar(total)
        elif callable(progress):
            self._report = progress
        elif progress:
            raise CnnWidgetsError(f"progress is {progress!r}; expected None, True, or a function that takes a Step.")
        self.done = 0
        self.total = total
        self._clock = clock
        self._start = clock()

    def advance(self, units: int = 1, partial: Any = None) -> None:
        """Report ``units`` more as finished. What the callback raises passes through."""
        self.done += units
        if self._report is None:
            return
        elapsed = self._clock() - self._start
        remaining = elapsed / self.done * (self.total - self.done) if self.done and self.total else None
        self._report(Step(self.done, self.total, elapsed, remaining, partial))

    def close(self) -> None:
        """Take the bar down, if there is one."""
        self._close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _show_bar(self, total: int) -> None:
        try:
            from tqdm.auto import tqdm
        except ImportError:
            return
        bar = tqdm(total=total or None)
        self._close = bar.close
        self._report = lambda step: (bar.update(step.done - bar.n), None)[1]
