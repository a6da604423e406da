"""The panel "Where did it look?": a photograph, a map over it, and the controls beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import traitlets

from cnnwidgets.core.errors import InputError
from cnnwidgets.widgets._maps.arrays import DisplayedMap, Floats, first_image, map_and_notes
from cnnwidgets.widgets._maps.fit import extent_of, laid_out
from cnnwidgets.widgets._maps.pictures import (
    WHOLE,
    is_attribution,
    is_whole_photograph,
    map_label,
    map_unit,
    part_under,
    picture_pixels,
)
from cnnwidgets.widgets._maps.traits import CLIP_OF_GRADIENTS, DIVERGING
from cnnwidgets.widgets._still.publish import newest_push, title

from .choices import OverlayChoices
from .notes import caption_of, note_of, occlusion_facts, packed
from .still import overlay_still


class HeatmapOverlay(OverlayChoices, folder="heatmap_overlay"):
    """A map of numbers over the photograph it explains, never rescaled in silence.

    The colour bar carries the map's own numbers; colour map, opacity and sign are applied in the browser. Choosing a
    method or a layer there only sets ``method`` or ``layer``: observe them, and answer with :meth:`show`. Set ``busy``
    while the answer is computed; the old map is dimmed as long as it is set.

    Args:
        picture: what the network sees: (H, W, 3) uint8, a PIL image, a path, or what
            :func:`~cnnwidgets.pictures.picture.load_picture` returns; or None, to be set later. Under an
            :class:`Attribution`, of a photograph in other proportions than the network's input the centre, with a note.
        values: (h, w) or (1, h, w) real numbers, larger = more evidence, of any size in proportion to the picture's;
            or an :class:`Attribution`, whose first image is shown.
        **traits: any trait, by name.

    Raises:
        InputError: picture or values have another shape or type, or the map cannot be one of this picture.

    Example:
        >>> import numpy as np
        >>> overlay = HeatmapOverlay(np.zeros((4, 4, 3), np.uint8), [[0.0, 1.5]], caption="layer4", unit="activation")
        >>> overlay.caption, overlay.opacity, overlay.sign
        ('layer4', 0.55, 'positive')
    """

    opacity = traitlets.Float(
        0.55, min=0.0, max=1.0, help="How much the map covers the photograph: 0 not at all, 1 wholly."
    )
    diverging = traitlets.Enum(DIVERGING, "blue-red", help="Colours of the signed map.")
    clip = traitlets.Float(
        0.0,
        min=0.0,
        max=5.0,
        help="Percent of the places, those of the largest magnitudes, that are all drawn as the largest colour. "
        "Remembered apart for input gradients, for which it begins at 1.",
    )
    limit = traitlets.Float(0.0, min=0.0, help="What the largest colour stands for; 0: the map's own largest number.")
    rgb = traitlets.Bool(
        False,
        help="Input gradients of three channels are drawn in colour, 0 as mid grey; False merges the channels.",
    )
    smooth = traitlets.Bool(True, help="Interpolate between the map's cells; False shows the cells as they are.")
    caption = traitlets.Unicode("", help='What the map explains, as text: "blocks.6.0 → tiger cat (282)".')
    unit = traitlets.Unicode("", help="What the map's numbers measure.")
    notes = traitlets.List(
        traitlets.Dict(traitlets.Unicode(), key_trait=traitlets.Unicode()),
        help='What to know before trusting the map: {"level": "ok" or "warn", "text": sentence}.',
    )
    strip_scale = traitlets.Enum(
        ("own", "shared"), "own", help="Whether each map of the strip has its own scale, or all one."
    )

    def __init__(self, picture: npt.ArrayLike | None = None, values: npt.ArrayLike | None = None, **traits: Any):
        self._colours: Floats | None = None
        self._gradient = False
        self._whole = ""
        self._other_clip = traits.get("clip", CLIP_OF_GRADIENTS)
        super().__init__(**traits)
        self._refuse(self.layer)
        if picture is not None:
            part, centre = (picture, "") if self.stretch else part_under(picture, values)
            self.set_picture(part)
            self._whole = centre or self._whole
        if is_attribution(values):
            self.show_attribution(values, caption=traits.get("caption"), unit=traits.get("unit"), notes=self.notes)
        elif values is not None:
            self.show(values, caption=self.caption, unit=self.unit, notes=self.notes)

    @classmethod
    def of(cls, picture: npt.ArrayLike | None, attribution: Any, **traits: Any) -> HeatmapOverlay:
        """An overlay that shows ``attribution`` (its first image) over ``picture``; raises as :meth:`show` does."""
        if not is_attribution(attribution):
            raise InputError(
                f"Got a {type(attribution).__name__} as attribution; expected what an explainer returns. Of an array "
                "make HeatmapOverlay(picture, values)."
            )
        return cls(picture, attribution, **traits)

    def set_picture(self, pixels: npt.ArrayLike) -> None:
        """Show another photograph, (H, W, 3) uint8. Takes map and strip away: they explained the one before.

        Raises:
            InputError: not uint8, not three channels, or empty.
        """
        super().set_picture(pixels)
        self._whole = WHOLE if is_whole_photograph(pixels) else ""
        self.take_back("whole")

    def show_whole(self, pixels: npt.ArrayLike, frame: Sequence[float]) -> None:
        """Offer a look at the photograph before it was cropped.

        Args:
            pixels: (H, W, 3) uint8, all of it, at any size.
            frame: the part of it that the picture is: top, left, bottom and right in shares of H and W.

        Raises:
            InputError: not uint8, not three channels, or the frame does not lie in it.
        """
        top, left, bottom, right = frame
        if not (0 <= top < bottom <= 1 and 0 <= left < right <= 1):
            raise InputError(f"The frame is {tuple(frame)}; expected top, left, bottom and right, from 0 to 1.")
        self.push("whole", arrays={"pixels": picture_pixels(pixels)}, frame=[float(end) for end in frame])

    def show(
        self,
        values: npt.ArrayLike,
        *,
        caption: str = "",
        unit: str = "",
        signed: bool | None = None,
        notes: Iterable[str | Mapping[str, str]] = (),
        partial: bool = False,
        placement: Any = None,
    ) -> None:
        """Show a map.

        Args:
            values: (h, w) or (1, h, w) numbers in their own unit. NaN: not a number or, if ``partial``, not known yet.
            caption: what the map explains.
            unit: what its numbers measure.
            signed: True turns ``sign`` to "signed"; False says that the map has no sign (a magnitude), so that there is
                none to choose; None leaves the reader's choice.
            notes: sentences (each a warning), or {"level": "ok" or "warn", "text": sentence}.
            partial: the map is still filling in.
            placement: where it lies in the picture, as in ``Attribution.placement``; None: over all of it.

        Raises:
            InputError: not one map, empty, not real numbers, or out of proportion to the picture (see ``stretch``).
        """
        checked, more = map_and_notes(values)
        about = {"partial": partial, "unsigned": signed is False and not (checked < 0).any()}
        self._show(DisplayedMap(checked), caption, unit, signed, [*notes, *more], placement, about)

    def show_attribution(
        self,
        attribution: Any,
        *,
        caption: str | None = None,
        unit: str | None = None,
        signed: bool | None = None,
        notes: Iterable[str | Mapping[str, str]] = (),
        partial: bool = False,
    ) -> None:
        """Show the first image of an :class:`Attribution` (anything with its attributes).

        An input gradient (N, C, H, W) is shown as its largest magnitude over the channels, and as their sum where
        ``sign`` is "signed" or "negative"; the caption says which. Where ``rgb`` is set and C is 3 the channels are
        drawn as colours instead. ``notes`` come after the attribution's own.

        Raises:
            InputError: ``attribution.values`` is not (N, h, w) or (N, C, H, W), or out of proportion to the picture.
        """
        heat = first_image(attribution.values)
        about = {
            "partial": partial,
            "layer": attribution.layer,
            "by": map_label(attribution),
            "made": occlusion_facts(attribution),
        }
        self._show(
            heat,
            caption_of(attribution) if caption is None else caption,
            map_unit(attribution) if unit is None else unit,
            signed,
            [*attribution.notes, *notes],
            getattr(attribution, "placement", None),
            about,
        )

    def show_strip(
        self,
        names: Sequence[str],
        maps: Sequence[npt.ArrayLike],
        *,
        scale: str | None = None,
        caption: str = "{layer}",
        unit: str = "",
        method: str = "",
        placements: Sequence[Any] | None = None,
    ) -> None:
        """Show small maps of all layers beside the layer slider; moving it paints theirs before Python answers.

        Args:
            names: dotted names, in order.
            maps: one a name, (h, w) or (1, h, w) real numbers. Over 56 cells a side they are sent as means of areas.
            scale: "own" or "shared" sets ``strip_scale``; None leaves the reader's choice.
            caption: of the large map until Python answers; ``{layer}`` stands for the name.
            unit: what the numbers measure.
            method: the method whose maps these are: the strip shows only while it is chosen. Empty: always.
            placements: where each lies in the picture; None, for all or for one: over all of it.

        Raises:
            InputError: not one map a name, a name that ``layers`` lacks, or a map that is none or out of proportion.
        """
        strange = [name for name in names if self.layers and name not in self.layers]
        if strange:
            raise InputError(
                f"The strip has a map of {strange[0]!r}, which is none of `layers`. {self._closest(strange[0])}"
            )
        arrays = packed(names, maps)
        where = [None] * len(names) if placements is None else list(placements)
        for name, values, placement in zip(names, maps, where, strict=True):
            subject = f"The strip's map of {name!r}"
            laid_out(np.shape(values)[-2:], self._picture_size, placement, allowed=self.stretch, subject=subject)
        extents = [extent_of(placement) for placement in where]
        if scale is not None:
            self.strip_scale = scale
        self.push("strip", arrays=arrays, names=list(names), caption=caption, unit=unit, method=method, extents=extents)

    def clear_strip(self) -> None:
        """Take the strip away."""
        if "strip" in self._pushed:
            self.push("strip", names=[])

    def _clear_maps(self) -> None:
        if "map" in self._pushed:
            self.clear()
        self.clear_strip()

    _still = overlay_still

    def _still_title(self) -> str:
        by = newest_push(self, "map").content.get("by") or ""
        return title("" if self.caption.startswith(by) else by, self.caption, self)

    def close(self) -> None:
        """Free what is kept for the views, and close them."""
        self._colours = None
        super().close()

    def clear(self, message: str = "") -> None:
        """Take the map away, its caption and notes too; the photograph stays. ``message`` stands under it."""
        with self.hold_sync():
            self.caption, self.unit, self.notes = "", "", []
        self._colours = None
        self.push("map", message=message)
        self.forget("colours")

    def _show(
        self,
        heat: DisplayedMap,
        caption: str,
        unit: str,
        signed: bool | None,
        notes: Iterable[str | Mapping[str, str]],
        placement: Any,
        about: Mapping[str, Any],
    ) -> None:
        shape_note = laid_out(heat.values.shape, self._picture_size, placement, allowed=self.stretch)
        levelled = [note_of(note) for note in (*notes, shape_note, self._whole) if note]
        with self.hold_sync():
            self.caption, self.unit, self.notes = caption, unit, levelled
            if signed:
                self.sign = "signed"
            if (heat.channels > 0) != self._gradient:
                self._gradient = not self._gradient
                self.clip, self._other_clip = self._other_clip, self.clip
        self._colours = heat.colours
        content = {"unsigned": False, "channels": heat.channels, "extent": extent_of(placement), **about}
        self.push("map", arrays=heat.arrays, **content)
        self._push_colours()

    @traitlets.observe("rgb")
    def _push_colours(self, _: Any = None) -> None:
        """Three times as many numbers as the map: only for who looks at them."""
        if self._colours is not None and self.rgb:
            self.push("colours", arrays={"colours": self._colours}, map=self._pushed["map"][0]["id"])
        else:
            self.forget("colours")
