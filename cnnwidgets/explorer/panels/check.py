"""The panel that checks the map on the overlay."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import torch

from cnnwidgets import explainers
from cnnwidgets.checks import Curves, Randomisation, Reading, insertion_deletion, randomised, read
from cnnwidgets.checks.randomisation import MOST_STAGES
from cnnwidgets.core.errors import as_sentence
from cnnwidgets.core.progress import ProgressCallback, Step
from cnnwidgets.explainers.attribution import Attribution
from cnnwidgets.explainers.labels import label_of
from cnnwidgets.explorer.sentences import target_text, work_left
from cnnwidgets.explorer.work.report import share_of
from cnnwidgets.explorer.work.scene import Scene
from cnnwidgets.explorer.work.worker import Job, refuse_stopped
from cnnwidgets.widgets.map_check import MapCheck

from .host import PanelHost
from .panel import Panel

_FEW_STAGES = 4  # for methods that take long
_MOST_RESULTS = 4  # of the photograph on show
_NO_MAP = "There is no complete map to check."
_CHANGED = "The network's weights changed while this check ran: it may be of a mixture of old and new weights."
_UNKNOWN = "The map cannot be made again: {!r} is not the name of a registered explainer."


@dataclass
class _Results:
    """What a check has come to so far."""

    randomisation: Randomisation | None = None
    curves: Curves | None = None
    changed: bool = False

    @property
    def reading(self) -> Reading:
        return read(self.randomisation, self.curves)


class CheckPanel(Panel):
    """Runs the checks of the map on show when they are asked for, and forgets them when another map is shown."""

    widget: MapCheck

    def __init__(self, host: PanelHost) -> None:
        super().__init__(host)
        self.widget = MapCheck()
        self.widget.on_check, self.widget.on_cancel = self.check, self.cancel
        self._results_by_map: dict[Hashable, _Results] = {}
        self._results = _Results()

    def check(self) -> None:
        """Check the map on show."""
        self.request(self._prepared)

    def _prepared(self) -> Job | None:
        attribution, scene = self._host.overlay_map, self._host.scene
        if attribution is None:
            self.widget.forbid(_NO_MAP)
            return None
        results = self._results = _Results()
        self.widget.begin("Copying the network …")
        return lambda stop: self._measure(stop, scene, attribution, results)

    def scene_opened(self, scene: Scene) -> None:  # noqa: ARG002
        """The checks of another photograph are of no use."""
        self.sleep()

    def map_changed(self, attribution: Attribution | None) -> None:
        """Take away what is known of the map before; show what is known of this one."""
        with self._lock:
            self.drop()
            self._results = _Results()
            if attribution is None:
                self.widget.forbid(_NO_MAP)
            elif attribution.method not in explainers.names():
                self.widget.forbid(_UNKNOWN.format(attribution.method))
            elif (earlier := self._results_by_map.get(self._map_key(attribution))) is not None:
                self.widget.offer()
                self._draw_randomisation(earlier)
                self._conclude(earlier, attribution)
            else:
                self.widget.offer(_hint(attribution.method))

    def stopped(self) -> None:
        """What is done stays on show."""
        randomisation = self._results.randomisation
        if randomisation is None or not randomisation.stages:
            self.widget.stop("The check was stopped before there was a result.")
            return
        self._draw_randomisation(self._results)
        self._draw_curves(self._results)
        reading = self._results.reading
        text = f"{reading.sentence} The check was stopped before the curves were complete."
        self.widget.stop(
            text if randomisation.complete else reading.sentence,
            reading.badge,
            [as_sentence(note) for note in reading.notes],
        )

    def sleep(self) -> None:
        """Forget the checks made."""
        with self._lock:
            self._results_by_map.clear()

    def close(self) -> None:
        """Stop, and forget all checks."""
        super().close()
        self._results_by_map.clear()
        self._results = _Results()

    def _measure(self, stop: threading.Event, scene: Scene, attribution: Attribution, results: _Results) -> None:
        refuse_stopped(stop)
        model, images = self._host.model, scene.picture.tensor
        again: Attribution | str = attribution
        options: dict[str, Any] = dict(self._host.session.settings.get(attribution.method, {}))
        if isinstance(attribution, explainers.Occlusion):
            # Made again it is a coarse one. With another stride it is another map: only its name is passed on.
            again, options = attribution.method, {"patch": attribution.patch, "stride": attribution.patch}
        stages = _FEW_STAGES if explainers.info(attribution.method).tells_progress else MOST_STAGES
        progress = self._progress(stop, "Randomising the weights (1 of 2)", 0.0, "randomisation", results)
        results.randomisation = randomised(
            model,
            images,
            again,
            attribution.target,
            layer=attribution.layer,
            stages=stages,
            progress=progress,
            **options,
        )
        self.apply(stop, lambda: self._draw_newest(results))
        progress = self._progress(stop, "Hiding and revealing places (2 of 2)", 0.5, "curves", results)
        results.curves = insertion_deletion(model, images, attribution, progress=progress)
        results.changed = self._host.session.is_stale(scene)
        self.apply(stop, lambda: self._finish(results, attribution))

    def _map_key(self, attribution: Attribution) -> Hashable:
        """Grad-CAM's maps are made anew each time, and an explainer may be registered again under its name."""
        function = explainers.info(attribution.method).function
        numbers = tuple(sorted(self._host.session.settings.get(attribution.method, {}).items()))
        return attribution.method, function, numbers, attribution.layer, attribution.target

    def _progress(
        self, stop: threading.Event, activity: str, begun: float, measured: str, results: _Results
    ) -> ProgressCallback:
        """Keeps what is ``measured`` by now in the attribute of ``results`` with this name."""

        def tell(step: Step) -> None:
            self.widget.show_progress(begun + 0.5 * share_of(step), work_left(activity, step))

        report = self.report(stop, tell, lambda _: self._draw_newest(results))

        def take_note(step: Step) -> None:
            setattr(results, measured, step.partial)  # also what is not drawn any more, because the check was stopped
            report(step)

        return take_note

    def _finish(self, results: _Results, attribution: Attribution) -> None:
        if not results.changed:
            self._results_by_map[self._map_key(attribution)] = results
        while len(self._results_by_map) > _MOST_RESULTS:
            del self._results_by_map[next(iter(self._results_by_map))]
        self._conclude(results, attribution)

    def _conclude(self, results: _Results, attribution: Attribution) -> None:
        self._draw_curves(results)
        reading = results.reading
        notes = [as_sentence(note) for note in reading.notes]
        if results.changed:
            notes.insert(0, _CHANGED)
        if isinstance(attribution, explainers.Occlusion):
            notes.append(_hint(attribution.method))
        if not explainers.info(attribution.method).needs_target:
            method, explained = label_of(attribution.method), target_text(attribution.target, self._host.scene.label)
            notes.append(f"{method} does not depend on the class; the curves are those of {explained}.")
        self.widget.conclude(reading.sentence, reading.badge, reading.level, notes)

    def _draw_newest(self, results: _Results) -> None:
        """What is being measured; the maps do not change any more when the curves are."""
        if results.curves is None:
            self._draw_randomisation(results)
        else:
            self._draw_curves(results)

    def _draw_randomisation(self, results: _Results) -> None:
        randomisation = results.randomisation
        if randomisation is None:
            return
        original, stages = randomisation.original, randomisation.stages
        signed = original.values.ndim == 3 and bool((original.values < 0).any())
        maps = [original.values, *(stage.values for stage in stages)]
        self.widget.show_maps(
            torch.stack([_painted(values, signed) for values in maps]),
            [stage.layer for stage in stages],
            [float(stage.similarity[0]) for stage in stages],
            signed=signed,
            total=randomisation.total,
            details=_details(randomisation),
        )

    def _draw_curves(self, results: _Results) -> None:
        curves = results.curves
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


def _details(randomisation: Randomisation) -> list[list[str]]:
    rows = [["0", "nothing", "", "", "", f"{float(randomisation.original.scores[0]):.3g}"]]
    for number, stage in enumerate(randomisation.stages, 1):
        measures = [_two_digits(float(measure[0])) for measure in (stage.magnitude, stage.signed, stage.structure)]
        rows.append([str(number), stage.layer, *measures, f"{float(stage.scores[0]):.3g}".replace("-", "−")])
    return rows


def _two_digits(value: float) -> str:
    return "–" if value != value else f"{value:.2f}".replace("-", "−")


def _hint(method: str) -> str:
    """What to know before checking a map of this method."""
    if not explainers.info(method).tells_progress:
        return ""
    activity = "puts patches side by side, and makes" if method == "occlusion" else "makes"
    return f"{label_of(method)} takes long: the check {activity} {_FEW_STAGES + 1} maps."
