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
from cnnwidgets.explorer.sentences import explained, method_choices
from cnnwidgets.explorer.work.report import Report
from cnnwidgets.explorer.work.session import Scene
from cnnwidgets.widgets._maps.methods import method_label
from cnnwidgets.widgets.comparison import Comparison, Wanted

from .panel import Host, Part

_FIRST_METHODS = ("grad_cam", "layer_cam", "guided_backprop")
_LAYERS = 4  # columns to begin with
_TOP = 3  # classes to begin with, beside the one explained
_OFFERED = 10  # classes to choose from, beside the one explained
_INPUT_ONLY = "Explains the input, not a layer: one map."


class Comparing(Part):
    """Fills a :class:`Comparison` cell by cell; a method that fails says why in its cells, and the rest goes on."""

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self.widget = Comparison(stretch=True)  # the picture is what the network sees
        self.widget.on_compare(self._compare, any_method=True)
        self.widget.on_cancel(self.cancel)
        self._first_classes: list[int] = []
        self._first_layers: list[str] = []
        self.offer_methods()
        known = [name for name, *_ in self.widget.methods]
        self.widget.chosen_methods = [name for name in _FIRST_METHODS if name in known]

    def scene_opened(self, scene: Scene) -> None:
        """Take the maps of the photograph before away, and offer the layers and classes of this one."""
        with self._lock:
            self.cancel()
            self.widget.set_picture(scene.picture.pixels)
            self.offer_methods()
            self.offer_layers(self._host.session.explained_layers(scene, set()))
            self._offer_classes(scene)

    def target_changed(self, scene: Scene) -> None:
        """Offer the class; the maps on show say whose they are."""
        self.offer_methods()
        self._offer_classes(scene)

    def offer_layers(self, layers: Sequence[str]) -> None:
        """Let these be the layers to choose from; a few, evenly spread, are ticked where none of them was."""
        chosen: list[str] = self.widget.chosen_layers
        kept = [] if chosen == self._first_layers else [name for name in chosen if name in layers]
        self._first_layers = spread(layers, _LAYERS)
        with self.widget.hold_sync():
            self.widget.layers = list(layers)
            self.widget.chosen_layers = kept or self._first_layers

    def offer_methods(self) -> None:
        """Let every registered explainer be chosen."""
        self.widget.methods = method_choices()

    def _offer_classes(self, scene: Scene) -> None:
        best = scene.logits.nan_to_num(-float("inf")).argsort(descending=True).tolist()
        target = [] if callable(scene.now.chosen) else [int(scene.now.chosen[0])]
        offered = list(dict.fromkeys([*best[:_OFFERED], *target]))
        first = list(dict.fromkeys([*best[:_TOP], *target]))
        kept = [index for index in self.widget.chosen_classes if index in offered]
        with self.widget.hold_sync():
            self.widget.classes = [[index, self._host.session.label(index)] for index in offered]
            untouched = self.widget.chosen_classes == self._first_classes
            self.widget.chosen_classes = first if untouched else kept or first
        self._first_classes = first

    def _compare(self, wanted: Wanted, *, renewed: bool = False) -> None:
        """Check what was asked for, and begin."""
        if not wanted.methods:
            raise InputError("No method is ticked. Tick at least one.")
        if not (wanted.layers if wanted.axis == "layers" else wanted.classes):
            raise InputError(f"None of the {wanted.axis} is ticked. Tick at least one.")
        grid = self._planned(self._host.scene, wanted)
        self.submit(
            lambda stop: self._fill(grid, stop), None if renewed else lambda: self._compare(wanted, renewed=True)
        )

    def _planned(self, scene: Scene, wanted: Wanted) -> _Grid:
        session, by_layer = self._host.session, wanted.axis == "layers"
        shown = self._host.shown
        layers: list[str] = self.widget.layers
        # With classes side by side there is one layer: the one on the overlay, or the last.
        layer = shown.layer if shown is not None and shown.layer in layers else (layers or [""])[-1]
        rows = []
        for method in wanted.methods:
            needs_layer = explainers.info(method).needs_layer
            single = by_layer and not needs_layer
            note = _INPUT_ONLY if single else f"Layer {layer}" if needs_layer and not by_layer else ""
            rows.append({"label": method_label(method), "note": note, "single": single})
        if by_layer:
            caption = f"{scene.name} → {explained(scene.now.chosen, session.label)}"
            return _Grid(scene, wanted, rows, list(wanted.layers), caption, list(wanted.layers), None)
        columns = [f"{session.label(index)} ({index})" for index in wanted.classes]
        return _Grid(scene, wanted, rows, columns, scene.name, [layer] * len(columns), list(wanted.classes))

    def _fill(self, grid: _Grid, stop: threading.Event) -> None:
        self.apply(stop, lambda: self.widget.start(grid.rows, grid.columns, caption=grid.caption))
        clock = _Clock(len(grid.cells), self._tell)
        try:
            for row, column in grid.cells:
                clock.tell()
                report = Report(stop, clock.tell, _ignore)
                show = self._cell(grid, row, column, report)
                self.apply(stop, show)
                clock.done += 1
        finally:
            with self._lock:
                if not self._closed and self._worker.is_newest(stop):
                    self._tell(None, "")

    def _cell(self, grid: _Grid, row: int, column: int, report: Report) -> Callable[[], None]:
        """Compute a cell; returns what shows it."""
        try:
            scene = self._aimed(grid, column)
            method = grid.wanted.methods[row]
            attribution = self._host.session.explain(scene, method, grid.layers[column], report)
        except Cancelled:
            raise
        except Exception as error:
            reason = message_of(error)
            return lambda: self.widget.fail_cell(row, column, reason)
        return lambda: self.widget.show_attribution(row, column, attribution)

    def _aimed(self, grid: _Grid, column: int) -> Scene:
        if grid.classes is None:
            return grid.scene
        target = grid.classes[column]
        if target not in grid.aimed:
            same = not callable(grid.scene.now.chosen) and grid.scene.now.chosen[0] == target
            grid.aimed[target] = grid.scene if same else self._host.session.aim(grid.scene, target)
        return grid.aimed[target]

    def _tell(self, share: float | None, text: str) -> None:
        with self.widget.hold_sync():
            self.widget.progress, self.widget.progress_text = share, text


@dataclass(eq=False)
class _Grid:
    """What one press of Compare computes."""

    scene: Scene
    wanted: Wanted
    rows: list[dict[str, Any]]
    columns: list[str]
    caption: str
    layers: list[str]
    classes: list[int] | None
    aimed: dict[int, Scene] = field(default_factory=dict)

    @property
    def cells(self) -> list[tuple[int, int]]:
        """(row, column) of every map, in the order in which they are made."""
        return [(i, j) for i, row in enumerate(self.rows) for j in range(1 if row["single"] else len(self.columns))]


class _Clock:
    """How many cells are done, and how long the rest will take."""

    def __init__(self, total: int, show: Callable[[float, str], None]) -> None:
        self.done = 0
        self._total, self._show = total, show
        self._start = time.monotonic()

    def tell(self, step: Step | None = None) -> None:
        """Show it; ``step``: how far the cell in work is."""
        inside = step.done / max(step.total, 1) if step is not None else 0.0
        share = (self.done + inside) / self._total
        elapsed = time.monotonic() - self._start
        text = f"{self.done} of {self._total}"
        if share > 0 and elapsed > 1:
            # Cells differ in cost, and the one in work may know better.
            left = max(elapsed / share * (1 - share), (step.remaining or 0.0) if step is not None else 0.0)
            text += f" · {round(left)} s left" if left < 100 else f" · {round(left / 60)} min left"
        self._show(share, text)


def spread(names: Sequence[str], count: int) -> list[str]:
    """``count`` of ``names``, or all, evenly spread, the first and the last among them.

    >>> spread("abcdefg", 4)
    ['a', 'c', 'e', 'g']
    """
    if len(names) <= count:
        return list(names)
    return [names[round(i * (len(names) - 1) / (count - 1))] for i in range(count)]


def _ignore(_: object) -> None:
    """Maps that fill in are not drawn in a grid of small ones."""
