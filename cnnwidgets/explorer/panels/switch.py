"""Feature maps that are switched off, and what the network says without them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from cnnwidgets.core.errors import Cancelled
from cnnwidgets.core.network import Network
from cnnwidgets.explorer.sentences import in_words
from cnnwidgets.explorer.work.session import Scene
from cnnwidgets.incremental.switched import Switched
from cnnwidgets.incremental.switched_off import switched_off
from cnnwidgets.outputs.kinds import COMPETING
from cnnwidgets.outputs.targets import class_scores, probabilities
from cnnwidgets.running.forward import fitted, run
from cnnwidgets.state.preserved import preserved
from cnnwidgets.tracing.layouts.layouts import Layouts
from cnnwidgets.widgets.feature_maps import FeatureMaps

from .panel import Host, Part


@dataclass(frozen=True, eq=False)
class _Opened:
    """A photograph, how the layers hold its maps, and what the network says of it without some of them."""

    scene: Scene
    layouts: Layouts
    switched: Switched


class Switching(Part):
    """Runs the model without the maps that were switched off, in whatever layers, and shows the scores."""

    widget: FeatureMaps

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self.widget = FeatureMaps(sort="maximum")  # by index, most of a ReLU's first maps are black
        self.off: dict[str, list[int]] = {}
        """Layer -> its maps that are switched off; no empty lists."""
        self._logits: torch.Tensor | None = None
        self._opened: _Opened | None = None
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
        self._look_again()

    def scene_opened(self, scene: Scene) -> None:
        """What is off stays off, and is judged by the new photograph."""
        before, self._opened = self.off, None
        self.off = {layer: off for layer, off in before.items() if layer in scene.maps}
        if before:
            self._look_again()

    def target_changed(self, scene: Scene) -> None:
        """Say what the switches do to the other class."""
        if self._logits is not None:
            self.widget.effect = self._sentence(scene, self._logits)

    def sleep(self) -> None:
        """Let go of what precedes the layers that were switched."""
        self._opened = None

    def close(self) -> None:
        """Stop, and forget."""
        super().close()
        self.off, self._logits, self._opened = {}, None, None

    def _switched(self, change: Any) -> None:
        layer = self.widget.layer
        if not layer or change["new"] == self.off_of(layer):  # another layer came on show
            return
        self.off[layer] = list(change["new"])
        self.off = {name: off for name, off in self.off.items() if off}
        self._look_again()

    def _look_again(self, *, renewed: bool = False) -> None:
        if self.off:
            self.submit(self._run_without, None if renewed else lambda: self._look_again(renewed=True))
        else:
            self._worker.supersede()
            if self.busy:
                self._set_busy(False)
            self._logits = None
            self.widget.effect = ""
            self._host.show_switched(None)

    def scores_of(self, image: torch.Tensor) -> torch.Tensor:
        """(classes,) scores of an image (1, C, H, W) without the maps that are switched off."""
        scene, model = self._host.scene, self._host.session.model
        off = {layer: list(channels) for layer, channels in self.off.items() if layer in scene.maps}
        counts = {layer: scene.maps[layer].shape[1] for layer in off}
        opened = self._of(scene)
        if image is scene.picture.tensor:
            return opened.switched.scores(off, counts)[0].float().cpu()
        off_now = switched_off(model, off, layouts=opened.layouts, counts=counts)
        with torch.no_grad(), preserved(model, evaluate=True), off_now:
            return class_scores(run(model, fitted(model, image.clone())), batch=1)[0].float().cpu()

    def _of(self, scene: Scene) -> _Opened:
        """What is kept of a photograph while it is on show."""
        if self._opened is None or self._opened.scene is not scene:
            model = self._host.session.model
            layouts = scene.first.layouts
            self._opened = _Opened(scene, layouts, Switched(model, scene.picture.tensor, layouts))
        return self._opened

    def _run_without(self, stop: threading.Event) -> None:
        if stop.is_set():
            raise Cancelled("Stopped.")
        scene = self._host.scene
        logits = self.scores_of(scene.picture.tensor)

        def show() -> None:
            self._logits = logits
            self.widget.effect = self._sentence(scene, logits)

        self.apply(stop, show)
        if not stop.is_set():
            self._host.show_switched(logits)

    def _sentence(self, scene: Scene, logits: torch.Tensor) -> str:
        label: Callable[[int], str] = self._host.session.label
        count = sum(map(len, self.off.values()))
        where = f" in {len(self.off)} layers" if len(self.off) > 1 else ""
        before, after = probabilities(torch.stack([scene.logits.float(), logits]), scene.kind)
        chosen = scene.now.chosen
        explained = scene.predicted if callable(chosen) else int(chosen[0])
        said = (
            f"{count} {'map' if count == 1 else 'maps'} switched off{where}: "
            f"{label(explained)} {in_words(float(before[explained]), scene.kind)} → "
            f"{in_words(float(after[explained]), scene.kind)}"
        )
        if scene.kind not in COMPETING:
            return said  # which class has the most says nothing there
        now = int(logits.nan_to_num(-torch.inf).argmax())
        return (
            said if now == scene.predicted or not scene.task.one_wins else f"{said}; the network now says {label(now)}"
        )
