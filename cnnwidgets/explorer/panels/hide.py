"""The panel that hides parts of the image: a patch that is dragged, and a sweep of it over the whole image."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch

from cnnwidgets import explainers
from cnnwidgets.core.errors import Cancelled, InputError
from cnnwidgets.core.progress import Step
from cnnwidgets.explainers.occlusion.explainer import Occlusion
from cnnwidgets.explorer.sentences import function_name, work_left
from cnnwidgets.explorer.work.layers import explained_layers, first_layer
from cnnwidgets.explorer.work.report import share_of
from cnnwidgets.explorer.work.scene import Scene
from cnnwidgets.explorer.work.worker import Job, refuse_stopped
from cnnwidgets.running.forward import fitted
from cnnwidgets.widgets.occluder import Move, Occluder, SweepWish

from .fastest import Fastest
from .filling import Filling
from .host import PanelHost
from .panel import Panel
from .sweeps import show_sweep, sweep_for

_BATCH = 32  # of a sweep: a drag that interrupts it waits for one
_PAUSE = 0.1  # seconds without another step, before the map is computed
_MAP_EVERY = 0.7  # and how old it may become in a drag without a pause


@dataclass(eq=False)
class _Photograph:
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
class _SweepOnShow:
    """A sweep of the photograph on show, and what it has measured by now."""

    wish: SweepWish
    occlusion: Occlusion | None = None


class HidePanel(Panel):
    """Scores what is edited in an :class:`Occluder`, and sweeps its patch over the image."""

    widget: Occluder

    def __init__(self, host: PanelHost) -> None:
        super().__init__(host)
        self.widget = Occluder()
        self.widget.on_move(self._move)
        self.widget.on_sweep(lambda wish: self.request(lambda: self._prepared(wish)))
        self.widget.on_cancel(self.cancel)
        self._open: _Photograph | None = None
        self._on_show: _SweepOnShow | None = None

    def scene_opened(self, scene: Scene) -> None:
        """Patches, scores and the sweep of the photograph before are taken away."""
        with self._lock:
            self.drop()
            same = self._open is not None and self._open.scene.name == scene.name  # the network has changed
            patches = list(self.widget.patches) if same else []
            self._forget()
            self._open = _Photograph(scene)
            self.widget.target_name = _target_name(scene)
            self.widget.set_picture(scene.picture.pixels)
            self._show_whole(scene)
            self.widget.clear_error()
            if patches:
                self.widget.patches = patches
                self._move_patches()

    def target_changed(self, scene: Scene) -> None:
        """The scores and the sweep speak of the other class; nothing is computed again but the scores."""
        with self._lock:
            if self._open is None:
                return
            self._open.scene = scene
            self.widget.target_name = _target_name(scene)
            sweep = self._on_show
            if sweep is not None and sweep.occlusion is not None:
                if sweep_for(sweep.occlusion, scene) is None:
                    self._on_show = None
                    self._worker.cancel()
                    self.widget.clear_sweep()
                else:
                    self._draw(sweep.occlusion, sweep, complete=self.widget.sweep == "done")
            if not self.widget.patches:
                self._show_whole(scene)
            elif self.widget.sweep != "running":
                self._move_patches()

    def sleep(self) -> None:
        """Let go of the image's values and of the sweep's scores."""
        with self._lock:
            if self._open is not None:
                self._open.close()
                self._open = _Photograph(self._open.scene.sleeping())
            self._on_show = None

    def close(self) -> None:
        """Stop, and let go of the image's values."""
        super().close()
        self._forget()

    def _forget(self) -> None:
        if self._open is not None:
            self._open.close()
        self._open = self._on_show = None

    def _show_whole(self, scene: Scene) -> None:
        self.widget.show_scores(scene.logits, scene.logits, scene.labels, scene.target_class, kind=scene.kind)

    def _move_patches(self) -> None:
        self._move(Move(0, tuple(self.widget.patches)))

    def _move(self, move: Move) -> None:
        """A drag step; a sweep that runs stops, and what is done is kept."""

        def prepare() -> Job | None:
            photograph = self._open
            return None if photograph is None else lambda stop: self._score(stop, photograph, move)

        self.request(prepare)

    def _score(self, stop: threading.Event, photograph: _Photograph, move: Move) -> None:
        refuse_stopped(stop)
        scene = photograph.scene
        logits = whole = scene.logits
        if move.patches:
            filling, edited = self._ready(photograph)
            edits = [(filling.of(patch), patch["top"], patch["left"]) for patch in move.patches]
            logits = edited.scores_of(edits).float().cpu()
        target = scene.target_class

        def show() -> None:
            self.widget.show_scores(whole, logits, scene.labels, target, move=move.id, kind=scene.kind)
            self.widget.notes = self._notes(photograph, move)

        self.apply(stop, show)
        self._tell_host(stop, photograph, logits if move.patches else None)
        if move.patches and self.widget.with_heat:
            self._heat(stop, photograph, move)

    def _tell_host(self, stop: threading.Event, photograph: _Photograph, logits: torch.Tensor | None) -> None:
        """Not under this panel's lock: the Explorer holds its own when it tells the panels of another photograph."""
        if not stop.is_set():
            self._host.show_scores(logits)
            if photograph is not self._open and not self._worker.closed:  # it came just now
                self._host.show_scores(None)

    def _heat(self, stop: threading.Event, photograph: _Photograph, move: Move) -> None:
        """The Grad-CAM of the layer to begin with, on the edited picture, unless there is a newer wish."""
        scene = photograph.scene
        recent = time.monotonic() - photograph.mapped < _MAP_EVERY
        if (recent and stop.wait(_PAUSE)) or stop.is_set() or photograph.filling is None:
            return
        photograph.mapped = time.monotonic()
        if photograph.layer is None:
            photograph.layer = first_layer(scene, explained_layers(scene)) if scene.now.cam else ""
        if not photograph.layer:
            return
        image = photograph.filling.edited(move.patches)
        cam = explainers.grad_cam(self._host.model, image, scene.target, layer=photograph.layer)
        show = partial(self.widget.show_heat, placement=cam.placement, layer=photograph.layer, unit=cam.unit)
        self.apply(stop, lambda: show(cam.values[0], move=move.id))

    def _ready(self, photograph: _Photograph) -> tuple[Filling, Fastest]:
        """Made when the first patch moves, on this panel's thread."""
        image, model = photograph.scene.picture.tensor, self._host.model
        filling = self._filling(photograph)
        if photograph.edited is None:
            photograph.edited = Fastest(model, fitted(model, image))
            if photograph is not self._open:  # another photograph came meanwhile
                photograph.close()
                raise Cancelled("Stopped.")
        return filling, photograph.edited

    def _filling(self, photograph: _Photograph) -> Filling:
        if photograph.filling is None:
            picture = photograph.scene.picture
            photograph.filling = Filling(fitted(self._host.model, picture.tensor), picture.pixels)
        return photograph.filling

    def _notes(self, photograph: _Photograph, move: Move) -> list[str]:
        notes = list(photograph.edited.notes) if photograph.edited is not None and move.patches else []
        by_colour = any(patch["fill"] in ("grey", "black", "color") for patch in move.patches)
        if photograph.filling is not None and photograph.filling.note and by_colour:
            notes.append(photograph.filling.note)
        if self._host.lags:
            notes.append("these scores are of the network with other switches than those that are set")
        return notes

    def _prepared(self, wish: SweepWish) -> Job:
        photograph = self._open
        if photograph is None:
            raise InputError("There is no image to sweep over.")
        height, width = photograph.scene.picture.tensor.shape[2:]
        if wish.size > min(height, width):
            raise InputError(
                f"The patch is {wish.size}x{wish.size} pixels, the image {height}x{width} (height x width): choose "
                f"a patch of at most {min(height, width)}."
            )
        sweep = self._on_show = _SweepOnShow(wish)
        self.widget.begin_sweep("Starting …")
        self.widget.notes = self._notes(photograph, Move(0, tuple(self.widget.patches)))
        return lambda stop: self._run_sweep(stop, photograph, sweep)

    def _run_sweep(self, stop: threading.Event, photograph: _Photograph, sweep: _SweepOnShow) -> None:
        def tell(step: Step) -> None:
            self.widget.show_progress(share_of(step), work_left("occlusion", step).removeprefix("Occlusion "))

        report = self.report(stop, tell, lambda partial: self._draw(partial, sweep))
        scene, wish = photograph.scene, sweep.wish
        try:
            refuse_stopped(stop)
            occlusion = explainers.occlusion(
                self._host.model,
                scene.picture.tensor,
                scene.target,
                patch=wish.size,
                stride=wish.stride,
                fill=self._filling(photograph).for_sweep(wish.fill, wish.color),
                batch=_BATCH,
                progress=report,
            )
        except BaseException as error:
            stopped = "Stopped" if isinstance(error, Cancelled) else "Stopped by an error"
            if report.partial is None:
                stopped = f"{stopped} before there was a result."
            else:
                share = f"{100 * report.share:.0f} %"
                stopped = f"{stopped} at {share}. What was not measured is interpolated (fainter)."
            self._if_on_show(sweep, lambda: self._end_sweep(sweep, report.partial, stopped))
            raise
        self._if_on_show(sweep, lambda: self._end_sweep(sweep, occlusion))

    def _if_on_show(self, sweep: _SweepOnShow, show: Callable[[], None]) -> None:
        """Also when a newer wish has stopped it: what is done is kept."""
        with self._lock:
            if self._on_show is sweep and not self._worker.closed:
                show()

    def _end_sweep(self, sweep: _SweepOnShow, occlusion: Occlusion | None, stopped: str = "") -> None:
        if occlusion is not None:
            self._draw(occlusion, sweep, complete=not stopped)
        self.widget.end_sweep(stopped)

    def _draw(self, occlusion: Occlusion, sweep: _SweepOnShow, *, complete: bool = False) -> None:
        """``occlusion`` of the class explained now, which may be another one than when the sweep began."""
        if self._open is None:
            return
        scene = self._open.scene
        current = sweep_for(occlusion, scene)
        if current is not None:
            sweep.occlusion = occlusion
            show_sweep(self.widget, current, scene, sweep.wish, complete=complete)


def _target_name(scene: Scene) -> str:
    target = scene.target
    return function_name(target) if callable(target) else scene.label(target)
