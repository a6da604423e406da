"""The Explorer: traits that can be read, set and observed, and the work that keeps the view true to them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import ipywidgets
import traitlets

from cnnwidgets import explainers
from cnnwidgets.core.errors import Cancelled, CnnWidgetsError, InputError, NotSpatial, TargetError
from cnnwidgets.core.images import load_picture
from cnnwidgets.core.progress import Step
from cnnwidgets.core.results import Attribution
from cnnwidgets.core.targets import Target

from .report import Report
from .sentences import method_choices, method_label, model_title, work_left
from .session import Scene, Session
from .view import View
from .worker import Worker


class Explorer(ipywidgets.Box):
    """A live view into a model; made by :func:`cnnwidgets.explore`.

    Setting a trait moves the view, and a click moves the trait. Work that takes time is done on a thread of its own:
    ``status`` tells, :meth:`wait` waits for it, :meth:`cancel` stops it.

    Attributes:
        graph, feature_maps, overlay, scores: the widgets that it is made of.
    """

    layer = traitlets.Unicode("", help="Dotted name of the layer whose feature maps are shown.")
    channel = traitlets.Int(None, allow_none=True, help="The feature map shown large; None: none.")
    target = traitlets.Int(0, help="The class that is explained.")
    method = traitlets.Unicode("grad_cam", help="The explainer that makes the overlay: one of explainers.names().")
    picture = traitlets.Unicode("", help="Name of the photograph: one of `pictures`.")
    status = traitlets.Enum(
        ["ready", "busy", "cancelled", "error", "closed"], "ready", help="What the Explorer is doing."
    )
    message = traitlets.Unicode("", help="The same for a reader: the work and the time left, or what went wrong.")

    def __init__(self, session: Session, target: Target = None) -> None:
        self._checking = False
        self._lock = threading.RLock()
        self._worker = Worker()
        self._session = session
        # None: explain the predicted class, whichever it is. A class that somebody chose is kept.
        self._wish: Target = target
        self._layers: list[str] = []
        self._on_overlay: tuple[object, str, str | None] | None = None
        self._scene: Scene = session.open(next(iter(session.images)), target)
        chosen = self._scene.now.chosen
        if target is not None and not callable(chosen):
            self._wish = chosen[0]  # an int, whatever kind of number was given
        self._view = View(model_title(session.model), session.traced, list(session.images), session.label)
        self.graph, self.feature_maps = self._view.graph, self._view.feature_maps
        self.overlay, self.scores = self._view.overlay, self._view.scores
        super().__init__(children=self._view.children)
        for name in ("cnnw", "cnnw-explorer"):
            self.add_class(name)
        self._apply_scene(self._scene)
        self._apply_now()
        self._listen()
        self._checking = True

    def __repr__(self) -> str:
        return f"Explorer(picture={self.picture!r}, layer={self.layer!r}, target={self.target}, method={self.method!r})"

    @property
    def pictures(self) -> list[str]:
        """Names of the photographs to choose from."""
        return list(self._open_session().images)

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
        free = name = name or read.name
        number = 2
        while free in session.images:
            free, number = f"{name} ({number})", number + 1
        session.images[free] = image
        self._view.bar.pictures = list(session.images)
        self.picture = free

    def wait(self, timeout: float | None = None) -> None:
        """Block until nothing is being computed; for scripts.

        Raises:
            TimeoutError: it took longer than ``timeout`` seconds.
        """
        self._worker.wait(timeout)

    def cancel(self) -> None:
        """Stop what is being computed; what is done stays on show."""
        self._worker.cancel()

    def close(self) -> None:
        """Stop all work and let go of the model, the maps and the widgets."""
        if self.status == "closed":
            return
        if "_view" not in self.__dict__:  # its making failed, and ipywidgets closes what is left of it
            super().close()
            return
        self._checking = False
        self._worker.close()
        with self._lock:
            self.status, self.message = "closed", "This Explorer is closed."
            self.unobserve_all()
            self._view.close()
            self._view.bar.on_cancel, self._view.bar.on_upload = _nothing, _nothing
            self._on_overlay = None
            del self._scene, self._session, self._view
        self.layout.close()
        super().close()

    @traitlets.validate("layer")
    def _check_layer(self, proposal: Any) -> str:
        name = str(proposal["value"])
        if not self._live():
            return name
        name = self._open_session().spatial(self._scene, name).name
        if name == self.layer != self.feature_maps.layer:
            self._show_layer(name)  # traitlets tells nobody of a value that stays
        return name

    @traitlets.validate("channel")
    def _check_channel(self, proposal: Any) -> int | None:
        channel: int | None = proposal["value"]
        if self._live() and channel is not None:
            if not self.layer:
                raise InputError(f"No channel {channel}: this network has no layer whose output is a stack of maps.")
            channels = self._scene.maps[self.layer].shape[1]
            if not 0 <= channel < channels:
                raise InputError(f"No channel {channel}: layer {self.layer!r} has {channels}, 0 to {channels - 1}.")
        return channel

    @traitlets.validate("target")
    def _check_target(self, proposal: Any) -> int:
        target = int(proposal["value"])
        if self._live():
            classes = len(self._scene.logits)
            if not 0 <= target < classes:
                raise TargetError(f"Class {target} is out of range: there are {classes} classes, 0 to {classes - 1}.")
        return target

    @traitlets.validate("method")
    def _check_method(self, proposal: Any) -> str:
        self._live()
        return explainers.info(proposal["value"]).name

    @traitlets.validate("picture")
    def _check_picture(self, proposal: Any) -> str:
        name = str(proposal["value"])
        if self._live() and name not in self._open_session().images:
            raise InputError(f"No photograph {name!r}. There are: {', '.join(map(repr, self.pictures))}.")
        return name

    def _live(self) -> bool:
        """Whether values are to be checked: not while the view itself sets them."""
        with self._lock:  # not between two steps of the worker's own setting
            if self.status == "closed":
                self._open_session()
            return self._checking

    @contextmanager
    def _unchecked(self) -> Iterator[None]:
        """While traits are set to what is known to be right, and by nobody's wish."""
        before, self._checking = self._checking, False
        try:
            yield
        finally:
            self._checking = before

    def _open_session(self) -> Session:
        if self.status == "closed":
            raise CnnWidgetsError("This Explorer is closed. Make another with cnnwidgets.explore().")
        return self._session

    def _listen(self) -> None:
        """Tie the panels to the traits, both ways."""
        self.observe(lambda change: self._show_layer(change["new"]), "layer")
        self.observe(self._on_target, "target")
        self.observe(lambda _: self._refresh(), ["method", "picture"])
        # Before the maps' own tie: they must be on show again when a layer without maps has been clicked.
        self.observe(lambda _: self._back_from_mapless(), "channel")
        self._tie("channel", self.feature_maps, "channel")
        self._tie("target", self.scores, "target")
        self._tie("method", self.overlay, "method")
        self._tie("picture", self._view.bar, "picture")
        self.graph.observe(self._shown_error(self._graph_clicked), "selected")
        self.overlay.observe(self._shown_error(lambda _: self._refresh()), "layer")
        self.overlay.observe(self._shown_error(lambda _: self._follow()), "follow")
        self._view.bar.on_cancel = self.cancel
        self._view.bar.on_upload = self.add_picture_from_view

    def _tie(self, mine: str, widget: Any, its: str) -> None:
        def from_view(change: Any) -> None:
            if change["new"] is None and mine != "channel":
                return
            try:
                setattr(self, mine, change["new"])
            except Exception as error:
                self._show_error(error)
                setattr(widget, its, getattr(self, mine))

        widget.observe(from_view, its)
        self.observe(lambda change: setattr(widget, its, change["new"]), mine)

    def _shown_error(self, handle: Callable[[Any], None]) -> Callable[[Any], None]:
        """An error in a view's callback goes to the view: nobody reads the kernel's log."""

        def guarded(change: Any) -> None:
            try:
                handle(change)
            except Exception as error:
                self._show_error(error)

        return guarded

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

    def _show_layer(self, name: str) -> None:
        """Nothing is computed here: the maps of every layer are there since the photograph was opened."""
        with self._lock:
            info = self._session.info(name)
            self._view.show_maps(self._scene, info, self.target)
            if self.graph.selected != name:
                self.graph.selected = name
            self._follow()

    def _back_from_mapless(self) -> None:
        if self.channel is not None and self.feature_maps.layer != self.layer:
            self._show_layer(self.layer)

    def _offer_choices(self) -> None:
        """The methods; and the slider over layers for those that explain a layer."""
        known = self.method in explainers.names()
        self.overlay.layers = self._layers if known and explainers.info(self.method).needs_layer else []
        self.overlay.methods = method_choices()  # one may have been registered since

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
        if scene.name != self.picture or self._aim_is_stale(scene):
            return True
        return self.method != "grad_cam"

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
            scene = self._scene
            if scene.name != self.picture:
                scene = self._session.open(self.picture, self._wish)
                self._unless(stop, lambda: self._apply_scene(scene))
            elif self._aim_is_stale(scene):
                scene = self._session.aim(scene, self._wish)
                self._unless(stop, lambda: self._apply_aim(scene))
            self._explain(scene, stop)
            self._unless(stop, lambda: self._set_status("ready"))
        except Cancelled:
            self._if_newest(stop, lambda: self._back_to_shown("cancelled", "Cancelled."))
        except BaseException as error:  # SystemExit too would end the thread with the view still busy
            failed = error
            self._if_newest(stop, lambda: self._failed(failed))

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
        self._back_to_shown("error", str(error) or type(error).__name__)

    def _back_to_shown(self, status: str, message: str) -> None:
        """The photograph and the class named are those on show."""
        with self._unchecked():
            self.picture = self._scene.name
            chosen = self._scene.now.chosen
            if not callable(chosen) and self._wish is not None:
                self.target = self._wish = chosen[0]
        asked = self.overlay.layer if self.overlay.layers else None
        if self._on_overlay != (self._scene.now, self.method, asked):
            self.overlay.clear(f"{method_label(self.method)} gave no map. {message}")
        self._set_status(status, message)

    def _apply_scene(self, scene: Scene) -> None:
        session = self._session
        self._scene = scene
        with self._unchecked():
            self.picture = scene.name
            chosen = scene.now.chosen
            self.target = scene.predicted if callable(chosen) else chosen[0]
            self._view.show_scene(scene, session.labels, self.target)
            self._view.bar.picture = scene.name
            layers = session.explained_layers(scene, self.graph.named)
            self._layers = layers
            self._offer_choices()
            if self.layer not in scene.maps:
                self.layer = (layers or session.spatial_layers(scene) or [""])[-1]
            if layers and self.overlay.layer not in layers:
                self.overlay.layer = layers[-1]
            if self.layer:
                self._view.show_maps(scene, session.info(self.layer), self.target)
                self.graph.selected = self.layer
            else:
                self.feature_maps.clear("This network has no layer whose output is a stack of maps.")

    def _apply_aim(self, scene: Scene) -> None:
        self._scene = scene
        self._view.show_contribution(scene, self.layer, self.target)

    def _apply_now(self) -> None:
        """Grad-CAM of any layer is part of the scene."""
        with self._lock:
            scene, layer = self._scene, self.overlay.layer
            if layer in scene.now.cam:
                self._show_map(scene, self._session.explain(scene, "grad_cam", layer, lambda _: None))
            else:
                self.overlay.clear("Grad-CAM needs a layer that returns maps and that the score's gradient reaches.")
            with self._unchecked():
                self.overlay.method = self.method
            self._set_status("ready")

    def _set_status(self, status: str, message: str = "") -> None:
        self._view.set_busy(status == "busy")
        if status in ("ready", "busy"):
            self._view.bar.clear_error()
        working = status == "busy"
        self._view.show_progress(0.0 if working else None, message if status != "error" else "")
        self.message = message
        self.status = status

    def _show_error(self, error: BaseException) -> None:
        self._view.bar.show_error(error)


def _nothing(*_: object) -> None:
    """What the buttons of a closed Explorer do."""
