"""A built widget in a plain page, on a model object of a few lines, with the messages of a real widget."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from cnnwidgets.widgets._base import CnnWidget, bundle
from tests.canvas import rgba
from tests.widgets.parity import python_keys

_PAGE = Path(__file__).with_name("plain_page.html")
Open = Callable[..., Page]


def state(widget: CnnWidget) -> dict[str, Any]:
    """The traits that the browser sees."""
    return {name: getattr(widget, name) for name in python_keys(type(widget))}


def messages(widget: CnnWidget) -> list[list[object]]:
    """What ``widget`` has pushed: content, and buffers as base64."""
    return [
        [content, [base64.b64encode(buffer).decode() for buffer in buffers]]
        for content, buffers in widget._pushed.values()
    ]


def html(widget: CnnWidget, width: int, dark: bool, box: str = "") -> str:
    """A page that shows ``widget`` ``width`` pixels wide, in an element of the class ``box``."""
    files = bundle(type(widget).__module__.split(".")[-2])
    given = {"state": state(widget), "messages": messages(widget), "esm": files["esm"].read_text()}
    given |= {"width": width, "dark": dark, "box": box}
    page = _PAGE.read_text().replace("/*CSS*/", files["css"].read_text())
    return page.replace("/*GIVEN*/", json.dumps(given).replace("<", "\\u003c"))


def follow(view: Page, widget: CnnWidget) -> None:
    """Bring the page to where the widget is."""
    view.evaluate("given => Object.entries(given).forEach(([name, value]) => model.set(name, value))", state(widget))
    for message in messages(widget):
        view.evaluate("deliver", message)


def deliver(view: Page, widget: CnnWidget, kind: str) -> None:
    """Hand the newest push of ``kind`` to the page."""
    content, buffers = widget._pushed[kind]
    view.evaluate("deliver", [content, [base64.b64encode(buffer).decode() for buffer in buffers]])
    frame(view)


def frame(view: Page) -> None:
    """Until what was asked for is painted."""
    view.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


@contextmanager
def pages(browser: Browser, folder: Path) -> Iterator[Open]:
    """Opens widgets in pages; at the end there must have been no error in any of them."""
    errors: list[str] = []
    context = browser.new_context(viewport={"width": 1400, "height": 900}, accept_downloads=True)

    def open_page(widget: CnnWidget, width: int = 660, dark: bool = False, box: str = "") -> Page:
        view = context.new_page()
        view.on("pageerror", lambda error: errors.append(str(error)))
        view.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        file = folder / "page.html"
        file.write_text(html(widget, width, dark, box))
        view.goto(file.as_uri())
        view.wait_for_function("window.ready")
        view.evaluate("window.sent = []")
        return view

    yield open_page
    context.close()
    assert errors == []


def colours(view: Page, selector: str, number: int = 0) -> Any:
    """(h, w, 3) of the ``number``-th canvas that the selector finds, as lists."""
    return rgba(view.locator(selector).nth(number))[..., :3].tolist()
