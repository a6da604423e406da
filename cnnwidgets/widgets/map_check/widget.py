"""Check a map: its button, and what the check found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import traitlets

from cnnwidgets.core.errors import InputError
from cnnwidgets.widgets._base import CnnWidget, nobody_listens
from cnnwidgets.widgets._maps.arrays import Doubles, doubles
from cnnwidgets.widgets._messages import command
from cnnwidgets.widgets._still.publish import title

from .arrays import as_stack, levels
from .charts import Chart, chart_of
from .still import check_still

STATES = ("empty", "idle", "running", "done", "stopped")
LEVELS = ("ok", "info", "warn")


class MapCheck(CnnWidget, folder="map_check"):
    """Whether a map stands up: maps with random weights, insertion and deletion curves, and one sentence on them.

    The widget computes nothing. A click on "Check this map" calls ``on_check``; answer with :meth:`begin`, then
    :meth:`show_maps`, :meth:`show_curves` and :meth:`conclude`. A click on "Cancel" calls ``on_cancel``; answer with
    :meth:`stop`. When the map is another one, call :meth:`offer`: what was found is taken away.

    Example:
        >>> check = MapCheck()
        >>> check.offer()
        >>> check.show_maps([[[1.0, 0.0]], [[0.0, 1.0]]], ["fc"], [-1.0])
        >>> check.conclude("The map changes.", "checked: similarity −1.00", "ok")
        >>> check.state, check.badge
        ('done', 'checked: similarity −1.00')
    """

    state = traitlets.Enum(
        STATES, "empty", help="Nothing to check, ready, at work, finished, or stopped before the end."
    )
    hint = traitlets.Unicode("", help="Why there is nothing to check, or what to know before; empty: nothing.")
    progress = traitlets.Float(None, min=0, max=1, allow_none=True, help="Share of the work done; None: none.")
    progress_text = traitlets.Unicode("", help="What is being done, and the time left.")
    sentence = traitlets.Unicode("", help="One sentence on how to read the results; empty before there are any.")
    badge = traitlets.Unicode("", help="The result in a few words; empty before there is one.")
    level = traitlets.Enum(
        LEVELS, "info", help="Whether nothing speaks against the map, one cannot tell, or it should not be trusted."
    )
    notes = traitlets.List(traitlets.Unicode(), help="What else to know.")
    caption = traitlets.Unicode("", help='What is checked, for titles: "Grad-CAM · blocks.6 → tiger cat (282)".')

    on_check: Callable[[], object] = nobody_listens
    on_cancel: Callable[[], object] = nobody_listens

    def __init__(self, **traits: Any) -> None:
        self._charts: dict[str, Chart] = {}
        super().__init__(**traits)
        self.forbid("There is no map to check.")

    def __repr__(self) -> str:
        return f"MapCheck({self.state})"

    @property
    def panel(self) -> MapCheck:
        """The widget itself, whose traits hold what is on show."""
        return self

    @command("check")
    def _check(self) -> None:
        self.clear_error()
        self.on_check()

    @command("cancel")
    def _cancelled(self) -> None:
        self.on_cancel()

    @property
    def charts(self) -> dict[str, Chart]:
        """The charts on show: "similarity", "deletion", "insertion", those that there is something for."""
        return dict(self._charts)

    def offer(self, hint: str = "") -> None:
        """A map can be checked; what was found for another is taken away.

        Args:
            hint: what to know before, such as that it will take long.
        """
        self._empty("idle", hint)

    def forbid(self, why: str) -> None:
        """Nothing can be checked; ``why`` is a sentence."""
        self._empty("empty", why)

    def begin(self, text: str = "") -> None:
        """The check has begun."""
        self._empty("running", "")
        self.show_progress(0.0, text)

    def show_progress(self, share: float, text: str) -> None:
        """How far the check is: a share from 0 to 1, and what is being done."""
        with self.hold_sync():
            self.progress, self.progress_text = min(max(share, 0.0), 1.0), text

    def show_maps(
        self,
        maps: Any,
        layers: Sequence[str],
        similarity: Any,
        *,
        signed: bool = False,
        total: int | None = None,
        details: Sequence[Sequence[str]] = (),
    ) -> None:
        """Show the original map and, stage by stage, those of the network with more and more random weights.

        Args:
            maps: (1 + n, h, w), the original first; each is painted on its own scale.
            layers: n names: the layer down to which the weights are random.
            similarity: (n,) to the original; NaN where there is none.
            signed: paint on a scale around 0, instead of magnitudes.
            total: how many stages there will be; None: n.
            details: a row of texts a stage for the table of numbers.

        Raises:
            InputError: the numbers of maps, layers and similarities do not fit.
        """
        stack, values = as_stack(maps), doubles(similarity).reshape(-1)
        if not len(stack) - 1 == len(layers) == len(values):
            raise InputError(
                f"There are {len(stack)} maps, {len(layers)} layers and {len(values)} similarities; expected one layer "
                "and one similarity for each map after the original."
            )
        stages = total or len(values)
        self.push(
            "maps",
            arrays={"maps": levels(stack, signed=signed)},
            layers=list(layers),
            similarity=[float(value) if np.isfinite(value) else None for value in values],
            signed=signed,
            total=stages,
            details=[list(row) for row in details],
        )
        if len(values):
            lowest = min(0.0, float(np.nanmin(values)) if np.isfinite(values).any() else 0.0)
            self._draw(
                "similarity",
                "Similarity to the original, by stage",
                np.arange(len(values) + 1.0),
                np.concatenate([[1.0], values]),
                np.empty((0, len(values) + 1)),
                (lowest, 1.0, float(stages)),
            )

    def show_curves(
        self,
        fractions: Any,
        deletion: Any,
        insertion: Any,
        random_deletion: Any = (),
        random_insertion: Any = (),
        *,
        unit: str = "score",
    ) -> None:
        """Show the target's score while pixels are hidden, or revealed, in the order of the map; NaN: not known yet.

        Args:
            fractions: (n,) of the pixels, 0 to 1.
            deletion: (n,) scores.
            insertion: (n,) scores.
            random_deletion: (repeats, n) scores in random orders, drawn in grey.
            random_insertion: (repeats, n).
            unit: what the scores are: "probability", "logit".

        Raises:
            InputError: the lengths do not fit.
        """
        x = doubles(fractions).reshape(-1)
        kinds = {"deletion": (deletion, random_deletion), "insertion": (insertion, random_insertion)}
        curves = {kind: (_curve(own, x), _curves(others, x)) for kind, (own, others) in kinds.items()}
        everything = np.concatenate([part.ravel() for pair in curves.values() for part in pair])
        finite = everything[np.isfinite(everything)]
        low = min(0.0, float(finite.min(initial=0.0)))
        high = 1.0 if unit == "probability" else max(float(finite.max(initial=low)), low + 1e-9)
        for kind, (own, others) in curves.items():
            title = f"{kind.capitalize()}: {unit}{_areas(x, own, others)}"
            self._draw(kind, title, x, own, others, (low, high, 1.0))

    def conclude(self, sentence: str, badge: str, level: str = "info", notes: Sequence[str] = ()) -> None:
        """The check is done: one sentence on how to read it, a few words for a badge, and what else to know.

        Args:
            level: "ok", "info" or "warn".
        """
        self._say("done", sentence, badge, level, notes)

    def stop(self, sentence: str, badge: str = "", notes: Sequence[str] = ()) -> None:
        """The check was stopped; what is done stays on show, and says where it is not all."""
        self._charts = {kind: chart.stopped() for kind, chart in self._charts.items()}
        self._push_charts()
        self._say("stopped", sentence, badge, "info", notes)

    def show_error(self, error: BaseException) -> None:
        """Show an error in the widget; the check can be tried again."""
        self._empty("idle", "")
        super().show_error(error)

    _still = check_still

    def _still_title(self) -> str:
        return title("Check of a map", self.caption, self)

    def _say(self, state: str, sentence: str, badge: str, level: str, notes: Sequence[str]) -> None:
        with self.hold_sync():
            self.state, self.progress, self.progress_text = state, None, ""
            self.sentence, self.badge, self.level, self.notes = sentence, badge, level, list(notes)

    def _empty(self, state: str, hint: str) -> None:
        self._say(state, "", "", "info", ())
        self.hint = hint
        self._charts.clear()
        self.take_back("charts")
        self.take_back("maps")

    def _draw(self, kind: str, *what: Any) -> None:
        self._charts[kind] = chart_of(kind, *what)
        self._push_charts()

    def _push_charts(self) -> None:
        self.push("charts", charts=[chart.sent() for chart in self._charts.values()])


def _curve(values: Any, x: Doubles) -> Doubles:
    points = doubles(values).reshape(-1)
    if points.shape != x.shape:
        raise InputError(f"A curve has {len(points)} points for {len(x)} fractions; give one score a fraction.")
    return points


def _curves(values: Any, x: Doubles) -> Doubles:
    curves = doubles(values)
    if curves.size == 0:
        return np.empty((0, len(x)))
    if curves.ndim != 2 or curves.shape[1] != len(x):
        raise InputError(f"The random curves have shape {curves.shape}; expected (repeats, {len(x)}).")
    return curves


def _areas(x: Doubles, own: Doubles, others: Doubles) -> str:
    """ ", area 0.23 (random 0.48)", as far as they are known."""
    if not np.isfinite(own).all():
        return ""
    complete = others[np.isfinite(others).all(axis=1)]
    at_random = f" (random {float(np.mean([_area(x, curve) for curve in complete])):.3g})" if len(complete) else ""
    return f", area {_area(x, own):.3g}{at_random}"


def _area(x: Doubles, y: Doubles) -> float:
    """By the trapezoidal rule; numpy calls it differently before and after its version 2."""
    return float(((y[1:] + y[:-1]) / 2 * np.diff(x)).sum())
