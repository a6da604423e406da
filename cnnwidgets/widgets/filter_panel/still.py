"""A filter as a still picture."""

from __future__ import annotations

from typing import Any

from PIL import Image

from cnnwidgets.widgets._still import parts
from cnnwidgets.widgets._still.publish import newest_push
from cnnwidgets.widgets.filter_gallery.still import split_mosaic

_SIDE = 96


def filter_still(widget: Any) -> parts.Block | None:
    """What ``widget``, a :class:`FilterPanel`, shows: the patches, the image that was made, the sentences."""
    view = widget.view
    if view.hint:
        return parts.paragraph(view.hint)
    blocks = []
    arrays, _ = newest_push(view, "places")
    if len(arrays.get("values", ())):
        pictures = map(Image.fromarray, split_mosaic(arrays["pixels"], arrays["sizes"]))
        captions = (f"{value:.3g}" for value in arrays["values"])
        blocks += [parts.remark(view.source), parts.sheet(list(zip(pictures, captions, strict=True)), _SIDE)]
    if view.sentence:
        blocks.append(parts.paragraph(view.sentence, size=12))
    arrays, content = newest_push(view, "image")
    if "pixels" in arrays:
        picture = Image.fromarray(split_mosaic(arrays["pixels"], arrays["sizes"])[0])
        blocks.append(parts.row([picture.resize((_SIDE, _SIDE)), parts.remark(f"Made: {content['about']}", width=300)]))
    return parts.column(blocks) if blocks else None
