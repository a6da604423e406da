"""One thread that does an Explorer's long work; the newest request wins."""

from __future__ import annotations

import contextlib
import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor

Job = Callable[[threading.Event], None]
"""Does some work, looking now and then whether the event is set, which asks it to stop."""


class Worker:
    """Runs one job at a time off the kernel's main thread.

    Submitting a job asks the one before to stop; each is called, also when it was asked to stop before it began.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="cnnwidgets")
        self._stop = threading.Event()
        self._last: Future[None] | None = None

    def submit(self, job: Job) -> None:
        """Run ``job`` as soon as the one before has stopped."""
        with self._lock:
            self._stop.set()
            self._stop = threading.Event()
            # Without the caller's context a message sent from the thread is lost on some versions of ipykernel.
            context = contextvars.copy_context()
            self._last = self._pool.submit(context.run, job, self._stop)

    def cancel(self) -> None:
        """Ask the running job to stop."""
        with self._lock:
            self._stop.set()

    def supersede(self) -> None:
        """Ask the running job to stop because what it is for is no longer wanted; it is not the newest any more."""
        with self._lock:
            self._stop.set()
            self._stop = threading.Event()

    def is_newest(self, stop: threading.Event) -> bool:
        """Whether no job has been submitted after the one that got ``stop``."""
        with self._lock:
            return stop is self._stop

    def wait(self, timeout: float | None = None) -> None:
        """Block until nothing runs or waits.

        Raises:
            TimeoutError: it took longer than ``timeout`` seconds.
        """
        last = None
        while last is not self._last:
            last = self._last
            if last is not None:
                with contextlib.suppress(CancelledError):  # closed before it began
                    last.result(timeout)

    def close(self, timeout: float = 5.0) -> None:
        """Ask the running job to stop, take no more, and give it a moment to put the model back."""
        with self._lock:
            self._stop.set()
            self._pool.shutdown(wait=False, cancel_futures=True)
            last = self._last
        if last is not None and threading.current_thread() is threading.main_thread():
            with contextlib.suppress(TimeoutError, CancelledError):
                last.exception(timeout)
