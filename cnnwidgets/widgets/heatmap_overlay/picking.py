"""What is explained, in a sentence over the picture, and what can be picked on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import traitlets

from cnnwidgets.core.errors import InputError
from cnnwidgets.widgets._maps.traits import MapsOverPicture

PICKING = ("none", "marks", "region")


class Picking(MapsOverPicture):
    """The traits of an overlay on whose picture something is picked."""

    explains = traitlets.Unicode("", help="What is explained, as a sentence; empty where the caption says all.")
    picking = traitlets.Enum(
        PICKING,
        default_value="none",
        help="What is picked on the picture: one of `marks`, a region, or nothing. A drag there draws a region, a "
        "click takes the segment under it.",
    )
    marks = traitlets.List(
        traitlets.Dict(),
        help='What can be picked: {"box": [top, left, height, width] in pixels, "label": text, "index": whole number}.',
    )
    marked = traitlets.Int(None, allow_none=True, help="The `index` of the mark that is picked; None: of none.")
    region = traitlets.List(
        traitlets.Int(),
        help="The part of the picture that is picked: [top, left, height, width] in pixels, [row, column] of a place "
        "in a segment, [] for all of it.",
    )

    def show_choices(
        self,
        explains: str,
        *,
        picking: str = "none",
        marks: Iterable[Mapping[str, Any]] = (),
        marked: int | None = None,
        region: Sequence[int] = (),
        inside: npt.ArrayLike | None = None,
    ) -> None:
        """Say what is explained, and offer what can be picked instead.

        Args:
            explains: a sentence; empty takes it away.
            picking: "none", "marks" or "region".
            marks, marked, region: as the traits of these names.
            inside: (H, W) bool, the region, where it is no box; its outline is drawn.

        Raises:
            InputError: a mark or the region is none, or ``inside`` is no map of bool.
        """
        outline = None if inside is None else np.asarray(inside)
        if outline is not None and (outline.ndim != 2 or outline.dtype != np.bool_):
            raise InputError(f"inside is {outline.dtype} of shape {outline.shape}; expected bool of shape (H, W).")
        with self.hold_sync():
            self.explains, self.picking = explains, picking
            self.marks, self.marked, self.region = [dict(mark) for mark in marks], marked, list(region)
        if outline is not None:
            self.push("segment", arrays={"inside": outline.astype(np.uint8)})
        elif "segment" in self._pushed:
            self.push("segment")

    @traitlets.validate("marks")
    def _check_marks(self, proposal: Any) -> list[dict[str, Any]]:
        marks: list[dict[str, Any]] = proposal["value"]
        for mark in marks:
            box = mark.get("box")
            numbers = isinstance(box, list | tuple) and len(box) == 4 and all(isinstance(n, int | float) for n in box)
            if not numbers or not isinstance(mark.get("label"), str) or type(mark.get("index")) is not int:
                raise InputError(
                    f"A mark is {mark!r}; expected a dict of box [top, left, height, width], label and index."
                )
        return [{**mark, "box": list(mark["box"])} for mark in marks]

    @traitlets.validate("region")
    def _check_region(self, proposal: Any) -> list[int]:
        region: list[int] = proposal["value"]
        if len(region) not in (0, 2, 4) or any(number < 0 for number in region) or 0 in region[2:]:
            raise InputError(
                f"region is {region!r}; expected [top, left, height, width], [row, column] or []: whole numbers from 0."
            )
        return region
