"""Which filters of the layer on show matter for the class, with a switch at each, and groups of them."""

from __future__ import annotations

import threading
from functools import partial

from cnnwidgets.concepts import Concepts, factor
from cnnwidgets.core.errors import as_sentence
from cnnwidgets.exemplars import direction_crops
from cnnwidgets.explorer.sentences import enumerated, score_change, target_text
from cnnwidgets.explorer.work.layers import NO_MAPS
from cnnwidgets.explorer.work.scene import Scene
from cnnwidgets.explorer.work.worker import Job, refuse_stopped
from cnnwidgets.switches import ChannelRanking, rank_channels
from cnnwidgets.widgets.filter_ranking import FilterRanking

from .filters import FiltersPanel
from .host import PanelHost
from .panel import Panel
from .switch import SwitchPanel

_PLACES = 3  # of each group
_NO_MODULE = "{} is a torch call, not a module: its filters cannot be switched off."


class RankingPanel(Panel):
    """Ranks the filters of the layer on show, and finds groups of them, when that is asked for.

    Args:
        switching: where filters are switched off; the switches beside the bars are the same.
        filters: whose images are searched for the places of groups.
    """

    widget: FilterRanking
    # Ranking and groups are of the network with all its channels, whatever is switched off beside their bars.
    follows_switches = False

    def __init__(self, host: PanelHost, widget: FilterRanking, switching: SwitchPanel, filters: FiltersPanel) -> None:
        super().__init__(host)
        maps = switching.widget
        self.widget, self._switching, self._maps, self._filters = widget, switching, maps, filters
        self._job = ""
        self._concepts: Concepts | None = None
        widget.on_start, widget.on_cancel = self.start, self.cancel
        host.show_groups = self.show_groups
        widget.switchable = widget.groupable = widget.hideable = True
        maps.observe(lambda _: self._follow_maps(), ["layer", "off", "effect", "channel", "switchable"])
        widget.observe(lambda _: self._switch(), "off")
        widget.observe(lambda _: self._choose(), "channel")
        widget.observe(lambda _: self._hide(), "hidden")

    def start(self, job: str) -> None:
        """Rank the filters of the layer on show ("ranking"), or find groups of them ("groups")."""
        self._job = job
        self.request(self._prepared)

    def show_groups(self) -> None:
        """Hide no group any more."""
        if self.widget.hidden:
            self.widget.hidden = []

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
        hint = _NO_MODULE.format(layer) if layer else f"{NO_MAPS}."
        why = "" if layer and self._switching.switchable([layer]) else hint
        self._concepts = None
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
        job = self._job
        self.widget.begin(job, "Ranking the filters …" if job == "ranking" else "Looking for groups …")
        return lambda stop: (self._rank if job == "ranking" else self._group)(stop, scene, layer)

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
                notes=() if partial else [as_sentence(note) for note in ranking.notes],
                partial=partial,
            )

        report = self.report(stop, partial(self.tell, "Ranking the filters"), draw)
        model, image = self._host.session.model, scene.picture.tensor
        ranking = rank_channels(model, image, layer, scene.target, progress=report)
        self.apply(stop, lambda: draw(ranking, partial=False))
        self.apply(stop, self.widget.finish)

    def _group(self, stop: threading.Event, scene: Scene, layer: str) -> None:
        refuse_stopped(stop)
        maps = scene.maps.get(layer)
        groups = self.widget.groups if maps is None else min(self.widget.groups, maps.shape[1])
        concepts = factor(self._host.session.model, layer, scene.picture.tensor, groups)
        refuse_stopped(stop)
        weights = concepts.weights(scene.target)

        def show() -> None:
            self._concepts = concepts
            self.widget.show_groups(
                concepts.maps[0],
                concepts.channels,
                explained=concepts.explained,
                weights=weights,
                signed=concepts.signed,
                notes=[as_sentence(note) for note in concepts.notes],
                placement=concepts.placement,
            )

        self.apply(stop, show)
        report = self.report(stop, partial(self.tell, "Looking for their places"), lambda _: None)
        crops = direction_crops(
            self._host.session.model, layer, concepts.channels, self._filters.images, k=_PLACES, progress=report
        )
        self.apply(stop, lambda: self.widget.show_group_places(crops))
        self.apply(stop, self.widget.finish)

    def _hide(self) -> None:
        """The bars are those without the groups that are hidden."""
        hidden, concepts, scene = list(self.widget.hidden), self._concepts, self._host.scene
        layer = self.widget.layer
        if not hidden or concepts is None:
            self.widget.effect, self._host.hidden_groups = self._maps.effect, ""
            self._switching.refresh()
            return
        if self._host.switches:
            self.widget.hidden = []
            self.widget.effect = "Switch all channels on to hide a group: groups are those of the network with all."
            return

        def work(stop: threading.Event) -> None:
            refuse_stopped(stop)
            logits = concepts.scores_without(hidden)[0].float().cpu()
            names = enumerated([str(group + 1) for group in hidden])
            text = f"group{'s' if len(hidden) > 1 else ''} {names} of {layer}"
            effect = f"Without {text}: {score_change(scene, logits)}"

            def show() -> None:
                self.widget.effect, self._host.hidden_groups = effect, text

            self.apply(stop, show)
            self._host.show_switched(logits)

        self.request(lambda: work)
