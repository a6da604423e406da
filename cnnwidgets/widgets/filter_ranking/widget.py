"""Which filters of a layer matter for a class: bars with a switch at each, and groups of them over the photograph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import traitlets

from cnnwidgets.core.arrays import as_array
from cnnwidgets.core.errors import InputError
from cnnwidgets.widgets._base import CnnWidget, nobody_listens
from cnnwidgets.widgets._maps.arrays import doubles, per_channel
from cnnwidgets.widgets._maps.fit import extent_of
from cnnwidgets.widgets._maps.mosaic import mosaic, pixels_of, reduced
from cnnwidgets.widgets._maps.pictures import picture_pixels
from cnnwidgets.widgets._messages import command, one_of, whole_number
from cnnwidgets.widgets._still.publish import title

from .still import ranking_still

JOBS = ("ranking", "groups")
MOST_GROUPS = 10
_STRONGEST = 8
_PATCH = 96  # pixels
_CHANNEL = whole_number(0, 1 << 20)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise InputError(f"{type(value).__name__}; expected true or false")
    return value


class FilterRanking(CnnWidget, folder="filter_ranking"):
    """The filters (channels) of a layer by the fall of a class's score without them, and in groups.

    The widget computes nothing. The buttons call ``on_start`` (with "ranking" or "groups") and ``on_cancel``; answer
    with :meth:`begin`, :meth:`show_progress`, :meth:`show_ranking`, :meth:`show_groups`, or :meth:`stop`. Switching a
    filter changes ``off``, hiding a group ``hidden``: observe them.

    Example:
        >>> ranking = FilterRanking()
        >>> ranking.show_ranking("conv1", [0.5, 2.0, -0.1], target_name="cat", score=3.0)
        >>> ranking.layer, ranking.off
        ('conv1', [])
    """

    layer = traitlets.Unicode("", help="Dotted name of the layer; empty when none is on show.")
    channel = traitlets.Int(None, allow_none=True, help="The filter that is selected; None: none.")
    target_name = traitlets.Unicode("", help="The class whose score is looked at.")
    hint = traitlets.Unicode("", help="A sentence in place of everything: why there is nothing to rank.")
    off = traitlets.List(traitlets.Int(min=0), help="Filters of this layer that are switched off, ascending.")
    hidden = traitlets.List(traitlets.Int(min=0), help="Groups that are hidden, ascending.")
    groups = traitlets.Int(6, min=2, max=MOST_GROUPS, help="How many groups are looked for.")
    groupable = traitlets.Bool(False, help="Groups can be found: somebody listens to `on_start`.")
    switchable = traitlets.Bool(False, help="Filters can be switched off: somebody observes `off`.")
    hideable = traitlets.Bool(False, help="Groups can be hidden: somebody observes `hidden`.")
    effect = traitlets.Unicode("", help="What switching filters off does to the score, for a reader.")
    job = traitlets.Enum(("", *JOBS), "", help="What is being computed; empty: nothing.")
    progress = traitlets.Float(None, min=0, max=1, allow_none=True, help="Share of the work done; None: none runs.")
    progress_text = traitlets.Unicode("", help="The same in words, with the time left.")

    on_start: Callable[[str], object] = nobody_listens
    on_cancel: Callable[[], object] = nobody_listens

    def show_layer(self, layer: str, target_name: str = "", hint: str = "") -> None:
        """Another layer, photograph or class: what was found for the one before is taken away."""
        for kind in ("ranking", "groups", "group_places", "stopped"):
            self.take_back(kind)
        with self.hold_sync():
            self.finish()
            self.layer, self.target_name, self.hint, self.hidden = layer, target_name, hint, []

    def set_picture(self, pixels: Any) -> None:
        """The photograph under the groups, (H, W, 3) uint8."""
        self.push("picture", arrays={"pixels": picture_pixels(pixels)})

    def begin(self, job: str, text: str = "") -> None:
        """Something is being computed: ``job`` is "ranking" or "groups"."""
        with self.hold_sync():
            self.job, self.progress, self.progress_text = job, 0.0, text

    def show_progress(self, share: float, text: str) -> None:
        """How far it is: a share from 0 to 1, and what is being done."""
        with self.hold_sync():
            self.progress, self.progress_text = min(max(share, 0.0), 1.0), text

    def finish(self) -> None:
        """Nothing is being computed any more."""
        with self.hold_sync():
            self.job, self.progress, self.progress_text = "", None, ""

    def stop(self, sentence: str) -> None:
        """It was stopped; what is done stays on show, with ``sentence``."""
        job = self.job
        self.finish()
        self.push("stopped", job=job, message=sentence)

    def show_error(self, error: BaseException) -> None:
        """Show an error in the widget; what is done stays."""
        self.finish()
        super().show_error(error)

    def show_ranking(
        self,
        layer: str,
        drops: Any,
        *,
        target_name: str = "",
        score: float = np.nan,
        unit: str = "logit",
        notes: Sequence[str] = (),
        partial: bool = False,
    ) -> None:
        """Show how much the score falls without each filter.

        Args:
            layer: its name.
            drops: (K,) in ``unit``; negative where the score rises, NaN where it is not known yet.
            target_name: the class.
            score: of the photograph as it is.
            unit: what the numbers are.
            notes: sentences to be read beside them.
            partial: more are to come.

        Raises:
            InputError: ``drops`` are not one number a filter.
        """
        values = as_array(drops, "The drops")
        if values.ndim != 1 or not values.size:
            raise InputError(f"The drops have shape {values.shape}; expected one number a filter, (K,).")
        with self.hold_sync():
            self.layer, self.target_name, self.hint = layer, target_name, ""
        self.push(
            "ranking",
            arrays={"drops": per_channel(values, len(values))},
            score=float(score) if np.isfinite(score) else None,
            unit=unit,
            notes=list(notes),
            partial=partial,
        )

    def show_groups(
        self,
        maps: Any,
        channels: Any,
        *,
        explained: float,
        weights: Any = None,
        signed: bool = False,
        notes: Sequence[str] = (),
        placement: Any = None,
    ) -> None:
        """Show groups of filters, each as a colour over the photograph.

        Args:
            maps: (k, h, w) how strongly each group is there.
            channels: (k, K) how much of each filter is in a group.
            explained: the part of the layer's maps that the groups make up, 0 to 1.
            weights: (k,) what each group gives to the class's score; None: not known.
            signed: the filters' part in a group may be negative.
            notes: sentences to be read beside them.
            placement: where the maps lie in the photograph; None: over all of it.

        Raises:
            InputError: the numbers do not fit.
        """
        stack, parts = doubles(maps), doubles(channels)
        if stack.ndim != 3 or parts.ndim != 2 or len(stack) != len(parts) or not 0 < len(stack) <= MOST_GROUPS:
            raise InputError(
                f"The groups' maps have shape {stack.shape} and their channels {parts.shape}; expected (k, h, w) and "
                f"(k, K), k from 1 to {MOST_GROUPS}."
            )
        strongest = np.argsort(-np.abs(parts), axis=1, kind="stable")[:, :_STRONGEST]
        arrays: dict[str, Any] = {
            "maps": stack.astype(np.float32),
            "channels": strongest.astype(np.int32),
            "parts": np.take_along_axis(parts, strongest, 1).astype(np.float32),
        }
        if weights is not None:
            arrays["weights"] = per_channel(weights, len(stack))
        self.hidden = []
        self.take_back("group_places")
        self.push(
            "groups",
            arrays=arrays,
            explained=float(explained),
            signed=signed,
            notes=list(notes),
            extent=extent_of(placement),
        )

    def show_group_places(self, crops: Sequence[Sequence[Any]]) -> None:
        """Show beside each group the patches of photographs that excite it most, as a weighted sum of its filters.

        Args:
            crops: for each group some, the one that excites it most first, as for ``FilterPanel.show_places``.
        """
        every = [crop for group in crops for crop in group]
        self.push(
            "group_places",
            arrays={
                **mosaic([reduced(pixels_of(crop.pixels), _PATCH) for crop in every]),
                "counts": np.array([len(group) for group in crops], np.int32),
                "values": np.array([crop.value for crop in every], np.float32),
            },
            names=[f"image {crop.image}" for crop in every],
        )

    _still = ranking_still

    def _still_title(self) -> str:
        subject = f"{self.layer} → {self.target_name}" if self.target_name else self.layer
        return title("Filters that matter", subject, self)

    @command("start", job=one_of(*JOBS))
    def _started(self, job: str) -> None:
        self.on_start(job)

    @command("cancel")
    def _cancelled(self) -> None:
        self.on_cancel()

    @command("switch", channel=_CHANNEL, off=_flag)
    def _switched(self, channel: int, off: bool) -> None:
        self.off = sorted({*self.off, channel} if off else {*self.off} - {channel})

    @command("choose", channel=_CHANNEL)
    def _filter_chosen(self, channel: int) -> None:
        self.channel = channel
