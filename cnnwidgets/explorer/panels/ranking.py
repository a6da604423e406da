"""Which filters of the layer on show matter for the class, with a switch at each."""

from __future__ import annotations

import threading

from cnnwidgets.core.network import Network
from cnnwidgets.core.progress import Step
from cnnwidgets.explorer.sentences import target_text, time_left
from cnnwidgets.explorer.work.report import share_of
from cnnwidgets.explorer.work.scene import Scene
from cnnwidgets.explorer.work.worker import Job, refuse_stopped
from cnnwidgets.switches import ChannelRanking, rank_channels
from cnnwidgets.widgets.feature_maps import FeatureMaps
from cnnwidgets.widgets.filter_ranking import FilterRanking

from .host import PanelHost
from .panel import Panel

_NO_MODULE = "{} is a torch call, not a module: its filters cannot be switched off."


class RankingPanel(Panel):
    """Ranks the filters of the layer on show when that is asked for.

    Args:
        maps: where filters are switched off; the switches beside the bars are the same.
    """

    widget: FilterRanking

    def __init__(self, host: PanelHost, widget: FilterRanking, maps: FeatureMaps) -> None:
        super().__init__(host)
        self.widget, self._maps = widget, maps
        widget.on_start, widget.on_cancel = lambda _: self.rank(), self.cancel
        widget.switchable = True
        maps.observe(lambda _: self._follow_maps(), ["layer", "off", "effect", "channel", "switchable"])
        widget.observe(lambda _: self._switch(), "off")
        widget.observe(lambda _: self._choose(), "channel")

    def rank(self) -> None:
        """Rank the filters of the layer on show."""
        self.request(self._prepared)

    def scene_opened(self, scene: Scene) -> None:
        """What was found is of another photograph."""
        with self._lock:
            self.drop()
            self.widget.set_picture(scene.picture.pixels)
            self._begin_anew(scene)

    def target_changed(self, scene: Scene) -> None:
        """What was found is of another class."""
        with self._lock:
            self.drop()
            self._begin_anew(scene)

    def stopped(self) -> None:
        """What is done stays on show."""
        self.widget.stop("Stopped.")

    def _begin_anew(self, scene: Scene) -> None:
        layer = self._maps.layer
        is_module = layer in Network.of(self._host.session.model).names
        why = "" if is_module or not layer else _NO_MODULE.format(layer)
        self.widget.show_layer(layer, target_text(scene.target, scene.label), why)

    def _follow_maps(self) -> None:
        maps, widget = self._maps, self.widget
        with self._lock:
            if maps.layer != widget.layer:
                self.drop()
                self._begin_anew(self._host.scene)
            with widget.hold_sync():
                widget.off, widget.effect, widget.channel = list(maps.off), maps.effect, maps.channel

    def _switch(self) -> None:
        if self.widget.layer == self._maps.layer:
            self._maps.off = list(self.widget.off)

    def _choose(self) -> None:
        if self.widget.channel is not None and self.widget.layer == self._maps.layer:
            self._maps.channel = self.widget.channel

    def _prepared(self) -> Job | None:
        layer, scene = self.widget.layer, self._host.scene
        if not layer or self.widget.hint:
            return None
        self.widget.begin("ranking", "Ranking the filters …")
        return lambda stop: self._rank(stop, scene, layer)

    def _rank(self, stop: threading.Event, scene: Scene, layer: str) -> None:
        refuse_stopped(stop)
        name = target_text(scene.target, scene.label)

        def draw(ranking: ChannelRanking, *, partial: bool = True) -> None:
            self.widget.show_ranking(
                layer,
                ranking.drops[0],
                target_name=name,
                score=float(ranking.scores[0]),
                unit=ranking.score,
                notes=() if partial else [f"{note[:1].upper()}{note[1:]}." for note in ranking.notes],
                partial=partial,
            )

        def tell(step: Step) -> None:
            text = "Ranking the filters" + ("" if step.remaining is None else f" · {time_left(step.remaining)}")
            self.widget.show_progress(share_of(step), text)

        report = self.report(stop, tell, draw)
        model, image = self._host.session.model, scene.picture.tensor
        hints = self._host.session.output_hints
        ranking = rank_channels(model, image, layer, scene.target, progress=report, **hints)
        self.apply(stop, lambda: draw(ranking, partial=False))
        self.apply(stop, self.widget.finish)
