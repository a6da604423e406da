"""Light, dark and high contrast, by whoever says it; little motion; 200 % zoom. Each in a plain page of Chromium."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

import cnnwidgets as cw
from tests.browser.looks import axe, too_wide
from tests.widgets.plain_page import Open, frame, html, pages
from tests.widgets.test_still import MAKERS

WIDGETS = Path(cw.__file__).parent / "widgets"
# What each front end puts on its page, and on which element of it.
HOSTS = {
    "JupyterLab, dark": ("body", {"data-jp-theme-light": "false"}, True),
    "JupyterLab, light": ("body", {"data-jp-theme-light": "true"}, False),
    "VS Code, dark": ("body", {"class": "vscode-dark"}, True),
    "VS Code, light": ("body", {"class": "vscode-light"}, False),
    "VS Code, high contrast": ("body", {"class": "vscode-high-contrast"}, True),
    "VS Code, high contrast light": ("body", {"class": "vscode-high-contrast vscode-high-contrast-light"}, False),
    "VS Code, its attribute": ("body", {"data-vscode-theme-kind": "vscode-high-contrast"}, True),
    "marimo, dark": ("body", {"class": "dark dark-theme", "data-theme": "dark"}, True),
    "marimo, light": ("body", {"class": "light light-theme", "data-theme": "light"}, False),
    "Sphinx, dark": ("html", {"data-theme": "dark"}, True),
    "Colab, dark": ("html", {"theme": "dark"}, True),
}
SET = """([name, attributes]) => {
  for (const own of [document.documentElement, document.body])
    for (const { name } of [...own.attributes]) own.removeAttribute(name);
  const element = document.querySelector(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
}"""
CONTRAST = """([first, second, behind]) => {
  const level = (text) => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d");
    for (const colour of [behind, text]) {
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
    }
    const linear = [...canvas.getImageData(0, 0, 1, 1).data].map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const [low, high] = [level(first), level(second)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}"""


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    with pages(browser, tmp_path) as open_page:
        yield open_page


def _style(view: Page, selector: str, name: str, pseudo: str = "") -> str:
    found = "([s, n, p]) => getComputedStyle(document.querySelector(s), p)[n]"
    return str(view.evaluate(found, [selector, name, pseudo]))


def _contrast(view: Page, first: str, second: str, behind: str = "#fff") -> float:
    """By WCAG, of two colours of CSS that may be half transparent over a third."""
    return float(view.evaluate(CONTRAST, [first, second, behind]))


def _scores() -> cw.ClassScores:
    return cw.ClassScores([0.0, 2.0], labels=["cat", "dog"], target=1)


@pytest.mark.parametrize("system", ["light", "dark"])
def test_a_front_end_that_says_its_theme_is_heard_whatever_the_system_says(opened: Open, system: Any) -> None:
    view = opened(_scores())
    view.emulate_media(color_scheme=system)
    for host, (element, attributes, dark) in HOSTS.items():
        view.evaluate(SET, [element, attributes])
        ink, ground = _style(view, "#root", "color"), _style(view, "#root", "backgroundColor")
        assert (_contrast(view, ink, "#fff") < 2) is dark, f"{host}: light letters on dark ground, or the other way"
        assert ground == "rgba(0, 0, 0, 0)" if host.startswith("JupyterLab") else _contrast(view, ink, ground) > 12


@pytest.mark.parametrize("system", ["light", "dark"])
def test_where_no_front_end_says_anything_the_system_does_and_the_ground_is_ours(opened: Open, system: Any) -> None:
    view = opened(_scores())
    view.emulate_media(color_scheme=system)
    ink, ground = _style(view, "#root", "color"), _style(view, "#root", "backgroundColor")
    assert (_contrast(view, ink, "#fff") < 2) is (system == "dark")
    assert _contrast(view, ink, ground) > 12, "the page behind may be white"
    assert axe(view, "#root") == []
    view.evaluate("document.documentElement.style.setProperty('--vscode-editor-background', 'rgb(1, 2, 3)')")
    assert _style(view, "#root", "backgroundColor") == "rgb(1, 2, 3)"


def test_only_one_sheet_asks_for_the_theme() -> None:
    asks = re.compile(r"jp-theme|vscode|prefers-color-scheme|prefers-contrast")
    sheets = [file.relative_to(WIDGETS).as_posix() for file in WIDGETS.rglob("*.css") if asks.search(file.read_text())]
    assert sheets == ["_shared/theme.css"]


def test_what_is_painted_follows_a_change_of_theme(opened: Open) -> None:
    view = opened(cw.ConvolutionStepper(np.arange(36.0).reshape(6, 6), np.ones((3, 3)), position=0))
    # Inside the last cell of the output, which is not computed yet.
    pixel = "c => [...c.getContext('2d').getImageData(c.width - 20, c.height - 20, 1, 1).data.slice(0, 3)]"

    def paper() -> int:
        frame(view)
        frame(view)
        return max(view.locator(".st-stage canvas").nth(1).evaluate(pixel))

    assert paper() > 250
    view.evaluate(SET, ["body", {"class": "vscode-dark"}])
    assert paper() < 30
    view.evaluate("document.body.className = ''")
    assert paper() > 250
    view.emulate_media(color_scheme="dark")
    assert paper() < 30


@pytest.mark.parametrize("system", ["light", "dark"])
def test_more_contrast_makes_lines_and_small_letters_stronger(opened: Open, system: Any) -> None:
    view, dark = opened(_scores()), system == "dark"
    hosts = {
        "the system": {},
        "VS Code": {"class": "vscode-high-contrast" if dark else "vscode-high-contrast vscode-high-contrast-light"},
        "JupyterLab": {
            "data-jp-theme-light": str(not dark).lower(),
            "data-jp-theme-name": f"JupyterLab {system} High Contrast",
        },
    }
    view.get_by_role("button", name="dog").focus()
    for host, attributes in hosts.items():
        view.emulate_media(color_scheme=system, contrast="no-preference" if attributes else "more")
        view.evaluate(SET, ["body", attributes])
        ground = "#14171b" if dark else "#fff"
        assert _contrast(view, _style(view, ".cnnw-heading", "color"), ground) > 15, host
        assert _contrast(view, _style(view, ".cnnw-field", "borderTopColor"), ground) > 3, host  # WCAG 1.4.11
        assert _contrast(view, _style(view, "button:focus", "outlineColor"), ground) > 4.5, host


@pytest.mark.parametrize("system", ["light", "dark"])
def test_forced_colours_leave_scales_bars_focus_and_what_is_selected(opened: Open, system: Any) -> None:
    view = opened(_scores())
    view.emulate_media(forced_colors="active", color_scheme=system)
    ground = "#000" if system == "dark" else "#fff"
    bars = ".cnnw-class-scores-bars button"
    for chosen in ("true", "false"):
        bar = f"{bars}[aria-pressed={chosen}]"
        assert _style(view, f"{bar} i", "forcedColorAdjust") == "none"
        assert _contrast(view, _style(view, f"{bar} i", "backgroundColor"), ground) > 2
        assert _style(view, bar, "outlineStyle") == ("solid" if chosen == "true" else "none")
    view.close()

    view = opened(cw.HeatmapOverlay(np.full((32, 32, 3), 90, np.uint8), np.eye(4), unit="u"))
    view.emulate_media(forced_colors="active", color_scheme=system)
    view.get_by_text("Display").click()
    assert _style(view, ".cnnw-ramp", "backgroundImage").startswith("linear-gradient")
    radios = view.locator(".cnnw-segmented button")
    chosen, other = (view.locator(f".cnnw-segmented button[aria-checked={on}]").first for on in ("true", "false"))
    assert radios.count() >= 3
    ground_of = "e => getComputedStyle(e).backgroundColor"
    assert _contrast(view, chosen.evaluate(ground_of), other.evaluate(ground_of), ground) > 1.5
    assert axe(view, "#root") == []
    view.keyboard.press("Tab")
    assert view.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_nothing_moves_by_itself_where_motion_is_reduced(opened: Open) -> None:
    comparison = cw.Comparison(np.full((8, 8, 3), 90, np.uint8))
    comparison.start(["Grad-CAM"], ["a", "b"])  # cells that wait
    comparison.busy = True
    view = opened(comparison)
    assert view.evaluate("document.getAnimations().length") > 0
    view.emulate_media(reduced_motion="reduce")
    assert view.evaluate("document.getAnimations().length") == 0


def test_at_200_percent_zoom_it_fits_and_is_sharp(browser: Browser, tmp_path: Path) -> None:
    """A page of 720 px at twice the pixels is what 1440 px at 200 % are."""
    context = browser.new_context(viewport={"width": 720, "height": 450}, device_scale_factor=2)
    view = context.new_page()
    for kind in ("overlay", "maps", "comparison", "filters", "stepper"):
        (tmp_path / "page.html").write_text(html(MAKERS[kind](), 340, False))
        view.goto((tmp_path / "page.html").as_uri())
        view.wait_for_function("window.ready")
        assert too_wide(view.locator("#root")) == [], kind
    canvas = view.locator(".st-stage canvas").first  # with numbers, which are drawn
    assert canvas.evaluate("c => c.width / c.clientWidth") == pytest.approx(2, abs=0.02)
    context.close()
