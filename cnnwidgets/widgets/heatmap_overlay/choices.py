"""What the reader of an overlay chooses: method, layer, and what is explained."""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import traitlets

from cnnwidgets.core.errors import InputError
from cnnwidgets.widgets._maps.traits import MapsOverPicture

PICKING = ("none", "marks", "region")


class OverlayChoices(MapsOverPicture):
    """The traits of an overlay whose reader chooses method and layer, and picks what is explained on the picture."""

    methods = traitlets.List(
        traitlets.List(traitlets.Unicode(), minlen=3, maxlen=4),
        help='The methods to choose from, each [name, label, the question it answers, family]; "gradient", "cam" and '
        '"perturbation" have their headings in the menu, all others are the reader\'s own. Empty hides the choice.',
    )
    method = traitlets.Unicode("", help="Name of the chosen method.")
    layers = traitlets.List(
        traitlets.Unicode(), help="Dotted names of the layers with a map, in execution order; empty hides the slider."
    )
    layer = traitlets.Unicode("", help="Dotted name of the layer whose map is wanted: one of `layers`, if any.")
    follow = traitlets.Bool(True, help="The layer follows what is selected in the graph.")

    settings = traitlets.List(
        traitlets.Dict(),
        help='Numbers that the method takes: {"name": of the parameter, "label": text, "help": text, "value": number, '
        '"whole": whether it is a whole number}. The reader changes the values.',
    )

    also: Collection[str] = ()
    """Layers beside `layers` that may be asked for; the slider does not offer them."""

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

    @traitlets.validate("layer")
    def _check_layer(self, proposal: Any) -> str:
        name: str = proposal["value"]
        if name != self.layer:
            self._refuse(name)
        return name

    @traitlets.validate("settings")
    def _check_settings(self, proposal: Any) -> list[dict[str, Any]]:
        checked = []
        for setting in proposal["value"]:
            value = setting.get("value")
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise InputError(f"{setting.get('label', 'The setting')} is {value!r}; expected a number.")
            checked.append({**setting, "value": round(value) if setting.get("whole") else value})
        return checked

    def _refuse(self, layer: str) -> None:
        if layer and self.layers and layer not in self.layers and layer not in self.also:
            raise InputError(f"No map of layer {layer!r}. {self._closest(layer)}")

    def _closest(self, name: str) -> str:
        close = difflib.get_close_matches(name, self.layers, n=3, cutoff=0.3) or self.layers[-3:]
        return f"Closest of the {len(self.layers)}: {', '.join(map(repr, close))}."
