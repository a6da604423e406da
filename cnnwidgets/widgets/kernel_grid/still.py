"""A sheet of the layer's kernels as a still picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from cnnwidgets.widgets._still import parts
from cnnwidgets.widgets._still.maps import NOT_FINITE, colour_table
from cnnwidgets.widgets._still.publish import newest_push

_MOST = 40


def kernels_still(widget: Any, most: int = _MOST) -> parts.Block | None:
    """The first kernels in the order that ``widget``, a :class:`KernelGrid`, has; None: it never had any."""
    sent, content = newest_push(widget, "kernels")
    if "values" not in sent:
        return None
    values, filters = sent["values"], sent["filters"]
    order = np.arange(len(values)) if widget.sort == "index" else np.argsort(-sent["norms"], kind="stable")
    coloured = content["coloured"] and widget.input is None
    selected_values = values if widget.input is None else values[:, widget.input : widget.input + 1]
    largest = float(np.abs(selected_values[np.isfinite(selected_values)]).max(initial=0.0))
    pictures = []
    for index in order[:most]:
        own = selected_values[index]
        limit = largest if widget.scale == "layer" else float(np.abs(own[np.isfinite(own)]).max(initial=0.0))
        name = f"{filters[index]}{' dead' if filters[index] in content['dead'] else ''}"
        pixels = kernel_pixels(own, limit, widget.colormap, coloured=coloured, signal=content["signal"])
        pictures.append((Image.fromarray(pixels), name))
    cut = f", the first {most} by {widget.sort}" if len(order) > most else ""
    rest = [parts.remark(f"⚠ {note}", colour=parts.WARN) for note in content.get("notes", ())]
    scale = "each on its own scale" if widget.scale == "filter" else "on the layer's scale"
    facts = parts.remark(f"{content['facts']}{cut}; {scale}")
    bar = parts.remark("red, green and blue are the input channels, 0 is mid grey")
    if not coloured:
        ends = ("−largest", "0", "+largest") if widget.scale == "filter" else (f"{-largest:.3g}", "0", f"{largest:.3g}")
        bar = parts.colour_bar(widget.colormap, ends, "", 240)
    return parts.column([facts, *rest, parts.sheet(pictures), bar])


def kernel_pixels(values: Any, limit: float, colormap: str, *, coloured: bool, signal: bool) -> Any:
    """(h, w, 3) colours of one filter (C, kd, kh, kw): input channels beside each other, white between."""
    _, depth, height, width = values.shape
    shares = np.zeros(values.shape) if limit == 0 else np.clip(values / limit, -1, 1)
    if coloured:
        rgb = np.round(128 + 127 * np.nan_to_num(shares)).astype(np.uint8).transpose(1, 2, 3, 0)[None]
    else:
        rgb = colour_table(colormap)[np.round((np.nan_to_num(shares) + 1) / 2 * 255).astype(np.intp)]
    broken = ~np.isfinite(values)
    rgb[broken.any(0)[None] if coloured else broken] = NOT_FINITE
    gap = 0 if signal or depth * height * width == 1 else 1
    across = 1 if signal else max(1, min(len(rgb), round(np.sqrt(len(rgb) * height / (depth * width)))))
    down = -(-len(rgb) // across)
    step = depth * (width + gap)
    page = np.full((down * (height + gap) - gap, across * step - gap, 3), 255, np.uint8)
    for number, tile in enumerate(rgb):
        top, left = number // across * (height + gap), number % across * step
        for layer in range(depth):
            start = left + layer * (width + gap)
            page[top : top + height, start : start + width] = tile[layer]
    return page
