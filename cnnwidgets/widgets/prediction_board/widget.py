"""The board over two networks: method, photograph, the classes of both beside each other, and where they part."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import traitlets

from cnnwidgets.widgets._base import CnnWidget, nobody_listens
from cnnwidgets.widgets._messages import command, text
from cnnwidgets.widgets._still import parts
from cnnwidgets.widgets._still.publish import title

SCALES = ("shared", "own")


class PredictionBoard(CnnWidget, folder="prediction_board"):
    """What two networks say of a photograph; choosing only sets a trait or calls ``on_layer``, ``on_cancel``."""

    names = traitlets.List(traitlets.Unicode(), help="The two networks' names.")
    summaries = traitlets.List(traitlets.Unicode(), help="Their sizes, for a reader.")
    pictures = traitlets.List(traitlets.Unicode(), help="Names of the photographs to choose from.")
    picture = traitlets.Unicode("", help="Name of the photograph on show.")
    methods = traitlets.List(traitlets.List(traitlets.Unicode()), help="[name, label] of each method.")
    method = traitlets.Unicode("", help="Name of the chosen method.")
    scale = traitlets.Enum(
        SCALES, "shared", help='Whether both maps have one scale, in their own numbers, or ("own") each its own.'
    )
    target = traitlets.Int(None, allow_none=True, help="The class explained, by its number in the first network.")
    sentences = traitlets.List(traitlets.Unicode(), help="What both say, and where they part, in words.")
    pairing = traitlets.Unicode("", help="Which layers are on show, and why the two belong together.")
    notes = traitlets.List(traitlets.Unicode(), help="What to know before comparing.")
    progress = traitlets.Float(None, allow_none=True, help="Share of the work done; None: there is none.")
    progress_text = traitlets.Unicode("", help="The work, and the time left.")

    on_cancel: Callable[[], object] = nobody_listens
    on_layer: Callable[[str], object] = nobody_listens

    def show_classes(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Show these classes, each {"index": int or None, "label": text, "texts": 3, "bars": 2 shares or None}."""
        self.push("classes", rows=[dict(row) for row in rows])

    def show_layers(self, layers: Sequence[str], alike: Sequence[float | None], apart: Sequence[float | None]) -> None:
        """Show how alike the layers are, in order: linear CKA, and the relative difference; none: nothing is known."""
        self.push("layers", layers=list(layers), alike=list(alike), apart=list(apart))

    @command("cancel")
    def _cancelled(self) -> None:
        self.on_cancel()

    @command("layer", name=text())
    def _layer_clicked(self, name: str) -> None:
        self.on_layer(name)

    def _still(self) -> parts.Block | None:
        lines = [*self.sentences, self.pairing, *self.notes]
        return parts.column([parts.remark(line) for line in lines if line]) if any(lines) else None

    def _still_title(self) -> str:
        return title("Compared", " and ".join(self.names), self)
