"""The filters of a layer side by side, each as the pictures that excite it: patches of photographs, or made ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import traitlets

from cnnwidgets.core.arrays import as_array
from cnnwidgets.core.errors import InputError, as_sentence
from cnnwidgets.widgets._base import CnnWidget, nobody_listens
from cnnwidgets.widgets._maps.arrays import per_channel
from cnnwidgets.widgets._maps.mosaic import Pixels, mosaic, pixels_of, reduced
from cnnwidgets.widgets._messages import command
from cnnwidgets.widgets._still.publish import title

from .still import gallery_still

_MOST_BYTES = 12_000_000
_SIDES = (32, 128)
ALONE = (
    "Images that were made to maximise a filter say little by themselves: pass beside=, patches of photographs that "
    "excite it."
)


class FilterGallery(CnnWidget, folder="filter_gallery"):
    """A cell for each filter (channel) of a layer: its picture, and beside it another where there is one.

    Clicking a cell sets ``channel``. "Save" makes one PNG of the sheet, with the layer and ``about`` written in it.

    Args:
        pictures: K of them, see :meth:`show`; None to begin empty.
        layer: the layer's name.
        channel: the one that is selected.
        **options: those of :meth:`show`, and any trait by name.

    Raises:
        InputError: the pictures are none, or not as many as there are channels, values or pictures beside them.

    Example:
        >>> patches = np.zeros((2, 5, 5, 3), np.uint8)
        >>> gallery = FilterGallery(patches, layer="conv1", channels=[4, 17], values=[1.5, 3.0], channel=17)
        >>> gallery.layer, gallery.channel
        ('conv1', 17)
    """

    layer = traitlets.Unicode("", help="Dotted name of the layer on show; empty when none is.")
    channel = traitlets.Int(None, allow_none=True, help="The filter that is selected; None: none.")
    sort = traitlets.Enum(("index", "value"), "index", help="Order of the filters: by number, or the largest first.")
    makes = traitlets.Bool(False, help="Images can be made: somebody listens to `on_start`.")
    progress = traitlets.Float(None, min=0, max=1, allow_none=True, help="Share of the work done; None: none runs.")
    progress_text = traitlets.Unicode("", help="The same in words, with the time left.")

    on_start: Callable[[], object] = nobody_listens
    """Called when images of filters, or of more of them, are to be made."""
    on_cancel: Callable[[], object] = nobody_listens

    def __init__(self, pictures: Any = None, *, layer: str = "", channel: int | None = None, **options: Any) -> None:
        traits = {name: options.pop(name) for name in list(options) if self.has_trait(name)}
        unknown = options.keys() - _OPTIONS
        super().__init__(**traits, **{name: options[name] for name in unknown})  # which refuses what it does not know
        self._channels: list[int] = []
        if pictures is not None:
            self.show(pictures, layer, **options)
        if channel is not None:
            self.channel = channel

    @classmethod
    def of(cls, synthesis: Any, exemplars: Any = None, **traits: Any) -> FilterGallery:
        """The images that were made for filters, each beside the patch of a photograph that excites its filter most.

        Args:
            synthesis: what :func:`cnnwidgets.synthesis.maximize` returns for channels of a layer. Filters that nothing
                wakes have no image, which a note says.
            exemplars: what :func:`cnnwidgets.exemplars.find` returns for that layer; None: a note says what is missing.
            **traits: any trait by name.

        Raises:
            InputError: every filter is dead, or the images are of no channels of a layer.
        """
        alive = [row for row, dead in enumerate(synthesis.dead) if not dead]
        channels = [synthesis.channels[row] for row in alive]
        if not alive or not synthesis.layer or len(set(channels)) != len(channels) or min(channels) < 0:
            raise InputError(
                "There is no image to show of each filter: expected one image a channel of a layer, and not all dead."
            )
        beside = (
            None if exemplars is None else [exemplars.crop(synthesis.layer, number, 0).pixels for number in channels]
        )
        return cls(
            [synthesis.images[row] for row in alive],
            layer=synthesis.layer,
            channels=channels,
            values=as_array(synthesis.peaks, "The activations")[alive],
            ratios=as_array(synthesis.ratios, "The ratios")[alive],
            beside=beside,
            synthetic=True,
            about=synthesis.title,
            notes=list(map(as_sentence, synthesis.notes)),
            **traits,
        )

    def show(
        self,
        pictures: Any,
        layer: str = "",
        *,
        channels: Sequence[int] | None = None,
        values: Any = None,
        beside: Any = None,
        ratios: Any = None,
        synthetic: bool = False,
        unit: str = "activation",
        about: str = "",
        notes: Sequence[str] = (),
    ) -> None:
        """Show one picture a filter.

        Args:
            pictures: K pictures of any sizes: (h, w, 3) uint8, or (C, h, w) floats from 0 to 1 as of a ``Synthesis``.
            layer: the layer's name.
            channels: (K,) their numbers; None: 0 to K - 1.
            values: (K,) how strongly each excites its filter, in ``unit``; None: not known.
            beside: K pictures more, of photographs that excite the filters.
            ratios: (K,) ``values`` in terms of the largest value of any photograph; NaN: not known.
            synthetic: the pictures were made to excite the filters: without ``beside`` a note says what they lack.
            about: how the pictures came about, for the saved sheet: "512 steps, seed 0".
            notes: sentences to be read beside the pictures.

        Raises:
            InputError: there is nothing to show, or the numbers do not fit.
        """
        stacks = [_pixels(pictures, "pictures")]
        count = len(stacks[0])
        if beside is not None:
            stacks.append(_pixels(beside, "pictures beside them"))
        numbers = list(range(count)) if channels is None else [int(channel) for channel in channels]
        if len(numbers) != count:
            raise InputError(f"There are {count} pictures and {len(numbers)} channels; expected as many.")
        if any(len(stack) != count for stack in stacks):
            raise InputError(f"There are {count} pictures and {len(stacks[1])} pictures beside them; expected as many.")
        if len(set(numbers)) != count or min(numbers) < 0:
            raise InputError(f"The channels are {numbers}; expected different numbers from 0 on.")
        figures = {"values": values, "ratios": ratios}
        per_filter = {name: per_channel(figure, count) for name, figure in figures.items() if figure is not None}
        side = int(np.clip((_MOST_BYTES / 3 / (count * len(stacks))) ** 0.5, *_SIDES))
        flat = [reduced(picture, side) for pair in zip(*stacks, strict=True) for picture in pair]
        self._channels = numbers
        self.push(
            "filters",
            arrays={**mosaic(flat), "channels": np.array(numbers, np.int32), **per_filter},
            layer=layer,
            names=[("made" if synthetic else ""), *(["photograph"] if beside is not None else [])],
            unit=unit,
            about=about,
            notes=[*notes, *([ALONE] if synthetic and beside is None else [])],
        )
        with self.hold_sync():
            self.layer = layer
            if self.channel is not None and self.channel not in numbers:
                self.channel = None

    def clear(self, message: str = "", layer: str = "") -> None:
        """Show no filters but the sentence ``message``."""
        self._channels = []
        self.push("filters", message=message, layer=layer)
        with self.hold_sync():
            self.layer, self.channel = layer, None

    @property
    def channels(self) -> list[int]:
        """The filters on show."""
        return list(self._channels)

    def show_progress(self, share: float, text: str) -> None:
        """Images are being made: a share from 0 to 1, and what is being done."""
        with self.hold_sync():
            self.progress, self.progress_text = min(max(share, 0.0), 1.0), text

    def finish(self) -> None:
        """Nothing is being made any more."""
        with self.hold_sync():
            self.progress, self.progress_text = None, ""

    def show_error(self, error: BaseException) -> None:
        """Show an error in the widget; what is done stays."""
        self.finish()
        super().show_error(error)

    @command("start")
    def _started(self) -> None:
        self.on_start()

    @command("cancel")
    def _cancelled(self) -> None:
        self.on_cancel()

    @traitlets.validate("channel")
    def _channel_is_there(self, proposal: dict[str, Any]) -> int | None:
        channel: int | None = proposal["value"]
        if channel is not None and channel not in self._channels:
            raise traitlets.TraitError(f"No filter {channel} is on show; there are: {self._channels or 'none'}.")
        return channel

    _still = gallery_still

    def _still_title(self) -> str:
        return title("Filters", self.layer, self)


_OPTIONS = {"channels", "values", "beside", "ratios", "synthetic", "unit", "about", "notes"}


def _pixels(pictures: Any, subject: str) -> list[Pixels]:
    if not isinstance(pictures, list | tuple):
        pictures = as_array(pictures, f"The {subject}")
        if pictures.ndim != 4:
            raise InputError(f"The {subject} have shape {pictures.shape}; expected (K, h, w, 3) or (K, C, h, w).")
    if not len(pictures):
        raise InputError("There is no picture to show: pass one for each filter.")
    return [pixels_of(picture) for picture in pictures]
