"""What the traits of an Explorer ask for beyond what is on show, and the thread that computes it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from cnnwidgets.core.errors import Cancelled, message_of
from cnnwidgets.explainers.attribution import Attribution
from cnnwidgets.explainers.labels import label_of
from cnnwidgets.outputs.targets import Target

from .choices import Choices
from .display import Display
from .panels.all_panels import Panels
from .panels.host import PanelHost
from .view import ExplorerView
from .work import awake
from .work.report import Report
from .work.scene import Scene
from .work.switched import switched_scene
from .work.worker import Worker, refuse_stopped

_BARS_FIRST = 0.1  # seconds in which the bars that a switch moves are drawn, before all else is computed
_LONGEST_RENEWAL = 60.0  # seconds that a panel waits for the photograph to be looked at again


class Requests:
    """Keeps what is on show true to what was chosen; the newest request wins.

    Args:
        choices: the traits that ask.
        target: what is to be explained, as somebody asked for it to begin with.
    """

    def __init__(
        self, choices: Choices, host: PanelHost, view: ExplorerView, panels: Panels, display: Display, target: Target
    ) -> None:
        self._choices, self._host, self._session = choices, host, host.session
        self._view, self._panels, self._display = view, panels, display
        self._worker = Worker(host.lock, turns=host.session.turns)
        # None: explain the predicted class, whichever it is. A class that somebody chose is kept, whatever kind of
        # number was given.
        target_class = host.scene.target_class
        self._requested_target: Target = target if target is None or target_class is None else target_class

    def target_changed(self, target: int) -> None:
        """Somebody chose a class, or the view followed the predicted one."""
        with self._host.lock:
            if self._host.checking:
                self._requested_target = target
                self.show_chosen()
                if self._choices.target != target:  # the worker set it meanwhile
                    with self._host.unchecked():
                        self._choices.target = target
            self.refresh()

    def follow_top(self) -> None:
        """Explain the class with the highest score, of this photograph and of others."""
        with self._host.lock:
            self._requested_target = None
            if self._host.scene.target_class is not None:
                with self._host.unchecked():
                    self._choices.target = self._host.scene.first_class
            self.show_chosen()
            self.refresh()

    def show_chosen(self) -> None:
        """Say which class is explained, and whether somebody chose it."""
        target = self._requested_target
        self._display.show_chosen(target if isinstance(target, int) else None)

    def refresh(self) -> None:
        """Bring the view up to date with the traits."""
        with self._host.lock:
            if not self._host.checking:
                return
            self._display.offer_methods()
            scene = self._host.scene
            is_other = self._is_other(scene) or self._is_other_target(scene) or self._session.seemed_stale(scene)
            if not (is_other or self._lags(scene) or self._choices.method != "grad_cam"):
                self._worker.supersede()
                self._display.show_grad_cam()
                return
            self._display.set_status("busy", f"{label_of(self._choices.method)} …")
        self._worker.submit(self._work)

    def refresh_if_stale(self) -> None:
        """Look at the photograph again if the network or the image is not what it was."""
        if not self._host.checking:
            return
        if not self._host.scene.asleep:
            awake.woken(self)
        if self._choices.status != "busy" and self._session.seemed_stale(self._host.scene):
            self.refresh()

    def renew(self) -> None:
        """The same for a panel, on its thread: returns when there is a new scene, or none to come."""
        before, until = self._host.scene, time.monotonic() + _LONGEST_RENEWAL
        self.refresh()
        while time.monotonic() < until:
            with self._host.lock:  # or it would be there before every panel has been told of it
                if self._host.scene is not before or self._choices.status != "busy":
                    return
            time.sleep(0.01)

    def sleep(self) -> bool:
        """Let go of the maps, which are made again at the next click; False: it is being used just now."""
        host = self._host
        if not host.lock.acquire(blocking=False):
            return False
        try:
            if self._choices.status == "closed":
                return True
            if self._choices.status == "busy" or not host.checking or any(panel.busy for panel in self._panels):
                return False
            self._session.forget()
            self._display.fall_asleep()
            return True
        finally:
            host.lock.release()

    def wait(self, timeout: float | None = None) -> None:
        """Block until nothing is being computed."""
        self._worker.wait(timeout)

    def cancel(self) -> None:
        """Stop what is being computed."""
        self._worker.cancel()

    def close(self) -> None:
        """Stop, and take no more."""
        awake.gone(self)
        self._worker.close()

    def clear(self) -> None:
        """Let go of the model and the widgets."""
        del self._session, self._view, self._panels, self._display

    def _is_other(self, scene: Scene) -> bool:
        """Whether another photograph, or another part of it, is asked for."""
        return scene.name != self._choices.picture or list(scene.task.region) != self._choices.region

    def _lags(self, scene: Scene) -> bool:
        """Whether other channels are to be switched off; the user's own network, where there is no copy, never is."""
        return not self._session.turns and scene.switches != self._host.switches_in(scene)

    def _is_other_target(self, scene: Scene) -> bool:
        if callable(self._requested_target) or scene.target_class is None:
            return self._requested_target is not scene.target
        return bool(self._target_of(scene) != scene.target_class)

    def _target_of(self, scene: Scene) -> Target:
        return scene.first_class if self._requested_target is None else self._requested_target

    def _work(self, stop: threading.Event) -> None:
        """On the worker's thread: whatever is missing between what is shown and what the traits ask for."""
        try:
            refuse_stopped(stop)
            self._catch_up(stop)
            self._worker.apply_unless_stopped(stop, lambda: self._display.set_status("ready"))
        except Cancelled:
            self._worker.apply_if_newest(stop, lambda: self._fall_back("cancelled", "Cancelled."))
        except BaseException as error:  # SystemExit too would end the thread with the view still busy
            failure = error
            self._worker.apply_if_newest(stop, lambda: self._fail(failure))

    def _catch_up(self, stop: threading.Event) -> None:
        scene = self._host.scene
        if self._lags(scene):
            stop.wait(_BARS_FIRST)
            self._worker.apply_unless_stopped(stop, self._display.say_lag)
        if self._is_other(scene) or self._session.is_stale(scene):
            self._reopen(stop)
            return
        try:
            if self._lags(scene):
                scene = switched_scene(self._session.model, scene, self._host.switches_in(scene))
                self._worker.apply_unless_stopped(stop, lambda: self._show(self._display.show_switched, scene))
            if self._is_other_target(scene):
                scene = self._session.retarget(scene, self._target_of(scene))
                self._worker.apply_unless_stopped(stop, lambda: self._show(self._display.show_retargeted, scene))
            self._explain(scene, stop)
        except Exception as error:
            if isinstance(error, Cancelled) or not self._session.is_stale(scene):
                raise
            self._reopen(stop)

    def _reopen(self, stop: threading.Event) -> None:
        """Look at the photograph that is asked for; what is on show already is said to have changed."""
        scene, region = self._host.scene, tuple(self._choices.region)
        if scene.name != self._choices.picture:
            region = ()  # a photograph of another size has other parts
            if not scene.task.columns_stay:
                self._requested_target = None

        def show(scene: Scene) -> None:
            before = self._host.scene
            if self._lags(scene):
                scene = switched_scene(self._session.model, scene, self._host.switches_in(scene))
            same = not self._is_other(before) and scene.switches == before.switches
            if same and not self._session.is_live(scene.name) and not scene.looks_like(before):
                scene = scene.with_note(before.version.change_to(scene.version))
            self._worker.apply_unless_stopped(stop, lambda: self._show(self._display.show_scene, scene))
            awake.woken(self)
            self._explain(scene, stop)

        self._session.open(self._choices.picture, self._requested_target, region, show)

    def _show(self, show: Callable[[Scene], None], scene: Scene) -> None:
        show(scene)
        self.show_chosen()

    def _explain(self, scene: Scene, stop: threading.Event) -> None:
        method = self._choices.method

        def draw(partial: Attribution) -> None:
            self._worker.apply_unless_stopped(stop, lambda: self._display.show_map(scene, partial, partial=True))

        report = Report(stop, lambda step: self._display.show_step(method, step), draw)
        try:
            attribution = self._session.explain(scene, method, self._view.overlay.layer, report)
        except Cancelled:
            stopped = f"Stopped at {100 * report.share:.0f} %: this map is not final."
            if report.partial is not None:
                self._worker.apply_if_newest(
                    stop, lambda: self._display.show_map(scene, report.partial, partial=True, stopped=stopped)
                )
            raise
        self._worker.apply_unless_stopped(stop, lambda: self._display.show_map(scene, attribution))

    def _fail(self, error: BaseException) -> None:
        self._view.bar.show_error(error)
        self._fall_back("error", message_of(error))

    def _fall_back(self, status: str, message: str) -> None:
        scene = self._host.scene
        was_chosen = self._requested_target is not None or scene.target_class != scene.first_class
        if was_chosen and scene.target_class is not None:
            self._requested_target = scene.target_class
        self._display.fall_back(status, message)
        self.show_chosen()
