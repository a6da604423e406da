"""The images that maximise the filters of the layer on show, side by side, made a few at a time."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from cnnwidgets.core.errors import Cancelled, as_sentence
from cnnwidgets.core.progress import Step
from cnnwidgets.exemplars import Exemplars
from cnnwidgets.explorer.sentences import enumerated, with_time_left
from cnnwidgets.explorer.work.made_images import recipe_for
from cnnwidgets.explorer.work.report import Report, share_of
from cnnwidgets.explorer.work.scene import Scene
from cnnwidgets.explorer.work.worker import Job
from cnnwidgets.synthesis import Synthesis, maximize
from cnnwidgets.widgets.filter_gallery import FilterGallery

from .filters import FiltersPanel
from .host import PanelHost
from .panel import Panel
from .switch import SwitchPanel

_AT_A_TIME, _MORE = 8, 24
_STEPS = 128  # a fourth of what one image gets: many are to be seen
_EMPTY = "Images that are made to maximise the filters of this layer, each beside the photograph that excites it most."


class GalleryPanel(Panel):
    """Makes images of the filters that the photograph excites most, and keeps those of each layer.

    Args:
        filters: where the places of filters are known.
        switching: where filters are selected.
    """

    widget: FilterGallery
    follows_switches = False  # its images are of the network with all its channels

    def __init__(self, host: PanelHost, widget: FilterGallery, filters: FiltersPanel, switching: SwitchPanel) -> None:
        super().__init__(host)
        self.widget, self._filters, self._maps = widget, filters, switching.widget
        self._syntheses: dict[str, list[Synthesis]] = {}
        self._beside: dict[tuple[str, int], Any] = {}
        self._network: Any = None
        widget.makes = True
        widget.on_start, widget.on_cancel = self.start, self.cancel
        self._maps.observe(lambda _: self._follow_layer(), "layer")
        self._maps.observe(lambda _: self._mark(), "channel")
        widget.observe(lambda _: self._choose(), "channel")

    def start(self) -> None:
        """Make images of the next filters of the layer on show."""
        self.request(self._prepared)

    def scene_opened(self, scene: Scene) -> None:
        """Images that were made do not depend on the photograph, but on the network."""
        network = scene.version.network
        if self._network is None or not network.same(self._network):
            with self._lock:
                self.drop()
                self._forget()
                self._show(self._maps.layer)
        self._network = network

    def stopped(self) -> None:
        """What is done stays on show."""
        self.widget.finish()

    def close(self) -> None:
        """Stop, and forget everything."""
        super().close()
        self._forget()

    def _forget(self) -> None:
        self._syntheses.clear()
        self._beside.clear()

    def _follow_layer(self) -> None:
        with self._lock:
            self.drop()
            self.widget.finish()
            self._show(self._maps.layer)

    def _mark(self) -> None:
        channel = self._maps.channel
        if self.widget.layer == self._maps.layer:
            self.widget.channel = channel if channel in self.widget.channels else None

    def _choose(self) -> None:
        if self.widget.channel is not None and self.widget.layer == self._maps.layer:
            self._maps.channel = self.widget.channel

    def _prepared(self) -> Job | None:
        layer, scene = self._maps.layer, self._host.scene
        if layer not in scene.maps:
            return None
        strongest = scene.maps[layer][0].flatten(1).amax(1).nan_to_num(-np.inf).argsort(descending=True).tolist()
        done = {channel for synthesis in self._syntheses.get(layer, ()) for channel in synthesis.channels}
        channels = [channel for channel in strongest if channel not in done][:_MORE]
        if not channels:
            return None
        self.widget.show_progress(0.0, "Looking for places …")
        return lambda stop: self._make(stop, layer, channels)

    def _make(self, stop: threading.Event, layer: str, channels: list[int]) -> None:
        def say(share: float, step: Step, text: str) -> None:
            self.apply(stop, lambda: self.widget.show_progress(share, with_time_left(text, step)))

        looking = Report(stop, lambda step: say(0.0, step, "Looking for places"))
        exemplars = self._filters.exemplars_of(layer, looking)
        model, options = self._host.session.model, {"steps": _STEPS, **recipe_for(self._host.scene)}
        parts = [channels[at : at + _AT_A_TIME] for at in range(0, len(channels), _AT_A_TIME)]
        for number, part in enumerate(parts):

            def tell(step: Step, number: int = number) -> None:
                share = (number + share_of(step)) / len(parts)
                say(share, step, f"{_AT_A_TIME} images, {number + 1} of {len(parts)}")

            report = Report(stop, tell, lambda partial: self._draw(stop, layer, exemplars, partial))
            try:
                synthesis = maximize(model, layer, part, exemplars=exemplars, progress=report, **options)
            except Cancelled as error:
                partial = getattr(error, "partial", None)
                if partial is not None:
                    self._worker.apply_if_newest(stop, lambda: self._show(layer, partial, stopped=True))  # noqa: B023
                raise
            self._syntheses.setdefault(layer, []).append(synthesis)
            self._draw(stop, layer, exemplars)
        self.apply(stop, self.widget.finish)

    def _draw(self, stop: threading.Event, layer: str, exemplars: Exemplars, partial: Synthesis | None = None) -> None:
        for synthesis in [*self._syntheses.get(layer, ()), *([partial] if partial is not None else [])]:
            for channel in synthesis.channels:
                if (layer, channel) not in self._beside:
                    (crop,) = exemplars.crops(layer, channel, [0], activation=False)
                    self._beside[layer, channel] = crop.pixels
        self.apply(stop, lambda: self._show(layer, partial))

    def _show(self, layer: str, partial: Synthesis | None = None, *, stopped: bool = False) -> None:
        """Those that are made, and ``partial``, which are being made or were stopped."""
        if layer != self._maps.layer:
            return
        syntheses = [*self._syntheses.get(layer, ()), *([] if partial is None else [partial])]
        rows = [(synthesis, row, channel) for synthesis in syntheses for row, channel in enumerate(synthesis.channels)]
        alive = [entry for entry in rows if not entry[0].dead[entry[1]] and (layer, entry[2]) in self._beside]
        if not alive:
            self.widget.clear(_EMPTY, layer)
            return
        dead = [str(channel) for synthesis, row, channel in rows if synthesis.dead[row]]
        notes = [as_sentence(note) for synthesis in syntheses for note in synthesis.notes]
        notes += [f"Nothing wakes {'filter' if len(dead) == 1 else 'filters'} {enumerated(dead)}."] if dead else []
        if stopped and partial is not None:
            unfinished = enumerated([str(channel) for channel in partial.channels])
            notes.append(f"Stopped: the images of filters {unfinished} are not finished.")
        total = self._host.scene.maps[layer].shape[1]
        self.widget.show(
            [synthesis.images[row] for synthesis, row, _ in alive],
            layer,
            channels=[channel for *_, channel in alive],
            values=[float(synthesis.peaks[row]) for synthesis, row, _ in alive],
            ratios=[float(synthesis.ratios[row]) for synthesis, row, _ in alive],
            beside=[self._beside[layer, channel] for *_, channel in alive],
            synthetic=True,
            about=f"{alive[0][0].title}, {_STEPS} steps; {len(rows)} of {total} filters, those that this photograph "
            "excites most first",
            notes=list(dict.fromkeys(notes)),
        )
        self._mark()
