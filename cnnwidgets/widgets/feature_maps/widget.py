"""A layer's feature maps: all of them in a grid, one of them large over the photograph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import traitlets

from cnnwidgets.widgets._base import CnnWidget
from cnnwidgets.widgets._maps.arrays import cell_spans, feature_maps, field_sides, per_channel
from cnnwidgets.widgets._maps.fit import extent_of
from cnnwidgets.widgets._maps.pictures import picture_pixels
from cnnwidgets.widgets._messages import command, whole_number
from cnnwidgets.widgets._still.publish import title

from .quantise import NUMBERS, quantise
from .still import maps_still

SORTS = ("index", "mean", "maximum", "zeros", "contribution")
COLORMAPS = ("inferno", "magma", "viridis", "cividis", "gray", "blue-red", "purple-green")


class FeatureMaps(CnnWidget, folder="feature_maps"):
    """Shows the maps (C, h, w) of one layer for one image.

    Each map is sent once, as uint8 with its true minimum and maximum; sorting, colours, scales and the selected map
    are the browser's work and cost no message.

    Arguments:
        maps: (C, h, w) array or tensor, or None to begin empty.
        layer: the layer's name.
        picture: (H, W, 3) uint8, the photograph as the network sees it, drawn under the large map; or None.
        **traits: any trait by name.

    Raises:
        InputError: ``maps`` or ``picture`` has another shape or type.

    Example:
        >>> import numpy as np
        >>> widget = FeatureMaps(np.eye(3).reshape(1, 3, 3), layer="conv1", channel=0)
        >>> widget.layer, widget.channel
        ('conv1', 0)
    """

    layer = traitlets.Unicode("", help="Dotted name of the layer on show; empty when none is.")
    channel = traitlets.Int(None, allow_none=True, help="The map shown large, 0 to C - 1; None: none.")
    sort = traitlets.Enum(SORTS, "index", help="Order of the maps; all but the index put the largest number first.")
    scale = traitlets.Enum(
        ("map", "layer"), "map", help="What the colours span: each map's own values, or the whole layer's."
    )
    colormap = traitlets.Enum(COLORMAPS, "inferno", help="Colour map; the two diverging ones are centred on zero.")
    cell_size = traitlets.Enum(("small", "medium", "large"), "medium", help="Size of a map in the grid.")
    opacity = traitlets.Float(
        0.65, min=0, max=1, help="How much the large map covers the photograph: 0 not at all, 1 wholly."
    )
    smooth = traitlets.Bool(
        False, help="Blend the large map's values bilinearly instead of showing each as a rectangle."
    )

    switchable = traitlets.Bool(
        False, help="Maps can be switched off: somebody observes `off` and runs the model without them."
    )
    off = traitlets.List(
        traitlets.Int(min=0), help="Maps of this layer that are switched off, ascending; cleared with the layer."
    )
    effect = traitlets.Unicode("", help="What switching maps off does to the score, for a reader.")

    on_cell: Callable[[int, int, int], object] | None = None
    """Called with (channel, row, column) when a cell of the large map is clicked."""
    clickable = traitlets.Bool(False, help="Cells of the large map can be clicked: somebody listens to `on_cell`.")
    _count = 0

    def __init__(
        self, maps: Any = None, *, layer: str = "", picture: Any = None, channel: int | None = None, **traits: Any
    ) -> None:
        super().__init__(**traits)
        if picture is not None:
            self.set_picture(picture)
        if maps is not None:
            self.show(maps, layer, channel=channel)
        elif channel is not None:
            self.channel = channel

    def show(
        self,
        maps: Any,
        layer: str = "",
        *,
        contribution: Any = None,
        target_name: str = "",
        receptive_field: int | Sequence[int] | None = None,
        channel: int | None = None,
        note: str = "",
        off: Sequence[int] = (),
        placement: Any = None,
        cells: Any = None,
    ) -> None:
        """Show ``maps``. The selected channel stays if they have it, and is cleared if not.

        Arguments:
            maps: (C, h, w) or (1, C, h, w), array or tensor of real numbers.
            layer: the layer's name, shown as text.
            contribution: (C,) what each channel adds to the score of the class ``target_name``, or None.
            receptive_field: (height, width) in input pixels, an int for a square, or None if not known.
            channel: the channel to select.
            note: a sentence shown above the maps.
            off: maps that are switched off.
            placement: where they lie in the photograph, a :class:`~cnnwidgets.tracing.placement.Placement`; None: over
                all of it.
            cells: what each cell sees of the photograph, for the rows (h, 2) and the columns (w, 2): where that begins
                and ends, in shares of its height and width; None: not known.

        Raises:
            InputError: ``maps``, ``contribution`` or ``cells`` has another shape or type.
            TraitError: there is no such ``channel``.
        """
        stack, changes = feature_maps(maps)
        field = field_sides(receptive_field)
        added = None if contribution is None else per_channel(contribution, len(stack))
        if channel is not None:
            _check(channel, len(stack))
        spans = {} if cells is None else cell_spans(cells, stack.shape[1:])
        levels = quantise(stack)
        notes = [sentence for sentence in (note, *changes, _not_finite(levels.not_finite)) if sentence]
        self.forget("contribution")
        self._count = len(stack)
        # The maps go first: what the reader waits for is not held up by the traits.
        self.push(
            "maps",
            arrays={"maps": levels.values, **{name: getattr(levels, name) for name in NUMBERS}, **spans},
            layer=layer,
            notes=notes,
            receptive_field=field,
            extent=extent_of(placement),
        )
        if added is not None:
            self._push_contribution(added, target_name)
        with self.hold_sync():
            self.layer = layer
            self.off = sorted(off)
            if channel is not None:
                self.channel = int(channel)
            elif self.channel is not None and self.channel >= self._count:
                self.channel = None

    def show_contribution(self, layer: str, values: Any, target_name: str) -> None:
        """Say what each channel of ``layer`` adds to the class ``target_name``; the maps are not sent again.

        Nothing happens when another layer has been shown in the meantime.

        Arguments:
            values: (C,), signed.

        Raises:
            InputError: there is not one number for each channel.
        """
        if layer == self.layer and self._count:
            self._push_contribution(per_channel(values, self._count), target_name)

    def set_picture(self, pixels: Any) -> None:
        """Put the photograph ``pixels``, (H, W, 3) uint8, under the large map; None takes it away."""
        self.push("picture", arrays={} if pixels is None else {"pixels": picture_pixels(pixels)})

    def clear(self, message: str = "", layer: str = "") -> None:
        """Show no maps but the sentence ``message``: "classifier gives 1000 numbers, not maps"."""
        self.forget("contribution")
        self._count = 0
        self.push("maps", layer=layer, message=message)
        with self.hold_sync():
            self.layer = layer
            self.channel = None
            self.off = []

    _still = maps_still

    def _still_title(self) -> str:
        return title("Feature maps", self.layer, self)

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take state from a view; a click on a map that is gone by now is undone there, not an error here."""
        channel = sync_data.get("channel") if isinstance(sync_data, dict) else None
        if type(channel) is int and channel >= self._count:
            sync_data = {name: value for name, value in sync_data.items() if name != "channel"}
            self.send_state("channel")
        super().set_state(sync_data)

    @traitlets.validate("channel")
    def _channel_exists(self, proposal: dict[str, Any]) -> int | None:
        channel: int | None = proposal["value"]
        if channel is not None:
            _check(channel, self._count)
        return channel

    @traitlets.validate("off")
    def _maps_exist(self, proposal: dict[str, Any]) -> list[int]:
        off: list[int] = sorted(set(proposal["value"]))
        for channel in off[-1:]:
            _check(channel, self._count)
        return off

    @command("switch_all_on")
    def _switched_all_on(self) -> None:
        if self.on_switch_all is None:
            self.off = []
        else:
            self.on_switch_all()

    @command("cell", channel=whole_number(0, 1 << 20), row=whole_number(0, 1 << 20), column=whole_number(0, 1 << 20))
    def _cell_clicked(self, channel: int, row: int, column: int) -> None:
        if self.on_cell is not None:
            self.on_cell(channel, row, column)

    def _push_contribution(self, values: Any, target_name: str) -> None:
        # Bound to one push of maps: another image's contribution must never stand beside these.
        maps_id = self._pushed["maps"][0]["id"]
        self.push("contribution", arrays={"values": values}, maps_id=maps_id, target=target_name)


def _check(channel: int, count: int) -> None:
    if count == 0:
        raise traitlets.TraitError(f"Cannot select channel {channel}: no maps are on show. Call show(maps) first.")
    if not 0 <= channel < count:
        raise traitlets.TraitError(f"No channel {channel}: the layer has {count}, 0 to {count - 1}, or None for none.")


def _not_finite(count: int) -> str:
    if count == 0:
        return ""
    return f"{count:,} {'value is' if count == 1 else 'values are'} NaN or infinite, hatched in magenta."
