"""The panel that hides parts of the image: a patch that is dragged, and a sweep of it over the whole image."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from cnnwidgets import explainers
from cnnwidgets.core.errors import Cancelled, InputError
from cnnwidgets.core.progress import Step
from cnnwidgets.explainers.occlusion.explainer import Occlusion
from cnnwidgets.explorer.sentences import work_left
from cnnwidgets.explorer.work.report import Report
from cnnwidgets.explorer.work.session import Scene
from cnnwidgets.running.forward import fitted
from cnnwidgets.widgets.occluder import Move, Occluder, SweepWish

from .fastest import Fastest
from .filling import Filling
from .panel import Host, Part
from .sweeps import class_of, show_sweep, target_of, told_of

_BATCH = 32  # of a sweep: a drag that interrupts it waits for one
_PAUSE = 0.1  # seconds without another step, before the map is computed
_MAP_EVERY = 0.7  # and how old it may become in a drag without a pause


@dataclass(eq=False)
class _Open:
    """The photograph on show, and what is kept of it."""

    scene: Scene
    filling: Filling | None = None
    edited: Fastest | None = None
    layer: str | None = None
    mapped: float = -math.inf

    def close(self) -> None:
        """Free the network's values."""
        if self.edited is not None:
            self.edited.close()


@dataclass(eq=False)
class _Swept:
    """A sweep of the photograph on show, and what it has found by now."""

    wish: SweepWish
    found: Occlusion | None = None


class Hiding(Part):
    """Scores what is edited in an :class:`Occluder`, and sweeps its patch over the image; the newest wish wins."""

    widget: Occluder

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self.widget = Occluder()
        self.widget.on_move(self._move)
        self.widget.on_sweep(self._sweep)
        self.widget.on_cancel(self.cancel)
        self._open: _Open | None = None
        self._swept: _Swept | None = None

    def scene_opened(self, scene: Scene) -> None:
        """Patches, scores and the sweep of the photograph before are taken away."""
        with self._lock:
            self._worker.supersede()
            same = self._open is not None and self._open.scene.name == scene.name  # the network has changed
            patches = list(self.widget.patches) if same else []
            self._forget()
            self._open = _Open(scene)
            self.widget.target_name = self._target_name(scene)
            self.widget.set_picture(scene.picture.pixels)
            self._show_whole(scene)
            self.widget.clear_error()
            if self.busy:
                self._set_busy(False)
            if patches:
                self.widget.patches = patches
                self._move(Move(0, tuple(patches)))

    def target_changed(self, scene: Scene) -> None:
        """The scores and the sweep speak of the other class; nothing is computed again but the scores."""
        with self._lock:
            if self._open is None:
                return
            self._open.scene = scene
            self.widget.target_name = self._target_name(scene)
            swept = self._swept
            if swept is not None and swept.found is not None:
                if told_of(swept.found, scene) is None:
                    self._swept = None
                    self._worker.cancel()
                    self.widget.clear_sweep()
                else:
                    self._draw(swept.found, swept, complete=self.widget.sweep == "done")
            if not self.widget.patches:
                self._show_whole(scene)
            elif self.widget.sweep != "running":
                self._move(Move(0, tuple(self.widget.patches)))

    def again(self) -> None:
        """Score the patches, and the photograph without them, anew: the network is another."""
        if self._open is not None and self.widget.sweep != "running":
            self._move(Move(0, tuple(self.widget.patches)))

    def sleep(self) -> None:
        """Let go of the image's values and of the sweep's scores."""
        with self._lock:
            if self._open is not None:
                self._open.close()
                self._open = _Open(self._open.scene.sleeping())
            self._swept = None

    def close(self) -> None:
        """Stop, and let go of the image's values."""
        super().close()
        self._forget()

    def _forget(self) -> None:
        if self._open is not None:
            self._open.close()
        self._open = self._swept = None

    def _show_whole(self, scene: Scene) -> None:
        whole = self._whole(scene)
        self.widget.show_scores(whole, whole, self._host.session.labels, class_of(scene), kind=scene.kind)

    def _whole(self, scene: Scene) -> torch.Tensor:
        """The scores of the photograph, of the network as it is now."""
        switched = self._host.switched_scores
        return scene.logits if switched is None else switched

    def _move(self, move: Move, *, renewed: bool = False) -> None:
        """A drag step; a sweep that runs stops, and what is done is kept."""
        opened = self._open
        if opened is not None:
            again = None if renewed else lambda: self._move(move, renewed=True)
            self.submit(lambda stop: self._score(stop, opened, move), again)

    def _score(self, stop: threading.Event, opened: _Open, move: Move) -> None:
        if stop.is_set():
            raise Cancelled("Stopped.")
        scene, session = opened.scene, self._host.session
        without, whole = self._host.without_maps, self._whole(scene)
        logits = whole
        if move.patches:
            filling, edited = self._ready(opened)
            edits = [(filling.of(patch), patch["top"], patch["left"]) for patch in move.patches]
            logits = without(filling.edited(move.patches)) if without else edited.scores_of(edits).float().cpu()
        target = class_of(scene)

        def show() -> None:
            self.widget.show_scores(whole, logits, session.labels, target, move=move.id, kind=scene.kind)
            self.widget.notes = self._notes(opened, move)

        self.apply(stop, show)
        self._tell_host(stop, opened, logits if move.patches else None)
        if move.patches and self.widget.with_heat:
            self._heat(stop, opened, move)

    def _tell_host(self, stop: threading.Event, opened: _Open, logits: torch.Tensor | None) -> None:
        """Not under this part's lock: the Explorer holds its own when it tells the parts of another photograph."""
        if not stop.is_set():
            self._host.show_scores(logits)
            if opened is not self._open and not self._closed:  # it came just now
                self._host.show_scores(None)

    def _heat(self, stop: threading.Event, opened: _Open, move: Move) -> None:
        """The Grad-CAM of the layer to begin with, on the edited picture, unless there is a newer wish."""
        scene, session = opened.scene, self._host.session
        recent = time.monotonic() - opened.mapped < _MAP_EVERY
        if (recent and stop.wait(_PAUSE)) or stop.is_set() or opened.filling is None:
            return
        opened.mapped = time.monotonic()
        if opened.layer is None:
            layers = session.explained_layers(scene, set()) if scene.now.cam else []
            opened.layer = session.same_maps(scene, scene.now.default or "", layers) or next(reversed(layers), "")
        if not opened.layer:
            return
        image = opened.filling.edited(move.patches)
        found = explainers.grad_cam(session.model, image, target_of(scene), layer=opened.layer)
        self.apply(stop, lambda: self.widget.show_heat(found.values[0], move=move.id, placement=found.placement))

    def _ready(self, opened: _Open) -> tuple[Filling, Fastest]:
        """Made when the first patch moves, on this part's thread."""
        picture, model = opened.scene.picture, self._host.session.model
        if opened.filling is None:
            opened.filling = Filling(fitted(model, picture.tensor), picture.pixels)
        if opened.edited is None:
            opened.edited = Fastest(model, fitted(model, picture.tensor))
            if opened is not self._open:  # another photograph came meanwhile
                opened.close()
                raise Cancelled("Stopped.")
        return opened.filling, opened.edited

    def _notes(self, opened: _Open, move: Move) -> list[str]:
        notes = list(opened.edited.notes) if opened.edited is not None and move.patches else []
        by_colour = any(patch["fill"] in ("grey", "black", "color") for patch in move.patches)
        if opened.filling is not None and opened.filling.note and by_colour:
            notes.append(opened.filling.note)
        if self._host.without_maps is not None:
            notes.append("these scores are without the maps that are switched off; the sweep and the map have all")
        return notes

    def _sweep(self, wish: SweepWish, *, renewed: bool = False) -> None:
        with self._lock:
            opened = self._open
            if opened is None:
                raise InputError("There is no image to sweep over.")
            height, width = opened.scene.picture.tensor.shape[2:]
            if wish.size > min(height, width):
                raise InputError(
                    f"The patch is {wish.size}x{wish.size} pixels, the image {height}x{width} (height x width): choose "
                    f"a patch of at most {min(height, width)}."
                )
            swept = self._swept = _Swept(wish)
            self.widget.begin_sweep("Starting …")
            self.widget.notes = self._notes(opened, Move(0, tuple(self.widget.patches)))
            again = None if renewed else lambda: self._sweep(wish, renewed=True)
            self.submit(lambda stop: self._run_sweep(stop, opened, swept), again)

    def _run_sweep(self, stop: threading.Event, opened: _Open, swept: _Swept) -> None:
        def tell(step: Step) -> None:
            share, text = step.done / max(step.total, 1), work_left("occlusion", step)
            self.apply(stop, lambda: self.widget.show_progress(share, text.removeprefix("Occlusion ")))

        def draw(partial: Any) -> None:
            self.apply(stop, lambda: self._draw(partial, swept))

        report = Report(stop, tell, draw)
        scene, wish, model = opened.scene, swept.wish, self._host.session.model
        try:
            if stop.is_set():
                raise Cancelled("Stopped.")
            filling = opened.filling or Filling(fitted(model, scene.picture.tensor), scene.picture.pixels)
            opened.filling = filling
            found = explainers.occlusion(
                model,
                scene.picture.tensor,
                target_of(scene),
                patch=wish.size,
                stride=wish.stride,
                fill=filling.for_sweep(wish.fill, wish.color),
                batch=_BATCH,
                progress=report,
            )
        except BaseException as error:
            why = "" if isinstance(error, Cancelled) else " by an error"
            self._if_shown(swept, lambda: self._stop_sweep(swept, report, why))
            raise
        self._if_shown(swept, lambda: self._end_sweep(found, swept))

    def _if_shown(self, swept: _Swept, show: Callable[[], None]) -> None:
        """Also when a newer wish has stopped it: what is done is kept."""
        with self._lock:
            if self._swept is swept and not self._closed:
                show()

    def _stop_sweep(self, swept: _Swept, report: Report, why: str) -> None:
        partial = None if report.last is None else report.last.partial
        if partial is None:
            self.widget.end_sweep(f"Stopped{why} before there was a result.")
            return
        self._draw(partial, swept)
        self.widget.end_sweep(
            f"Stopped{why} at {100 * report.share:.0f} %. What was not measured is interpolated (fainter)."
        )

    def _end_sweep(self, found: Occlusion, swept: _Swept) -> None:
        self._draw(found, swept, complete=True)
        self.widget.end_sweep()

    def _draw(self, found: Occlusion, swept: _Swept, *, complete: bool = False) -> None:
        opened = self._open
        told = None if opened is None else told_of(found, opened.scene)
        if opened is None or told is None:
            return
        swept.found = found
        label = self._host.session.label
        show_sweep(self.widget, told, opened.scene, label, swept.wish, complete=complete)

    def _target_name(self, scene: Scene) -> str:
        chosen = scene.now.chosen
        if callable(chosen):
            return str(getattr(chosen, "__name__", "your target"))
        return str(self._host.session.label(int(chosen[0])))
