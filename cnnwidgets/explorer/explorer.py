"""The Explorer: the work that keeps the view true to what was chosen."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import torch

from cnnwidgets import explainers
from cnnwidgets.core.errors import Cancelled, InputError, NotSpatial, message_of
from cnnwidgets.core.progress import Step
from cnnwidgets.explainers.attribution import Attribution
from cnnwidgets.outputs.targets import Target
from cnnwidgets.pictures.picture import load_picture
from cnnwidgets.widgets._maps.methods import method_label

from .choices import Choices
from .no_grad_cam import first_method, why_not
from .panels.all_panels import Panels
from .sentences import method_choices, model_title, work_left
from .ties import guarded, tie
from .view import View
from .work import awake
from .work.report import Report
from .work.session import ATTEMPTS, Scene, Session, changed_meanwhile
from .work.worker import Worker

_LONGEST_RENEWAL = 60.0  # seconds that a panel waits for the photograph to be looked at again


class Explorer(Choices):
    """A live view into a model; made by :func:`cnnwidgets.explore`.

    Setting a trait moves the view, and a click moves the trait. Work that takes time is done on a thread of its own:
    ``status`` tells, :meth:`wait` waits for it, :meth:`cancel` stops it.

    Attributes:
        graph, feature_maps, overlay, scores, occluder, comparison, map_check: the widgets that it is made of.
    """

    def __init__(self, session: Session, target: Target = None) -> None:
        super().__init__(session, session.open(next(iter(session.images)), target))
        self._worker = Worker(turns=session.turns)
        # None: explain the predicted class, whichever it is. A class that somebody chose is kept.
        self._wish: Target = target
        self._layers: list[str] = []
        self._on_overlay: tuple[object, str, str | None] | None = None
        chosen = self._scene.now.chosen
        if target is not None and not callable(chosen):
            self._wish = chosen[0]  # an int, whatever kind of number was given
        self._panels = Panels(session, lambda: self._scene, self._show_scores, self._mark_busy, self._renew)
        self._view = View(
            model_title(session.original), session.traced, list(session.images), session.label, self._panels
        )
        self.graph, self.feature_maps = self._view.graph, self._view.feature_maps
        self.overlay, self.scores = self._view.overlay, self._view.scores
        self.occluder, self.comparison = self._panels.hiding.widget, self._panels.comparing.widget
        self.map_check = self._panels.checking.widget
        self.children = self._view.children
        for name in ("cnnw", "cnnw-explorer"):
            self.add_class(name)
        self._apply_scene(self._scene)
        self._apply_now()
        self._listen()
        self._checking = True
        self.method = first_method(self._scene.now)

    def __repr__(self) -> str:
        return f"Explorer(picture={self.picture!r}, layer={self.layer!r}, target={self.target}, method={self.method!r})"

    def add_picture(self, image: Any, name: str = "") -> None:
        """Add an image to the menu, and show it.

        Args:
            image: as for :func:`cnnwidgets.explore`.
            name: what the menu calls it; by default the file's name.

        Raises:
            InputError: the image cannot be used; the view stays as it is.
        """
        session = self._open_session()
        read = load_picture(image, session.model, session.preprocess)
        free = session.add_image(name or read.name, image)
        self._view.bar.pictures = list(session.images)
        self.picture = free

    def wait(self, timeout: float | None = None) -> None:
        """Block until nothing is being computed; for scripts.

        Raises:
            TimeoutError: it took longer than ``timeout`` seconds.
        """
        for _ in range(2):  # a panel may have let the photograph be looked at again
            self._worker.wait(timeout)
            if self.status != "closed":
                self._panels.wait(timeout)

    def cancel(self) -> None:
        """Stop what is being computed; what is done stays on show."""
        self._worker.cancel()
        if self.status != "closed":
            self._panels.cancel()

    def close(self) -> None:
        """Stop all work and let go of the model, the maps and the widgets."""
        if self.status == "closed":
            return
        if "_view" not in self.__dict__:  # its making failed, and ipywidgets closes what is left of it
            super().close()
            return
        self._checking = False
        awake.gone(self)
        self._deaf()
        self._worker.close()
        self._panels.close()
        with self._lock:
            self.status, self.message = "closed", "This Explorer is closed."
            self.unobserve_all()
            self._view.close()
            self._view.bar.on_cancel, self._view.bar.on_upload = _nothing, _nothing
            self._on_overlay = None
            del self._scene, self._session, self._view, self._panels
        self.layout.close()
        super().close()

    def _listen(self) -> None:
        """Tie the panels to the traits, both ways."""
        self.observe(lambda change: self._show_layer(change["new"]), "layer")
        self.observe(self._on_target, "target")
        self.observe(lambda _: self._refresh(), ["method", "picture", "region"])
        # Before the maps' own tie: they must be on show again when a layer without maps has been clicked.
        self.observe(lambda _: self._back_from_mapless(), "channel")
        tie(self, "channel", self.feature_maps, "channel", self._show_error)
        tie(self, "target", self.scores, "target", self._show_error)
        tie(self, "method", self.overlay, "method", self._show_error)
        tie(self, "target", self.overlay, "marked", self._show_error)
        tie(self, "region", self.overlay, "region", self._show_error)
        tie(self, "picture", self._view.bar, "picture", self._show_error)
        tie(self, "panel", self._view.tabs, "active", self._show_error)
        self.observe(lambda change: self._panels.panel_changed(change["new"]), "panel")
        self.graph.observe(guarded(self._graph_clicked, self._show_error), "selected")
        self.overlay.observe(guarded(lambda _: self._refresh(), self._show_error), "layer")
        self.overlay.observe(guarded(lambda _: self._follow(), self._show_error), "follow")
        self._view.bar.on_cancel = self.cancel
        self._view.bar.on_upload = self.add_picture_from_view
        self._deaf = explainers.on_change(self._methods_changed)

    def add_picture_from_view(self, name: str, content: bytes) -> None:
        """What an upload does."""
        self._view.bar.clear_error()
        try:
            self.add_picture(content, name)
        except InputError as error:
            raise InputError(f"{name}: {error}") from error

    def _graph_clicked(self, change: Any) -> None:
        name = change["new"]
        if not name:
            return
        try:
            info = self._session.spatial(self._scene, name)
        except NotSpatial as error:
            self.feature_maps.clear(str(error), layer=name)
            return
        if info.name != self.layer:
            self.layer = info.name
        elif self.feature_maps.layer != name:
            self._show_layer(name)  # back from a layer without maps

    def _same_layer(self, name: str) -> None:
        if self.feature_maps.layer != name:
            self._show_layer(name)

    def _show_layer(self, name: str) -> None:
        """Nothing is computed here: the maps of every layer are there since the photograph was opened."""
        self._renew_if_stale()
        with self._lock:
            if self._scene.asleep:
                return  # they are being made, and shown then
            info = self._session.info(name)
            self._view.show_maps(self._scene, info, self.target)
            if self.graph.selected != name:
                self.graph.selected = name
            self._follow()

    def _renew_if_stale(self) -> None:
        """Look at the photograph again if the network or the image is not what it was."""
        if not self._checking:
            return
        if not self._scene.asleep:
            awake.woken(self)
        if self.status != "busy" and self._session.is_stale(self._scene):
            self._refresh()

    def sleep(self) -> bool:
        """Let go of the maps, which are made again at the next click; False: it is being used just now."""
        if not self._lock.acquire(blocking=False):
            return False
        try:
            if self.status == "closed":
                return True
            if self.status == "busy" or not self._checking or self._panels.working or self._panels.switching.busy:
                return False
            before, self._scene = self._scene, self._scene.sleeping()
            if self._on_overlay is not None and self._on_overlay[0] is before.now:
                self._on_overlay = (self._scene.now, *self._on_overlay[1:])
            self._session.forget()
            self._panels.sleep()
            return True
        finally:
            self._lock.release()

    def _renew(self) -> None:
        """The same for a panel, on its thread: returns when there is a new scene, or none to come."""
        before, until = self._scene, time.monotonic() + _LONGEST_RENEWAL
        self._refresh()
        while self._scene is before and self.status == "busy" and time.monotonic() < until:
            time.sleep(0.01)

    def _back_from_mapless(self) -> None:
        if self.channel is not None and self.feature_maps.layer != self.layer:
            self._show_layer(self.layer)

    def _offer_choices(self) -> None:
        """The methods; and the slider over layers for those that explain a layer."""
        known = self.method in explainers.names()
        self.overlay.layers = self._layers if known and explainers.info(self.method).needs_layer else []
        self.overlay.methods = method_choices()

    def _methods_changed(self) -> None:
        """An explainer was registered, or taken away."""
        if self.status != "closed":
            self._offer_choices()
            self._panels.comparing.offer_methods()

    def _follow(self) -> None:
        if self.overlay.follow:
            same = self._session.same_maps(self._scene, self.layer, self._layers)
            self.overlay.layer = same or self.overlay.layer

    def _on_target(self, change: Any) -> None:
        with self._lock:
            if self._checking:  # else the view itself follows the predicted class
                wanted: int = change["new"]
                self._wish = wanted
                if self.target != wanted:  # the worker set it meanwhile
                    with self._unchecked():
                        self.target = wanted
            self._refresh()

    def _needs_work(self) -> bool:
        scene = self._scene
        if self._is_other(scene) or self._aim_is_stale(scene) or self._session.is_stale(scene):
            return True
        return self.method != "grad_cam"

    def _is_other(self, scene: Scene) -> bool:
        """Whether another photograph, or another part of it, is asked for."""
        return scene.name != self.picture or list(scene.task.region) != self.region

    def _opened(self, shown: Scene) -> Scene:
        """The photograph and the part of it that are asked for; one of another size has other parts."""
        if shown.name != self.picture:
            if not shown.task.columns_stay:
                self._wish = None
            return self._session.open(self.picture, self._wish)
        return self._session.open(self.picture, self._wish, tuple(self.region))

    def _aim_is_stale(self, scene: Scene) -> bool:
        chosen = scene.now.chosen
        if callable(self._wish) or callable(chosen):
            return self._wish is not chosen
        return self._wish is not None and chosen[0] != self._wish

    def _refresh(self) -> None:
        """Bring the view up to date with the traits."""
        with self._lock:
            if not self._checking:
                return
            self._offer_choices()
            if not self._needs_work():
                self._worker.supersede()
                self._apply_now()
                return
            self._set_status("busy", f"{method_label(self.method)} …")
        self._worker.submit(self._work)

    def _work(self, stop: threading.Event) -> None:
        """On the worker's thread: whatever is missing between what is shown and what the traits ask for."""
        try:
            if stop.is_set():
                raise Cancelled("Stopped.")
            self._catch_up(stop)
            self._unless(stop, lambda: self._set_status("ready"))
        except Cancelled:
            self._if_newest(stop, lambda: self._back_to_shown("cancelled", "Cancelled."))
        except BaseException as error:  # SystemExit too would end the thread with the view still busy
            failed = error
            self._if_newest(stop, lambda: self._failed(failed))

    def _catch_up(self, stop: threading.Event) -> None:
        """Once more where it failed because the network changed between a forward and its backward."""
        for left in reversed(range(ATTEMPTS)):
            scene = self._scene
            current = not (self._is_other(scene) or self._session.is_stale(scene))
            if not current:
                scene = self._look_again(scene, stop)
            try:
                if current and self._aim_is_stale(scene):
                    scene = self._aim(scene, stop)
                self._explain(scene, stop)
                return
            except Exception as error:
                if isinstance(error, Cancelled) or not self._session.is_stale(scene):
                    raise
                if not left:
                    raise changed_meanwhile() from error

    def _aim(self, before: Scene, stop: threading.Event) -> Scene:
        scene = self._session.aim(before, self._wish)
        self._unless(stop, lambda: self._apply_aim(scene))
        return scene

    def _look_again(self, before: Scene, stop: threading.Event) -> Scene:
        """The photograph asked for, opened; what is on show already is said to have changed."""
        scene = self._opened(before)
        if not self._is_other(before) and not scene.looks_like(before):
            scene = scene.with_note(before.origin.change_to(scene.origin))
        self._unless(stop, lambda: self._apply_scene(scene))
        return scene

    def _explain(self, scene: Scene, stop: threading.Event) -> None:
        method = self.method

        def tell(step: Step) -> None:
            self.message = work_left(method, step)
            self._view.show_progress(step.done / max(step.total, 1), self.message)

        def draw(partial: Attribution) -> None:
            self._unless(stop, lambda: self._show_map(scene, partial, partial=True))

        report = Report(stop, tell, draw)
        try:
            attribution = self._session.explain(scene, method, self.overlay.layer, report)
        except Cancelled:
            if report.last is not None and report.last.partial is not None:
                partial = report.last.partial
                stopped = f"Stopped at {100 * report.share:.0f} %: this map is not final."
                self._if_newest(stop, lambda: self._show_map(scene, partial, partial=True, stopped=stopped))
            raise
        self._unless(stop, lambda: self._show_map(scene, attribution))

    def _show_map(self, scene: Scene, attribution: Attribution, *, partial: bool = False, stopped: str = "") -> None:
        self._view.show_map(scene, attribution, partial=partial, stopped=stopped)
        self._panels.map_changed(None if partial else attribution)
        self._on_overlay = (scene.now, attribution.method, attribution.layer)

    def _unless(self, stop: threading.Event, apply: Callable[[], None]) -> None:
        with self._lock:
            if stop.is_set() or self.status == "closed":
                raise Cancelled("Stopped.")
            apply()

    def _if_newest(self, stop: threading.Event, apply: Callable[[], None]) -> None:
        """A job that another one replaced says nothing any more."""
        with self._lock:
            if self._worker.is_newest(stop) and self.status != "closed":
                apply()

    def _failed(self, error: BaseException) -> None:
        self._show_error(error)
        self._back_to_shown("error", message_of(error))

    def _back_to_shown(self, status: str, message: str) -> None:
        """The photograph and the class named are those on show."""
        with self._unchecked():
            self.picture, self.region = self._scene.name, list(self._scene.task.region)
            chosen = self._scene.now.chosen
            if not callable(chosen) and self._wish is not None:
                self.target = self._wish = chosen[0]
        asked = self.overlay.layer if self.overlay.layers else None
        if self._on_overlay != (self._scene.now, self.method, asked):
            self._panels.map_changed(None)
            self.overlay.clear(f"{method_label(self.method)} gave no map. {message}")
        self._set_status(status, message)

    def _apply_scene(self, scene: Scene) -> None:
        session = self._session
        self._scene = scene
        awake.woken(self)
        session.enter(scene)
        self._panels.scene_opened(scene)
        with self._unchecked():
            self._view.show_architecture(session.traced)
            self.picture, self.region = scene.name, list(scene.task.region)
            chosen = scene.now.chosen
            self.target = scene.predicted if callable(chosen) else chosen[0]
            self._view.show_scene(scene, session.labels, self.target)
            self._view.show_task(scene, self.target)
            self._view.bar.picture = scene.name
            layers = session.explained_layers(scene, self.graph.named)
            self._layers = layers
            self.overlay.also = frozenset(scene.now.cam)
            self._offer_choices()
            if self.layer not in scene.maps:
                self.layer = self._best(scene, layers or session.spatial_layers(scene) or [""])
            if layers and self.overlay.layer not in layers:
                self.overlay.layer = self._best(scene, layers)
            self._view.show_strip(scene, layers)
            self._panels.comparing.offer_layers(layers)
            if self.layer:
                self._view.show_maps(scene, session.info(self.layer), self.target)
                self.graph.selected = self.layer
            else:
                self.feature_maps.clear("This network has no layer whose output is a stack of maps.")

    def _best(self, scene: Scene, layers: list[str]) -> str:
        """The layer to begin with: of a transformer, the last one whose maps the score depends on is not the last."""
        return self._session.same_maps(scene, scene.now.default or "", layers) or layers[-1]

    def _apply_aim(self, scene: Scene) -> None:
        self._scene = scene
        self._view.show_task(scene, self.target)
        self._view.show_contribution(scene, self.layer, self.target)
        self._view.show_strip(scene, self._layers)
        self._panels.target_changed(scene)

    def _apply_now(self) -> None:
        """Grad-CAM of any layer is part of the scene."""
        with self._lock:
            scene, layer = self._scene, self.overlay.layer
            if layer in scene.now.cam:
                self._show_map(scene, self._session.explain(scene, "grad_cam", layer, lambda _: None))
            else:
                self._panels.map_changed(None)
                self._on_overlay = None
                self.overlay.clear(why_not(scene.now, layer))
            with self._unchecked():
                self.overlay.method = self.method
            self._set_status("ready")

    def _set_status(self, status: str, message: str = "") -> None:
        self.status = status
        self._mark_busy()
        if status in ("ready", "busy"):
            self._view.bar.clear_error()
        working = status == "busy"
        self._view.show_progress(0.0 if working else None, message if status != "error" else "")
        self.message = message

    def _mark_busy(self) -> None:
        self._view.set_busy(self.status == "busy", self._panels.working)

    def _show_scores(self, logits: torch.Tensor | None) -> None:
        """The scores of an edited image, while it is being edited."""
        # Without the lock: a panel calls this holding its own, and is told of other scenes by who holds this one.
        if self.status != "closed":
            self._view.show_scores(self._scene.logits if logits is None else logits)
            self._view.note_switched(self._panels.without_maps is not None)

    def say_dropped(self, reason: str) -> None:
        """Tell the reader that something from the page was not used."""
        if self.status != "closed":
            self._view.bar.say_dropped(reason)

    def say_failed(self, error: Exception) -> None:
        """Show what went wrong in the answer to the page."""
        if self.status != "closed":
            self._view.bar.say_failed(error)

    def _show_error(self, error: BaseException) -> None:
        self._view.bar.show_error(error)


def _nothing(*_: object) -> None:
    """What the buttons of a closed Explorer do."""
