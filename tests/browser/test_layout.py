"""The Explorer at the widths it is used at, light and dark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.explorer_page import ExplorerPage
from tests.browser.lab import Lab, command
from tests.browser.looks import axe, badly_named, overlaps, texts, too_wide

WIDTHS = [700, 900, 1280, 2000]
THEME = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}


@pytest.fixture(scope="module")
def shown(jupyter: Lab) -> Iterator[ExplorerPage]:
    notebook = jupyter.notebook("layout", "import cnnwidgets as cw\ne = cw.explore()\ne")
    with jupyter.open(notebook, width=2150, height=2400, fresh=False) as (page, _):
        e = ExplorerPage(page)
        e.wait_until_complete()
        e.node("blocks.2").locator(".cnnw-ag-box").click()
        e.wait_for_maps_of("blocks.2")
        e.maps.locator('[data-channel="3"]').click()
        e.wait_for_trait("channel", 3)
        yield e


@pytest.fixture(params=THEME)
def e(shown: ExplorerPage, request: pytest.FixtureRequest) -> ExplorerPage:
    theme: str = request.param
    command(shown.page, "apputils:change-theme", theme=THEME[theme])
    shown.page.wait_for_function(
        "(light) => document.body.dataset.jpThemeLight === light", arg="true" if theme == "light" else "false"
    )
    return shown


def _set_width(e: ExplorerPage, width: int) -> None:
    e.root.evaluate("(root, width) => { root.style.width = `${width}px`; root.style.maxWidth = 'none'; }", width)
    e.page.evaluate("window.dispatchEvent(new Event('resize'))")
    e.page.wait_for_timeout(400)  # figures and grids follow with a resize observer, and say nothing when they are done
    box = e.root.bounding_box()
    assert box
    assert box["width"] == width


@pytest.mark.parametrize("width", WIDTHS)
def test_all_of_it_is_seen(e: ExplorerPage, width: int, artefacts: Path, request: pytest.FixtureRequest) -> None:
    _set_width(e, width)
    theme = "light" if "light" in request.node.name else "dark"
    e.root.screenshot(path=artefacts / f"layout-{width}-{theme}.png")
    assert too_wide(e.root) == []
    panels = [e.bar, e.graph, e.overlay, e.scores, e.maps]
    assert all(panel.is_visible() for panel in panels)
    assert overlaps(panels) == []
    found = texts(e.root)
    assert len(found) > 60
    assert [text for text in found if text["size"] < 10.99] == []
    assert [text["text"] for text in found if text["cut"]] == []


@pytest.mark.parametrize("width", [700, 760, 1280, 2000])
def test_what_switches_all_on_lies_over_nothing_that_is_pressed(
    e: ExplorerPage, width: int, artefacts: Path, request: pytest.FixtureRequest
) -> None:
    _set_width(e, width)
    e.maps.get_by_role("button", name="Switch off").click()
    all_on = e.scores.get_by_role("button", name="Switch all on")
    all_on.wait_for()
    e.wait_until_ready()
    theme = "light" if "light" in request.node.name else "dark"
    e.scores.screenshot(path=artefacts / f"switched-{width}-{theme}.png")
    line, menu = e.scores.locator(".cnnw-switched"), e.scores.get_by_role("combobox", name="What the bars show")
    shared, places = overlaps([line, menu]), [part.bounding_box() for part in (line, all_on, menu)]
    all_on.click()
    expect(line).to_have_count(0)
    assert shared == []
    edges = [(box["x"], box["x"] + box["width"]) for box in places if box]
    assert len(edges) == 3
    assert edges[0][0] <= edges[1][0]
    assert edges[1][1] <= edges[0][1] + 0.5, "the button is within its line"


@pytest.mark.parametrize("tab", ["Where did it look?", "What does it look for?", "Hide a part", "Compare"])
def test_axe_finds_nothing(e: ExplorerPage, tab: str) -> None:
    _set_width(e, 1280)
    e.root.get_by_role("tab", name=tab).click()
    e.wait_until_ready()
    assert axe(e.page, ".cnnw-explorer") == []
    assert badly_named(e.graph) == []
    e.root.get_by_role("tab", name="Where did it look?").click()


@pytest.mark.parametrize("tab", ["Where did it look?", "What does it look for?", "Hide a part"])
def test_pictures_have_names(shown: ExplorerPage, tab: str) -> None:
    shown.root.get_by_role("tab", name=tab).click()
    shown.wait_until_ready()
    names = shown.root.evaluate("""(root) => [...root.querySelectorAll("canvas, img, svg, [role=img]")]
        .filter((e) => e.checkVisibility() && !e.closest("[aria-hidden=true]"))
        .map((e) => [e.closest("[role=img], [role=tree], [role=option], [role=application], img"), e])
        .map(([named, e]) => named?.ariaLabel || named?.getAttribute("alt") || "unnamed " + e.outerHTML)""")
    assert len(names) > 10
    assert [name for name in names if name.startswith("unnamed")] == []
    shown.root.get_by_role("tab", name="Where did it look?").click()


def test_each_tab_has_its_panels(shown: ExplorerPage) -> None:
    tabs = shown.root.locator(".cnnw-tab-list").get_by_role("tab")
    assert tabs.count() == 4
    for k in range(4):
        tab = tabs.nth(k)
        tab.click()
        panels = [shown.page.locator(f"#{name}") for name in (tab.get_attribute("aria-controls") or "").split()]
        assert panels, tab.inner_text()
        for panel in panels:
            expect(panel).to_be_attached()
            expect(panel).to_have_role("tabpanel")
            expect(panel).to_have_accessible_name(tab.inner_text())
        expect(panels[0]).to_be_visible()
        assert shown.root.get_by_role("tabpanel", name=tab.inner_text()).count() > 0
        others = [tabs.nth(other).inner_text() for other in range(4) if other != k]
        assert all(shown.root.get_by_role("tabpanel", name=other).count() == 0 for other in others)
    tabs.first.click()


def test_a_panel_can_be_put_away(shown: ExplorerPage) -> None:
    _set_width(shown, 1280)
    toggles = {"Show architecture": shown.graph, "Show scores": shown.scores, "Show feature maps": shown.maps}
    for name, panel in toggles.items():
        toggle = shown.bar.get_by_role("button", name=name)
        toggle.click()
        expect(panel).to_be_hidden()
        expect(toggle).to_have_attribute("aria-pressed", "false")
        assert too_wide(shown.root) == []
    overlay, root = shown.overlay.bounding_box(), shown.root.bounding_box()
    assert overlay
    assert root
    assert overlay["width"] > 0.95 * root["width"]
    for name, panel in toggles.items():
        shown.bar.get_by_role("button", name=name).click()
        expect(panel).to_be_visible()
