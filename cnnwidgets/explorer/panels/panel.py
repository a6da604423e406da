"""A panel of the Explorer with work of its own: what it is told, and what it may ask for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from cnnwidgets.core.errors import Cancelled
from cnnwidgets.core.progress import Step
from cnnwidgets.explainers.attribution import Attribution
from cnnwidgets.explorer.sentences import with_time_left
from cnnwidgets.explorer.work.report import Report, share_of
from cnnwidgets.explorer.work.scene import Scene, changed_meanwhile
from cnnwidgets.explorer.work.worker import Job, Worker

from .host import PanelHost


class Panel:
    """Base of the panels that compute on a thread of their own; the newest request of a panel wins.

    A subclass sets ``widget`` (with ``show_error``, ``clear_error`` and the trait ``busy``) and overrides what it wants
    to be told. All of it may be called from the Explorer's worker thread.
    """

    widget: Any
    follows_switches = True
    """Whether it is told of a scene in which only other channels are switched off."""

    def __init__(self, host: PanelHost) -> None:
        self._host = host
        self._lock = threading.RLock()
        self._worker = Worker(self._lock, turns=host.session.turns)
        self.busy = False
        """Whether a job runs or waits."""

    def scene_opened(self, scene: Scene) -> None:
        """Another photograph is on show; what was computed for the one before is of no use any more."""

    def target_changed(self, scene: Scene) -> None:
        """Another class is explained."""

    def map_changed(self, attribution: Attribution | None) -> None:
        """The overlay shows another map, or (None) one that is not complete, or none."""

    def stopped(self) -> None:
        """The newest job was cancelled; what is done stays on show."""

    def sleep(self) -> None:
        """Let go of what can be made again: the photograph will be opened anew before anything else is asked for."""

    def request(self, prepare: Callable[[], Job | None]) -> bool:
        """Run the job that ``prepare`` returns, if any, on this panel's thread, and return whether there is one.

        The one before is asked to stop. An error of the job is shown in the widget. Where the network has changed since
        the photograph was looked at, that is done first, and the job prepared again for what is there then.

        Args:
            prepare: checks what is asked for, and lets the widget say that it has begun; None: there is nothing to do.
        """
        with self._lock:
            job = prepare()
            if job is not None:
                self._submit(job, prepare)
            return job is not None

    def report(self, stop: threading.Event, tell: Callable[[Step], None], draw: Callable[[Any], None]) -> Report:
        """A :class:`Report` that shows nothing once the job was asked to stop."""
        return Report(
            stop,
            lambda step: self.apply(stop, lambda: tell(step)),
            lambda partial: self.apply(stop, lambda: draw(partial)),
        )

    def tell(self, text: str, step: Step) -> None:
        """Show how far the work is: ``text`` and the time left."""
        self.widget.show_progress(share_of(step), with_time_left(text, step))

    def apply(self, stop: threading.Event, change: Callable[[], None]) -> None:
        """Change the view, unless the job was asked to stop; it ends there if it was."""
        self._worker.apply_unless_stopped(stop, change)

    def cancel(self) -> None:
        """Stop what is being computed."""
        self._worker.cancel()

    def drop(self) -> None:
        """Stop what is being computed, because it is for something that is not on show any more."""
        self._worker.supersede()
        if self.busy:
            self._set_busy(False)

    def wait(self, timeout: float | None = None) -> None:
        """Block until nothing is being computed."""
        self._worker.wait(timeout)

    def close(self) -> None:
        """Stop, and let go of everything. A subclass frees what it keeps, too."""
        self._worker.close()

    def _submit(self, job: Job, prepare: Callable[[], Job | None] | None) -> None:
        self._set_busy(True)
        self._worker.submit(lambda stop: self._run(job, stop, prepare))

    def _run(self, job: Job, stop: threading.Event, prepare: Callable[[], Job | None] | None) -> None:
        """``prepare``: None where the job has been prepared again already."""
        if self._worker.closed:
            return
        scene, stale = self._host.scene, self._host.session.is_stale
        current = stop.is_set() or not stale(scene)
        try:
            if prepare is not None and not current:
                self._host.renew()
                with self._lock:
                    job_now = None if self._worker.closed else prepare()
                    if job_now is not None:
                        self._submit(job_now, None)
                        return
            else:
                with scene.task.reading():
                    job(stop)
            self._at_the_end(stop, self.widget.clear_error)
        except Cancelled:
            self._at_the_end(stop, self.stopped)
        except BaseException as error:  # SystemExit too would end the thread with the view still busy
            failure = error
            if isinstance(error, Exception) and current and not self._worker.closed and stale(scene):
                failure = changed_meanwhile()
                failure.__cause__ = error
            self._at_the_end(stop, lambda: self.widget.show_error(failure))

    def _at_the_end(self, stop: threading.Event, show: Callable[[], None]) -> None:
        def change() -> None:
            show()
            self._set_busy(False)

        self._worker.apply_if_newest(stop, change)

    def _set_busy(self, busy: bool) -> None:
        self.busy = self.widget.busy = busy
        self._host.busy_changed()
