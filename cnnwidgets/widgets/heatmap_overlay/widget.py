"""The panel "Where did it look?": a photograph, a map over it, and the controls beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy.typing as npt
import traitlets

from cnnwidgets.core.errors import InputError
from cnnwidgets.widgets._base import CnnWidget, bundle

from ._arrays import Shown, first_image, floats_of, pixels_of

SEQUENTIAL = ("inferno", "magma", "viridis", "cividis", "gray")
DIVERGING = ("blue-red", "purple-green")
SIGNS = ("positive", "signed", "negative")

_UNITS = {
    "grad_cam": "weighted activation",
    "grad_cam_pp": "weighted activation",
    "xgrad_cam": "weighted activation",
    "hires_cam": "activation times gradient",
    "layer_cam": "activation times positive gradient",
    "score_cam": "weighted activation",
    "ablation_cam": "weighted activation",
    "eigen_cam": "first principal component of the activations",
    "cam": "share of the logit, before the mean over places",
    "saliency": "gradient of the score",
    "guided_backprop": "guided gradient of the score",
    "deconvnet": "rectified gradient of the score",
    "smooth_grad": "mean gradient of the score",
    "input_x_gradient": "input times gradient",
    "integrated_gradients": "part of the score's change",
    "guided_grad_cam": "guided gradient times Grad-CAM",
    "occlusion": "drop of the score when hidden",
}


class HeatmapOverlay(CnnWidget):
    """A map of numbers over the photograph it explains, never rescaled in silence.

    The colour bar carries the map's own numbers; colour map, opacity and sign are applied in the browser. Choosing a
    method or a layer there only sets ``method`` or ``layer``: observe them, and answer with :meth:`show`. Set ``busy``
    while the answer is computed; the old map is dimmed as long as it is set.

    Args:
        picture: (H, W, 3) uint8, what the network sees; or None, to be set later.
        values: (h, w) real numbers, larger = more evidence; any size, stretched over the picture.
        **traits: any trait, by name.

    Raises:
        InputError: picture or values have another shape or type.

    Example:
        >>> import numpy as np
        >>> overlay = HeatmapOverlay(np.zeros((4, 4, 3), np.uint8), [[0.0, 1.5]], caption="layer4", unit="activation")
        >>> overlay.caption, overlay.opacity, overlay.sign
        ('layer4', 0.55, 'positive')
    """

    _bundle = bundle("heatmap_overlay")
    _esm = _bundle["esm"]
    _css = _bundle["css"]

    opacity = traitlets.Float(
        0.55, min=0.0, max=1.0, help="How much the map covers the photograph: 0 not at all, 1 wholly."
    ).tag(sync=True)
    colormap = traitlets.Enum(
        SEQUENTIAL, default_value="inferno", help="Colours of the positive and the negative part."
    ).tag(sync=True)
    diverging = traitlets.Enum(DIVERGING, default_value="blue-red", help="Colours of the signed map.").tag(sync=True)
    sign = traitlets.Enum(
        SIGNS,
        default_value="positive",
        help="Which part is shown: max(v, 0), max(-v, 0), or all of it on a scale symmetric around 0.",
    ).tag(sync=True)
    smooth = traitlets.Bool(True, help="Interpolate between the map's cells; False shows the cells as they are.").tag(
        sync=True
    )
    caption = traitlets.Unicode("", help='What the map explains, as text: "blocks.6.0 → tiger cat (282)".').tag(
        sync=True
    )
    unit = traitlets.Unicode("", help="What the map's numbers measure.").tag(sync=True)
    notes = traitlets.List(
        traitlets.Dict(), help='What to know before trusting the map: {"level": "ok" or "warn", "text": sentence}.'
    ).tag(sync=True)
    methods = traitlets.List(
        traitlets.List(traitlets.Unicode(), minlen=3, maxlen=3),
        help="The methods to choose from, each [name, label, the question it answers]; empty hides the choice.",
    ).tag(sync=True)
    method = traitlets.Unicode("", help="Name of the chosen method.").tag(sync=True)
    layers = traitlets.List(
        traitlets.Unicode(), help="Dotted names of the layers with a map, in execution order; empty hides the slider."
    ).tag(sync=True)
    layer = traitlets.Unicode("", help="Dotted name of the layer whose map is wanted.").tag(sync=True)
    follow = traitlets.Bool(True, help="The layer follows what is selected in the graph.").tag(sync=True)

    def __init__(self, picture: npt.ArrayLike | None = None, values: npt.ArrayLike | None = None, **traits: Any):
        super().__init__(**traits)
        if picture is not None:
            self.set_picture(picture)
        if values is not None:
            self.show(values, caption=self.caption, unit=self.unit, notes=self.notes)

    @classmethod
    def of(cls, picture: npt.ArrayLike | None, attribution: Any, **traits: Any) -> HeatmapOverlay:
        """An overlay that shows ``attribution`` (its first image) over ``picture``."""
        overlay = cls(picture, **traits)
        overlay.show_attribution(attribution, caption=traits.get("caption"), unit=traits.get("unit"))
        return overlay

    def set_picture(self, pixels: npt.ArrayLike) -> None:
        """Show another photograph, (H, W, 3) uint8. Takes the map away: it explained the one before.

        Raises:
            InputError: not uint8, not three channels, or empty.
        """
        checked = pixels_of(pixels)
        if "map" in self._pushed:
            self.clear()
        self.push("picture", arrays={"pixels": checked})

    def show(
        self,
        values: npt.ArrayLike,
        *,
        caption: str = "",
        unit: str = "",
        signed: bool | None = None,
        notes: Iterable[str | Mapping[str, str]] = (),
        partial: bool = False,
    ) -> None:
        """Show a map.

        Args:
            values: (h, w) real numbers in their own unit. NaN: not a number or, if ``partial``, not known yet.
            caption: what the map explains.
            unit: what its numbers measure.
            signed: True turns ``sign`` to "signed"; False says that the map has no sign (a magnitude), so that there is
                none to choose; None leaves the reader's choice.
            notes: sentences (each a warning), or {"level": "ok" or "warn", "text": sentence}.
            partial: the map is still filling in.

        Raises:
            InputError: not two-dimensional, empty, or not real numbers.
        """
        checked = floats_of(values)
        unsigned = signed is False and not (checked < 0).any()
        self._show(Shown(checked, None, 0), caption, unit, signed, notes, partial=partial, unsigned=unsigned)

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
        ``sign`` is "signed" or "negative"; the caption says which. ``notes`` come after the attribution's own.

        Raises:
            InputError: ``attribution.values`` is not (N, h, w) or (N, C, H, W).
        """
        shown = first_image(attribution.values)
        if caption is None:
            caption = _caption(attribution)
        if unit is None:
            unit = _UNITS.get(attribution.method, "")
        self._show(shown, caption, unit, signed, [*attribution.notes, *notes], partial=partial)

    def clear(self, message: str = "") -> None:
        """Take the map away, its caption and notes too; the photograph stays. ``message`` stands under it."""
        with self.hold_sync():
            self.caption, self.unit, self.notes = "", "", []
        self.push("map", message=message)

    def _show(
        self,
        shown: Shown,
        caption: str,
        unit: str,
        signed: bool | None,
        notes: Iterable[str | Mapping[str, str]],
        *,
        partial: bool,
        unsigned: bool = False,
    ) -> None:
        arrays = {"values": shown.values}
        if shown.magnitude is not None:
            arrays["magnitude"] = shown.magnitude
        levelled = [_note(note) for note in notes]
        with self.hold_sync():
            self.caption, self.unit, self.notes = caption, unit, levelled
            if signed:
                self.sign = "signed"
        self.push("map", arrays=arrays, partial=partial, unsigned=unsigned, channels=shown.channels)


def _note(note: str | Mapping[str, str]) -> dict[str, str]:
    if isinstance(note, str):
        return {"level": "warn", "text": note}
    if set(note) != {"level", "text"} or note["level"] not in ("ok", "warn"):
        raise InputError(f'The note is {note!r}; expected a sentence or {{"level": "ok" or "warn", "text": sentence}}.')
    return dict(note)


def _caption(attribution: Any) -> str:
    target = attribution.target
    if isinstance(target, tuple):
        explained = f"class {target[0]}" if target else "the score"
    else:
        explained = getattr(target, "__name__", "the score")
    images = len(attribution.values)
    which = f" · image 1 of {images}" if images > 1 else ""
    return f"{attribution.layer or attribution.method} → {explained}{which}"
