"""Feature maps that are switched off, and what the network says without them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import torch

from cnnwidgets.core.forward import fitted, run
from cnnwidgets.core.names import unwrapped
from cnnwidgets.core.state import preserved
from cnnwidgets.core.switched_off import switched_off
from cnnwidgets.core.targets import class_scores, probabilities
from cnnwidgets.widgets.feature_maps import FeatureMaps

from .part import Host, Part
from .sentences import percent
from .session import Scene


class Switching(Part):
    """Runs the model without the maps that were switched off, in whatever layers, and shows the scores."""

    widget: FeatureMaps

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self.widget = FeatureMaps(sort="maximum")  # by index, most of a ReLU's first maps are black
        self.off: dict[str, list[int]] = {}
        """Layer -> its maps that are switched off; no empty lists."""
        self._logits: torch.Tensor | None = None
        self.widget.observe(self._switched, "off")
        self.widget.on_switch_all = self.switch_all_on

    def off_of(self, layer: str) -> list[int]:
        """Maps of ``layer`` that are switched off."""
        return self.off.get(layer, [])

    def can_switch(self, layer: str) -> bool:
        """Whether ``layer`` is a module, whose output can be replaced; a torch call is not."""
        return layer in dict(unwrapped(self._host.session.model).named_modules())

    def switch_all_on(self) -> None:
        """Let the network have all its maps again."""
        self.off.clear()
        self.widget.off = []
        self._look_again()

    def scene_opened(self, scene: Scene) -> None:
        """What is off stays off, and is judged by the new photograph."""
        before = self.off
        self.off = {layer: off for layer, off in before.items() if layer in scene.maps}
        if before:
            self._look_again()

    def target_changed(self, scene: Scene) -> None:
        """Say what the switches do to the other class."""
        if self._logits is not None:
            self.widget.effect = self._sentence(scene, self._logits)

    def close(self) -> None:
        """Stop, and forget."""
        super().close()
        self.off, self._logits = {}, None

    def _switched(self, change: Any) -> None:
        layer = self.widget.layer
        if not layer or change["new"] == self.off_of(layer):  # another layer came on show
            return
        self.off[layer] = list(change["new"])
        self.off = {name: off for name, off in self.off.items() if off}
        self._look_again()

    def _look_again(self) -> None:
        if self.off:
            self.submit(self._run_without)
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
        axes = {layer: self._axis(scene, layer) for layer in off}
        with torch.no_grad(), preserved(model, evaluate=True), switched_off(model, off, axes=axes):
            return class_scores(run(model, fitted(model, image.clone())), batch=1)[0].float().cpu()

    def _run_without(self, stop: threading.Event) -> None:
        scene = self._host.scene
        logits = self.scores_of(scene.picture.tensor)

        def show() -> None:
            self._logits = logits
            self.widget.effect = self._sentence(scene, logits)

        self.apply(stop, show)
        if not stop.is_set():
            self._host.show_switched(logits)

    def _axis(self, scene: Scene, layer: str) -> int:
        """The axis that counts the maps in what the layer itself returns."""
        shape = self._host.session.info(layer).output_shape or ()
        return 1 if len(shape) == 4 and tuple(shape[1:]) == tuple(scene.maps[layer].shape[1:]) else -1

    def _sentence(self, scene: Scene, logits: torch.Tensor) -> str:
        label: Callable[[int], str] = self._host.session.label
        count = sum(map(len, self.off.values()))
        where = f" in {len(self.off)} layers" if len(self.off) > 1 else ""
        before, after = probabilities(torch.stack([scene.logits.float(), logits]))
        chosen = scene.now.chosen
        explained = scene.predicted if callable(chosen) else int(chosen[0])
        said = (
            f"{count} {'map' if count == 1 else 'maps'} switched off{where}: "
            f"{label(explained)} {percent(float(before[explained]))} → {percent(float(after[explained]))}"
        )
        now = int(logits.nan_to_num(-torch.inf).argmax())
        return said if now == scene.predicted else f"{said}; the network now says {label(now)}"
