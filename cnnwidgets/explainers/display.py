"""Attributions as pictures: a PNG for notebooks, a matplotlib figure on request."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from cnnwidgets.core.errors import CnnWidgetsError
from cnnwidgets.pictures.photographs import WHOLE, as_seen, pictures_under_maps
from cnnwidgets.tracing.placement import Placement

# Anchors of matplotlib's "magma" and of ColorBrewer's "RdBu" (reversed), interpolated linearly.
_POSITIVE = ((0, 0, 4), (59, 15, 112), (140, 41, 129), (222, 73, 104), (254, 159, 109), (252, 253, 191))
_SIGNED = ((33, 102, 172), (103, 169, 207), (247, 247, 247), (239, 138, 98), (178, 24, 43))
_MISSING = (128, 128, 128)
_SIDE, _GAP, _MOST = 224, 8, 8


def png(heatmaps: torch.Tensor, *, signed: bool) -> bytes:
    """The first of (N, H, W), see :func:`map_colours`, side by side as PNG."""
    from PIL import Image

    tiles = [_resized(map_colours(heatmap, signed=signed)) for heatmap in heatmaps[:_MOST].numpy()]
    width, height = tiles[0].size if tiles else (1, 1)
    sheet = Image.new("RGB", (max(len(tiles), 1) * (width + _GAP) - _GAP, height), "white")
    for index, tile in enumerate(tiles):
        sheet.paste(tile, (index * (width + _GAP), 0))
    stream = io.BytesIO()
    sheet.save(stream, "png")
    return stream.getvalue()


def drawn_size(placement: Placement | None) -> tuple[int, int] | None:
    """At what size the image is drawn on which the maps lie; None: they cover all of it."""
    if placement is None or placement.is_everywhere:
        return None
    return _at_side(*placement.image)


def _at_side(height: int, width: int) -> tuple[int, int]:
    """Height and width when the longer one is that of a drawing."""
    scale = _SIDE / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def map_colours(heatmap: npt.NDArray[np.float32], *, signed: bool) -> npt.NDArray[np.uint8]:
    """(H, W) in [0, 1], or [-1, 1] if signed, to (H, W, 3) colours; grey: not a number, or no map there."""
    anchors = np.array(_SIGNED if signed else _POSITIVE, np.float64)
    level = (heatmap + 1) / 2 if signed else heatmap
    missing = ~np.isfinite(level)
    level = np.clip(np.where(missing, 0, level), 0, 1) * (len(anchors) - 1)
    steps = np.arange(len(anchors))
    rgb = np.stack([np.interp(level, steps, anchors[:, i]) for i in range(3)], -1)
    rgb[missing] = _MISSING
    return np.asarray(np.round(rgb), np.uint8)


def figure(
    maps: npt.NDArray[np.float32],
    titles: Sequence[str],
    placement: Placement | None,
    notes: Sequence[str],
    images: Any,
    *,
    signed: bool,
) -> Any:
    """See :meth:`~cnnwidgets.explainers.attribution.Attribution.plot`."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise CnnWidgetsError(
            "plot() draws with matplotlib, which is not installed: pip install matplotlib. "
            "Without it, the result shows itself as a picture at the end of a notebook cell."
        ) from error

    pictures = None if images is None else pictures_under_maps(images, [maps.shape[1:]] * len(maps))
    drawing = plt.figure(figsize=(4.2 * max(len(maps), 1), 3.6), layout="constrained")
    plt.close(drawing)  # else a notebook shows it twice: as an open figure and as the cell's value
    axes = drawing.subplots(1, max(len(maps), 1), squeeze=False)[0]
    for index, (axis, values, title) in enumerate(zip(axes, maps, titles, strict=False)):
        under = None if pictures is None else pictures[index]
        if under is not None:
            axis.imshow(under, extent=(0, 1, 1, 0))
        largest = float(np.nan_to_num(np.abs(values)).max()) or 1.0
        drawn = axis.imshow(
            values,
            cmap="RdBu_r" if signed else "magma",
            vmin=-largest if signed else 0.0,
            vmax=largest,
            alpha=None if under is None else 0.55,
            extent=_extent(placement),
            interpolation="nearest" if under is None else "bilinear",
        )
        axis.set(xlim=(0, 1), ylim=(1, 0))
        axis.set_title(title, fontsize=10)
        axis.set_axis_off()
        drawing.colorbar(drawn, ax=axis, shrink=0.85)
    if images is not None and not as_seen(images):
        notes = [*notes, WHOLE]
    if notes:
        drawing.supxlabel("\n".join(notes), fontsize=8)
    return drawing


def _extent(placement: Placement | None) -> tuple[float, float, float, float]:
    """Left, right, bottom and top of the maps, in shares of the image."""
    if placement is None:
        return 0, 1, 1, 0
    (top, left, bottom, right), (height, width) = placement.box, placement.image
    return left / width, right / width, bottom / height, top / height


def _resized(pixels: npt.NDArray[np.uint8]) -> Any:
    from PIL import Image

    height, width = _at_side(*pixels.shape[:2])
    smooth = height <= pixels.shape[0] and width <= pixels.shape[1]
    resampling = Image.Resampling.BILINEAR if smooth else Image.Resampling.NEAREST
    return Image.fromarray(pixels).resize((width, height), resampling)
