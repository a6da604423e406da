"""Brings scenes and maps on show, and lets the traits of the Explorer say the same."""

from __future__ import annotations

from dataclasses import asdict, replace

import torch

from cnnwidgets import explainers
from cnnwidgets.core.errors import as_sentence
from cnnwidgets.core.progress import Step
from cnnwidgets.explainers.attribution import Attribution
from cnnwidgets.explainers.labels import label_of
from cnnwidgets.explorer.work.layers import NO_MAPS, why_not

from .choices import Choices
from .panels.all_panels import Panels
from .panels.host import PanelHost
from .sentences import explained_class, method_choices, work_left
from .view import ExplorerView
from .work.layers import explained_layers, first_layer, layers_with_maps, same_maps, traced_names
from .work.report import share_of
from .work.scene import Scene
from .work.settings import Setting, settings_of

_LAGS = "This map is of the network with other switches than the class bars."


class Display:
    """The widgets and the traits of an Explorer, changed together.

    Attributes:
        layers: those whose maps of the score can be shown, in order.
    """

    def __init__(self, choices: Choices, host: PanelHost, view: ExplorerView, panels: Panels) -> None:
        self._choices, self._host, self._view, self._panels = choices, host, view, panels
        self.layers: list[str] = []
        self._on_overlay: tuple[object, str, str | None] | None = None

    def show_scene(self, scene: Scene) -> None:
        """Another photograph, or the same of a network that has changed."""
        choices, view = self._choices, self._view
        self._panels.scene_opened(scene)
        with self._host.unchecked():
            choices.picture, choices.region = scene.name, list(scene.task.region)
            choices.target = scene.predicted if scene.target_class is None else scene.target_class
            view.show_scene(scene, choices.target)
            self._say_switched()
            view.show_task(scene, choices.target)
            view.bar.picture = scene.name
            layers = self.layers = explained_layers(scene, view.graph.named)
            view.overlay.also = frozenset(scene.now.cam)
            self.offer_methods()
            if choices.layer not in scene.maps:
                choices.layer = first_layer(scene, layers or layers_with_maps(scene))
            if layers and view.overlay.layer not in layers:
                view.overlay.layer = first_layer(scene, layers)
            view.show_strip(scene, layers)
            self._panels.comparing.offer_layers(layers)
            if choices.layer:
                view.show_maps(scene, scene.architecture.find(choices.layer), choices.target)
                view.graph.selected = choices.layer
            else:
                view.feature_maps.clear(f"{NO_MAPS}.")

    def show_switched(self, scene: Scene) -> None:
        """The same photograph, seen by the network with other channels switched off."""
        self._panels.scene_opened(scene, same_photograph=True)
        choices, view = self._choices, self._view
        with self._host.unchecked():
            view.show_picture(scene)
            view.scores.move(scene.logits.numpy())
            view.show_task(scene, choices.target)
            view.overlay.also = frozenset(scene.now.cam)
            view.show_strip(scene, self.layers)
            if choices.layer in scene.maps and view.feature_maps.layer == choices.layer:
                view.show_maps(scene, scene.architecture.find(choices.layer), choices.target)
            self._say_switched()

    def show_retargeted(self, scene: Scene) -> None:
        """The same photograph, and what was computed for another target."""
        self._host.scene = scene
        self._view.show_task(scene, self._choices.target)
        layer, target = self._choices.layer, self._choices.target
        if (contribution := scene.now.contribution.get(layer)) is not None:
            self._view.feature_maps.show_contribution(layer, contribution[0], scene.label(target))
        self._view.show_strip(scene, self.layers)
        for panel in self._panels:
            panel.target_changed(scene)

    def show_chosen(self, target: int | None) -> None:
        """Say which class is explained; None: nobody chose one."""
        scene, scores = self._host.scene, self._view.scores
        with scores.hold_sync():
            scores.explains = explained_class(scene, target) if scene.task.one_wins else ""
            scores.chosen = target is not None

    def show_layer(self, name: str) -> None:
        """Nothing is computed here: the maps of every layer are there since the photograph was opened."""
        with self._host.lock:
            scene = self._host.scene
            if scene.asleep:
                return  # they are being made, and shown then
            self._view.show_maps(scene, scene.architecture.find(name), self._choices.target)
            if self._view.graph.selected != name:
                self._view.graph.selected = name
            self.follow_layer()

    def follow_layer(self, name: str = "") -> None:
        """Let the overlay show the layer chosen, or ``name``, unless it is pinned to one; and say where it cannot."""
        overlay, chosen_layer = self._view.overlay, name or self._choices.layer
        layer = same_maps(self._host.scene, chosen_layer, self.layers)
        self._panels.comparing.widget.layer = layer or ""
        if overlay.follow and layer is not None:
            overlay.layer = layer
        stays = overlay.follow and layer is None and overlay.layers
        text = f"{chosen_layer} has no map of the score. The overlay stays at {overlay.layer}."
        self._view.remark("layer", text if stays and chosen_layer else "")

    def lead_layer(self) -> None:
        """The other way round: the slider moves what is on show, unless it is pinned."""
        overlay, choices, scene = self._view.overlay, self._choices, self._host.scene
        # Of a network that takes another way for this photograph, a layer may not be in the graph.
        in_graph = overlay.layer in traced_names(scene.architecture)
        if overlay.follow and in_graph and overlay.layer != same_maps(scene, choices.layer, self.layers):
            choices.layer = overlay.layer

    def show_map(self, scene: Scene, attribution: Attribution, *, partial: bool = False, stopped: str = "") -> None:
        """An explainer's map on the overlay."""
        self._view.show_map(scene, attribution, partial=partial, stopped=stopped)
        self._panels.map_changed(None if partial else attribution)
        self._on_overlay = (scene.now, attribution.method, attribution.layer)

    def show_grad_cam(self) -> None:
        """Grad-CAM of any layer is part of the scene."""
        with self._host.lock:
            scene, overlay = self._host.scene, self._view.overlay
            if overlay.layer in scene.now.cam:
                grad_cam = self._host.session.explain(scene, "grad_cam", overlay.layer, lambda _: None)
                self.show_map(scene, grad_cam)
            else:
                self._clear_overlay(why_not(scene.now, overlay.layer))
                self._on_overlay = None
            with self._host.unchecked():
                overlay.method = self._choices.method
            self.set_status("ready")

    def fall_back(self, status: str, message: str) -> None:
        """No map came: the photograph and the class named are those on show."""
        choices, scene, overlay = self._choices, self._host.scene, self._view.overlay
        with self._host.unchecked():
            choices.picture, choices.region = scene.name, list(scene.task.region)
            if scene.target_class is not None:
                choices.target = scene.target_class
        layer = overlay.layer if overlay.layers else None
        if self._on_overlay != (scene.now, choices.method, layer):
            names = {info.name for info in scene.architecture.layers}
            self._clear_overlay(f"{label_of(choices.method)} gave no map. {as_sentence(message, names)}")
        self.set_status(status, message)

    def fall_asleep(self) -> None:
        """Let go of the maps that can be made again."""
        awake = self._host.scene
        self._host.scene = awake.sleeping()
        if self._on_overlay is not None and self._on_overlay[0] is awake.now:
            self._on_overlay = (self._host.scene.now, *self._on_overlay[1:])
        for panel in self._panels:
            panel.sleep()

    def _clear_overlay(self, message: str) -> None:
        self._panels.map_changed(None)
        self._view.overlay.clear(message)

    def offer_methods(self) -> None:
        """The methods; and the slider over layers for those that explain a layer."""
        method, overlay = self._choices.method, self._view.overlay
        of_layers = method in explainers.names() and explainers.info(method).needs_layer
        overlay.layers = self.layers if of_layers else []
        overlay.methods = method_choices()
        values = self._host.session.settings.get(method, {})
        with self._host.unchecked():
            overlay.settings = [
                asdict(replace(setting, value=values.get(setting.name, setting.value)))
                for setting in self._settings_offered()
            ]

    def keep_settings(self) -> None:
        """Take over what the reader has set beside the picture; a number that is as it began may begin anew."""
        values = {setting.get("name"): setting["value"] for setting in self._view.overlay.settings}
        self._host.session.settings[self._choices.method] = {
            setting.name: values[setting.name]
            for setting in self._settings_offered()
            if values.get(setting.name, setting.value) != setting.value
        }

    def _settings_offered(self) -> list[Setting]:
        method = self._choices.method
        return settings_of(method, self._host.scene.picture.tensor) if method in explainers.names() else []

    def show_step(self, method: str, step: Step) -> None:
        """How far a method is."""
        self._choices.message = work_left(method, step)
        self._view.show_progress(share_of(step), self._choices.message)

    def set_status(self, status: str, message: str = "") -> None:
        """What the Explorer is doing, in its traits and above its panels."""
        self._choices.status = status
        self.mark_busy()
        if status in ("ready", "busy"):
            self._view.bar.clear_error()
        self._view.show_progress(0.0 if status == "busy" else None, message if status != "error" else "")
        self._choices.message = message

    def mark_busy(self) -> None:
        """What is being computed, by the Explorer itself and by its panels."""
        self._view.set_busy(self._choices.status == "busy", self._panels.working)

    def show_scores(self, logits: torch.Tensor | None) -> None:
        """The scores of an edited image, while it is being edited; None: those of the photograph."""
        # Without the lock: a panel calls this holding its own, and is told of other scenes by who holds this one.
        if self._choices.status != "closed":
            self._view.scores.move((self._host.scene.logits if logits is None else logits).numpy())
            self._say_switched()

    def _say_switched(self) -> None:
        """Which network everything is of."""
        self._view.say_switched(self._host.scene, self._host.hidden_groups)
        if not self._host.lags or self._host.session.turns:
            self.say_lag()

    def say_lag(self) -> None:
        """Say so where the class bars are ahead of the map; where it follows at once, nobody need read that."""
        self._view.remark("switched", _LAGS if self._host.lags else "")
