"""The first filters as a still picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from cnnwidgets.widgets._still import parts
from cnnwidgets.widgets._still.publish import newest_push

_MOST = 40


def gallery_still(widget: Any) -> parts.Block | None:
    """The first filters of ``widget``, a :class:`FilterGallery`; None: it never had any."""
    arrays, content = newest_push(widget, "filters")
    if "pixels" not in arrays:
        message = content.get("message")
        return parts.paragraph(message) if message else None
    pictures = split_mosaic(arrays["pixels"], arrays["sizes"])
    columns = len(content["names"])
    entries = []
    for number, channel in enumerate(arrays["channels"][:_MOST]):
        row = [Image.fromarray(picture) for picture in pictures[number * columns : (number + 1) * columns]]
        entries.append((parts.row(row, 2), str(channel)))
    facts = f"{len(arrays['channels'])} filters" + (f", the first {_MOST}" if len(arrays["channels"]) > _MOST else "")
    notes = [parts.remark(f"⚠ {note}", colour=parts.WARN) for note in content["notes"]]
    return parts.column([parts.remark(facts), *notes, parts.sheet(entries, 52 * columns)])


def split_mosaic(pixels: Any, sizes: Any) -> list[Any]:
    """The pictures (h, w, 3) that :func:`~cnnwidgets.widgets._maps.mosaic.mosaic` put in a row."""
    ends = np.cumsum(sizes.prod(1) * 3)
    return [part.reshape(*size, 3) for part, size in zip(np.split(pixels, ends[:-1]), sizes, strict=True)]
