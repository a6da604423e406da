"""The panel "Compare" of an Explorer: methods beside layers, or beside classes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from cnnwidgets import explainers
from cnnwidgets.core.errors import Cancelled, InputError, message_of
from cnnwidgets.core.progress import Step
from cnnwidgets.explorer.sentences import method_choices, target_text, time_left
from cnnwidgets.explorer.work.layers import explained_layers
from cnnwidgets.explorer.work.report import Report, share_of
from cnnwidgets.explorer.work.scene import Scene
from cnnwidgets.explorer.work.worker import Job
from cnnwidgets.widgets.comparison import Comparison, Wanted

from .host import PanelHost
from .panel import Panel

_FIRST_METHODS = ("grad_cam", "layer_cam", "guided_backprop")
_LAYERS = 3  # columns to begin with
_SHORT = 30.0  # seconds: what is expected to take longer waits for a press of Compare
_TOP = 3  # classes to begin with, beside the one explained
_OFFERED = 10  # classes to choose from, beside the one explained
_INPUT_ONLY = "Explains the input, not a layer: one map."
_ANY_CLASS = "Does not depend on the class"


class ComparePanel(Panel):
    """Fills a :class:`Comparison` cell by cell; a method that fails says why in its cells, and the rest goes on."""

    def __init__(self, host: PanelHost) -> None:
        super().__init__(host)
        self._began = False
        # The picture is what the network sees. Maps of early layers have small numbers: dark on a shared scale.
        self.widget = Comparison(stretch=True, scale="own")
        self.widget.on_compare(self._compare, any_method=True)
        self.widget.on_cancel(self.cancel)
        self._first_classes: list[int] = []
        self._first_layers: list[str] = []
        self.offer_methods()
        offered = [name for name, *_ in self.widget.methods]
        self.widget.chosen_methods = [name for name in _FIRST_METHODS if name in offered]

    def open(self) -> None:
        """The tab is on show: the first time it begins by itself, unless that takes long."""
        widget = self.widget
        choice = Wanted(
            tuple(widget.chosen_methods), widget.axis, tuple(widget.chosen_layers), tuple(widget.chosen_classes)
        )
        with self._lock:
            if self._began or self.busy or _expected_seconds(self._host.scene, choice) > _SHORT:
                return
            self._began = True
        widget.clear_error()
        self._compare(choice)

    def scene_opened(self, scene: Scene) -> None:
        """Take the maps of the photograph before away, and offer the layers and classes of this one."""
        with self._lock:
            self.cancel()
            self.widget.set_picture(scene.picture.pixels)
            self.offer_layers(explained_layers(scene))
            self.target_changed(scene)

    def target_changed(self, scene: Scene) -> None:
        """Offer the class; the maps on show say whose they are."""
        self.offer_methods()
        self._offer_classes(scene)

    def offer_layers(self, layers: Sequence[str]) -> None:
        """Let these be the layers to choose from; the last of the last stages are ticked where none of them was."""
        ticked = _still_ticked(self.widget.chosen_layers, self._first_layers, layers)
        self._first_layers = last_of_stages(self._host.scene, layers)
        with self.widget.hold_sync():
            self.widget.layers = list(layers)
            self.widget.chosen_layers = ticked or self._first_layers

    def offer_methods(self) -> None:
        """Let every registered explainer be chosen."""
        self.widget.methods = method_choices()

    def _offer_classes(self, scene: Scene) -> None:
        best = scene.logits.nan_to_num(-float("inf")).argsort(descending=True).tolist()
        target = [] if scene.target_class is None else [scene.target_class]
        offered = list(dict.fromkeys([*best[:_OFFERED], *target]))
        ticked = _still_ticked(self.widget.chosen_classes, self._first_classes, offered)
        self._first_classes = list(dict.fromkeys([*best[:_TOP], *target]))
        with self.widget.hold_sync():
            self.widget.classes = [[index, scene.label(index)] for index in offered]
            self.widget.chosen_classes = ticked or self._first_classes

    def _compare(self, choice: Wanted) -> None:
        """Check what was asked for, and begin."""
        self._began = True
        if not choice.methods:
            raise InputError("No method is ticked. Tick at least one.")
        if not (choice.layers if choice.axis == "layers" else choice.classes):
            raise InputError(f"None of the {choice.axis} is ticked. Tick at least one.")
        self.request(lambda: self._prepared(choice))

    def _prepared(self, choice: Wanted) -> Job:
        grid = self._planned(self._host.scene, choice)
        return lambda stop: self._fill(grid, stop)

    def _planned(self, scene: Scene, choice: Wanted) -> _Grid:
        by_layer = choice.axis == "layers"
        overlay_map = self._host.overlay_map
        layers: list[str] = self.widget.layers
        # With classes side by side there is one layer: the one on the overlay, or the last.
        layer = (layers or [""])[-1]
        if overlay_map is not None and overlay_map.layer in layers:
            layer = overlay_map.layer
        infos = [explainers.info(method) for method in choice.methods]
        rows = [{"label": info.label, **_heading(info, "" if by_layer else layer)} for info in infos]
        if by_layer:
            of_class = any(info.needs_target for info in infos)
            caption = " → ".join([scene.photograph, *([target_text(scene.target, scene.label)] if of_class else [])])
            return _Grid(scene, choice.methods, rows, list(choice.layers), caption, list(choice.layers), None)
        columns = [target_text(index, scene.label) for index in choice.classes]
        return _Grid(scene, choice.methods, rows, columns, scene.name, [layer] * len(columns), list(choice.classes))

    def _fill(self, grid: _Grid, stop: threading.Event) -> None:
        self.apply(stop, lambda: self.widget.start(grid.rows, grid.columns, caption=grid.caption))
        clock = _Clock(len(grid.cells), self._show_progress)
        try:
            for row, column in grid.cells:
                clock.tell()
                show = self._cell(grid, row, column, Report(stop, clock.tell))
                self.apply(stop, show)
                clock.cells_ready += 1
        finally:
            self._worker.apply_if_newest(stop, lambda: self._show_progress(None, ""))

    def _cell(self, grid: _Grid, row: int, column: int, report: Report) -> Callable[[], None]:
        """Compute a cell; returns what shows it."""
        try:
            scene = grid.scene if grid.rows[row]["single"] else self._retargeted(grid, column)
            attribution = self._host.session.explain(scene, grid.methods[row], grid.layers[column], report)
        except Cancelled:
            raise
        except Exception as error:
            reason = message_of(error)
            return lambda: self.widget.fail_cell(row, column, reason)
        return lambda: self.widget.show_attribution(row, column, attribution)

    def _retargeted(self, grid: _Grid, column: int) -> Scene:
        if grid.classes is None:
            return grid.scene
        target = grid.classes[column]
        if target not in grid.by_class:
            same = grid.scene.target_class == target
            grid.by_class[target] = grid.scene if same else self._host.session.retarget(grid.scene, target)
        return grid.by_class[target]

    def _show_progress(self, share: float | None, text: str) -> None:
        with self.widget.hold_sync():
            self.widget.progress, self.widget.progress_text = share, text


@dataclass(eq=False)
class _Grid:
    """What one press of Compare computes."""

    scene: Scene
    methods: Sequence[str]
    rows: list[dict[str, Any]]
    columns: list[str]
    caption: str
    layers: list[str]
    classes: list[int] | None
    by_class: dict[int, Scene] = field(default_factory=dict)

    @property
    def cells(self) -> list[tuple[int, int]]:
        """(row, column) of every map, in the order in which they are made."""
        return [(i, j) for i, row in enumerate(self.rows) for j in range(1 if row["single"] else len(self.columns))]


class _Clock:
    """How many cells are ready, and how long the rest will take."""

    def __init__(self, total: int, show: Callable[[float, str], None]) -> None:
        self.cells_ready = 0
        self._total, self._show = total, show
        self._start = time.monotonic()

    def tell(self, step: Step | None = None) -> None:
        """Show it; ``step``: how far the cell in work is."""
        share = (self.cells_ready + (0.0 if step is None else share_of(step))) / self._total
        elapsed = time.monotonic() - self._start
        text = f"{self.cells_ready} of {self._total}"
        if share > 0 and elapsed > 1:
            # Cells differ in cost, and the one in work may know better.
            left = max(elapsed / share * (1 - share), (step.remaining or 0.0) if step is not None else 0.0)
            text += f" · {time_left(left)}"
        self._show(share, text)


def _still_ticked(ticked: list[Any], first: list[Any], offered: Sequence[Any]) -> list[Any]:
    """Of what the reader ticked, what is offered still; nothing where it is what was ticked to begin with."""
    return [] if ticked == first else [choice for choice in ticked if choice in offered]


def _heading(info: explainers.Info, layer: str) -> dict[str, Any]:
    """What stands beside a row's label, and whether it has one map; ``layer``: the one explained for every class."""
    if layer:
        single = not info.needs_target
        notes = [f"Layer {layer}" if info.needs_layer else "", f"{_ANY_CLASS}: one map." if single else ""]
        return {"note": ". ".join(filter(None, notes)), "single": single}
    single = not info.needs_layer
    notes = [_INPUT_ONLY if single else "", "" if info.needs_target else f"{_ANY_CLASS}."]
    return {"note": " ".join(filter(None, notes)), "single": single}


def _expected_seconds(scene: Scene, choice: Wanted) -> float:
    """How long the maps will take, by the look at the photograph; those that count their progress: too long to tell."""
    infos = [explainers.info(method) for method in choice.methods]
    if any(info.tells_progress for info in infos):
        return float("inf")
    columns = choice.layers if choice.axis == "layers" else choice.classes
    return scene.seconds * len(infos) * len(columns)


def last_of_stages(scene: Scene, layers: Sequence[str]) -> list[str]:
    """A few of ``layers``: the last ones of the last stages, each of which has maps of another size than the rest.

    Where all maps are of one size, as in a transformer, layers of the second half, evenly spread.
    """
    if len(layers) <= _LAYERS:
        return list(layers)
    ends: dict[tuple[int, ...], str] = {}
    for name in layers:
        size = tuple(scene.maps[name].shape[2:])
        # A block's first layers may have maps of the size of the stage before: what holds the block comes first.
        if size not in ends or name.count(".") <= ends[size].count(".") or name == layers[-1]:
            ends[size] = name
    if len(ends) > 1:
        return [name for name in layers if name in ends.values()][-_LAYERS:]
    return spread(layers[len(layers) // 2 :], _LAYERS)


def spread(names: Sequence[str], count: int) -> list[str]:
    """``count`` of ``names``, or all, evenly spread, the first and the last among them.

    >>> spread("abcdefg", 4)
    ['a', 'c', 'e', 'g']
    """
    if len(names) <= count:
        return list(names)
    return [names[round(i * (len(names) - 1) / (count - 1))] for i in range(count)]
