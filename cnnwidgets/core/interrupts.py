"""Ctrl-C may come between a change and the line that undoes it; here it waits for that line."""

from __future__ import annotations

import _thread
import signal
import threading
import time
from collections.abc import Callable
from types import CodeType, FrameType, TracebackType
from typing import Any, Self, TypeVar

_NEAR = 8  # frames: what a context manager calls itself, and no forward that runs inside of it
_AGAIN = 0.005  # seconds until an interrupt that had to wait is tried again
_LONGEST = 2.0  # and until it waits no longer
_ENTRIES = frozenset({"__enter__", "__exit__", "close"})
_CAREFUL: set[CodeType] = set()

F = TypeVar("F", bound=Callable[..., Any])


def careful(function: F) -> F:
    """Marks what must not be interrupted: a function, or the generator under a ``contextmanager``."""
    _CAREFUL.add(getattr(function, "__wrapped__", function).__code__)
    return function


class Deferral:
    """While one is open on the main thread, Ctrl-C is not raised in code that makes or undoes a change.

    That is: near the entry or the exit of any context manager, and in functions marked as :func:`careful`. It is
    raised a few milliseconds later, where the program is by then, at the latest when the last one is closed.
    Opening and closing may be repeated. On other threads, which no signal reaches, it does nothing.
    """

    def open(self) -> None:
        """Take Ctrl-C over, unless somebody handles it outside of Python."""
        if threading.current_thread() is threading.main_thread():
            _HANDLER.add(self)

    def close(self) -> None:
        """Give it back; an interrupt that still waits is raised now, if nobody else defers it."""
        if threading.current_thread() is threading.main_thread():
            _HANDLER.remove(self)

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Handler:
    """Python's handler of SIGINT as long as there are deferrals."""

    def __init__(self) -> None:
        self._deferrals: set[Deferral] = set()
        self._before: Callable[[int, FrameType | None], Any] | None = None
        self._waiting_since: float | None = None

    def add(self, deferral: Deferral) -> None:
        if not self._deferrals:
            before = signal.getsignal(signal.SIGINT)
            if not callable(before) or before == self:
                return
            # Counted only once it is taken over: an interrupt just before would leave a deferral that nobody closes.
            self._before = before
            signal.signal(signal.SIGINT, self)
        self._deferrals.add(deferral)

    def remove(self, deferral: Deferral) -> None:
        if deferral not in self._deferrals:
            return
        self._deferrals.discard(deferral)
        if self._deferrals:
            return
        # Given back last: from then on an interrupt may come between any two lines.
        before = self._before
        if before is not None and signal.getsignal(signal.SIGINT) == self:  # else somebody took it over meanwhile
            signal.signal(signal.SIGINT, before)
        waits, self._waiting_since = self._waiting_since is not None, None
        if waits and before is not None:
            before(signal.SIGINT, None)

    def __call__(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        since = self._waiting_since or now
        if is_careful(frame) and now - since < _LONGEST:
            self._waiting_since = since
            _thread.start_new_thread(self._try_again, ())  # threading's own takes locks that this may have interrupted
            return
        self._waiting_since = None
        if self._before is not None:
            self._before(number, frame)

    def _try_again(self) -> None:
        time.sleep(_AGAIN)
        if self._waiting_since is not None:
            _thread.interrupt_main()


def let_go(lock: Any) -> None:
    """Release a ``threading.RLock`` that an interrupt, just before the release, left with this thread."""
    while lock._is_owned():  # noqa: SLF001
        lock.release()


def is_careful(frame: FrameType | None) -> bool:
    """Whether an exception raised in ``frame`` could leave a change behind."""
    for _ in range(_NEAR):
        if frame is None:
            return False
        if frame.f_code.co_name in _ENTRIES or frame.f_code in _CAREFUL:
            return True
        frame = frame.f_back
    return False


_HANDLER = _Handler()
