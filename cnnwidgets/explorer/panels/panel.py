"""A panel of the Explorer with work of its own: what it is told, and what it may ask for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol

import torch

from cnnwidgets.core.errors import Cancelled
from cnnwidgets.explainers.attribution import Attribution
from cnnwidgets.explorer.work.session import Scene, Session, changed_meanwhile
from cnnwidgets.explorer.work.worker import Worker


class Host(Protocol):
    """What a part sees of its Explorer."""

    @property
    def session(self) -> Session:
        """The model, the images, and the functions that look at them."""

    @property
    def scene(self) -> Scene:
        """The photograph on show, and what was computed for it and the class explained."""

    @property
    def shown(self) -> Attribution | None:
        """The map on the overlay, if it is complete."""

    def show_scores(self, logits: torch.Tensor | None) -> None:
        """(classes,) scores of the image with patches on it, for the class bars; None: there are none."""

    def show_switched(self, logits: torch.Tensor | None) -> None:
        """(classes,) scores of the network without some of its maps, for the class bars; None: it has all."""

    @property
    def switched_scores(self) -> torch.Tensor | None:
        """(classes,) scores of the photograph without the maps that are switched off; None: not known, or none is."""

    @property
    def without_maps(self) -> Callable[[torch.Tensor], torch.Tensor] | None:
        """What scores an image (1, C, H, W) without the maps that are switched off; None: none is."""

    def renew(self) -> None:
        """Look at the photograph again, because the network has changed; returns when that is done."""

    def part_changed(self) -> None:
        """To be called when :attr:`Part.busy` changed."""


class Part:
    """Base of the panels that compute on a thread of their own; the newest request of a part wins.

    A subclass sets ``widget`` (with ``show_error``, ``clear_error`` and the trait ``busy``) and overrides what it wants
    to be told. All of it may be called from the Explorer's worker thread.
    """

    widget: Any

    def __init__(self, host: Host) -> None:
        self._host = host
        self._worker = Worker(turns=host.session.turns)
        self._lock = threading.RLock()
        self._closed = False
        self.busy = False
        """Whether a job runs or waits."""

    def scene_opened(self, scene: Scene) -> None:
        """Another photograph is on show; what was computed for the one before is of no use any more."""

    def target_changed(self, scene: Scene) -> None:
        """Another class is explained."""

    def map_changed(self, shown: Attribution | None) -> None:
        """The overlay shows another map, or (None) one that is not complete, or none."""

    def stopped(self) -> None:
        """The newest job was cancelled; what is done stays on show."""

    def sleep(self) -> None:
        """Let go of what can be made again: the photograph will be opened anew before anything else is asked for."""

    def submit(self, job: Callable[[threading.Event], None], again: Callable[[], None] | None = None) -> None:
        """Run ``job`` on this part's thread; the one before is asked to stop. An error is shown in the widget.

        Where the network has changed since the photograph was looked at, that is done first, and then ``again`` is
        called instead of the job: it asks for the same on what is there then, without another ``again``.
        """
        self._set_busy(True)
        self._worker.submit(lambda stop: self._run(job, stop, again))

    def apply(self, stop: threading.Event, change: Callable[[], None]) -> None:
        """Change the view, unless the job was asked to stop.

        Raises:
            Cancelled: it was.
        """
        with self._lock:
            if stop.is_set() or self._closed:
                raise Cancelled("Stopped.")
            change()

    def cancel(self) -> None:
        """Stop what is being computed."""
        self._worker.cancel()

    def wait(self, timeout: float | None = None) -> None:
        """Block until nothing is being computed."""
        self._worker.wait(timeout)

    def close(self) -> None:
        """Stop, and let go of everything. A subclass frees what it keeps, too."""
        self._closed = True
        self._worker.close()

    def _run(
        self, job: Callable[[threading.Event], None], stop: threading.Event, again: Callable[[], None] | None
    ) -> None:
        if self._closed:
            return
        scene, stale = self._host.scene, self._host.session.is_stale
        current = True
        try:
            if not stop.is_set() and stale(scene):
                current = False
                if again is not None:
                    self._host.renew()
                    if not self._closed:
                        again()
                    return
            with scene.task.reading():
                job(stop)
            self._at_the_end(stop, self.widget.clear_error)
        except Cancelled:
            self._at_the_end(stop, self.stopped)
        except BaseException as error:  # SystemExit too would end the thread with the view still busy
            failed = error
            if isinstance(error, Exception) and current and not self._closed and stale(scene):
                failed = changed_meanwhile()
                failed.__cause__ = error
            self._at_the_end(stop, lambda: self.widget.show_error(failed))

    def _at_the_end(self, stop: threading.Event, show: Callable[[], None]) -> None:
        """A job that another one replaced says nothing any more."""
        with self._lock:
            if not self._closed and self._worker.is_newest(stop):
                show()
                self._set_busy(False)

    def _set_busy(self, busy: bool) -> None:
        self.busy = self.widget.busy = busy
        self._host.part_changed()
