"""Any built widget in a plain page, with the messages that the real one has pushed."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from playwright.sync_api import Browser, Locator, Page

from cnnwidgets.widgets._base import CnnWidget, bundle
from tests.widgets.parity import python_keys

_PAGE = Path(__file__).parents[1] / "feature_maps" / "page.html"
_DARK = """
<script>document.documentElement.dataset.jpThemeLight = "false";</script>
<style>body { background: #111; --jp-layout-color1: #111; }</style>
"""


def messages(widget: CnnWidget) -> list[list[object]]:
    """What ``widget`` has pushed: content, and buffers as base64."""
    return [
        [content, [base64.b64encode(buffer).decode() for buffer in buffers]]
        for content, buffers in widget._pushed.values()
    ]


def state_of(widget: CnnWidget) -> dict[str, Any]:
    """The traits that the browser sees."""
    return {name: getattr(widget, name) for name in python_keys(type(widget))}


def page(widget: CnnWidget, folder: str, width: int, *, dark: bool = False) -> str:
    """HTML that shows ``widget``, built from widgets/``folder``, ``width`` pixels wide."""
    files = bundle(folder)
    given = {"state": state_of(widget), "messages": messages(widget), "esm": files["esm"].read_text(), "width": width}
    html = _PAGE.read_text().replace("/*CSS*/", files["css"].read_text())
    return html.replace("/*GIVEN*/", json.dumps(given).replace("<", "\\u003c")) + (_DARK if dark else "")


@contextmanager
def opener(browser: Browser, folder: str, file: Path) -> Iterator[Callable[..., Page]]:
    """Opens widgets built from widgets/``folder``; at the end, no page may have reported an error."""
    errors: list[str] = []
    context = browser.new_context(viewport={"width": 1100, "height": 900}, accept_downloads=True)

    def open_page(widget: CnnWidget, width: int = 660, *, dark: bool = False) -> Page:
        view = context.new_page()
        view.on("pageerror", lambda error: errors.append(str(error)))
        view.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        file.write_text(page(widget, folder, width, dark=dark))
        view.goto(file.as_uri())
        view.wait_for_function("window.ready")
        view.evaluate("() => { window.sent = []; model.send = (content) => sent.push(content); }")
        frame(view)
        return view

    yield open_page
    context.close()
    assert errors == []


def frame(view: Page) -> None:
    """Until what was asked for is painted."""
    view.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def deliver(view: Page, widget: CnnWidget, kind: str) -> None:
    """Hand the newest push of ``kind`` to the page."""
    content, buffers = widget._pushed[kind]
    view.evaluate("deliver", [content, [base64.b64encode(buffer).decode() for buffer in buffers]])
    frame(view)


def rgba(canvas: Locator) -> npt.NDArray[np.uint8]:
    """(H, W, 4) of a canvas."""
    read = canvas.evaluate(
        """(canvas) => [canvas.height, canvas.width,
          [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data]]"""
    )
    return np.array(read[2], dtype=np.uint8).reshape(read[0], read[1], 4)
