"""The widget with two networks side by side: its traits, and the thread that computes what they ask for."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnwidgets.core.errors import Cancelled, InputError, NotSpatial, message_of
from cnnwidgets.core.progress import Step
from cnnwidgets.explainers.attribution import Attribution
from cnnwidgets.explainers.labels import label_of
from cnnwidgets.explorer.sentences import work_left
from cnnwidgets.explorer.ties import guarded, tie
from cnnwidgets.explorer.work.layers import first_method, layer_with_maps
from cnnwidgets.explorer.work.report import Report, share_of
from cnnwidgets.explorer.work.scene import Scene
from cnnwidgets.explorer.work.worker import Worker, refuse_stopped
from cnnwidgets.notebook.replaced import on_show
from cnnwidgets.widgets._still.parts import Block

from .choices import VersusChoices, class_number
from .difference import MapDifference
from .likeness import Likeness, first_to_part
from .look import CommonView, common_view, difference_of, explained_by
from .matching import Pairing, partner
from .side import Sides
from .view import VersusView

Results = tuple[Attribution | str, Attribution | str]


class NetworkComparison(VersusChoices):
    """Two networks side by side; made by :func:`cnnwidgets.compare`.

    Setting a trait moves the view, and a click moves the trait. What takes time is done on a thread of its own:
    ``status`` tells, :meth:`wait` waits for it, :meth:`cancel` stops it.
    """

    def __init__(self, sides: Sides, layers: Mapping[str, str], target: int | str | None) -> None:
        scenes = sides[0].scene, sides[1].scene
        self._view = view = VersusView(sides)
        super().__init__(sides, view.board, children=view.children)
        self._partners = _checked_layers(layers, scenes)
        self._requested = None if target is None else class_number(scenes[0], target)
        self._worker = Worker(self._lock, turns=any(side.session.turns for side in sides))
        self._common: CommonView | None = None
        self._results: Results = ("", "")
        self._difference: MapDifference | None = None
        self._pairing = Pairing(("", ""), "")
        self.picture = scenes[0].name
        self.method = first_method(scenes[0].now)
        self.target = scenes[0].predicted if self._requested is None else self._requested
        for side, scene in zip(sides, scenes, strict=True):
            side.show_scene(scene)
        first = next(iter(self._partners), "") or sides[0].first_layer(scenes[0])
        self._choose(self._pairing_of(first, of_second=False))
        view.show_layers(self._pairing, None)
        self._listen()
        self._checking = True
        self._refresh()

    def __repr__(self) -> str:
        return f"NetworkComparison({' and '.join(self._view.names)}, layer={self.layer!r}, method={self.method!r})"

    @property
    def difference(self) -> npt.NDArray[np.float32] | None:
        """(h, w) float32, signed: the second map minus the first, as it is on show; None where there is none."""
        return None if self._difference is None else self._difference.values

    @property
    def attributions(self) -> tuple[Attribution | None, Attribution | None]:
        """Both maps, as the explainer returned them; None where there is none."""
        first, second = self._results
        return (None if isinstance(first, str) else first, None if isinstance(second, str) else second)

    @property
    def likenesses(self) -> list[Likeness]:
        """How alike each layer is in two checkpoints of one architecture, in order; empty for other networks."""
        return [] if self._common is None else list(self._common.likenesses)

    @property
    def parting(self) -> str | None:
        """The first layer at which two checkpoints of one architecture differ; None: none does, or they are not."""
        first = first_to_part(self.likenesses)
        return None if first is None else first.layer

    def wait(self, timeout: float | None = None) -> None:
        """Block until nothing is being computed; raises TimeoutError after ``timeout`` seconds."""
        self._worker.wait(timeout)

    def cancel(self) -> None:
        """Stop what is being computed; what is done stays on show."""
        self._worker.cancel()

    def close(self) -> None:
        """Stop, and let go of the networks, the maps and the widgets."""
        if "_view" not in self.__dict__ or self.status == "closed":
            return
        self._checking = False
        self._worker.close()
        with self._lock:
            self.status, self.message = "closed", "This comparison is closed."
            self.unobserve_all()
            self._common, self._difference, self._results = None, None, ("", "")
            self._view.close()
            for side in self._sides:
                side.close()
        super().close()

    def _ipython_display_(self) -> None:
        on_show(self)
        super()._ipython_display_()

    def _still(self) -> Block | None:
        return None if self.status == "closed" else self._view.still()

    def _still_title(self) -> str:
        return " · ".join([f"{self._view.names[0]} and {self._view.names[1]}", self.picture])

    def _listen(self) -> None:
        board = self._view.board
        show_error = board.show_error
        for name in ("method", "picture", "target", "scale"):
            tie(self, name, board, name, show_error)
            setattr(board, name, getattr(self, name))
        self.observe(lambda _: self._refresh(), ["method", "picture", "target", "scale"])
        self.observe(lambda change: self._pair(change["new"]), "layer")
        self.observe(lambda change: self._pair(change["new"], of_second=True), "layer_b")
        for number, side in enumerate(self._sides):
            listener = guarded(lambda change, number=number: self._graph_clicked(number, change["new"]), show_error)
            side.graph.observe(listener, "selected")
        board.on_cancel = self.cancel
        board.on_layer = lambda name: setattr(self, "layer", name)
        self._view.listen(lambda: self.scale == "shared")

    def _graph_clicked(self, number: int, name: str) -> None:
        trait = "layer_b" if number else "layer"
        if not name or not self._checking or name == getattr(self, trait):
            return
        try:
            setattr(self, trait, name)
        except NotSpatial as error:
            self._sides[number].feature_maps.clear(str(error), layer=name)

    def _pair(self, name: str, *, of_second: bool = False) -> None:
        """Bring the layer that belongs to ``name`` on show in the other network."""
        with self._lock:
            if not self._checking:  # it is the view that sets them
                return
            with self._unchecked():
                self._choose(self._pairing_of(name, of_second=of_second))
                self._view.show_layers(self._pairing, self._common)
            self._refresh()

    def _choose(self, pairing: Pairing) -> None:
        self._pairing = pairing
        self.layer, self.layer_b = pairing.layers

    def _pairing_of(self, name: str, *, of_second: bool) -> Pairing:
        sides = self._sides[::-1] if of_second else self._sides
        partners = {second: first for first, second in self._partners.items()} if of_second else self._partners
        own, other = sides[0].scene, sides[1].scene
        mapped = partners.get(name, "")
        found_by = "as layers= says" if mapped else f"the closest of {sides[1].name} in depth and size"
        its = mapped or (partner(name, own, other, sides[1].layers(other)) if name else sides[1].first_layer(other))
        return Pairing((its, name) if of_second else (name, its), found_by)

    def _refresh(self) -> None:
        with self._lock:
            if not self._checking:
                return
            self._set_status("busy", f"{label_of(self.method)} …")
        self._worker.submit(self._work)

    def _work(self, stop: threading.Event) -> None:
        """On the worker's thread: whatever the traits ask for."""
        try:
            refuse_stopped(stop)
            self._look(stop)
            self._worker.apply_unless_stopped(stop, lambda: self._set_status("ready"))
        except Cancelled:
            self._worker.apply_if_newest(stop, lambda: self._fall_back("cancelled", "Cancelled."))
        except BaseException as error:  # SystemExit too would end the thread with the view still busy
            failure = error
            self._worker.apply_if_newest(stop, lambda: self._fail(failure))

    def _look(self, stop: threading.Event) -> None:
        first, second = (side.current(self.picture) for side in self._sides)
        common = self._common
        if common is None or not common.is_of((first, second)):
            refuse_stopped(stop)
            common = common_view(self._sides, (first, second))
        target = first.predicted if self._requested is None else self._requested
        targets = target, common.pairs.second.get(target, second.predicted)
        scenes = [
            scene if scene.target == own else side.session.retarget(scene, own)
            for side, scene, own in zip(self._sides, (first, second), targets, strict=True)
        ]
        view = replace(common, scenes=(scenes[0], scenes[1]))
        self._worker.apply_unless_stopped(stop, lambda: self._show_common(view, target))
        results = [self._explained(number, scenes[number], stop) for number in (0, 1)]
        difference = difference_of(view, (results[0], results[1]), by_largest=self.scale == "own")
        self._worker.apply_unless_stopped(stop, lambda: self._show_maps((results[0], results[1]), difference))

    def _explained(self, number: int, scene: Scene, stop: threading.Event) -> Attribution | str:
        refuse_stopped(stop)
        method, layer = self.method, self.layer_b if number else self.layer

        def tell(step: Step) -> None:
            text, share = f"{self._view.names[number]}: {work_left(method, step)}", (number + share_of(step)) / 2
            self._worker.apply_unless_stopped(stop, lambda: self._view.show_progress(share, text))

        return explained_by(self._sides[number], scene, method, layer, Report(stop, tell))

    def _show_common(self, view: CommonView, target: int) -> None:
        self._common = view
        with self._unchecked():
            for side, scene in zip(self._sides, view.scenes, strict=True):
                if scene.first is not side.scene.first:
                    side.show_scene(scene)
                side.scene = scene
            self.target = self._view.board.target = target
            if self.layer not in view.scenes[0].maps or self.layer_b not in view.scenes[1].maps:
                self._choose(self._pairing_of(self._sides[0].first_layer(view.scenes[0]), of_second=False))
            self._view.show_common(view, target)
            self._view.show_layers(self._pairing, view)

    def _show_maps(self, results: Results, difference: MapDifference | str) -> None:
        self._results = results
        self._difference = None if isinstance(difference, str) else difference
        if self._common is not None:
            shared = self.scale == "shared"
            self._view.show_maps(self._common, results, difference, self.target, self.method, shared=shared)

    def _fail(self, error: BaseException) -> None:
        self._view.board.show_error(error)
        self._fall_back("error", message_of(error))

    def _fall_back(self, status: str, message: str) -> None:
        """What is named is what is on show."""
        scene = self._sides[0].scene
        with self._unchecked():
            self.picture = self._view.board.picture = scene.name
            if scene.target_class is not None:
                self.target = self._view.board.target = scene.target_class
        self._set_status(status, message)

    def _set_status(self, status: str, message: str = "") -> None:
        self.status, self.message = status, message
        self._view.set_busy(status == "busy", "" if status == "error" else message)


def _checked_layers(layers: Any, scenes: tuple[Scene, Scene]) -> dict[str, str]:
    """``layers`` by the names that the networks have for them."""
    if not isinstance(layers, Mapping):
        raise InputError(f"layers is {layers!r}; expected a mapping, layer of the first -> layer of the second.")
    return {
        layer_with_maps(scenes[0], first).name: layer_with_maps(scenes[1], second).name
        for first, second in layers.items()
    }
