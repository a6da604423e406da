"""Feature maps that are switched off, and what the network says without them."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import torch

from cnnwidgets.core.network import Network
from cnnwidgets.explorer.sentences import change_in_words, isolated
from cnnwidgets.explorer.work.scene import Scene
from cnnwidgets.explorer.work.worker import Job, refuse_stopped
from cnnwidgets.incremental.zeroed import ZeroedScores, zeroed
from cnnwidgets.outputs.kinds import COMPETING
from cnnwidgets.outputs.targets import class_scores, probabilities
from cnnwidgets.running.forward import fitted, run
from cnnwidgets.state.preserved import preserved
from cnnwidgets.widgets.feature_maps import FeatureMaps

from .host import PanelHost
from .panel import Panel


@dataclass(frozen=True, eq=False)
class _SwitchedScene:
    """A photograph, and what the network says of it without some of its maps."""

    scene: Scene
    switched: ZeroedScores


class SwitchPanel(Panel):
    """Runs the model without the maps that were switched off, in whatever layers, and shows the scores."""

    widget: FeatureMaps

    def __init__(self, host: PanelHost) -> None:
        super().__init__(host)
        self.widget = FeatureMaps(sort="maximum")  # by index, most of a ReLU's first maps are black
        self.off: dict[str, list[int]] = {}
        """Layer -> its maps that are switched off; no empty lists."""
        self._logits: torch.Tensor | None = None
        self._of_scene: _SwitchedScene | None = None
        self.widget.observe(self._switched, "off")
        self.widget.on_switch_all = self.switch_all_on

    def off_of(self, layer: str) -> list[int]:
        """Maps of ``layer`` that are switched off."""
        return self.off.get(layer, [])

    def can_switch(self, layer: str) -> bool:
        """Whether ``layer`` is a module, whose output can be replaced; a torch call is not."""
        return layer in Network.of(self._host.session.model).names

    def switch_all_on(self) -> None:
        """Let the network have all its maps again."""
        self.off.clear()
        self.widget.off = []
        self.request(self._prepared)

    def refresh(self) -> None:
        """Show the scores without what is switched off, or those of the photograph."""
        self.request(self._prepared)

    def scene_opened(self, scene: Scene) -> None:
        """What is off stays off, and is judged by the new photograph."""
        before, self._of_scene = self.off, None
        self.off = {layer: off for layer, off in before.items() if layer in scene.maps}
        if before:
            self.request(self._prepared)

    def target_changed(self, scene: Scene) -> None:
        """Say what the switches do to the other class."""
        if self._logits is not None:
            self.widget.effect = self._sentence(scene, self._logits)

    def sleep(self) -> None:
        """Let go of what precedes the layers that were switched."""
        self._of_scene = None

    def close(self) -> None:
        """Stop, and forget."""
        super().close()
        self.off, self._logits, self._of_scene = {}, None, None

    def _switched(self, change: Any) -> None:
        layer = self.widget.layer
        if not layer or change["new"] == self.off_of(layer):  # another layer came on show
            return
        self.off[layer] = list(change["new"])
        self.off = {name: off for name, off in self.off.items() if off}
        self.request(self._prepared)

    def _prepared(self) -> Job | None:
        self._host.without_maps = self.scores_of if self.off else None
        if self.off:
            return self._run_without
        self.drop()
        self._logits = None
        self.widget.effect = ""
        self._host.show_switched(None)
        return None

    def scores_of(self, image: torch.Tensor) -> torch.Tensor:
        """(classes,) scores of an image (1, C, H, W) without the maps that are switched off."""
        scene, model = self._host.scene, self._host.session.model
        off = {layer: list(channels) for layer, channels in self.off.items() if layer in scene.maps}
        counts = {layer: scene.maps[layer].shape[1] for layer in off}
        layouts = scene.first.layouts
        if image is scene.picture.tensor:
            if self._of_scene is None or self._of_scene.scene is not scene:
                self._of_scene = _SwitchedScene(scene, ZeroedScores(model, image, layouts))
            return self._of_scene.switched.scores(off, counts)[0].float().cpu()
        off_now = zeroed(model, off, layouts=layouts, counts=counts)
        with torch.no_grad(), preserved(model, evaluate=True), off_now:
            return class_scores(run(model, fitted(model, image.clone())), batch=1)[0].float().cpu()

    def _run_without(self, stop: threading.Event) -> None:
        refuse_stopped(stop)
        scene = self._host.scene
        logits = self.scores_of(scene.picture.tensor)

        def show() -> None:
            self._logits = logits
            self.widget.effect = self._sentence(scene, logits)

        self.apply(stop, show)
        if not stop.is_set():
            self._host.show_switched(logits)

    def _sentence(self, scene: Scene, logits: torch.Tensor) -> str:
        count = sum(map(len, self.off.values()))
        where = f" in {len(self.off)} layers" if len(self.off) > 1 else ""
        before, after = probabilities(torch.stack([scene.logits.float(), logits]), scene.kind)
        index = scene.predicted if scene.target_class is None else scene.target_class
        effect = (
            f"{count} {'map' if count == 1 else 'maps'} switched off{where}: "
            f"{isolated(scene.label(index))} {change_in_words(float(before[index]), float(after[index]), scene.kind)}"
        )
        winner = int(logits.nan_to_num(-torch.inf).argmax())
        # Of classes that do not compete, which one has the most says nothing.
        if scene.kind not in COMPETING or not scene.task.one_wins or winner == scene.predicted:
            return effect
        return f"{effect}; the network now says {isolated(scene.label(winner))}"
