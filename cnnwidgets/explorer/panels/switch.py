"""Channels that are switched off, layers that are scaled, and what the network says then."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import torch

from cnnwidgets.core.network import Network
from cnnwidgets.explorer.sentences import isolated, score_change, switches_in_words
from cnnwidgets.explorer.work.scene import Scene
from cnnwidgets.explorer.work.worker import Job, Worker, refuse_stopped
from cnnwidgets.incremental.scaling import Factors
from cnnwidgets.outputs.kinds import COMPETING
from cnnwidgets.switches.scores import ZeroedScores
from cnnwidgets.widgets.feature_maps import FeatureMaps

from .host import PanelHost
from .panel import Panel

_CALM = 0.1  # seconds after a click on a map, in which it is drawn


class SwitchPanel(Panel):
    """Shows the scores without the channels that were switched off, in whatever layers; the scene follows.

    Once somebody has switched channels of this photograph, what the next press would say is computed when its channel
    is chosen, while nobody waits for it.
    """

    widget: FeatureMaps

    def __init__(self, host: PanelHost) -> None:
        super().__init__(host)
        self.widget = FeatureMaps(sort="maximum")  # by index, most of a ReLU's first maps are black
        self.off: dict[str, list[int]] = {}
        """Layer -> its channels that are switched off; no empty lists."""
        self.scales: dict[str, float] = {}
        """Layer -> what the whole of it is multiplied by; none by 1."""
        self._logits: torch.Tensor | None = None
        self._scores: tuple[torch.Tensor, ZeroedScores] | None = None
        """What the network says without some of its channels, of this image."""
        self._ahead = Worker()
        self.widget.observe(self._switched, "off")
        self.widget.observe(lambda _: self._look_ahead(), ["layer", "channel"])
        self.widget.on_switch_all = self.switch_all_on

    def off_of(self, layer: str) -> list[int]:
        """Channels of ``layer`` that are switched off."""
        return self.off.get(layer, [])

    def switchable(self, layers: Iterable[str]) -> list[str]:
        """Those of ``layers`` that are modules, whose output can be replaced; a torch call's cannot."""
        names = set(Network.of(self._host.session.model).names)
        return [layer for layer in layers if layer in names]

    def scale(self, layer: str, factor: float) -> None:
        """Multiply all of ``layer`` by ``factor``: 0 switches it off, 1 lets it be."""
        if factor == 1:
            self.scales.pop(layer, None)
        else:
            self.scales[layer] = float(factor)
        self.refresh()

    def switch_all_on(self) -> None:
        """Let the network have all its channels again, and the class bars all groups."""
        self.off.clear()
        self.scales.clear()
        self.widget.off = []
        self.refresh()
        self._host.show_groups()

    def refresh(self) -> None:
        """Show the scores without what is switched off, or those of the photograph."""
        self._ahead.supersede()
        scene, layers = self._host.scene, {**self.off, **self.scales}
        self._host.switches = {layer: self._factors(layer, scene, self.off_of(layer)) for layer in layers}
        if self._host.switches:
            self._host.show_groups()  # they are those of the network with all its channels
        if not self.request(self._prepared):
            self._host.follow_switches()

    def scene_opened(self, scene: Scene) -> None:
        """What is off stays off, where the network still has it."""
        self.off = {
            layer: now
            for layer, off in self.off.items()
            if layer in scene.maps and (now := [channel for channel in off if channel < scene.maps[layer].shape[1]])
        }
        self.scales = {layer: factor for layer, factor in self.scales.items() if layer in scene.maps}
        self._show_effect(scene)

    def target_changed(self, scene: Scene) -> None:
        """Say what the switches do to the other class."""
        self._show_effect(scene)

    def sleep(self) -> None:
        """Let go of what precedes the layers that were switched."""
        self._ahead.supersede()
        self._scores = None

    def close(self) -> None:
        """Stop, and forget."""
        super().close()
        self._ahead.close()
        self.off, self.scales, self._logits, self._scores = {}, {}, None, None

    def _factors(self, layer: str, scene: Scene, off: Sequence[int]) -> Factors:
        scale = self.scales.get(layer, 1.0)
        if scale == 1:
            return dict.fromkeys(off, 0.0)
        if not off or scale == 0:
            return scale
        return {channel: 0.0 if channel in off else scale for channel in range(scene.maps[layer].shape[1])}

    def _switched(self, change: Any) -> None:
        layer = self.widget.layer
        if not layer or change["new"] == self.off_of(layer):  # another layer came on show
            return
        self.off[layer] = list(change["new"])
        self.off = {name: off for name, off in self.off.items() if off}
        self.refresh()

    def _scores_of(self, scene: Scene) -> ZeroedScores | None:
        """Where somebody has switched channels of this photograph: what computes the scores."""
        image, scores = self._scores or (None, None)
        return scores if image is scene.picture.tensor else None

    def _known(self, factors: Mapping[str, Factors], scene: Scene) -> torch.Tensor | None:
        """The scores with ``factors`` where nothing need be computed for them: the page need not wait for a thread."""
        scores = self._scores_of(scene)
        logits = None if scores is None or self._host.session.is_stale(scene) else scores.known(factors)
        return None if logits is None else logits[0].float().cpu()

    def _prepared(self) -> Job | None:
        scene = self._host.scene
        factors = self._host.switches_in(scene)
        logits = self._known(factors, scene)
        if factors and logits is None:
            return self._run_without
        self.drop()
        self.widget.clear_error()
        self._show(scene, logits)
        return None

    def _run_without(self, stop: threading.Event) -> None:
        """The scores at once, by what follows the layers alone; all else follows them."""
        refuse_stopped(stop)
        scene = self._host.scene
        image = scene.picture.tensor
        scores = self._scores_of(scene) or ZeroedScores(self._host.session.model, image, scene.first.layouts)
        self._scores = image, scores
        logits = _scores_without(scores, self._host.switches_in(scene), scene)
        self.apply(stop, lambda: self._show(scene, logits))
        if not stop.is_set():
            self._host.follow_switches()

    def _show(self, scene: Scene, logits: torch.Tensor | None) -> None:
        """Without the maps that are off the network says ``logits`` (classes,); None: none is off."""
        self._host.show_switched(scene.unswitched if logits is None else logits)
        self._logits = logits
        if logits is None:
            self._show_effect(scene)
        else:
            self.widget.effect = self._sentence(scene, logits)

    def _look_ahead(self) -> None:
        widget, turns = self.widget, self._host.session.turns
        if self._scores is not None and widget.switchable and widget.channel is not None and not turns:
            self._ahead.submit(self._score_ahead)

    def _score_ahead(self, stop: threading.Event) -> None:
        """What the switch of the chosen channel would do, which the engine then knows; on a thread of its own."""
        if stop.wait(_CALM):
            return
        with suppress(Exception), self._host.scene.task.reading():  # what fails here fails at the press, which tells it
            scene = self._host.scene
            scores, layer, channel = self._scores_of(scene), self.widget.layer, self.widget.channel
            if scores is None or channel is None or self._host.session.is_stale(scene):
                return
            off = {*self.off_of(layer)} ^ {channel}
            factors = {**self._host.switches_in(scene), layer: self._factors(layer, scene, sorted(off))}
            if factors := {name: some for name, some in factors.items() if some != {}}:
                _scores_without(scores, factors, scene)

    def _show_effect(self, scene: Scene) -> None:
        logits = scene.logits if scene.switches else self._logits
        if self._host.switches and logits is not None:
            self.widget.effect = self._sentence(scene, logits)
        if not self._host.switches and not scene.switches:
            with self.widget.hold_sync():  # the page shows the one or the other: all would jump between
                self.widget.effect = self.widget.switched = ""

    def _sentence(self, scene: Scene, logits: torch.Tensor) -> str:
        count = sum(map(len, self.off.values()))
        where = f" in {len(self.off)} layers" if len(self.off) > 1 else ""
        switched = f"{count} {'map' if count == 1 else 'maps'} switched off{where}"
        if self.scales:
            text = switches_in_words(self._host.switches_in(scene))
            switched = f"{text[:1].upper()}{text[1:]}"
        effect = f"{switched}: {score_change(scene, logits)}"
        winner = int(logits.nan_to_num(-torch.inf).argmax())
        # Of classes that do not compete, which one has the most says nothing.
        if scene.kind not in COMPETING or not scene.task.one_wins or winner == scene.predicted:
            return effect
        return f"{effect}; the network now says {isolated(scene.label(winner))}"


def _scores_without(scores: ZeroedScores, factors: Mapping[str, Factors], scene: Scene) -> torch.Tensor:
    """(classes,), with what ``factors`` says of each layer."""
    return scores.scores(factors, {layer: scene.maps[layer].shape[1] for layer in factors})[0].float().cpu()
