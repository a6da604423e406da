"""Writes what an Explorer shows into a page: a second one, which nobody sees, goes through all choices."""

# ruff: noqa: SLF001 (the panels of the second one are driven here as a reader drives those of the first)

from __future__ import annotations

import contextlib
import copy
import os
from collections.abc import Iterator, Sequence
from typing import Any

from cnnwidgets import explainers
from cnnwidgets.core.errors import CnnWidgetsError, InputError, NotSpatial
from cnnwidgets.core.progress import Meter, ProgressCallback
from cnnwidgets.explainers.labels import label_of
from cnnwidgets.outputs.class_names import class_by_name
from cnnwidgets.pages.page import ReportPage, page_of
from cnnwidgets.pages.recording import Recording
from cnnwidgets.widgets._still.publish import newest_push

from .choices import Choices
from .sentences import method_choices
from .work.layers import first_layer, first_method, layer_with_maps, layers_with_maps, same_maps
from .work.scene import Scene
from .work.session import Session

MOST_LAYERS = 17
_LOOKS = {
    "overlay": ("opacity", "colormap", "diverging", "sign", "smooth", "strip_scale"),
    "feature_maps": ("sort", "scale", "colormap", "cell_size", "opacity", "smooth"),
}
_SCORES = ("probability", "logit")


class Saving(Choices):
    """Pages of what can be chosen in an Explorer."""

    def page(
        self,
        layers: Sequence[str] | None = None,
        classes: int | Sequence[int | str] = 5,
        methods: Sequence[str] | None = None,
        *,
        progress: ProgressCallback | bool | None = True,
    ) -> ReportPage:
        """The photograph on show as a page that lives without a kernel; nothing is written yet.

        In it each of the layers, classes and methods can be chosen, with all that is done in the browser: colours,
        opacity, values under the pointer, sorting, saving pictures. What has to be computed is not offered there.

        Args:
            layers: dotted names; by default the blocks of the network, 17 at most.
            classes: how many, from the highest score on; or the classes themselves, by number or name. The class
                explained is always there.
            methods: names of explainers; by default Grad-CAM, saliency, and the one on show.
            progress: called with a :class:`~cnnwidgets.core.progress.Step` after each method. True: a tqdm bar.

        Returns:
            The page, with its size; its ``save(path)`` writes it.

        Raises:
            LayerNotFound, NotSpatial, TargetError, InputError: there is no such layer, class or method.
            CnnWidgetsError: a method failed on this network; says why.

        Example:
            >>> e = cw.explore(model, "photo.jpg")  # doctest: +SKIP
            >>> e.page(methods=["grad_cam"])  # doctest: +SKIP
            ReportPage(2.1 MB: 17 layers, 5 classes, 1 method)
        """
        self._open_session()
        with _second(self) as second:
            return all_photographs(second, layers, classes, methods, progress)

    def save(
        self,
        path: str | os.PathLike[str],
        network: Any = None,
        *,
        layers: Sequence[str] | None = None,
        classes: int | Sequence[int | str] = 5,
        methods: Sequence[str] | None = None,
        progress: ProgressCallback | bool | None = True,
    ) -> ReportPage:
        """Write :meth:`page` to ``path``, and return it: its size, and what is in it.

        A file of that name is replaced when all is computed and written; an error or an interrupt leaves it as it was.

        Args:
            path: of the file, "report.html".
            network: only None.
            layers, classes, methods, progress: as of :meth:`page`.

        Raises:
            CnnWidgetsError: as of :meth:`page`, or the file cannot be written.
        """
        if network is not None:
            raise InputError("A page cannot hold a network that runs in it: leave network out.")
        page = self.page(layers, classes, methods, progress=progress)
        page.save(path)
        return page


@contextlib.contextmanager
def _second(explorer: Any) -> Iterator[Any]:
    """Another Explorer of the same network and photograph, with the same settings and switches."""
    session = explorer._session
    picture = explorer.picture
    fresh = Session(
        session.original,
        {picture: session.images[picture]},
        labels=session.labels,
        preprocess=session.preprocess,
        **session.output_hints,
    )
    fresh.settings, fresh.of_demo = copy.deepcopy(session.settings), session.of_demo
    second = type(explorer)(fresh, explorer._requests.requested_target)
    try:
        for widget, traits in _LOOKS.items():
            for trait in traits:
                setattr(getattr(second, widget), trait, getattr(getattr(explorer, widget), trait))
        if list(explorer.region) != list(second.region):
            second.region = list(explorer.region)
        switching, other = second._panels.switching, explorer._panels.switching
        if other.off or other.scales:
            switching.off, switching.scales = copy.deepcopy(other.off), dict(other.scales)
            switching.refresh()
        _settle(second)
        if explorer.layer:
            second.layer = explorer.layer
        second.method = explorer.method
        _settle(second)
        yield second
    finally:
        second.cancel()
        second.close()


def _settle(explorer: Any) -> None:
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
) -> ReportPage:
    """A page of all photographs of ``explorer``, which it is left at the last choice of."""
    for argument, value in {"methods": methods, "layers": layers}.items():
        if isinstance(value, str):
            raise InputError(f"{argument} is {value!r}; expected a list of names: {argument}=[{value!r}].")
    scene = explorer._scene
    names = _default_layers(explorer) if layers is None else [layer_with_maps(scene, name).name for name in layers]
    names = list(dict.fromkeys(names))
    chosen = _default_methods(explorer) if methods is None else [explainers.info(name).name for name in methods]
    chosen = list(dict.fromkeys(chosen))
    if not chosen:
        raise InputError("methods is empty; expected at least one of explainers.names().")
    tour = _Tour(explorer, names, chosen)
    with Meter(progress, 0) as meter:
        for number, picture in enumerate(explorer.pictures):
            tour.photograph(number, picture, classes, meter)
    return tour.page()


def _default_methods(explorer: Any) -> list[str]:
    now = explorer._scene.now
    gradient = now.input_gradient is not None and bool(now.input_gradient.any())
    return [first_method(now), *(["saliency"] if gradient else []), explorer.method]


def _default_layers(explorer: Any) -> list[str]:
    """The outputs of blocks and what goes into the first one; of a network without blocks what has a map of the score.

    The layer on show and the one that explainers take by default are always there.
    """
    scene, layers = explorer._scene, list(explorer._display.layers) or layers_with_maps(explorer._scene)
    containers = {container.name for container in scene.architecture.containers}
    blocks = [number for number, name in enumerate(layers) if name in containers]
    if len(blocks) >= MOST_LAYERS // 4:
        layers = [layers[number] for number in sorted({max(blocks[0] - 1, 0), *blocks})]
    always = {name for name in (explorer.layer, first_layer(scene, explorer._display.layers)) if name}
    if len(layers) > MOST_LAYERS:
        steps = (len(layers) - 1) / (MOST_LAYERS - 1)
        layers = [layers[round(number * steps)] for number in range(MOST_LAYERS)]
    here = [name for name in always if same_maps(scene, name, layers) is None]
    order = {name: number for number, name in enumerate(scene.first.order)}
    return sorted([*layers, *here], key=lambda name: order.get(name, 0))


def _classes_of(scene: Scene, classes: int | Sequence[int | str]) -> list[int]:
    """Classes of the table of scores, highest first where their number is asked for; the one explained is among them."""
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

    def __init__(self, explorer: Any, layers: list[str], methods: list[str]) -> None:
        self._explorer, self._layers, self._methods = explorer, layers, methods
        self._recording = Recording()
        self._photographs: list[dict[str, Any]] = []
        self._start = {"layer": explorer.layer, "method": explorer.method}
        self._overlay_layers = [""] * len(layers)

    def photograph(self, number: int, picture: str, classes: int | Sequence[int | str], meter: Meter) -> None:
        """Record one photograph."""
        explorer = self._explorer
        if explorer.picture != picture:
            explorer.picture = picture
            _settle(explorer)
        scene = explorer._scene
        indices = _classes_of(scene, classes)
        start = -1 if scene.target_class is None else scene.target_class
        for index in indices:
            if index >= 0:  # -1: it is a function that is explained
                explorer.target = None if index == scene.first_class else index
                _settle(explorer)
            self._class(number, index, indices, meter)
        self._graph(number)
        self._recording.add("bar", str(number), explorer._view.bar, progress=None, progress_text="")
        self._photographs.append(
            {
                "name": picture,
                "first": scene.first_class if scene.target_class is not None else -1,
                "start": start,
                "classes": indices,
                "aliases": self._aliases(explorer._scene),
            }
        )

    def page(self) -> ReportPage:
        """What was recorded, as a page."""
        explorer = self._explorer
        layers, methods = self._layers, self._methods
        at = same_maps(explorer._scene, self._start["layer"], layers)
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

    def _class(self, photograph: int, index: int, indices: list[int], meter: Meter) -> None:
        explorer, overlay = self._explorer, self._explorer.overlay
        methods = [choice for choice in method_choices() if choice[0] in self._methods]
        for place, method in enumerate(self._methods):
            explorer.method = method
            of_layer = explainers.info(method).needs_layer
            for number, layer in enumerate(self._layers or [""]):
                if layer and (of_layer or place == 0):
                    explorer.layer = layer
                    _settle(explorer)
                    if place == 0:
                        self._maps(f"{photograph}/{index}/{number}")
                elif number:
                    break
                _settle(explorer)
                same = [same_maps(explorer._scene, own, overlay.layers) or "" for own in self._layers]
                drawn = list(dict.fromkeys(filter(None, same)))
                if number == 0 and drawn:
                    explorer._view.show_strip(explorer._scene, drawn)
                    self._overlay_layers = same
                key = f"{photograph}/{index}/{place}" + (f"/{number}" if of_layer else "")
                self._recording.add("overlay", key, overlay, settings=[], layers=drawn, methods=methods, busy=False)
            meter.advance()
        self._scores(photograph, index, indices)

    def _maps(self, key: str) -> None:
        maps = self._explorer.feature_maps
        self._recording.add("maps", key, maps, channel=None, switchable=False, clickable=False)

    def _scores(self, photograph: int, index: int, indices: list[int]) -> None:
        """Bars of either number, few and many; the search offers what is in the page."""
        scores, scene = self._explorer.scores, self._explorer._scene
        names = [scene.label(number) if number in indices else "" for number in range(len(scene.logits))]
        scores.push("classes", names=names)
        for scores.score in _SCORES:
            for scores.more in (False, True):
                key = f"{photograph}/{index}/{scores.score}/{str(scores.more).lower()}"
                self._recording.add("scores", key, scores, score=_SCORES[0], more=False)
        scores.score, scores.more = _SCORES[0], False

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

    def _aliases(self, scene: Scene) -> dict[str, int | str]:
        """What can be clicked in the graph -> the number of its layer, or why there are no maps of it here."""
        aliases: dict[str, int | str] = {}
        for name in newest_push(self._explorer.graph, "names").content["names"]:
            try:
                layer = layer_with_maps(scene, name).name
            except NotSpatial as error:
                aliases[name] = str(error)
                continue
            same = same_maps(scene, layer, self._layers)
            aliases[name] = "" if same is None else self._layers.index(same)
        return aliases
