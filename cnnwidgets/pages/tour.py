"""Goes through all that can be chosen in an Explorer, and records what is on show at each choice."""

# ruff: noqa: SLF001 (explorer stands on this room, and hands itself in)

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnnwidgets import explainers
from cnnwidgets.core.errors import CnnWidgetsError, InputError, NotSpatial
from cnnwidgets.core.progress import Meter, ProgressCallback
from cnnwidgets.explainers.labels import label_of
from cnnwidgets.outputs.class_names import class_by_name
from cnnwidgets.widgets._still.publish import newest_push

from .class_maps import class_of, other_classes, record_others, record_scores
from .page import ReportPage, page_of
from .recording import PageRecording

MOST_LAYERS = 17


def settle(explorer: Any) -> None:
    """Wait until all is on show.

    Raises:
        CnnWidgetsError: it failed.
    """
    explorer.wait()
    if explorer.status == "error":
        raise CnnWidgetsError(f"{label_of(explorer.method)}: {explorer.message}")


def all_photographs(
    explorer: Any,
    layers: Sequence[str] | None,
    classes: int | Sequence[int | str],
    methods: Sequence[str] | None,
    progress: ProgressCallback | bool | None,
    others: bool,
) -> ReportPage:
    """A page of all photographs of ``explorer``, which it is left at the last choice of."""
    for argument, value in {"methods": methods, "layers": layers}.items():
        if isinstance(value, str):
            raise InputError(f"{argument} is {value!r}; expected a list of names: {argument}=[{value!r}].")
    layer_names = _default_layers(explorer) if layers is None else _layers_of(explorer, layers)
    method_names = _default_methods(explorer) if methods is None else [explainers.info(name).name for name in methods]
    method_names = list(dict.fromkeys(method_names))
    if not method_names:
        raise InputError("methods is empty; expected at least one of explainers.names().")
    tour = _Tour(explorer, layer_names, method_names, others)
    steps = len(_classes_of(explorer._scene, classes)) * len(method_names) * len(explorer.pictures)
    with Meter(progress, steps) as meter:
        for number, picture in enumerate(explorer.pictures):
            tour.photograph(number, picture, classes, meter)
    return tour.page()


def _default_methods(explorer: Any) -> list[str]:
    now = explorer._scene.now
    gradient = now.input_gradient is not None and bool(now.input_gradient.any())
    return [*(["grad_cam"] if now.cam else []), *(["saliency"] if gradient else []), explorer.method]


def _layers_of(explorer: Any, layers: Sequence[str]) -> list[str]:
    """``layers`` by the names that the trace has for them.

    Raises:
        LayerNotFound, NotSpatial: there is no such layer, or it has no maps.
    """
    names = []
    for layer in layers:
        explorer.layer = layer
        names.append(explorer.layer)
    settle(explorer)
    return list(dict.fromkeys(names))


def _default_layers(explorer: Any) -> list[str]:
    """The outputs of blocks and what goes into the first one; of a network without blocks what has a map of the score.

    The layer on show and the one that explainers take by default are always there.
    """
    scene, layers = explorer._scene, list(explorer._display.layers)
    layers = layers or [name for name in scene.first.order if name in scene.maps]
    convolutions: list[str] = [info.name for info in scene.architecture.layers if info.kind == "conv"]
    blocks = [name for name in layers if sum(inner.startswith(f"{name}.") for inner in convolutions) > 1]
    if len(blocks) >= MOST_LAYERS // 4:
        before = layers[: layers.index(blocks[0])]
        stem = [name for name in before if not any(name.startswith(f"{block}.") for block in blocks)]
        layers = [*stem[-1:], *blocks]
    if len(layers) > MOST_LAYERS:
        stride = (len(layers) - 1) / (MOST_LAYERS - 1)
        layers = [layers[round(number * stride)] for number in range(MOST_LAYERS)]
    for name in filter(None, (explorer.layer, scene.now.default)):
        if name in scene.maps and _same_maps(scene, name, layers) is None:
            layers.append(name)
    order = {name: number for number, name in enumerate(scene.first.order)}
    return sorted(layers, key=lambda name: order.get(name, 0))


def _same_maps(scene: Any, layer: str, among: Sequence[str]) -> str | None:
    """The one of ``among`` that holds the maps of ``layer``: itself, or a block that ends with it."""
    maps = scene.maps.get(layer)
    return layer if layer in among else next((name for name in among if scene.maps.get(name) is maps), None)


def _classes_of(scene: Any, classes: int | Sequence[int | str]) -> list[int]:
    """Classes of the table of scores: the one explained, then those asked for, or those with the highest scores."""
    if scene.target_class is None:
        return [-1]
    count = len(scene.logits)
    if isinstance(classes, int) and not isinstance(classes, bool):
        if classes < 1:
            raise InputError(f"classes is {classes}; expected at least 1, or a list of classes.")
        best = scene.logits.float().nan_to_num(-float("inf")).topk(min(classes, count)).indices.tolist()
        return list(dict.fromkeys([scene.target_class, *best]))[: max(classes, 1)]
    if isinstance(classes, str | bool) or not isinstance(classes, Sequence):
        raise InputError(f"classes is {classes!r}; expected how many, or a list of numbers or names.")
    numbers = [class_by_name(entry, scene.labels) if isinstance(entry, str) else int(entry) for entry in classes]
    wrong = [number for number in numbers if not 0 <= number < count]
    if wrong:
        raise InputError(f"Class {wrong[0]} is out of range: there are {count} classes, 0 to {count - 1}.")
    return list(dict.fromkeys([scene.target_class, *numbers]))


class _Tour:
    """Goes through the choices and records what is on show at each."""

    def __init__(self, explorer: Any, layers: list[str], methods: list[str], others: bool) -> None:
        self._explorer, self._layers, self._methods, self._others = explorer, layers, methods, others
        self._recording = PageRecording()
        self._photographs: list[dict[str, Any]] = []
        self._start = {"layer": explorer.layer, "method": explorer.method}
        self._target = explorer._requests._requested_target
        self._overlay_layers = [""] * len(layers)

    def photograph(self, number: int, picture: str, classes: int | Sequence[int | str], meter: Meter) -> None:
        """Record one photograph."""
        explorer = self._explorer
        if explorer.picture != picture:
            if not callable(self._target):
                explorer.target = self._target  # as somebody asked for it, not as the photograph before ended
            explorer.picture = picture
            settle(explorer)
        scene = explorer._scene
        indices = _classes_of(scene, classes)
        attributions = other_classes(explorer) if self._others else []
        named = set(range(len(scene.logits)) if attributions else indices)
        start = -1 if scene.target_class is None else scene.target_class
        for index in indices:
            if index >= 0:  # -1: it is a function that is explained
                explorer.target = None if index == scene.first_class else index
                settle(explorer)
            self._class(number, index, named, meter)
        others = [attribution for attribution in attributions if class_of(attribution) not in indices]
        record_others(explorer, self._recording, number, others)
        self._graph(number)
        self._recording.add("bar", str(number), explorer._view.bar, progress=None, progress_text="")
        self._photographs.append(
            {
                "name": picture,
                "first": scene.first_class if scene.target_class is not None else -1,
                "start": start,
                "classes": indices,
                "others": len(others),
                "aliases": self._aliases(explorer._scene),
            }
        )

    def page(self) -> ReportPage:
        """What was recorded, as a page."""
        explorer = self._explorer
        layers, methods = self._layers, self._methods
        at = _same_maps(explorer._scene, self._start["layer"], layers)
        counts = {
            "photograph": len(self._photographs),
            "layer": len(layers),
            "class": max(len(entry["classes"]) for entry in self._photographs),
            "method": len(self._methods),
        }
        if counts["photograph"] == 1:
            del counts["photograph"]
        story = {
            "photographs": self._photographs,
            "layers": layers,
            "methods": methods,
            "overlay_layers": self._overlay_layers,
            "layer": layers.index(at) if at else max(len(layers) - 1, 0),
            "method": methods.index(self._start["method"]) if self._start["method"] in methods else 0,
        }
        payload = self._recording.arrays.payload({"story": story, **self._recording.content()})
        title = f"{explorer._view.bar.title} · {self._photographs[0]['name']}"
        return page_of(payload, title, counts)

    def _class(self, photograph: int, index: int, named: set[int], meter: Meter) -> None:
        explorer, overlay = self._explorer, self._explorer.overlay
        methods = [choice for choice in overlay.methods if choice[0] in self._methods]
        for position, method in enumerate(self._methods):
            explorer.method = method
            of_layer = explainers.info(method).needs_layer
            for number, layer in enumerate(self._layers or [""]):
                if number and not of_layer and position:
                    break
                if layer and not self._goes_to(layer):
                    continue
                settle(explorer)
                if position == 0:
                    maps = explorer.feature_maps
                    still = {"channel": None, "switchable": False, "clickable": False}
                    self._recording.add("maps", f"{photograph}/{index}/{number}", maps, **still)
                same = [_same_maps(explorer._scene, own, overlay.layers) or "" for own in self._layers]
                layers = list(dict.fromkeys(filter(None, same)))
                if number == 0 and layers:
                    explorer._view.show_strip(explorer._scene, layers)
                    self._overlay_layers = same
                key = f"{photograph}/{index}/{position}" + (f"/{number}" if of_layer else "")
                self._recording.add("overlay", key, overlay, settings=[], layers=layers, methods=methods, busy=False)
            meter.advance()
        self._scores(photograph, index, named)

    def _goes_to(self, layer: str) -> bool:
        """Show ``layer``; False: it does not run for this photograph."""
        try:
            self._explorer.layer = layer
        except NotSpatial:
            return False
        return True

    def _scores(self, photograph: int, index: int, named: set[int]) -> None:
        """The bars of one class; the search offers what is in the page."""
        scores, scene = self._explorer.scores, self._explorer._scene
        names = [scene.label(number) if number in named else "" for number in range(len(scene.logits))]
        scores.push("classes", names=names)
        record_scores(scores, self._recording, f"{photograph}/{index}")

    def _graph(self, photograph: int) -> None:
        """The drawing with the blocks around the layers open, with all, with none."""
        graph = self._explorer.graph
        still = {"selected": "", "switchable": []}
        start = list(graph.expanded)
        self._recording.add("graph", f"{photograph}/start", graph, **still)
        graph.expand_all()
        self._recording.add("graph", f"{photograph}/all", graph, **still)
        graph.collapse_all()
        self._recording.add("graph", f"{photograph}/none", graph, **still)
        graph.expanded = start

    def _aliases(self, scene: Any) -> dict[str, int | str]:
        """What can be clicked in the graph -> the number of its layer; "" or a sentence: its maps are not here."""
        aliases: dict[str, int | str] = {}
        for name in newest_push(self._explorer.graph, "names").content["names"]:
            layer = scene.architecture.find(name).name
            same = _same_maps(scene, layer, self._layers) if layer in scene.maps else None
            without = "" if layer in scene.maps else f"{name} gives no maps with height and width."
            aliases[name] = without if same is None else self._layers.index(same)
        return aliases
