"""Markup in every text that a widget shows, and in every rich display: it stays text."""

from __future__ import annotations

import copy
import html as html_module
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import traitlets
from PIL import Image
from playwright.sync_api import Browser, Page
from torch import nn

import cnnwidgets as cw
from cnnwidgets.core.errors import CnnWidgetsError
from tests.fuzz.test_page import MAKERS, PICTURE
from tests.widgets.plain_page import Open, frame, pages

HOSTILE = "</script><img src=x onerror=alert(1)><b>bold</b><svg onload=alert(1)>\"'&amp;"
ELEMENTS = """() => document.querySelectorAll("img[src=x], svg[onload]").length
  + [...document.querySelectorAll("b")].filter((own) => own.textContent === "bold").length"""
LISTEN = "() => { window.alert = () => { window.alerted = true; }; }"
NAMED = dict(zip("ab", (f"a{HOSTILE}", f"b{HOSTILE}"), strict=True))


def _failed() -> cw.HeatmapOverlay:
    widget = cw.HeatmapOverlay(PICTURE, np.ones((2, 3)), caption=HOSTILE, unit=HOSTILE)
    try:
        raise ValueError(HOSTILE)
    except ValueError as error:
        widget.show_error(error)
    return widget


def _compared() -> cw.Comparison:
    widget = cw.Comparison(PICTURE)
    widget.start([NAMED["a"], NAMED["b"]], [NAMED["a"], NAMED["b"]], caption=HOSTILE)
    widget.show_cell(0, 0, np.ones((2, 2)))
    widget.fail_cell(0, 1, HOSTILE)
    return widget


def _checked() -> cw.MapCheck:
    widget = cw.MapCheck()
    widget.show_maps(np.ones((3, 2, 2)), list(NAMED.values()), [0.5, np.nan])
    widget.conclude(HOSTILE, HOSTILE, "warn")
    return widget


WIDGETS = {
    **MAKERS,
    "failed": _failed,
    "compared": _compared,
    "checked": _checked,
    "labels": lambda: cw.ClassScores([0.0, 2.0], labels=list(NAMED.values())),
    "exercise": lambda: cw.Exercise(
        HOSTILE, {NAMED["a"]: HOSTILE, NAMED["b"]: HOSTILE}, NAMED["a"], selected=NAMED["b"]
    ),
    "image input": lambda: cw.ImageInput(samples={HOSTILE: PICTURE}),
    "stepper": lambda: cw.ConvolutionStepper(np.ones((3, 4, 4)), np.ones((3, 2, 2)), channels=[*NAMED.values(), "c"]),
}


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    with pages(browser, tmp_path) as open_page:
        yield open_page


def _fill(widget: Any) -> int:
    """Put it into every text that the widget takes; how many those are."""
    count = 0
    for name, trait in widget.traits(sync=True).items():
        if name.startswith("_") or name in ("layout", "tooltip", "comm", "keys"):
            continue
        texts = [HOSTILE] if isinstance(trait, traitlets.Unicode) else []
        if isinstance(trait, traitlets.List) and isinstance(trait._trait, traitlets.Unicode):
            texts = [[HOSTILE, f"other{HOSTILE}"]]
        for text in texts:
            try:
                setattr(widget, name, text)
            except (traitlets.TraitError, CnnWidgetsError):  # a name that must exist
                continue
            count += 1
    return count


def _is_text(view: Page) -> None:
    frame(view)
    assert view.evaluate(ELEMENTS) == 0
    assert view.evaluate("window.alerted") is None


def test_markup_in_every_text_of_every_widget(opened: Open) -> None:
    for kind, make in WIDGETS.items():
        widget = make()
        filled = _fill(widget)
        assert filled >= 4, kind  # error and its details, network, photograph at least
        view = opened(widget)
        view.evaluate(LISTEN)
        _is_text(view)
        for fold in view.locator("summary:visible").all():
            fold.click()
        alert = view.get_by_role("alert").first
        assert HOSTILE in alert.inner_text(), kind
        assert HOSTILE in (alert.locator("pre").text_content() or ""), kind
        _is_text(view)
        view.close()
        widget.close()


class Odd(nn.Module):
    """Layers, a class and labels whose names are markup."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential()
        self.net.add_module(HOSTILE.replace(".", ""), nn.Conv2d(3, 2, 3))
        self.net.add_module("rest", nn.Sequential(nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()))
        self.config = SimpleNamespace(id2label={0: HOSTILE, 1: "dog"})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)


def test_markup_in_rich_displays_and_in_an_explorers_file(browser: Browser, tmp_path: Path) -> None:
    model = type(HOSTILE, (Odd,), {})().eval()
    photo = tmp_path / "<img src=x onerror=alert(1)><b>.jpg"
    exif = Image.Exif()
    exif[0x010E] = exif[0x9286] = HOSTILE
    Image.fromarray(PICTURE).save(photo, exif=exif)
    e = cw.explore(model, str(photo))
    layer = f"net.{HOSTILE}"
    architecture = cw.trace(model, torch.zeros(1, 3, 8, 8))
    attribution = cw.explainers.grad_cam(model, torch.rand(1, 3, 8, 8), 0, layer=layer)
    shown = [
        e,
        e.graph,
        e.overlay,
        e.scores,
        e.feature_maps,
        architecture,
        attribution,
        cw.kernels.summary(model, layer),
    ]
    page = browser.new_page()
    page.evaluate(LISTEN)
    pieces = []
    for thing in shown:
        bundle = thing._repr_mimebundle_() if hasattr(thing, "_repr_mimebundle_") else {}
        data = dict(bundle[0] if isinstance(bundle, tuple) else bundle or {})
        if hasattr(thing, "_repr_html_"):
            data["text/html"] = thing._repr_html_()
        assert not set(data) & {"text/markdown", "image/svg+xml", "application/javascript", "text/latex"}
        pieces.append(data.get("text/html", ""))
    assert html_module.escape(HOSTILE) in pieces[5]
    page.set_content("".join(pieces))
    page.wait_for_timeout(200)
    assert page.evaluate("document.querySelectorAll('img[src=x], b, svg[onload]').length") == 0
    assert page.evaluate("window.alerted") is None
    assert HOSTILE in page.locator("body").inner_text()
    assert e._view.bar.picture.startswith("<img src=x")
    assert HOSTILE[:30] not in "".join(map(str, copy.copy(e._view.bar.notes))), "EXIF is not shown at all"
    e.close()
    page.close()
