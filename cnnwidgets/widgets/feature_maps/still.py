"""A sheet of the layer's maps as a still picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from cnnwidgets.widgets._still import parts
from cnnwidgets.widgets._still.maps import NOT_FINITE, colour_table
from cnnwidgets.widgets._still.publish import newest_push

_MOST = 40
DIVERGING = ("blue-red", "purple-green")


def maps_still(widget: Any, most: int = _MOST) -> parts.Block | None:
    """The first maps in the order that ``widget``, a :class:`FeatureMaps`, has; None: it never had any."""
    sent, content = newest_push(widget, "maps")
    if "maps" not in sent:
        message = content.get("message")
        return parts.paragraph(message) if message else None
    count, height, width = sent["maps"].shape
    order = _ordered(widget, sent)[:most]
    cut = f", the first {len(order)} by {widget.sort}" if count > len(order) else ""
    scale = "each on its own scale" if widget.scale == "map" else "on the layer's scale"
    facts = f"{count} {'channel' if count == 1 else 'channels'} of {height} × {width}{cut}; {scale}"
    notes = [parts.remark(f"⚠ {note}", colour=parts.WARN) for note in content.get("notes", ())]
    cells = _coloured(sent, order, widget)
    sheet = parts.sheet([(Image.fromarray(cell), str(channel)) for cell, channel in zip(cells, order, strict=True)])
    return parts.column([parts.remark(facts), *notes, sheet])


def _ordered(widget: Any, sent: dict[str, Any]) -> Any:
    """Channels, first to last."""
    by = sent[widget.sort] if widget.sort in ("mean", "maximum", "zeros") else None
    if widget.sort == "contribution":
        by = newest_push(widget, "contribution").arrays.get("values")
    return np.arange(len(sent["maps"])) if by is None else np.argsort(-np.nan_to_num(by, nan=-np.inf), kind="stable")


def _coloured(sent: dict[str, Any], channels: Any, widget: Any) -> Any:
    """(n, h, w, 3) colours of the ``channels``."""
    levels = sent["maps"][channels]
    low, high = (sent[name][channels, None, None] for name in ("minimum", "maximum"))
    first, last = (np.nanmin(sent["minimum"]), np.nanmax(sent["maximum"])) if widget.scale == "layer" else (low, high)
    if widget.colormap in DIVERGING:
        last = np.maximum(np.abs(first), np.abs(last))
        first = -last
    span = np.where(last > first, last - first, 1)
    shares = np.clip(np.nan_to_num((low + levels / 254 * (high - low) - first) / span), 0, 1)
    pixels = colour_table(widget.colormap)[np.round(shares * 255).astype(np.intp)]
    pixels[levels == 255] = NOT_FINITE
    return pixels
