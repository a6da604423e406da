"""The panel that checks the map on the overlay."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import torch

from cnnwidgets import explainers
from cnnwidgets.checks import Curves, Randomisation, Reading, insertion_deletion, randomised, read
from cnnwidgets.checks.randomisation import MOST_STAGES
from cnnwidgets.core.errors import Cancelled
from cnnwidgets.core.progress import ProgressCallback, Step
from cnnwidgets.explainers.attribution import Attribution
from cnnwidgets.explorer.sentences import work_left
from cnnwidgets.explorer.work.report import Report
from cnnwidgets.explorer.work.session import Scene
from cnnwidgets.widgets._maps.methods import method_label
from cnnwidgets.widgets.map_check import MapCheck

from .panel import Host, Part

_FEW_STAGES = 4  # for methods that take long
_KEPT = 4  # checks of the photograph on show
_NO_MAP = "There is no complete map to check."
_CHANGED = "The network's weights changed while this check ran: it may be of a mixture of old and new weights."
_UNKNOWN = "The map cannot be made again: {!r} is not the name of a registered explainer."


@dataclass
class _Found:
    """What a check has found so far."""

    randomisation: Randomisation | None = None
    curves: Curves | None = None
    changed: bool = False

    @property
    def reading(self) -> Reading:
        return read(self.randomisation, self.curves)


class Checking(Part):
    """Runs the checks of the map on show when they are asked for, and forgets them when another map is shown."""

    widget: MapCheck

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self.widget = MapCheck()
        self.widget.on_check, self.widget.on_cancel = self.check, self.cancel
        self._kept: dict[Hashable, _Found] = {}
        self._found = _Found()

    def check(self, *, renewed: bool = False) -> None:
        """Check the map on show; the newest wish wins."""
        with self._lock:
            shown, scene = self._host.shown, self._host.scene
            if shown is None:
                self.widget.forbid(_NO_MAP)
                return
            found = self._found = _Found()
            self.widget.begin("Copying the network …")
            again = None if renewed else lambda: self.check(renewed=True)
            self.submit(lambda stop: self._work(stop, scene, shown, found), again)

    def scene_opened(self, scene: Scene) -> None:  # noqa: ARG002
        """The checks of another photograph are of no use."""
        with self._lock:
            self._kept.clear()

    def map_changed(self, shown: Attribution | None) -> None:
        """Take away what was found for the map before; show what is known of this one."""
        with self._lock:
            if self.busy:
                self._worker.supersede()
                self._set_busy(False)
            self._found = _Found()
            if shown is None:
                self.widget.forbid(_NO_MAP)
            elif shown.method not in explainers.names():
                self.widget.forbid(_UNKNOWN.format(shown.method))
            elif (kept := self._kept.get(_key(shown))) is not None:
                self.widget.offer()
                self._draw_randomisation(kept)
                self._draw_curves(kept)
                self._conclude(kept, shown)
            else:
                self.widget.offer(_hint(shown.method))

    def stopped(self) -> None:
        """What is done stays on show."""
        done = self._found.randomisation
        if done is None or not done.stages:
            self.widget.stop("The check was stopped before there was a result.")
            return
        self._draw_randomisation(self._found)
        self._draw_curves(self._found)
        reading = self._found.reading
        text = f"{reading.sentence} The check was stopped before the curves were complete."
        self.widget.stop(text if done.complete else reading.sentence, reading.badge, _sentences(reading))

    def sleep(self) -> None:
        """Forget the checks made."""
        with self._lock:
            self._kept.clear()

    def close(self) -> None:
        """Stop, and forget all checks."""
        super().close()
        self._kept.clear()
        self._found = _Found()

    def _work(self, stop: threading.Event, scene: Scene, shown: Attribution, found: _Found) -> None:
        if stop.is_set():
            raise Cancelled("Stopped.")
        model, images = self._host.session.model, scene.picture.tensor
        options = _options(shown)

        def keep_maps(partial: Any) -> Callable[[], None]:
            found.randomisation = partial
            return lambda: self._draw_randomisation(found)

        def keep_curves(partial: Any) -> Callable[[], None]:
            found.curves = partial
            return lambda: self._draw_curves(found)

        # An occlusion map made with another stride is another map: only its name is passed on.
        again: Attribution | str = shown.method if options else shown
        found.randomisation = randomised(
            model,
            images,
            again,
            shown.target,
            layer=shown.layer,
            stages=_FEW_STAGES if _takes_long(shown.method) else MOST_STAGES,
            progress=self._progress(stop, "Randomising the weights (1 of 2)", 0.0, keep_maps),
            **options,
        )
        self.apply(stop, lambda: self._draw_randomisation(found))
        progress = self._progress(stop, "Hiding and revealing places (2 of 2)", 0.5, keep_curves)
        found.curves = insertion_deletion(model, images, shown, progress=progress)
        found.changed = self._host.session.is_stale(scene)
        self.apply(stop, lambda: self._finish(found, shown))

    def _progress(
        self, stop: threading.Event, what: str, begun: float, keep: Callable[[Any], Callable[[], None]]
    ) -> ProgressCallback:
        """``keep`` takes note of a partial result and returns what draws it."""

        def tell(step: Step) -> None:
            share = begun + 0.5 * step.done / max(step.total, 1)
            self.apply(stop, lambda: self.widget.show_progress(share, work_left(what, step)))

        report = Report(stop, tell, lambda partial: self.apply(stop, keep(partial)))

        def take(step: Step) -> None:
            keep(step.partial)  # also what is not drawn any more, because the check was stopped
            report(step)

        return take

    def _finish(self, found: _Found, shown: Attribution) -> None:
        if not found.changed:
            self._kept[_key(shown)] = found
        while len(self._kept) > _KEPT:
            del self._kept[next(iter(self._kept))]
        self._draw_curves(found)
        self._conclude(found, shown)

    def _conclude(self, found: _Found, shown: Attribution) -> None:
        reading = found.reading
        notes = _sentences(reading)
        if found.changed:
            notes.insert(0, _CHANGED)
        if _options(shown):
            notes.append(_hint(shown.method))
        self.widget.conclude(reading.sentence, reading.badge, reading.level, notes)

    def _draw_randomisation(self, found: _Found) -> None:
        done = found.randomisation
        if done is None:
            return
        signed = done.original.values.ndim == 3 and bool((done.original.values < 0).any())
        self.widget.show_maps(
            torch.stack(
                [_painted(values, signed) for values in (done.original.values, *(s.values for s in done.stages))]
            ),
            [stage.layer for stage in done.stages],
            [float(stage.similarity[0]) for stage in done.stages],
            signed=signed,
            total=done.total,
            details=_details(done),
        )

    def _draw_curves(self, found: _Found) -> None:
        curves = found.curves
        if curves is not None:
            self.widget.show_curves(
                curves.fractions,
                curves.deletion[0],
                curves.insertion[0],
                curves.random_deletion[0],
                curves.random_insertion[0],
                unit=curves.score,
            )


def _painted(values: torch.Tensor, signed: bool) -> torch.Tensor:
    """(h, w) of the first image; magnitudes where the map is not painted around 0."""
    first = values[0]
    if first.ndim == 3:
        return first.abs().amax(0).masked_fill(~first.isfinite().all(0), torch.nan)
    return first if signed else first.abs()


def _details(done: Randomisation) -> list[list[str]]:
    rows = [["0", "nothing", "", "", "", f"{float(done.original.scores[0]):.3g}"]]
    for place, stage in enumerate(done.stages, 1):
        measures = [stage.magnitude, stage.signed, stage.structure]
        numbers = [_two(float(measure[0])) for measure in measures]
        rows.append([str(place), stage.layer, *numbers, f"{float(stage.scores[0]):.3g}".replace("-", "−")])
    return rows


def _two(value: float) -> str:
    return "–" if value != value else f"{value:.2f}".replace("-", "−")


def _sentences(reading: Reading) -> list[str]:
    return [f"{note[:1].upper()}{note[1:]}." for note in reading.notes]


def _key(shown: Attribution) -> Hashable:
    """Grad-CAM's maps are made anew each time, and an explainer may be registered again under its name."""
    return shown.method, explainers.info(shown.method).function, shown.layer, shown.target


def _takes_long(method: str) -> bool:
    return "progress" in inspect.signature(explainers.info(method).function).parameters


def _options(shown: Attribution) -> dict[str, Any]:
    if isinstance(shown, explainers.Occlusion):
        return {"patch": shown.patch, "stride": shown.patch}
    return {}


def _hint(method: str) -> str:
    """What to know before checking a map of this method."""
    if method == "occlusion":
        return (
            f"{method_label(method)} takes long: the check puts patches side by side, and makes {_FEW_STAGES + 1} maps."
        )
    return f"{method_label(method)} takes long: the check makes {_FEW_STAGES + 1} maps." if _takes_long(method) else ""
