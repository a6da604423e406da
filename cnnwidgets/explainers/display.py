"""Attributions as pictures: a PNG for notebooks, a matplotlib figure on request."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cnnwidgets.core.errors import CnnWidgetsError
from cnnwidgets.pictures.photographs import WHOLE, as_seen, pictures_under_maps

if TYPE_CHECKING:
    from .attribution import Attribution

# Anchors of matplotlib's "magma" and of ColorBrewer's "RdBu" (reversed), interpolated linearly.
_POSITIVE = ((0, 0, 4), (59, 15, 112), (140, 41, 129), (222, 73, 104), (254, 159, 109), (252, 253, 191))
_SIGNED = ((33, 102, 172), (103, 169, 207), (247, 247, 247), (239, 138, 98), (178, 24, 43))
_MISSING = (128, 128, 128)
_SIDE, _GAP, _MOST = 224, 8, 8


def png(attribution: Attribution) -> bytes:
    """The first maps side by side, where they lie in the image, as PNG; grey: not a number, or no map there."""
    from PIL import Image

    signed = bool((attribution.values < 0).any()) and attribution.values.ndim == 3
    size = _side(attribution)
    maps = attribution.heatmap(signed=signed, size=size, outside=float("nan"))[:_MOST].numpy()
    tiles = [_resized(coloured(m, signed=signed)) for m in maps]
    height = max((tile.height for tile in tiles), default=1)
    width = max(sum(tile.width + _GAP for tile in tiles) - _GAP, 1)
    sheet = Image.new("RGB", (width, height), "white")
    left = 0
    for tile in tiles:
        sheet.paste(tile, (left, 0))
        left += tile.width + _GAP
    stream = io.BytesIO()
    sheet.save(stream, "png")
    return stream.getvalue()


def _side(attribution: Attribution) -> tuple[int, int] | None:
    """At what size the image is drawn on which the maps lie; None: they cover all of it."""
    placement = attribution.placement
    if placement is None or placement.is_everywhere:
        return None
    height, width = placement.image
    scale = _SIDE / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def coloured(heatmap: npt.NDArray[np.float32], *, signed: bool) -> npt.NDArray[np.uint8]:
    """(H, W) in [0, 1], or [-1, 1] if signed, to (H, W, 3) colours."""
    anchors = np.array(_SIGNED if signed else _POSITIVE, np.float64)
    place = (heatmap + 1) / 2 if signed else heatmap
    missing = ~np.isfinite(place)
    place = np.clip(np.where(missing, 0, place), 0, 1) * (len(anchors) - 1)
    steps = np.arange(len(anchors))
    rgb = np.stack([np.interp(place, steps, anchors[:, i]) for i in range(3)], -1)
    rgb[missing] = _MISSING
    return np.asarray(np.round(rgb), np.uint8)


def figure(attribution: Attribution, images: Any = None, *, signed: bool | None = None) -> Any:
    """See :meth:`Attribution.plot`."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise CnnWidgetsError(
            "plot() draws with matplotlib, which is not installed: pip install matplotlib. "
            "Without it, the result shows itself as a picture at the end of a notebook cell."
        ) from error

    values = attribution.values
    if signed is None:
        signed = bool((values < 0).any()) and values.ndim == 3
    maps = attribution.heatmap(signed=signed).numpy()
    pictures = None if images is None else pictures_under_maps(images, [heat.shape for heat in maps])
    drawing = plt.figure(figsize=(4.2 * max(len(maps), 1), 3.6), layout="constrained")
    plt.close(drawing)  # else a notebook shows it twice: as an open figure and as the cell's value
    axes = drawing.subplots(1, max(len(maps), 1), squeeze=False)[0]
    for index, (axis, heat) in enumerate(zip(axes, maps, strict=False)):
        merged = values[index] if values.ndim == 3 else values[index].sum(0) if signed else values[index].abs().amax(0)
        finite = merged[merged.isfinite()]
        largest = float(finite.abs().max() if signed else finite.max().clamp(min=0)) if finite.numel() else 0.0
        under = None if pictures is None else pictures[index]
        if under is not None:
            axis.imshow(under, extent=(0, 1, 1, 0))
        drawn = axis.imshow(
            heat * (largest or 1.0),
            cmap="RdBu_r" if signed else "magma",
            vmin=-(largest or 1.0) if signed else 0.0,
            vmax=largest or 1.0,
            alpha=None if under is None else 0.55,
            extent=_extent(attribution),
            interpolation="nearest" if under is None else "bilinear",
        )
        axis.set(xlim=(0, 1), ylim=(1, 0))
        target = attribution.target
        title = f"class {target[index]}" if isinstance(target, tuple) else getattr(target, "__name__", "target")
        axis.set_title(f"{attribution.method}, {title}, score {float(attribution.scores[index]):.4g}", fontsize=10)
        axis.set_axis_off()
        drawing.colorbar(drawn, ax=axis, shrink=0.85)
    notes = (*attribution.notes, *((WHOLE,) if images is not None and not as_seen(images) else ()))
    if notes:
        drawing.supxlabel("\n".join(notes), fontsize=8)
    return drawing


def _extent(attribution: Attribution) -> tuple[float, float, float, float]:
    """Left, right, bottom and top of the maps, in shares of the image."""
    if attribution.placement is None:
        return 0, 1, 1, 0
    (top, left, bottom, right), (height, width) = attribution.placement.box, attribution.placement.image
    return left / width, right / width, bottom / height, top / height


def _resized(pixels: npt.NDArray[np.uint8]) -> Any:
    from PIL import Image

    height, width = pixels.shape[:2]
    scale = _SIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return Image.fromarray(pixels).resize(size, Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BILINEAR)
