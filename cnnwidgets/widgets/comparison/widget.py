"""The panel "Compare": a grid of maps over one photograph, and what to put in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
import traitlets

from cnnwidgets.core.errors import InputError
from cnnwidgets.widgets._base import nobody_listens
from cnnwidgets.widgets._maps.arrays import DisplayedMap, first_image, one_image
from cnnwidgets.widgets._maps.fit import extent_of, laid_out
from cnnwidgets.widgets._maps.pictures import is_attribution, map_label, map_unit
from cnnwidgets.widgets._maps.traits import CLIP_OF_GRADIENTS, DIVERGING, MapsOverPicture
from cnnwidgets.widgets._messages import MOST_NUMBER, brief, command, list_of, one_of, text, whole_number
from cnnwidgets.widgets._still.publish import newest_push, title

from .cells import by_cell, class_choice, comparison_still, row_of, sent_arrays

AXES = ("layers", "classes")
SCALES = ("own", "method", "all")


@dataclass(frozen=True)
class Wanted:
    """What the reader asks to compare.

    Attributes:
        methods: names of the rows' methods, in the order of the menu.
        axis: what the columns are, "layers" or "classes".
        layers: dotted names; the columns if ``axis`` is "layers".
        classes: indices; the columns if ``axis`` is "classes".
    """

    methods: tuple[str, ...]
    axis: str
    layers: tuple[str, ...]
    classes: tuple[int, ...]


class Comparison(MapsOverPicture, folder="comparison"):
    """Maps of one photograph in a grid, one row a method, on a scale that says what it is.

    Without ``methods`` it only shows what it is given (:meth:`of`). With them the reader chooses rows and columns, and
    a press of Compare calls what :meth:`on_compare` was given, which answers with :meth:`start` and then
    :meth:`show_cell` or :meth:`fail_cell` for each cell. Set ``busy`` meanwhile: what is missing is then on its way,
    and Cancel shows; without it, it was not computed.

    Args:
        picture: what the network sees, (H, W, 3) uint8, a PIL image or a path; or None, to be set later.
        **traits: any trait, by name.

    Raises:
        InputError: the picture has another shape or type.

    Example:
        >>> import numpy as np
        >>> comparison = Comparison(np.zeros((4, 4, 3), np.uint8))
        >>> comparison.start(["Grad-CAM"], ["layer3", "layer4"], caption="tiger cat (282)")
        >>> comparison.show_cell(0, 0, [[0.0, 1.5]], unit="weighted activation")
        >>> comparison.fail_cell(0, 1, "Layer 'layer4' is not spatial.")
    """

    methods = traitlets.List(
        traitlets.List(traitlets.Unicode(), minlen=3, maxlen=4),
        help="The methods to choose from, each [name, label, question, family]; empty hides all choices.",
    )
    layers = traitlets.List(traitlets.Unicode(), help="Dotted names of the layers to choose from, in order.")
    layer = traitlets.Unicode("", help="The layer selected elsewhere, which a button adds to those ticked, or empty.")
    classes = traitlets.List(traitlets.List(), help="The classes to choose from, each [index, label].")
    chosen_methods = traitlets.List(traitlets.Unicode(), help="Names of the methods that are ticked.")
    chosen_layers = traitlets.List(traitlets.Unicode(), help="Names of the layers that are ticked.")
    chosen_classes = traitlets.List(traitlets.Int(), help="Indices of the classes that are ticked.")
    axis = traitlets.Enum(AXES, "layers", help="What the columns are.")
    scale = traitlets.Enum(SCALES, "method", help="Which maps share a scale: none, those of one method, all.")
    clip = traitlets.Float(
        CLIP_OF_GRADIENTS,
        min=0.0,
        max=5.0,
        help="Percent of an input gradient's places, the largest, that are all drawn as the largest colour.",
    )
    opacity = traitlets.Float(
        0.7, min=0.0, max=1.0, help="How much the maps cover the photograph: 0 not at all, 1 wholly."
    )
    diverging = traitlets.Enum(DIVERGING, "blue-red", help="Colours of signed maps.")
    progress = traitlets.Float(
        None, allow_none=True, help="Share of the work that is done, 0 to 1; None: no progress bar."
    )
    progress_text = traitlets.Unicode("", help='The same in words: "5 of 12 · 8 s left".')

    _on_compare: Callable[[Wanted], object] = nobody_listens
    _on_cancel: Callable[[], object] = nobody_listens
    _any_method = False
    _grid: tuple[int, list[dict[str, Any]], int] = (0, [], 0)

    def __init__(self, picture: npt.ArrayLike | None = None, **traits: Any):
        super().__init__(**traits)
        if picture is not None:
            self.set_picture(picture)

    @traitlets.validate("classes")
    def _index_and_label(self, proposal: Any) -> list[list[Any]]:
        return [class_choice(choice) for choice in proposal["value"]]

    @classmethod
    def of(
        cls,
        picture: npt.ArrayLike | None,
        attributions: Mapping[tuple[str, str] | str, Any],
        *,
        caption: str = "",
        **traits: Any,
    ) -> Comparison:
        """A grid of finished maps.

        Args:
            picture: as for the class.
            attributions: (row, column), or only the row -> :class:`Attribution`, of which the first image is shown, or
                values as for :meth:`show_cell`. Rows and columns
                stand in the order in which they first appear; a pair that is missing stays empty. A row that is called
                as its explainer ("grad_cam") is headed by that one's name in the menus ("Grad-CAM").
            caption: what all maps explain.
            **traits: any trait, by name.

        Raises:
            InputError: a map is none, or out of proportion to the picture (see ``stretch``).
        """
        cells = by_cell(attributions)
        comparison = cls(picture, **traits)
        rows = list(dict.fromkeys(row for row, _ in cells))
        columns = list(dict.fromkeys(column for _, column in cells))
        labels = {row: map_label(heat) for (row, _), heat in cells.items() if getattr(heat, "method", "") == row}
        comparison.start([labels.get(row, row) for row in rows], columns, caption=caption)
        for (row, column), attribution in cells.items():
            at = rows.index(row), columns.index(column)
            if is_attribution(attribution):
                comparison.show_attribution(*at, attribution)
            else:
                comparison.show_cell(*at, attribution)
        return comparison

    def start(self, rows: Sequence[str | Mapping[str, Any]], columns: Sequence[str], *, caption: str = "") -> None:
        """Begin another grid, all of whose cells are still missing.

        Args:
            rows: headings, one a method; or {"label": heading, "note": sentence, "single": True where the row has one
                map instead of one a column}.
            columns: headings.
            caption: what all maps explain.

        Raises:
            InputError: a row is something else.
        """
        checked = [row_of(row) for row in rows]
        for kind in [kind for kind in self._pushed if kind.startswith("cell:")]:
            self.forget(kind)
        self.push("grid", rows=checked, columns=list(columns), caption=caption)
        self._grid = (self._pushed["grid"][0]["id"], checked, len(columns))

    def show_cell(
        self, row: int, column: int, values: npt.ArrayLike, notes: Iterable[str] = (), *, unit: str = ""
    ) -> None:
        """Fill a cell.

        Args:
            row, column: counted from 0.
            values: (h, w) or (1, h, w) real numbers, or an input gradient (C, H, W), whose channels are merged as on
                the overlay.
            notes: what to know before trusting the map.
            unit: what its numbers measure.

        Raises:
            InputError: there is no such cell, or the values are no map, or one out of proportion to the picture (see
                ``stretch``).
        """
        heat, more = one_image(values)
        self._show(row, column, heat, [*notes, *more], unit)

    def show_attribution(self, row: int, column: int, attribution: Any) -> None:
        """Fill a cell with the first image of an :class:`Attribution` (anything with its attributes).

        Raises:
            InputError: as for :meth:`show_cell`.
        """
        heat, placement = first_image(attribution.values), getattr(attribution, "placement", None)
        self._show(row, column, heat, attribution.notes, map_unit(attribution), placement)

    def fail_cell(self, row: int, column: int, reason: str) -> None:
        """Say in a cell why it has no map.

        Raises:
            InputError: there is no such cell.
        """
        self._check(row, column)
        self._push_cell(row, column, {}, reason=reason)

    def clear(self) -> None:
        """Take the maps away; the photograph and the choices stay."""
        if self._grid[0]:
            self.start([], [])

    _clear_maps = clear

    def on_compare(self, callback: Callable[[Wanted], object], *, any_method: bool = False) -> None:
        """Have ``callback`` called when the reader asks for a comparison; an error of its own is shown.

        Args:
            any_method: let it also be called with methods that are not in the menu; it then checks them itself.
        """
        self._on_compare, self._any_method = callback, any_method

    def on_cancel(self, callback: Callable[[], object]) -> None:
        """Have ``callback`` called when the reader presses Cancel."""
        self._on_cancel = callback

    _still = comparison_still

    def _still_title(self) -> str:
        return title("Compare", newest_push(self, "grid").content.get("caption", ""), self)

    def _show(
        self, row: int, column: int, heat: DisplayedMap, notes: Iterable[str], unit: str, placement: Any = None
    ) -> None:
        self._check(row, column)
        shape_note = laid_out(heat.values.shape, self._picture_size, placement, allowed=self.stretch)
        arrays, size_notes = sent_arrays(heat)
        sentences = [note for note in (*notes, shape_note, *size_notes) if note]
        extent = extent_of(placement)
        self._push_cell(row, column, arrays, channels=heat.channels, notes=sentences, unit=unit, extent=extent)

    def _check(self, row: int, column: int) -> None:
        _, rows, columns = self._grid
        if not (0 <= row < len(rows) and 0 <= column < (1 if rows[row]["single"] else columns)):
            raise InputError(f"No cell ({row}, {column}) in a grid of {len(rows)} rows and {columns} columns.")

    def _push_cell(self, row: int, column: int, arrays: dict[str, npt.NDArray[Any]], **content: Any) -> None:
        self.push(f"cell:{row}:{column}", arrays=arrays, grid=self._grid[0], **content)

    @command("cancel")
    def _cancel_clicked(self) -> None:
        self._on_cancel()

    @command(
        "compare",
        methods=list_of(text()),
        axis=one_of(*AXES),
        layers=list_of(text()),
        classes=list_of(whole_number(0, MOST_NUMBER)),
    )
    def _compare_clicked(self, methods: list[str], axis: str, layers: list[str], classes: list[int]) -> None:
        self.clear_error()
        if self.methods:  # without a menu there is nothing to choose from, and the callback decides
            if not self._any_method:
                _offered("method", methods, [name for name, *_ in self.methods])
            _offered("layer", layers, self.layers)
            _offered("class", classes, [index for index, *_ in self.classes])
        self._on_compare(Wanted(tuple(methods), axis, tuple(layers), tuple(classes)))


def _offered(noun: str, ticked: Sequence[Any], offered: Sequence[Any]) -> None:
    strange = [choice for choice in ticked if choice not in offered]
    if strange:
        raise InputError(f"The {noun} {brief(strange[0])} is none of those to choose from. Choose again.")
