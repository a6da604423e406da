"""A map over its photograph, with the numbers of its scale: what the browser paints, made in Python."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

NOT_FINITE = (255, 0, 255)

# Of matplotlib's (CC0), linear between; the browser's too.
ANCHORS: dict[str, str] = json.loads((Path(__file__).parents[1] / "_maps" / "colormaps.json").read_text("utf-8"))


@functools.cache
def colour_table(name: str) -> npt.NDArray[np.uint8]:
    """(256, 3) colours; inferno's where there is no such map."""
    anchors = np.frombuffer(bytes.fromhex(ANCHORS.get(name, ANCHORS["inferno"])), np.uint8).reshape(-1, 3)
    at = np.linspace(0, len(anchors) - 1, 256)
    colours = [np.interp(at, np.arange(len(anchors)), anchors[:, channel]) for channel in range(3)]
    return np.floor(np.stack(colours, -1) + 0.5).astype(np.uint8)


def painted(shares: npt.NDArray[np.floating], name: str) -> npt.NDArray[np.uint8]:
    """(h, w) in [0, 1] to (h, w, 3); what is not finite is magenta, as in the browser."""
    finite = np.isfinite(shares)
    levels = np.floor(np.clip(np.where(finite, shares, 0), 0, 1) * 255 + 0.5).astype(np.intp)
    pixels = colour_table(name)[levels]
    pixels[~finite] = NOT_FINITE
    return pixels


_FADE = 0.3  # as in _maps/paint.ts
Floats = npt.NDArray[np.float32]


class MapScale(NamedTuple):
    """What is painted: ``part`` (h, w) from 0 to ``limit``, or from -limit to limit where it is ``signed``.

    ``limit`` is 0 where there is nothing to paint; NaN stands for what is not finite; ``least`` and ``largest`` are the
    map's own, ``clipped`` says that some values lie past the end.
    """

    part: Floats
    limit: float
    signed: bool
    negative: bool
    clipped: bool
    least: float
    largest: float

    @property
    def ends(self) -> tuple[str, str, str]:
        """Labels under the colour bar: left, middle, right."""
        if self.limit == 0:
            return "", "", ""
        under, over = ("≤ ", "≥ ") if self.clipped else ("", "")
        low, high = number(-self.limit), number(self.limit)
        if self.signed:
            return f"{under}{low}", "0", f"{over}+{high}"
        return "0", "", f"{under}{low}" if self.negative else f"{over}{high}"


def map_scale(values: Floats, magnitude: Floats | None, sign: str, clip: float = 0.0) -> MapScale:
    """The part of ``values`` (h, w) that ``sign`` shows, and its scale.

    >>> map_scale(np.float32([[-2.0, 1.0]]), None, "positive").ends
    ('0', '', '1.00')
    """
    raw = magnitude if magnitude is not None and sign == "positive" else values
    finite = np.isfinite(raw)
    numbers = raw[finite]
    least, largest = (float(numbers.min()), float(numbers.max())) if numbers.size else (np.nan, np.nan)
    factor = -1 if sign == "negative" else 1
    part = np.where(finite, raw * factor, np.nan).astype(np.float32)
    if sign != "signed":
        part = np.maximum(part, 0)
    sizes = np.abs(part[finite])
    limit = float(sizes.max()) if sizes.size else 0.0
    end = float(np.percentile(sizes, 100 - clip)) if clip and limit else 0.0
    clipped = 0 < end < limit
    return MapScale(part, end if clipped else limit, sign == "signed", sign == "negative", clipped, least, largest)


def overlay(
    photo: npt.NDArray[np.uint8] | None,
    scale: MapScale,
    look: Any,
    side: int,
    *,
    partial: bool = False,
    extent: Sequence[float] | None = None,
) -> Image.Image:
    """The map over the photograph, no side longer than ``side`` px.

    Args:
        photo: (H, W, 3), or None.
        scale: what :func:`map_scale` gave.
        look: has ``opacity``, ``smooth``, ``colormap`` and ``diverging``.
        side: px.
        partial: NaN is what is not known yet: there is the photograph.
        extent: top, left, bottom and right of the map in shares of the photograph; None: all of it.
    """
    size = size_within((photo if photo is not None else scale.part).shape[:2], side)
    part, inside = resampled(
        scale.part, size, extent if photo is not None else None, smooth=getattr(look, "smooth", True)
    )
    shares = part / (scale.limit or 1.0)
    colours = painted((shares + 1) / 2 if scale.signed else shares, look.diverging if scale.signed else look.colormap)
    opacity = np.ones(size, np.float32)
    if photo is not None:
        fading = np.minimum(1, np.abs(shares) / _FADE)
        opacity = look.opacity * np.where(np.isfinite(fading), fading, 1).astype(np.float32)
    if scale.limit == 0:
        opacity[np.isfinite(part)] = 0
    if partial:
        opacity[~np.isfinite(part)] = 0
    opacity[~inside] = 0
    under = Image.new("RGB", size[::-1], "white") if photo is None else photograph(photo, side)
    alpha = Image.fromarray(np.round(opacity * 255).astype(np.uint8))
    return Image.composite(Image.fromarray(colours), under, alpha)


def resampled(
    values: Floats, size: tuple[int, int], extent: Sequence[float] | None, *, smooth: bool
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """``values`` at ``size`` where they lie, as the browser does, and where there are cells.

    Pixel centres are at i + ½; a pixel is NaN where its cell is not finite; beyond the map its edge is repeated.
    """
    spans = ((0.0, 1.0), (0.0, 1.0)) if extent is None else ((extent[0], extent[2]), (extent[1], extent[3]))
    shares = [((np.arange(n) + 0.5) / n - low) / (high - low) for n, (low, high) in zip(size, spans, strict=True)]
    rows, columns = ((share >= 0) & (share < 1) for share in shares)
    places = [share * cells for share, cells in zip(shares, values.shape, strict=True)]
    homes = [np.clip(at.astype(int), 0, cells - 1) for at, cells in zip(places, values.shape, strict=True)]
    nearest = values[np.ix_(*homes)]
    if not smooth:
        return nearest, rows[:, None] & columns
    down, across = (_shares_of_cells(at, cells) for at, cells in zip(places, values.shape, strict=True))
    finite = np.isfinite(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = (down @ np.where(finite, values, 0) @ across.T) / (down @ finite @ across.T)
    return np.where(np.isfinite(nearest), means, np.nan).astype(np.float32), rows[:, None] & columns


def _shares_of_cells(places: npt.NDArray[np.float64], cells: int) -> npt.NDArray[np.float64]:
    """(n, cells): how much each cell counts at n places between the middles of cells."""
    middles = np.clip(places - 0.5, 0, cells - 1)
    return np.asarray(np.maximum(1 - np.abs(middles[:, None] - np.arange(cells)), 0))


def photograph(pixels: npt.NDArray[np.uint8], side: int) -> Image.Image:
    """``pixels`` (H, W, 3), no side longer than ``side`` px."""
    height, width = size_within(pixels.shape[:2], side)
    image = Image.fromarray(np.ascontiguousarray(pixels))
    small = max(pixels.shape[:2]) < side // 2
    return image.resize((width, height), Image.Resampling.NEAREST if small else Image.Resampling.BILINEAR)


def size_within(shape: tuple[int, ...], side: int) -> tuple[int, int]:
    """(height, width) of ``shape``'s proportion whose longer side is ``side``."""
    factor = side / max(shape)
    return max(1, round(shape[0] * factor)), max(1, round(shape[1] * factor))


def number(value: float) -> str:
    """Three significant digits and a true minus sign, as the browser writes them.

    >>> number(-21.1), number(0.00123), number(1200000.0)
    ('−21.10', '0.00123', '1.2e6')
    """
    if not np.isfinite(value):
        return "NaN" if np.isnan(value) else "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 1e5 or size < 1e-3:
        digits, power = f"{size:.2e}".split("e")
        text = f"{digits.rstrip('0').rstrip('.')}e{int(power)}"
    else:
        text = f"{size:.1f}" if size >= 100 else f"{size:.2f}" if size >= 1 else f"{size:#.3g}"
    return f"−{text}" if value < 0 else text
