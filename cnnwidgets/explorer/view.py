"""The widgets of an Explorer, and what is shown in each; it knows scenes and maps, not how they are made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import ipywidgets

from cnnwidgets.core.architecture import Architecture, LayerInfo
from cnnwidgets.core.results import Attribution
from cnnwidgets.widgets.architecture_graph import ArchitectureGraph
from cnnwidgets.widgets.class_scores import ClassScores
from cnnwidgets.widgets.explorer_bar import ExplorerBar
from cnnwidgets.widgets.feature_maps import FeatureMaps
from cnnwidgets.widgets.heatmap_overlay import HeatmapOverlay

from .sentences import all_well, closeness, method_choices, method_label, model_summary
from .session import Scene

Label = Callable[[int], str]


class View:
    """The five panels and the box around them."""

    def __init__(self, title: str, architecture: Architecture, pictures: list[str], label: Label) -> None:
        self._label = label
        self.bar = ExplorerBar(title=title, pictures=pictures, summary=model_summary(architecture))
        self.graph = ArchitectureGraph(architecture)
        self.feature_maps = FeatureMaps()
        self.overlay = HeatmapOverlay(methods=method_choices(), follow=False)
        self.scores = ClassScores()
        panels: dict[str, Any] = {
            "graph": self.graph,
            "overlay": self.overlay,
            "scores": self.scores,
            "maps": self.feature_maps,
        }
        for name, widget in panels.items():
            widget.add_class(f"cnnw-area-{name}")
        self.grid = ipywidgets.Box(list(panels.values()))
        self.grid.add_class("cnnw-explorer-grid")

    @property
    def children(self) -> list[ipywidgets.Widget]:
        """What the Explorer's own box holds."""
        return [self.bar, self.grid]

    def show_scene(self, scene: Scene, labels: list[str] | None, target: int) -> None:
        """Another photograph: the picture, the scores; the map of the one before is taken away."""
        self.overlay.set_picture(scene.picture.pixels)
        self.feature_maps.set_picture(scene.picture.pixels)
        self.scores.show(scene.logits.numpy(), labels=labels, target=target)
        self.bar.notes = list(scene.picture.notes)

    def show_maps(self, scene: Scene, info: LayerInfo, target: int) -> None:
        """The feature maps of one layer."""
        name = info.name
        contribution = scene.now.contribution.get(name)
        calls = scene.first.calls.get(name, 1)
        self.feature_maps.show(
            scene.maps[name][0],
            name,
            contribution=None if contribution is None else contribution[0],
            target_name=self._label(target),
            receptive_field=info.receptive_field,
            note=f"This layer is called {calls} times; its last call is shown." if calls > 1 else "",
        )

    def show_contribution(self, scene: Scene, layer: str, target: int) -> None:
        """What the maps on show add to another class."""
        contribution = scene.now.contribution.get(layer)
        if contribution is not None:
            self.feature_maps.show_contribution(layer, contribution[0], self._label(target))

    def show_map(self, scene: Scene, attribution: Attribution, *, partial: bool = False, stopped: str = "") -> None:
        """An explainer's map, with what must be known before it is trusted."""
        method = attribution.method
        if callable(attribution.target):
            explained, near = getattr(attribution.target, "__name__", "your target"), ""
        else:
            target = int(attribution.target[0])
            explained, near = f"{self._label(target)} ({target})", closeness(scene.logits, target, self._label)
        # The progress bar says how much is known; the note would change with each step.
        own = [] if partial else list(attribution.notes)
        warnings = [{"level": "warn", "text": note} for note in (stopped, *own, near) if note]
        if not own and not partial:
            warnings.append({"level": "ok", "text": all_well(attribution.layer)})
        self.overlay.show_attribution(
            replace(attribution, notes=()),
            caption=f"{attribution.layer or method_label(method)} → {explained}",
            partial=partial,
            notes=warnings,
        )

    def show_progress(self, share: float | None, text: str) -> None:
        """How far the long work is; None takes the progress bar away."""
        with self.bar.hold_sync():
            self.bar.progress, self.bar.progress_text = share, text

    def set_busy(self, busy: bool) -> None:
        """Mark the panels whose content is being computed."""
        self.bar.busy = self.overlay.busy = busy

    def close(self) -> None:
        """Close every widget."""
        for widget in (self.bar, self.graph, self.feature_maps, self.overlay, self.scores, self.grid):
            widget.unobserve_all()
            widget.layout.close()  # ipywidgets closes a widget, and leaves its layout
            widget.close()
