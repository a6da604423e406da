"""The panel "What does it look for?": the selected filter, the places that excite it, the image that maximises it."""

from __future__ import annotations

import tempfile
import threading
import time
import zlib
from pathlib import Path
from typing import Any

from cnnwidgets.core.errors import Cancelled, CnnWidgetsError, as_sentence
from cnnwidgets.core.progress import Step
from cnnwidgets.exemplars import Exemplars, Images, find, qualities
from cnnwidgets.explorer.work.examples import examples_of
from cnnwidgets.explorer.work.kernels_of import layer_of_kernels
from cnnwidgets.explorer.work.layers import NO_MAPS
from cnnwidgets.explorer.work.made_images import alike_to_photographs, recipe_for
from cnnwidgets.explorer.work.report import Report, share_of
from cnnwidgets.explorer.work.scene import Scene
from cnnwidgets.explorer.work.worker import Job, refuse_stopped
from cnnwidgets.kernels import weights
from cnnwidgets.synthesis import Synthesis, maximize
from cnnwidgets.widgets.filter_panel import FilterPanel

from .host import PanelHost
from .panel import Panel

_EMPTY = "Click a feature map to see what its filter looks for."
_PAUSE = 5  # times as long as the places so far take to be drawn, until they are again: the search is not to wait


class FiltersPanel(Panel):
    """Finds the places that excite the selected filter, and makes the image that maximises it."""

    widget: FilterPanel
    follows_switches = False  # here filters are those of the network with all its channels

    def __init__(self, host: PanelHost) -> None:
        super().__init__(host)
        self.widget = FilterPanel()
        self.widget.view.makes = True
        self.widget.on_search, self.widget.on_make = self.search, self.make
        self.widget.on_cancel = self.cancel
        self._on_show = False
        self._filter: tuple[str, int] | None = None
        self._layer_searched = ""
        self._layers_cancelled: set[str] = set()
        self._network: Any = None
        self._images: tuple[Images, str] | None = None
        self._exemplars: dict[str, Exemplars] = {}
        self._syntheses: dict[tuple[str, int], tuple[Synthesis, float]] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="cnnwidgets-")

    def panel_changed(self, panel: str) -> None:
        """Places are looked for where they are seen."""
        with self._lock:
            self._on_show = panel == "filters"
            self._look()

    def filter_changed(self, layer: str, channel: int | None) -> None:
        """Another feature map is selected; None: none is."""
        with self._lock:
            maps = self._host.scene.maps.get(layer)
            # A channel of the layer before, which is about to be cleared, is none of this one.
            exists = channel is not None and maps is not None and channel < maps.shape[1]
            self._filter = (layer, channel) if exists and channel is not None else None
            if self._filter is None:
                self.forbid(_EMPTY)
            else:
                self.widget.show_filter(*self._filter)
                self._show_kernel(*self._filter)
            self._look()

    def forbid(self, why: str, layer: str = "") -> None:
        """There is no filter to look at: a layer without maps was clicked."""
        with self._lock:
            self._filter = None
            self.widget.forbid(why, layer)

    def scene_opened(self, scene: Scene) -> None:
        """What filters look for does not depend on the photograph, but on the network."""
        with self._lock:
            network = scene.version.network
            if self._network is None or not network.same(self._network):
                self.drop()
                self._forget()
                if self._filter is not None and self._network is not None:
                    self.filter_changed(*self._filter)
            self._network = network
            if not scene.maps:
                self.forbid(f"{NO_MAPS}.")

    def search(self) -> None:
        """Look for the places of the selected filter, also after it was cancelled."""
        with self._lock:
            if self._filter is not None:
                self._layers_cancelled.discard(self._filter[0])
        self.request(self._prepared_search)

    def make(self) -> None:
        """Make the image that maximises the selected filter."""
        self.request(self._prepared_image)

    def stopped(self) -> None:
        """What is done stays on show."""
        if self._layer_searched:
            self._layers_cancelled.add(self._layer_searched)
            self._layer_searched = ""
            self.widget.stop("The search was stopped; what it has seen is kept.")
        else:
            self.widget.stop("Stopped: this image is not finished.")

    def exemplars_of(self, layer: str, report: Report) -> Exemplars:
        """The places of the filters of ``layer``, looked for if need be."""
        if layer not in self._exemplars:
            self._exemplars[layer] = find(self._host.session.model, [layer], self.images, progress=report)
        return self._exemplars[layer]

    def close(self) -> None:
        """Stop, and forget everything."""
        super().close()
        self._clear()
        self._folder.cleanup()

    def _clear(self) -> None:
        self._exemplars.clear()
        self._syntheses.clear()
        self._layers_cancelled.clear()
        self._images, self._layer_searched = None, ""

    def _forget(self) -> None:
        self._clear()
        for unfinished in Path(self._folder.name).glob("*"):  # a pass over another network
            unfinished.unlink()

    def _look(self) -> None:
        """Show the filter's places, if the panel is on show; a search for its layer goes on by itself."""
        if not self._on_show or self._filter is None:
            return
        layer, _ = self._filter
        if self.busy and self._layer_searched == layer:
            self.widget.begin("places", "Looking for places …")
        elif layer in self._layers_cancelled:
            self.drop()
            self.widget.stop("The search in this layer was stopped.")
        else:
            self.request(self._prepared_search)

    def _show_kernel(self, layer: str, channel: int) -> None:
        name, why = layer_of_kernels(self._host.scene, layer)
        try:
            kernels = weights(self._host.session.model, name) if name else None
        except CnnWidgetsError as error:
            kernels, why = None, str(error)
        self.widget.show_kernel(None if kernels is None else kernels.array[channel], name, why)

    def _prepared_search(self) -> Job | None:
        if self._filter is None or not self._on_show:
            return None
        layer, _ = self._filter
        complete = layer in self._exemplars
        self._layer_searched = "" if complete else layer
        if not complete:
            self.widget.begin("places", "Looking for places …")
        return lambda stop: self._show_places(stop, layer)

    def _prepared_image(self) -> Job | None:
        if self._filter is None:
            return None
        layer, channel = self._filter
        self._layer_searched = "" if layer in self._exemplars else layer
        self.widget.begin("places" if self._layer_searched else "image", "Copying the network …")
        return lambda stop: self._make(stop, layer, channel)

    def _show_places(self, stop: threading.Event, layer: str) -> Exemplars:
        """Of the filter that is selected by then, which may be another one of the layer."""
        refuse_stopped(stop)
        if layer not in self._exemplars:
            try:
                self._exemplars[layer] = self._search(stop, layer)
            except Cancelled as error:
                partial = getattr(error, "partial", None)
                if partial is not None and self._layer_searched == layer:
                    self._draw(stop, partial, layer, partial=True)
                raise
            self._layer_searched = ""
        exemplars = self._exemplars[layer]
        channel = self._draw(stop, exemplars, layer)
        if channel is not None:
            judged = qualities(self._host.session.model, layer, channel, exemplars)

            def show() -> None:
                if self._filter == (layer, channel):
                    self.widget.show_sentence(judged.sentence)

            self.apply(stop, show)
        return exemplars

    def _search(self, stop: threading.Event, layer: str) -> Exemplars:
        next_drawing = 0.0

        def tell(step: Step) -> None:
            self.apply(stop, lambda: self.tell("Looking for places", step))

        def draw(partial: Exemplars) -> None:
            nonlocal next_drawing
            began = time.monotonic()
            if began >= next_drawing:
                self._draw(stop, partial, layer, searching=True)
                next_drawing = time.monotonic() + _PAUSE * (time.monotonic() - began)

        checkpoint = Path(self._folder.name, f"{zlib.crc32(layer.encode()):08x}.npz")
        report = Report(stop, tell, draw)
        return find(self._host.session.model, [layer], self.images, checkpoint=checkpoint, progress=report)

    def _draw(
        self, stop: threading.Event, exemplars: Exemplars, layer: str, *, partial: bool = False, searching: bool = False
    ) -> int | None:
        """Show the patches of the filter that is selected; returns its channel, None where it is of another layer.

        The search was stopped (``partial``), or goes on (``searching``): the network is not asked for activations then.
        """
        selected = self._filter
        if selected is None or selected[0] != layer:
            return None
        crops = exemplars.crops(layer, selected[1], activation=not searching)
        notes = [as_sentence(note) for note in exemplars.notes if note not in self.images.about]

        def show() -> None:
            if self._filter == selected:
                self.widget.show_places(
                    crops, source=self._images_and_source()[1], notes=notes, partial=partial or searching
                )
                if selected in self._syntheses and not searching:
                    self._show_image(exemplars, *self._syntheses[selected])

        if partial:
            self._worker.apply_if_newest(stop, show)
        else:
            self.apply(stop, show)
            if self.widget.view.job == "places" and not searching:
                self.apply(stop, self.widget.finish)
        return selected[1]

    def _make(self, stop: threading.Event, layer: str, channel: int) -> None:
        exemplars = self._show_places(stop, layer)
        if self._filter != (layer, channel):
            return
        self.apply(stop, lambda: self.widget.begin("image", "Making the image …"))

        def tell(step: Step) -> None:
            self.tell(f"{100 * share_of(step):.0f} %", step)

        def draw(partial: Synthesis) -> None:
            self.widget.show_image(partial.images[0], about=partial.title, partial=True)

        model, options = self._host.session.model, recipe_for(self._host.scene)
        report = self.report(stop, tell, draw)
        synthesis = maximize(model, layer, channel, exemplars=exemplars, progress=report, **options)
        self.apply(stop, lambda: self._show_image(exemplars, synthesis))
        alike = alike_to_photographs(model, synthesis, exemplars, self.images)
        self._syntheses[layer, channel] = synthesis, alike
        self.apply(stop, lambda: self._show_image(exemplars, synthesis, alike))
        self.apply(stop, self.widget.finish)

    def _show_image(self, exemplars: Exemplars, synthesis: Synthesis, alike: float | None = None) -> None:
        channel = synthesis.channels[0]
        self.widget.show_image(
            synthesis.images[0],
            peak=float(synthesis.peaks[0]),
            largest=float(exemplars.largest(synthesis.layer)[channel]),
            dead=bool(synthesis.dead[0]),
            alike=alike,
            about=synthesis.title,
            notes=[as_sentence(note) for note in synthesis.notes],
        )

    @property
    def images(self) -> Images:
        """Those that are searched."""
        return self._images_and_source()[0]

    def _images_and_source(self) -> tuple[Images, str]:
        if self._images is None:
            self._images = examples_of(self._host.session, self._host.scene)
        return self._images
