"""One thread that does an Explorer's long work; the newest request wins."""

from __future__ import annotations

import atexit
import contextlib
import contextvars
import ctypes
import logging
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from cnnwidgets.core.errors import Cancelled

Job = Callable[[threading.Event], object]
"""Does some work, looking now and then whether the event is set, which asks it to stop."""

_IDLE = 2.0  # seconds without work, after which the thread ends
_AT_EXIT = 1.0  # seconds that the process waits for a computation nobody wants any more
_AT_CLOSE = 0.3


class Worker:
    """Runs one job at a time off the kernel's main thread, on a thread that is there while there is work.

    Submitting a job asks the ones before to stop; each is called, also when it was asked to stop before it began.

    Args:
        lock: held while a job changes the view.
        turns: run each job at once, on the thread that submits it.
    """

    def __init__(self, lock: AbstractContextManager[Any] | None = None, *, turns: bool = False) -> None:
        self._lock = threading.RLock() if lock is None else lock
        self._changed = threading.Condition()
        self._turns = turns
        self._jobs: deque[tuple[contextvars.Context, Job, threading.Event]] = deque()
        self._stop = threading.Event()
        self._running = self.closed = False
        self._thread: threading.Thread | None = None
        _WORKERS.add(self)

    def submit(self, job: Job) -> None:
        """Run ``job`` as soon as the one before has stopped."""
        with self._changed:
            if self.closed:
                raise RuntimeError("This worker is closed.")
            self._stop.set()
            self._stop = stop = threading.Event()
            if not self._turns:
                # Without the caller's context a message sent from the thread is lost on some versions of ipykernel.
                self._jobs.append((contextvars.copy_context(), job, stop))
                if self._thread is None:
                    self._thread = threading.Thread(target=self._work, name="cnnwidgets", daemon=True)
                    self._thread.start()
                self._changed.notify_all()
        if self._turns:
            _perform(contextvars.copy_context(), job, stop)

    def cancel(self) -> None:
        """Ask the running job to stop."""
        with self._changed:
            self._stop.set()

    def supersede(self) -> None:
        """Ask the running job to stop because what it is for is no longer wanted; it is not the newest any more."""
        with self._changed:
            self._stop.set()
            self._stop = threading.Event()

    def is_newest(self, stop: threading.Event) -> bool:
        """Whether no job has been submitted after the one that got ``stop``."""
        with self._changed:
            return stop is self._stop

    def apply_unless_stopped(self, stop: threading.Event, change: Callable[[], None]) -> None:
        """Let the job that got ``stop`` change the view.

        Raises:
            Cancelled: it was asked to stop.
        """
        with self._lock:
            refuse_stopped(stop)
            change()

    def apply_if_newest(self, stop: threading.Event, change: Callable[[], None]) -> None:
        """The same at the job's end: one that another has replaced says nothing any more."""
        with self._lock:
            if not self.closed and self.is_newest(stop):
                change()

    def wait(self, timeout: float | None = None) -> None:
        """Block until nothing runs or waits.

        Raises:
            TimeoutError: it took longer than ``timeout`` seconds.
        """
        if threading.current_thread() is self._thread:
            return
        with self._changed:
            if not self._changed.wait_for(lambda: not self._running and not self._jobs, timeout):
                raise TimeoutError(f"Something is still being computed after {timeout} s.")

    def close(self, timeout: float = _AT_CLOSE) -> None:
        """Ask the running job to stop, take no more, and give it a moment."""
        self._refuse_more()
        if threading.current_thread() is threading.main_thread():
            with contextlib.suppress(TimeoutError):
                self.wait(timeout)

    def abandon(self) -> threading.Thread | None:
        """End the running job at its next line: nobody waits for it. Returns the thread that will end."""
        thread = self._refuse_more()
        if thread is not None and thread.ident is not None:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(Cancelled))
        return thread

    def _refuse_more(self) -> threading.Thread | None:
        with self._changed:
            self.closed = True
            self._stop.set()
            self._jobs.clear()
            self._changed.notify_all()
            return self._thread

    def _work(self) -> None:
        with contextlib.suppress(Cancelled):  # of a process that ends
            while True:
                with self._changed:
                    self._running = False
                    self._changed.notify_all()
                    self._changed.wait_for(lambda: self._jobs or self.closed, _IDLE)
                    if not self._jobs:
                        self._thread = None
                        return
                    context, job, stop = self._jobs.popleft()
                    self._running = True
                _perform(context, job, stop)
                del context, job, stop  # an idle thread keeps no model alive


def refuse_stopped(stop: threading.Event) -> None:
    """Raise ``Cancelled`` where a job was asked to stop."""
    if stop.is_set():
        raise Cancelled("Stopped.")


def _perform(context: contextvars.Context, job: Job, stop: threading.Event) -> None:
    try:
        context.run(job, stop)
    except Cancelled:
        pass
    except BaseException:  # a job tells of its errors itself; the thread must go on
        logging.getLogger("cnnwidgets").exception("A job of the Explorer failed")


def _leave() -> None:
    """Nobody wants what is being computed when the process ends."""
    threads = [thread for worker in list(_WORKERS) if (thread := worker.abandon()) is not None]
    until = time.monotonic() + _AT_EXIT
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))


_WORKERS: weakref.WeakSet[Worker] = weakref.WeakSet()
atexit.register(_leave)
