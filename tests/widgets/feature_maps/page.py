"""The built bundle in a plain page, on a model object of fifteen lines, with the messages of a real widget."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from cnnwidgets.widgets._base import bundle
from cnnwidgets.widgets.feature_maps import FeatureMaps

TRAITS = (
    "layer",
    "channel",
    "sort",
    "scale",
    "colormap",
    "cell_size",
    "opacity",
    "smooth",
    "switchable",
    "clickable",
    "off",
    "effect",
)
_PAGE = Path(__file__).with_name("page.html")


def messages(widget: FeatureMaps) -> list[list[object]]:
    """What ``widget`` has pushed: content, and buffers as base64."""
    return [
        [content, [base64.b64encode(buffer).decode() for buffer in buffers]]
        for content, buffers in widget._pushed.values()
    ]


def page(widget: FeatureMaps, width: int) -> str:
    """HTML that shows ``widget`` ``width`` pixels wide."""
    state = {
        name: getattr(widget, name) for name in (*TRAITS, "busy", "error", "error_details", "network", "photograph")
    }
    files = bundle("feature_maps")
    given = {"state": state, "messages": messages(widget), "esm": files["esm"].read_text(), "width": width}
    html = _PAGE.read_text().replace("/*CSS*/", files["css"].read_text())
    return html.replace("/*GIVEN*/", json.dumps(given).replace("<", "\\u003c"))
