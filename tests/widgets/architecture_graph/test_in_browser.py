"""The built widget in headless Chromium, with the real Python half behind it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from cnnwidgets.widgets._base import bundle
from cnnwidgets.widgets.architecture_graph import ArchitectureGraph

from .made import architecture, chain, layer, residual

Open = Callable[..., Page]
_TRAITS = ("selected", "expanded", "busy", "error", "error_details", "network", "photograph", "switched")
_TRAITS += ("switchable", "scales", "touched")


@pytest.fixture
def opened(browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    errors: list[str] = []
    sent: list[dict[str, Any]] = []
    context = browser.new_context(viewport={"width": 800, "height": 700})
    monkeypatch.setattr(ArchitectureGraph, "send", lambda _, content, **__: sent.append(content))

    def open_page(graph: ArchitectureGraph, width: int = 266) -> Page:
        def answer() -> dict[str, Any]:
            messages = sent[:]
            sent.clear()
            return {"traits": {name: getattr(graph, name) for name in _TRAITS}, "messages": messages}

        def receive(content: dict[str, Any]) -> dict[str, Any]:
            graph._receive(None, content, [])
            return answer()

        def assign(traits: dict[str, Any]) -> dict[str, Any]:
            for name, value in traits.items():
                setattr(graph, name, value)
            return answer()

        view = context.new_page()
        view.on("pageerror", lambda error: errors.append(str(error)))
        view.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        view.expose_function("pythonReceive", receive)
        view.expose_function("pythonSet", assign)
        files = bundle("architecture_graph")
        given = {"state": answer()["traits"], "esm": files["esm"].read_text(), "width": width}
        html = (Path(__file__).with_name("page.html")).read_text().replace("/*CSS*/", files["css"].read_text())
        (tmp_path / "page.html").write_text(html.replace("/*GIVEN*/", json.dumps(given).replace("<", "\\u003c")))
        view.goto((tmp_path / "page.html").as_uri())
        view.wait_for_selector("[data-layer]")
        return view

    yield open_page
    context.close()
    assert errors == []


def top(view: Page, group: str) -> float:
    box = view.locator(f'[data-group="{group}"]').bounding_box()
    assert box
    return box["y"]


def test_a_click_selects_and_the_marker_opens_in_place(opened: Open) -> None:
    graph = ArchitectureGraph(residual(), expanded=[])
    view = opened(graph)
    view.click('[data-layer="body"] .cnnw-ag-box')
    expect(view.locator('[data-group="body"]')).to_have_attribute("aria-selected", "true")
    assert (graph.selected, graph.expanded) == ("body", [])
    before = top(view, "body")
    view.click('[data-group="body"] .cnnw-ag-toggle')
    expect(view.locator('[data-group="body"]')).to_have_attribute("aria-expanded", "true")
    assert graph.expanded == ["body"]
    assert abs(top(view, "body") - before) < 1
    view.click('[data-group="body"] .cnnw-ag-toggle')
    expect(view.locator('[data-group="body"]')).to_have_attribute("aria-expanded", "false")


def test_a_double_click_opens_a_group(opened: Open) -> None:
    graph = ArchitectureGraph(residual(), expanded=[])
    view = opened(graph)
    view.dblclick('[data-group="body"] .cnnw-ag-box')
    expect(view.locator('[data-group="body.0"]')).to_be_visible()
    assert (graph.selected, graph.expanded) == ("body", ["body"])


def test_a_search_opens_what_hides_its_match(opened: Open) -> None:
    graph = ArchitectureGraph(residual(), expanded=[])
    view = opened(graph)
    search = view.get_by_role("searchbox", name="Search layers")
    search.fill("bn2")
    expect(view.get_by_role("status")).to_have_text("2 found")
    search.press("Enter")
    search.press("Enter")
    expect(view.get_by_role("status")).to_have_text("2 of 2")
    expect(view.locator('[data-layer="body.1.bn2"]')).to_have_attribute("aria-selected", "true")
    expect(view.locator('[data-layer="body.1.bn2"]')).to_be_in_viewport()
    assert (graph.selected, graph.expanded) == ("body.1.bn2", ["body", "body.0", "body.1"])
    search.fill("nothing like it")
    expect(view.get_by_role("status")).to_have_text("no match")


def test_the_keyboard_does_it_all_with_one_tab_stop(opened: Open) -> None:
    graph = ArchitectureGraph(residual(), expanded=[])
    view = opened(graph)
    assert view.locator('svg[role="tree"] [tabindex="0"]').count() == 1
    view.locator('svg[role="tree"] [tabindex="0"]').focus()
    for key in ("Home", "ArrowDown", "ArrowDown", "ArrowRight"):
        view.keyboard.press(key)
    expect(view.locator('[data-group="body"]')).to_have_attribute("aria-expanded", "true")
    expect(view.locator('[data-group="body"]')).to_be_focused()
    view.keyboard.press("ArrowRight")
    view.keyboard.press(" ")
    expect(view.locator('[data-group="body.0"]')).to_have_attribute("aria-selected", "true")
    expect(view.get_by_role("tooltip")).to_contain_text("Receptive field")
    view.keyboard.press("Escape")
    expect(view.get_by_role("tooltip")).to_be_hidden()
    view.keyboard.press("ArrowLeft")
    view.keyboard.press("ArrowLeft")
    expect(view.locator('[data-group="body"]')).to_have_attribute("aria-expanded", "false")
    assert graph.selected == "body.0"


def test_of_600_nodes_only_those_near_the_view_have_elements(opened: Open) -> None:
    names = [f"layer{k}" for k in range(600)]
    view = opened(ArchitectureGraph(architecture([layer(name) for name in names], chain("input", *names))))
    assert view.locator("[data-layer]").count() < 60
    view.evaluate("document.querySelector('.cnnw-ag-scroll').scrollTop = 1e6")
    expect(view.locator('[data-layer="layer599"]')).to_be_visible()
    assert view.locator("[data-layer]").count() < 60
    for _ in range(25):
        view.get_by_role("button", name="Zoom out").click()
    expect(view.locator("[data-layer]")).to_have_count(600)
    view.get_by_role("button", name="Fit").click()
    assert _least_text(view) >= 10.99, "what does not fit is scrolled to"
    assert view.evaluate("document.querySelector('.cnnw-ag-scroll').scrollTop") == 0
    expect(view.locator('[data-layer="layer0"]')).to_be_in_viewport()


def test_text_starts_at_11_px_or_more_at_any_width(opened: Open) -> None:
    graph = ArchitectureGraph(residual(), expanded=["body", "body.0", "body.1"])
    for width in (220, 266, 700):
        view = opened(graph, width)
        assert _least_text(view) >= 10.99
        view.close()


def _least_text(view: Page) -> float:
    """Height of the smallest letters in the drawing, px on the screen; 0: there are none."""
    least: float = view.evaluate(
        """() => [...document.querySelectorAll(".cnnw-ag-scroll text")]
            .map((text) => parseFloat(getComputedStyle(text).fontSize) * text.getScreenCTM().a)
            .reduce((a, b) => Math.min(a || b, b), 0)"""
    )
    return least


def test_names_in_a_group_go_without_its_name_and_lose_their_end(opened: Open) -> None:
    names = ["group.inner.conv", "group.inner.bn", f"group.{'x' * 30}.conv_{'y' * 30}", "group.last"]
    containers = (layer("group", "other", type="Net"), layer("group.inner", "other", type="Block"))
    network = architecture([layer(name) for name in names], chain("input", *names), containers=containers)
    view = opened(ArchitectureGraph(network, expanded=["group", "group.inner"]))
    titles = view.locator(".cnnw-ag-item > .cnnw-ag-left > .cnnw-ag-title").all_text_contents()
    assert titles[:5] == ["input", "group", "inner", "conv", "bn"]
    assert titles[5].startswith("xxxx")
    assert titles[5].endswith("…")
    assert titles[6] == "last"
    expect(view.locator('[data-layer="group.inner.conv"]')).to_have_accessible_name(re.compile("group.inner.conv"))


def test_no_line_runs_through_a_text(opened: Open) -> None:
    group = "a_long_name_of_a_group"
    names = [f"{group}.conv", f"{group}.other"]
    containers = (layer(group, "other", type="Net"),)
    links = [*chain("input", *names, "add"), ("input", "add")]
    network = architecture([layer(name) for name in names], links, containers=containers, joins={"add": ""})
    network.joins[0].functions = ("a_function", "and_another_one")
    view = opened(ArchitectureGraph(network, expanded=[group]), 360)
    texts = view.locator(".cnnw-ag-scroll text")
    assert texts.count() > 5
    boxes = [texts.nth(k).bounding_box() for k in range(texts.count())]
    with_lines = [view.screenshot(clip=box) for box in boxes]
    crossing = view.locator(".cnnw-ag-line").first.evaluate(
        """(line) => { const {x, y, width, height} = line.getBoundingClientRect(); return width * height > 0; }"""
    )
    assert crossing
    view.add_style_tag(content=".cnnw-ag-line { visibility: hidden }")
    assert [view.screenshot(clip=box) for box in boxes] == with_lines


def test_the_tree_reads_from_top_to_bottom(opened: Open) -> None:
    graph = ArchitectureGraph(residual(), expanded=["body"])
    view = opened(graph)
    for name in ("body.1", "body.0"):  # groups open one by one, from below
        view.click(f'[data-group="{name}"] .cnnw-ag-toggle')
        expect(view.locator(f'[data-group="{name}"]')).to_have_attribute("aria-expanded", "true")
    assert len(_tops(view)) == 10
    assert _tops(view) == sorted(_tops(view))
    names = [f"layer{k}" for k in range(200)]
    view = opened(ArchitectureGraph(architecture([layer(name) for name in names], chain("input", *names))))
    view.evaluate("document.querySelector('.cnnw-ag-scroll').scrollTop = 1e6")
    expect(view.locator('[data-layer="layer199"]')).to_be_visible()
    view.evaluate("document.querySelector('.cnnw-ag-scroll').scrollTop -= 900")  # what is above is drawn anew
    expect(view.locator('[data-layer="layer175"]')).to_be_in_viewport()
    assert len(_tops(view)) > 20
    assert _tops(view) == sorted(_tops(view))


def _tops(view: Page) -> list[float]:
    """Where the items begin on the screen, in the order in which they are read."""
    tops: list[float] = view.eval_on_selector_all(
        '[role="treeitem"]', "items => items.map((item) => item.getBoundingClientRect().top)"
    )
    return tops


def test_a_search_finds_kinds_and_sizes(opened: Open) -> None:
    view = opened(ArchitectureGraph(residual(), expanded=[]))
    search = view.get_by_role("searchbox", name="Search layers")
    for text, count in {"3x3": 5, "relu 16x16": 2, "16": 15, "linear": 1, "block": 2}.items():
        search.fill(text)
        expect(view.get_by_role("status")).to_have_text(f"{count} found")


def test_names_are_text(opened: Open) -> None:
    odd = ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "x" * 500]
    view = opened(ArchitectureGraph(architecture([layer(name) for name in odd], chain(*odd))))
    assert view.locator("script, img").count() == 2  # the page's own two scripts
    assert [view.locator("[data-layer]").nth(k).get_attribute("data-layer") for k in range(3)] == odd
    box = view.locator("[data-layer]").nth(2).bounding_box()
    assert box
    assert box["width"] < 266


def test_the_heading_names_the_network_where_there_is_a_name(opened: Open) -> None:
    view = opened(ArchitectureGraph(residual()))
    assert view.locator(".cnnw-ag-heading").inner_text().split("\n")[0] == "Architecture"
    assert not view.locator(".cnnw-ag-network").is_visible()
    long = "<b>a network</b> " + "whose name is longer than any heading " * 3
    view = opened(ArchitectureGraph(residual(), network=long))
    name = view.locator(".cnnw-ag-network")
    expect(name).to_have_text(long)
    assert name.get_attribute("title") == long
    box, expand = name.bounding_box(), view.get_by_role("button", name="Expand all").bounding_box()
    assert box
    assert expand
    assert box["width"] <= 266
    assert box["y"] + box["height"] <= expand["y"], "cut, and on a line of its own"
    assert view.locator(".cnnw-ag-heading").evaluate("e => e.scrollWidth <= e.clientWidth")


def test_closing_a_view_leaves_nothing(opened: Open) -> None:
    view = opened(ArchitectureGraph(residual()))
    view.evaluate("close_view()")
    assert view.evaluate("document.getElementById('root').children.length") == 0
    assert view.evaluate("listening() - before") == 0


def test_the_selected_layer_is_switched_off_and_scaled_also_by_keys(opened: Open) -> None:
    calls: list[tuple[str, float]] = []
    graph = ArchitectureGraph(residual(), selected="stem", switchable=["stem"])
    graph.on_scale = lambda name, factor: calls.append((name, factor))
    graph.on_switch_all = lambda: calls.append(("all", 1.0))
    view = opened(graph)
    row = view.locator(".cnnw-ag-switch")
    expect(row).to_contain_text("stem")
    row.get_by_role("button", name="Switch off").click()
    expect(row.get_by_role("button", name="Switch on")).to_be_visible()
    expect(row.locator("output")).to_have_text("off")
    slider = row.get_by_role("slider", name="Scale")
    slider.focus()
    for _ in range(5):
        view.keyboard.press("ArrowRight")
    expect(row.locator("output")).to_have_text("× 0.5")
    assert slider.get_attribute("aria-valuetext") == "stem × 0.5"
    assert (calls[0], calls[-1]) == (("stem", 0.0), ("stem", 0.5))
    view.evaluate("pythonSet({touched: ['stem'], switched: 'With stem × 0.5.'}).then(deliver)")
    expect(view.locator(".cnnw-ag-touched")).to_have_count(1)
    view.get_by_role("button", name="Switch all on").click()
    expect(row).to_be_visible()
    view.evaluate("pythonSet({selected: 'body.0.conv1'}).then(deliver)")
    expect(row).to_be_hidden()
    assert calls[-1] == ("all", 1.0)
