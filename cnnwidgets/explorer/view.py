"""The widgets of an Explorer, and what is shown in each; it knows scenes and maps, not how they are made."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import ipywidgets

from cnnwidgets import explainers
from cnnwidgets.core.errors import as_sentence
from cnnwidgets.explainers.attribution import Attribution
from cnnwidgets.explainers.labels import unit_of
from cnnwidgets.explorer.work.layers import cells_seen, why_not
from cnnwidgets.tracing.architecture import Architecture, LayerInfo
from cnnwidgets.widgets.architecture_graph import ArchitectureGraph
from cnnwidgets.widgets.class_scores import ClassScores
from cnnwidgets.widgets.explorer_bar import ExplorerBar
from cnnwidgets.widgets.heatmap_overlay import HeatmapOverlay
from cnnwidgets.widgets.image_input import ImageInput
from cnnwidgets.widgets.panel_tabs import PanelTabs

from .panels.all_panels import Panels
from .sentences import (
    closeness,
    map_title,
    method_choices,
    model_summary,
    switches_in_words,
    target_text,
    unlikely,
)
from .tasks import function_sentence
from .ties import close_widget
from .work.scene import Scene

_TABS = [
    ["look", "Where did it look?", "Which places of the image speak for the class, by the method you choose"],
    ["filters", "What does it look for?", "The selected filter: its kernel, the places that excite it, its image"],
    ["hide", "Hide a part", "Cover a part of the image, and watch the scores move"],
    ["compare", "Compare", "Methods beside layers or classes, on a scale that says what it is"],
]


_WITH_GROUPS = (
    "The class bars are without {}; this has them: groups are parts of this photograph's maps, not of the network."
)
_OF_ALL = (
    "Kernel, places, images, ranking and groups are of the network with all its channels; the class bars, the map and "
    "the feature maps are {}."
)


class ExplorerView:
    """The panels and the boxes around them."""

    def __init__(self, title: str, architecture: Architecture, pictures: list[str], panels: Panels) -> None:
        self.bar = ExplorerBar(title=title, pictures=pictures, summary=model_summary(architecture))
        self.graph = ArchitectureGraph(architecture)
        self._switching, self._title = panels.switching, title
        filters = panels.filters.widget
        self._of_all, self._check = filters, panels.checking.widget
        self.feature_maps = panels.switching.widget
        self.overlay = HeatmapOverlay(methods=method_choices(), stretch=True)
        self.scores = ClassScores()
        self.tabs = PanelTabs(tabs=_TABS, active=_TABS[0][0])
        behind: dict[str, list[Any]] = {
            "look": [self.overlay, panels.checking.widget],
            "filters": [panels.filters.widget],
            "hide": [panels.hiding.widget],
            "compare": [panels.comparing.widget],
        }
        self._titled = []
        for name, widgets in behind.items():
            self._titled += widgets
            for widget in widgets:
                widget.add_class(f"cnnw-tab-{name}")
        self.middle = ipywidgets.Box([self.tabs, *self._titled])
        areas: tuple[Any, ...] = (self.graph, self.middle, self.scores, self.feature_maps)
        for name, area in zip(("graph", "overlay", "scores", "maps"), areas, strict=True):
            area.add_class(f"cnnw-area-{name}")
        self._titled += [self.graph, self.feature_maps, self.scores]
        for widget in self._titled:
            widget.network = title
        self._following = [widget for widget in self._titled if widget is not filters] + [filters.cell]
        for widget in [*self._following, filters.view]:
            widget.on_switch_all = panels.switching.switch_all_on
        self._remarks: dict[str, str] = {}  # what is said of the map and changes while it stays on show
        self.image_input: ImageInput | None = None
        self.grid = ipywidgets.Box(list(areas))
        self.grid.add_class("cnnw-explorer-grid")

    @property
    def children(self) -> list[ipywidgets.Widget]:
        """What the Explorer's own box holds."""
        return [self.bar, *([] if self.image_input is None else [self.image_input]), self.grid]

    def show_scene(self, scene: Scene, target: int) -> None:
        """Another photograph: the picture, the scores; the map of the one before is taken away."""
        self.graph.show(scene.architecture)  # which does nothing where its layers are as before
        self.bar.summary = model_summary(scene.architecture)
        for widget in self._titled:
            widget.photograph = scene.photograph
        self.graph.switchable = self._switching.switchable(scene.maps)
        self.show_picture(scene)
        self.feature_maps.set_picture(scene.picture.pixels)
        self.scores.show(scene.logits.numpy(), labels=scene.labels, target=target, kind=scene.kind)
        self.bar.notes = [*scene.picture.notes, *([] if scene.now.cam else [why_not(scene.now)])]

    def show_picture(self, scene: Scene) -> None:
        """The picture on the overlay; the map before it is taken away."""
        self.overlay.set_picture(scene.picture.pixels)
        if scene.whole is not None:
            self.overlay.show_whole(scene.whole.pixels, scene.whole.frame)

    def say_switched(self, scene: Scene, groups: str) -> None:
        """Say by everything that is on show, and in what it saves, which network it is of.

        The class bars are without ``groups`` of channels.
        """
        switches = switches_in_words(scene.switches)
        sentence = as_sentence(switches) if switches else _WITH_GROUPS.format(groups) if groups else ""
        for widget in self._following:
            widget.network = ", ".join(filter(None, (self._title, switches)))
            # The check lies under its map, which says it; in the graph the layers are marked.
            if widget is not self._check and widget is not self.graph:
                widget.switched = sentence
        if groups:
            self.scores.switched = f"Without {groups}."
        self._of_all.view.switched = _OF_ALL.format(switches) if switches else sentence
        with self.graph.hold_sync():
            self.graph.scales, self.graph.touched = dict(self._switching.scales), list(scene.switches)

    def show_task(self, scene: Scene, target: int) -> None:
        """What is explained, in words, and what can be picked on the picture."""
        task, explained = scene.task, scene.target
        is_function = callable(explained)
        self.overlay.show_choices(
            function_sentence(explained, task) if is_function else task.sentence(target),
            picking=task.picking,
            marks=[asdict(mark) for mark in task.marks],
            marked=None if is_function else target,
            region=task.region,
            inside=None if task.inside is None else task.inside.numpy(),
        )

    def show_maps(self, scene: Scene, info: LayerInfo, target: int) -> None:
        """The feature maps of one layer."""
        name = info.name
        off = self._switching.off_of(name)
        self.feature_maps.show(scene.maps[name][0], name, off=off, **feature_maps_of(scene, info, target))
        self.feature_maps.switchable = name in self.graph.switchable

    def show_map(self, scene: Scene, attribution: Attribution, *, partial: bool = False, stopped: str = "") -> None:
        """An explainer's map, with what must be known before it is trusted."""
        method, target = attribution.method, attribution.target
        warnings = [stopped, *self._remarks.values()]
        # The progress bar says how much is known; the note would change with each step.
        notes = [] if partial and not stopped else notes_of(scene, attribution)
        of_class = explainers.info(method).needs_target
        warnings += [*notes, *cautions_of(scene, attribution)]
        texts = [{"level": "warn", "text": warning} for warning in warnings if warning]
        if not notes and not partial:
            once = f"{attribution.layer} ran once, every" if attribution.layer else "Every"
            texts.append({"level": "ok", "text": f"{once} number is finite."})
        caption = map_title(method, attribution.layer, target_text(target, scene.label) if of_class else "")
        self.overlay.show_attribution(replace(attribution, notes=()), caption=caption, partial=partial, notes=texts)
        self._check.caption = caption

    def remark(self, subject: str, text: str) -> None:
        """Say by the map, as long as it is on show, what there is to say of ``subject``; empty: nothing any more."""
        before = self._remarks.get(subject, "")
        if text == before:
            return
        self._remarks[subject] = text
        notes = [note for note in self.overlay.notes if note["text"] != before]
        if text and notes:  # of no map there is nothing to say
            notes.insert(0, {"level": "warn", "text": text})
        self.overlay.notes = notes

    def show_strip(self, scene: Scene, layers: list[str]) -> None:
        """Grad-CAM of all ``layers``, small, beside the slider: moving it needs nothing computed."""
        layers = [name for name in layers if name in scene.now.cam]
        self.overlay.show_strip(
            layers,
            [scene.now.cam[name][0].numpy() for name in layers],
            caption=map_title("grad_cam", "{layer}", target_text(scene.target, scene.label)),
            unit=unit_of("grad_cam"),
            method="grad_cam",
            placements=[scene.now.placements.get(name) for name in layers],
        )

    def show_progress(self, share: float | None, text: str) -> None:
        """How far the long work is; None takes the progress bar away."""
        with self.bar.hold_sync():
            self.bar.progress, self.bar.progress_text = share, text

    def set_busy(self, busy: bool, working: list[str]) -> None:
        """Mark what is being computed: the map on the overlay, and the tabs of panels that work on their own."""
        self.overlay.busy = busy
        self.bar.busy = busy or bool(working)
        self.tabs.working = working

    def close(self) -> None:
        """Close every widget."""
        self.bar.on_cancel, self.bar.on_upload = lambda: None, lambda _name, _content: None
        self.bar.on_edit = lambda: None
        own = [self.bar, self.graph, self.overlay, self.scores, self.tabs, self.middle, self.grid]
        for widget in own:
            close_widget(widget)


def feature_maps_of(scene: Scene, info: LayerInfo, target: int) -> dict[str, Any]:
    """What :class:`FeatureMaps` shows of a layer beside its maps."""
    name, contribution = info.name, scene.now.contribution.get(info.name)
    change = scene.first.changes.get(name, "")
    return {
        "contribution": None if contribution is None else contribution[0],
        "target_name": scene.label(target),
        "receptive_field": info.receptive_field,
        "note": " ".join([*map(as_sentence, scene.first.whereabouts[name]), *filter(None, [change])]),
        "placement": scene.first.placements.get(name),
        "cells": cells_seen(scene, name),
    }


def notes_of(scene: Scene, attribution: Attribution) -> list[str]:
    """The explainer's own notes, as sentences."""
    names = {layer.name for layer in scene.architecture.layers}
    return [as_sentence(note, names) for note in attribution.notes]


def cautions_of(scene: Scene, attribution: Attribution) -> list[str]:
    """What must be known of a class before its map is trusted."""
    target, method = attribution.target, attribution.method
    if callable(target) or not explainers.info(method).needs_target:
        return []
    about = (scene.logits, int(target[0]), scene.label, scene.kind)
    cautions = [closeness(*about), unlikely(*about)] if scene.task.one_wins else []
    return [caution for caution in (*cautions, scene.task.caution(method)) if caution]
