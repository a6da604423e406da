"""Drag patches over a picture; the scores come from whoever is connected."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy.typing as npt
import traitlets

from cnnwidgets.core.errors import InputError
from cnnwidgets.outputs.kinds import Kind
from cnnwidgets.widgets._base import nobody_listens
from cnnwidgets.widgets._maps.arrays import map_and_notes
from cnnwidgets.widgets._maps.fit import extent_of
from cnnwidgets.widgets._maps.traits import OverPicture
from cnnwidgets.widgets._messages import MOST_NUMBER, as_sent, command, list_of, one_of, whole_number
from cnnwidgets.widgets._still.publish import title

from .patches import FILLS, MOST_PATCHES, MOST_SIDE, Move, SweepWish, clipped_patch, color_of, patch_of
from .scores import score_rows, swept
from .still import occluder_still

VIEWS = ("drop", "class", "counts")
SWEEPS = ("none", "running", "done", "stopped")
_SHARE_OF_SIDE = 7


class Occluder(OverPicture, folder="occluder"):
    """A picture whose parts can be hidden with patches, and the scores before and after.

    The widget runs no model. Give :meth:`on_move` a function that answers with :meth:`show_scores` (and, a bit later,
    :meth:`show_heat`), or observe ``patches``. With :meth:`on_sweep` there is a button that asks for the score with the
    patch at each place of a grid: answer with :meth:`begin_sweep`, :meth:`show_sweep` as often as there is news, and
    :meth:`end_sweep`.

    The browser has at most one question open: while it waits, the newest place replaces the ones before.

    Args:
        picture: what the network sees, (H, W, 3) uint8, a PIL image or a path; or None, to be set later.
        **traits: any trait, by name.

    Raises:
        InputError: the picture or a patch has another form.

    Example:
        >>> import numpy as np
        >>> occluder = Occluder(np.zeros((64, 64, 3), np.uint8), patches=[[8, 8, 16, 16]])
        >>> occluder.on_move(lambda move: occluder.show_scores([2.0, 1.0], [1.0, 2.0], ["cat", "dog"]))
        >>> occluder.patches = [[20, 8, 16, 16]]
        >>> occluder.patches[0]["fill"]
        'grey'
    """

    # No echo: it would put the patch back to where it was a moment ago, under the pointer that drags it.
    patches: traitlets.List[Any] = traitlets.List(
        help="What hides the picture, the later on top: each [top, left, height, width] in pixels of the picture, or a "
        'dict with these keys, fill, color ("#rrggbb", of the fill "color") and source ([top, left], of "copy"). Of a '
        "patch that is larger than the picture only the part on it is kept.",
    ).tag(echo_update=False)
    selected = traitlets.Int(None, allow_none=True, help="Index of the patch that keys and buttons act on.").tag(
        sync=True, echo_update=False
    )
    fill = traitlets.Enum(
        FILLS,
        "grey",
        help="What a new patch, or the sweep, shows: mid grey, the picture's mean colour, the picture blurred, black, "
        "one colour, or a copy of another place.",
    )
    color = traitlets.Unicode("#ff8800", help='The colour of the fill "color", "#rrggbb".')
    size = traitlets.Int(32, min=1, help="Pixels on a side of a new patch, and of the patch of a sweep.")
    stride = traitlets.Int(
        None, min=1, allow_none=True, help="Pixels between two places of a sweep; None: half the patch."
    )
    view = traitlets.Enum(
        VIEWS, "drop", help="What is shown of a sweep: drop of the score, class at each place, places per class."
    )
    with_heat = traitlets.Bool(True, help="Show the class activation map of the edited picture over it.")
    target_name = traitlets.Unicode("", help="The class explained, for the reader.")
    connected = traitlets.Bool(False, help="Somebody answers when a patch moves.")
    can_sweep = traitlets.Bool(False, help="Somebody answers when a sweep is asked for.")
    sweep = traitlets.Enum(SWEEPS, "none", help="Whether there is a sweep, and how it ended.")
    sweep_text = traitlets.Unicode("", help='What to know about the sweep: "Stopped at 40 %".')
    progress = traitlets.Float(None, allow_none=True, help="Share of the sweep done, 0 to 1; None: no bar.")
    progress_text = traitlets.Unicode("", help='The same in words: "40 % · 3 s left".')
    notes = traitlets.List(traitlets.Unicode(), help="What to know about the scores on show.")

    _on_move: Callable[[Move], object] = nobody_listens
    _on_sweep: Callable[[SweepWish], object] = nobody_listens
    _on_cancel: Callable[[], object] = nobody_listens
    _quiet = False

    def __init__(self, picture: npt.ArrayLike | None = None, **traits: Any) -> None:
        super().__init__(**traits)
        if picture is not None:
            patches, size = list(self.patches), self.size
            self.set_picture(picture)
            self.patches = patches  # once more, now that the picture's size is known
            if "size" in traits:
                self.size = size

    def set_picture(self, pixels: npt.ArrayLike) -> None:
        """Show another photograph, (H, W, 3) uint8; patches, scores and the sweep of the one before are taken away.

        Raises:
            InputError: not uint8, not three channels, or empty.
        """
        before = self._picture_size
        super().set_picture(pixels)
        if self._picture_size and self._picture_size != before:
            self.size = max(1, round(min(self._picture_size) / _SHARE_OF_SIDE))

    def clear(self) -> None:
        """Take patches, scores and sweep away; nobody is asked for scores."""
        with self._asking_nobody(), self.hold_sync():
            self.patches, self.selected, self.notes = [], None, []
        self.take_back("scores")
        self.take_back("heat")
        self.clear_sweep()

    _clear_maps = clear

    def clear_sweep(self) -> None:
        """Take the sweep away."""
        self.take_back("sweep")
        self._set_sweep("none")

    def show_scores(
        self,
        before: Any,
        after: Any,
        labels: Sequence[str] | None = None,
        target: int | None = None,
        *,
        move: int = 0,
        kind: Kind | None = None,
    ) -> None:
        """Show the best few classes' scores of the whole picture and of the edited one.

        Args:
            before, after: (classes,) arrays or tensors, as the model returns them; shown as probabilities.
            labels: one name a class; None: "class 3".
            target: the class that the tooltip tells of; None: the one predicted for the whole picture.
            move: the ``id`` of the :class:`Move` that this answers.
            kind: what the scores are; None: as :class:`~cnnwidgets.ClassScores` takes them.

        Raises:
            InputError: the scores are no (classes,), or the labels or the target do not fit.
        """
        self.push("scores", move=move, **score_rows(before, after, labels, target, kind))

    def show_heat(self, values: Any, *, move: int = 0, placement: Any = None, layer: str = "", unit: str = "") -> None:
        """Lay a map, (h, w) real numbers, over the edited picture: positive values, the stronger the less faint.

        A colour bar under the picture has its scale.

        Args:
            move: the move that it answers.
            placement: where it lies in the picture, a ``Placement``; None: over all of it.
            layer: of which it is a map; empty: not known.
            unit: what its numbers measure, for the colour bar.

        Raises:
            InputError: it is no map.
        """
        arrays = {"values": map_and_notes(values)[0]}
        self.push("heat", arrays=arrays, move=move, extent=extent_of(placement), layer=layer, unit=unit)

    def begin_sweep(self, text: str = "") -> None:
        """A sweep has begun; what the one before found is taken away."""
        self.take_back("sweep")
        self._set_sweep("running", progress=0.0, progress_text=text)

    def show_progress(self, share: float, text: str = "") -> None:
        """How far the sweep is: a share from 0 to 1, and the same in words."""
        with self.hold_sync():
            self.progress, self.progress_text = min(max(share, 0.0), 1.0), text

    def show_sweep(
        self,
        drop: Any,
        predicted: Any,
        tops: Any,
        lefts: Any,
        *,
        patch: tuple[int, int],
        names: Mapping[int, str],
        first: int | None = None,
        known: Any = None,
        scores: Any = None,
        classes: Sequence[int] = (),
        baseline: Any = (),
        unit: str = "probability",
        fill: str | None = None,
        color: str | None = None,
    ) -> None:
        """Show what a sweep has found by now.

        Args:
            drop: (rows, cols), the target's score of the whole picture minus that with the patch there; NaN: unknown.
            predicted: (rows, cols) ints, the class with the highest score there; -1: unknown.
            tops, lefts: (rows,) and (cols,), where the patch begins, in pixels.
            patch: (height, width) in pixels.
            names: the name of every class that is mentioned.
            first: the class predicted for the whole picture.
            known: (rows, cols) bool, measured and not estimated from the places around; None: all but NaN.
            scores: (rows, cols, K), the scores of a few classes at each place; or None.
            classes: the K classes.
            baseline: their K scores of the whole picture.
            unit: "probability", shown in percent, or "score".
            fill, color: what the patch showed; None: as the traits say.

        Raises:
            InputError: the shapes do not fit.
        """
        arrays, content = swept(
            drop, predicted, tops, lefts, names=names, measured=known, scores=scores, classes=classes, baseline=baseline
        )
        content |= {"patch": [int(side) for side in patch], "first": first, "unit": unit, "target": self.target_name}
        content |= {"fill": fill or self.fill, "color": color or self.color}
        self.push("sweep", arrays=arrays, **content)

    def end_sweep(self, stopped: str = "") -> None:
        """The sweep is over: complete, or ``stopped`` before its end, which this sentence tells; what is done stays."""
        self._set_sweep("stopped" if stopped else "done", stopped)

    def on_move(self, callback: Callable[[Move], object]) -> None:
        """Have ``callback`` called when patches are moved, added or removed; an error of its own is shown."""
        self._on_move, self.connected = callback, True

    def on_sweep(self, callback: Callable[[SweepWish], object]) -> None:
        """Have ``callback`` called when the reader asks for a sweep."""
        self._on_sweep, self.can_sweep = callback, True

    def on_cancel(self, callback: Callable[[], object]) -> None:
        """Have ``callback`` called when the reader presses Cancel."""
        self._on_cancel = callback

    _still = occluder_still

    def _still_title(self) -> str:
        return title("Hide a part", self.target_name, self)

    @traitlets.validate("patches")
    def _whole_patches(self, proposal: Any) -> list[dict[str, Any]]:
        values = proposal["value"]
        if len(values) > MOST_PATCHES:
            raise InputError(f"There are {len(values):,} patches; expected at most {MOST_PATCHES}.")
        patches = [patch_of(value, self.fill, self.color) for value in values]
        return [clipped_patch(patch, self._picture_size) for patch in patches] if self._picture_size else patches

    @traitlets.validate("color")
    def _a_color(self, proposal: Any) -> str:
        return color_of(proposal["value"])

    @traitlets.observe("patches")
    def _patches_changed(self, change: Any) -> None:
        if not self._quiet:
            self._on_move(Move(0, tuple(change["new"])))

    @command("score", id=whole_number(0, MOST_NUMBER), patches=list_of(as_sent, MOST_PATCHES), selected=as_sent)
    def _score(self, id: int, patches: list[Any], selected: Any) -> None:  # noqa: A002 (the message's name for it)
        self.clear_error()
        with self._asking_nobody():
            self.set_state({"patches": patches, "selected": selected})
        if not self.error:  # all of it fits
            self._on_move(Move(id, tuple(self.patches)))

    @command(
        "sweep", size=whole_number(0, MOST_SIDE), stride=whole_number(0, MOST_SIDE), fill=one_of(*FILLS), color=color_of
    )
    def _sweep(self, size: int, stride: int, fill: str, color: str) -> None:
        self.clear_error()
        if size < 1 or stride < 1:
            raise InputError(f"The patch is {size} and the stride {stride} pixels; expected at least 1 for both.")
        if fill == "copy":
            raise InputError("A sweep cannot show a copy of another place. Choose another fill.")
        self._on_sweep(SweepWish(size, stride, fill, color))

    @command("cancel")
    def _cancel(self) -> None:
        self._on_cancel()

    def _set_sweep(self, state: str, text: str = "", progress: float | None = None, progress_text: str = "") -> None:
        with self.hold_sync():
            self.sweep, self.sweep_text, self.progress, self.progress_text = state, text, progress, progress_text

    @contextmanager
    def _asking_nobody(self) -> Iterator[None]:
        """While patches change without anybody being asked for scores."""
        self._quiet = True
        try:
            yield
        finally:
            self._quiet = False
