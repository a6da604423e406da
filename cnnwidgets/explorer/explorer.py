"""The Explorer: its widgets, tied to its traits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cnnwidgets import explainers
from cnnwidgets.core.errors import InputError, NotSpatial
from cnnwidgets.explainers.attribution import Attribution
from cnnwidgets.explorer.work.layers import first_method
from cnnwidgets.notebook.replaced import on_show
from cnnwidgets.outputs.class_names import class_by_name
from cnnwidgets.outputs.targets import Target
from cnnwidgets.pages.saving import Saving
from cnnwidgets.pictures.picture import load_picture
from cnnwidgets.snapshots.snapshot import ExplorerSnapshot, snapshot_of
from cnnwidgets.widgets.image_input import ImageInput

from .choices import Choices
from .code import python_code
from .display import Display
from .live_images import LIVE_NAME, LiveImages, image_held_by
from .panels.all_panels import Panels
from .panels.host import PanelHost
from .panels.panel import Panel
from .requests import Requests
from .sentences import model_title
from .ties import guarded, tie
from .view import ExplorerView
from .work import awake
from .work.layers import layer_with_maps
from .work.session import Session


class Explorer(Saving, Choices):
    """A live view into a model; made by :func:`cnnwidgets.explore`.

    Setting a trait moves the view, and a click moves the trait. Work that takes time is done on a thread of its own:
    ``status`` tells, :meth:`wait` waits for it, :meth:`cancel` stops it.

    Attributes:
        graph, feature_maps, overlay, scores, occluder, comparison, map_check, filters: the widgets that it is made of.
    """

    def __init__(self, session: Session, target: Target | str = None) -> None:
        first = next(iter(session.images))
        scene = session.open(first, None if isinstance(target, str) else target)
        if isinstance(target, str):
            target = class_by_name(target, scene.labels)
            scene = session.retarget(scene, target)
        host = PanelHost(session, scene)
        super().__init__(host)
        panels = self._panels = Panels(host)
        view = self._view = ExplorerView(
            model_title(session.original), scene.architecture, list(session.images), panels
        )
        display = self._display = Display(self, host, view, panels)
        self._requests = Requests(self, host, view, panels, display, target)
        host.update_bars, host.busy_changed, host.renew = display.show_scores, display.mark_busy, self._requests.renew
        host.follow_switches = self._requests.refresh
        self.graph, self.feature_maps = view.graph, view.feature_maps
        self.overlay, self.scores = view.overlay, view.scores
        self.occluder, self.comparison = panels.hiding.widget, panels.comparing.widget
        self.map_check, self.filters = panels.checking.widget, panels.filters.widget
        self.children = view.children
        self._live_images = LiveImages(host, view, self._show_live)
        for name in ("cnnw", "cnnw-explorer"):
            self.add_class(name)
        display.show_scene(scene)
        display.show_grad_cam()
        self._requests.show_chosen()
        awake.woken(self._requests)
        self._listen()
        host.checking = True
        self.method = first_method(scene.now)

    def __repr__(self) -> str:
        if self.status == "closed":
            return "Explorer(closed)"
        return f"Explorer(picture={self.picture!r}, layer={self.layer!r}, target={self.target}, method={self.method!r})"

    def _ipython_display_(self) -> None:
        on_show(self)
        super()._ipython_display_()

    @property
    def attribution(self) -> Attribution | None:
        """The map on the overlay, as the explainer returned it; None while it is being made, or where there is none."""
        self._open_session()
        return self._host.overlay_map

    def code(self) -> str:
        """Python that makes the map on the overlay without an Explorer; what "Copy as Python" copies."""
        session = self._open_session()
        with self._host.lock:
            return python_code(session, self._scene, self.method, self.overlay.layer)

    def snapshot(self) -> ExplorerSnapshot:
        """``png, state``: a PNG of what is on show, and what ``explore(model, image, state=state)`` restores."""
        self._open_session()
        return snapshot_of(self)

    def add_picture(self, image: Any, name: str = "") -> None:
        """Add an image to the menu, and show it.

        Args:
            image: as for :func:`cnnwidgets.explore`.
            name: what the menu calls it; by default the file's name.

        Raises:
            InputError: the image cannot be used; the view stays as it is.
        """
        session = self._open_session()
        picture = load_picture(image, session.model, session.preprocess)
        menu_name = session.add_image(name or picture.name, image)
        self._view.bar.pictures = list(session.images)
        self.picture = menu_name

    def add_picture_from_view(self, name: str, content: bytes) -> None:
        """What an upload does."""
        self._view.bar.clear_error()
        try:
            self.add_picture(content, name)
        except InputError as error:
            raise InputError(f"{name}: {error}") from error

    @property
    def image_input(self) -> ImageInput | None:
        """What edits the photograph on show; None: that is not open."""
        return None if self.status == "closed" else self._view.image_input

    def follow(self, image_input: ImageInput) -> None:
        """Explore what ``image_input`` holds, now and after each change; ``explore(model, image_input)`` does it."""
        self._open_session()
        self._show_live(image_held_by(image_input), LIVE_NAME)
        self._live_images.follow(image_input)

    def edit_image(self) -> None:
        """Open an :class:`~cnnwidgets.ImageInput` of the photograph on show, or close it; what *Edit* does."""
        self._open_session()
        self._live_images.edit()
        self.children = self._view.children

    def _show_live(self, image: Any, name: str) -> None:
        self._session.replace_image(name, image)
        self._view.bar.pictures = list(self._session.images)
        if self.picture != name:
            self.picture = name
        else:
            self._requests.refresh()

    def wait(self, timeout: float | None = None) -> None:
        """Block until nothing is being computed; for scripts.

        Raises:
            TimeoutError: it took longer than ``timeout`` seconds.
        """
        for _ in range(2):  # a panel may have let the photograph be looked at again
            for worker in self._workers:
                worker.wait(timeout)

    def cancel(self) -> None:
        """Stop what is being computed; what is done stays on show."""
        for worker in self._workers:
            worker.cancel()

    def sleep(self) -> bool:
        """Let go of the maps, which are made again at the next click; False: it is being used just now."""
        return self._requests.sleep()

    def close(self) -> None:
        """Stop all work and let go of the model, the maps and the widgets."""
        if self.status == "closed":
            return
        if "_requests" not in self.__dict__:  # its making failed, and ipywidgets closes what is left of it
            super().close()
            return
        self._host.checking = False
        self._stop_listening()
        self._live_images.close()
        self._requests.close()
        self._panels.close()
        with self._host.lock:
            self.status, self.message = "closed", "This Explorer is closed."
            self.unobserve_all()
            self._view.close()
            self._host.clear()
            self._requests.clear()
            del self._view, self._panels, self._display, self._live_images
        self.layout.close()
        super().close()

    def say_dropped(self, reason: str) -> None:
        """Tell the reader that something from the page was not used."""
        if self.status != "closed":
            self._view.bar.say_dropped(reason)

    def say_failed(self, error: Exception) -> None:
        """Show what went wrong in the answer to the page."""
        if self.status != "closed":
            self._view.bar.say_failed(error)

    @property
    def _workers(self) -> list[Requests | Panel]:
        return [self._requests, *([] if self.status == "closed" else self._panels)]

    def _listen(self) -> None:
        """Tie the panels to the traits, both ways."""
        requests, display, view = self._requests, self._display, self._view
        show_error = view.bar.show_error
        self.observe(lambda change: self._show_layer(change["new"]), "layer")
        self.observe(lambda change: requests.target_changed(change["new"]), "target")
        self.observe(lambda _: requests.refresh(), ["method", "picture", "region"])
        # Before the maps' own tie: they must be on show again when a layer without maps has been clicked.
        self.observe(self._channel_chosen, "channel")
        for mine, widget, its in (
            ("channel", self.feature_maps, "channel"),
            ("target", self.scores, "target"),
            ("method", self.overlay, "method"),
            ("target", self.overlay, "marked"),
            ("region", self.overlay, "region"),
            ("picture", view.bar, "picture"),
            ("panel", view.tabs, "active"),
        ):
            tie(self, mine, widget, its, show_error)
        self.observe(lambda change: self._panels.panel_changed(change["new"]), "panel")
        maps, filters = self.feature_maps, self._panels.filters
        maps.observe(lambda _: filters.filter_changed(maps.layer, maps.channel), ["layer", "channel"])
        self.graph.observe(guarded(self._graph_clicked, show_error), "selected")
        self.graph.on_scale = self._panels.switching.scale
        self.feature_maps.on_cell, self.feature_maps.clickable = self._cell_clicked, True
        self.overlay.observe(guarded(lambda _: self._take_over(display.lead_layer), show_error), "layer")
        self.overlay.observe(guarded(lambda _: self._take_over(display.keep_settings), show_error), "settings")
        self.overlay.observe(guarded(lambda _: display.follow_layer(), show_error), "follow")
        view.bar.on_cancel = self.cancel
        self.scores.on_follow = self._follow_top
        view.bar.on_code = self.code
        view.bar.on_upload, view.bar.on_edit = self.add_picture_from_view, self.edit_image
        self._stop_listening = explainers.on_change(self._methods_changed)

    def _follow_top(self) -> None:
        self._requests.follow_top()

    def _graph_clicked(self, change: Any) -> None:
        name = change["new"]
        if not name:
            return
        try:
            layer = layer_with_maps(self._scene, name).name
        except NotSpatial as error:
            self.feature_maps.clear(str(error), layer=name)
            self._panels.filters.forbid(str(error), name)
            self._display.follow_layer(name)
            return
        if layer != self.layer:
            self.layer = layer
        else:
            self._same_layer(name)

    def _take_over(self, choice: Callable[[], None]) -> None:
        """Somebody chose something on the overlay, unless it was set from here."""
        if self._host.checking:
            choice()
        self._requests.refresh()

    def _channel_chosen(self, change: Any) -> None:
        if change["new"] is not None:
            self._same_layer(self.layer)

    def _cell_clicked(self, channel: int, row: int, column: int) -> None:
        self.panel = "filters"
        self._panels.cell.open(self.feature_maps.layer, channel, row, column)

    def _same_layer(self, name: str) -> None:
        """Back from a layer without maps."""
        if self.feature_maps.layer != name:
            self._show_layer(name)

    def _show_layer(self, name: str) -> None:
        with self._session.moment.lasting():
            self._requests.refresh_if_stale()
            self._display.show_layer(name)

    def _methods_changed(self) -> None:
        """An explainer was registered, or taken away."""
        if self.status != "closed":
            self._display.offer_methods()
            self._panels.comparing.offer_methods()
