"""The built panel in a plain page, on a model object of a few lines, with the messages of a real widget."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from cnnwidgets.widgets._base import bundle
from cnnwidgets.widgets.map_check import MapCheck
from tests.widgets.parity import python_keys

_PAGE = Path(__file__).with_name("page.html")


def state(check: MapCheck) -> dict[str, Any]:
    """The traits that the browser sees."""
    return {name: getattr(check.panel, name) for name in python_keys(type(check.panel))}


def messages(check: MapCheck) -> list[list[object]]:
    """What ``check`` has pushed: content, and buffers as base64."""
    return [
        [content, [base64.b64encode(buffer).decode() for buffer in buffers]]
        for content, buffers in check.panel._pushed.values()
    ]


def page(check: MapCheck, width: int, dark: bool) -> str:
    """HTML that shows the panel of ``check`` ``width`` pixels wide."""
    files = bundle("map_check")
    given = {"state": state(check), "messages": messages(check), "esm": files["esm"].read_text()}
    given |= {"width": width, "dark": dark}
    html = _PAGE.read_text().replace("/*CSS*/", files["css"].read_text())
    return html.replace("/*GIVEN*/", json.dumps(given).replace("<", "\\u003c"))
