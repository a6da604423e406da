"""Odd names, failing explainers and closed Explorers, on the page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.cells import explore, prepare, run_cell
from tests.browser.explorer_page import ExplorerPage
from tests.browser.lab import Lab, Trouble, ask

ODD = {
    "script": "<script>window·hacked=1</script>".replace("·", "\u2024"),  # a module's name may hold no dot
    "image": "<img src=x onerror=window['hacked']=1>",
    "quotes": 'it\'s "quoted" `so` \\ & &amp;',
    "right to left": "חתול שחור عربي \u202eevil\u202c",
    "long": "very" * 125,
}
LABELS = ["<script>window.hacked=1</script>", *list(ODD.values())[1:]]
# A convolution's node of its own, so that each name is on a node: no activation or norm follows.
EXPLORE = f"cw.explore(nets.named({list(ODD.values())!r}), torch.rand(1, 3, 48, 48), labels={LABELS!r})"

FAILING = """
@cw.explainers.register("failing", question="<b>Why</b>?")
def failing(model, images, target=None):
    raise ValueError("broken on purpose <script>window.hacked=1</script>")
"""

WIDE = """(root) => [root, ...root.querySelectorAll("*")]
  .filter((e) => {
    const style = getComputedStyle(e);
    const own = e.scrollWidth > e.clientWidth + 1 && style.display !== "inline" && style.overflowX === "visible";
    return own && e.clientWidth > 1 && !(e instanceof SVGElement);
  })
  .map((e) => `${e.className || e.tagName} ${e.scrollWidth} > ${e.clientWidth}`)"""


@pytest.fixture(scope="module")
def opened(jupyter: Lab) -> Iterator[tuple[ExplorerPage, Trouble]]:
    with jupyter.open(jupyter.notebook("bad", "", ""), run=False, height=1300, fresh=False) as (page, trouble):
        prepare(page)
        assert ask(page, FAILING) == ""
        explore(page, EXPLORE)
        explorer = ExplorerPage(page)
        explorer.wait_until_complete()
        yield explorer, trouble


@pytest.fixture
def e(opened: tuple[ExplorerPage, Trouble]) -> Iterator[ExplorerPage]:
    yield opened[0]
    trouble = opened[1]
    assert opened[0].page.evaluate("window.hacked") is None
    assert (trouble.console, trouble.external, trouble.failed) == ([], [], [])


def _fits(e: ExplorerPage) -> None:
    assert e.root.evaluate("(root) => root.scrollWidth - root.clientWidth") <= 0
    assert e.root.evaluate(WIDE) == []


def test_the_view_fits(e: ExplorerPage) -> None:
    _fits(e)
    assert e.root.locator("script, img[src=x]").count() == 0


@pytest.mark.parametrize("kind", ODD)
def test_an_odd_layer_name_is_text(e: ExplorerPage, kind: str) -> None:
    name = ODD[kind]
    node = e.graph.locator("[data-layer]").nth(list(ODD).index(kind))
    assert node.get_attribute("data-layer") == name
    node.locator(".cnnw-ag-box").click()
    e.wait_for_maps_of(name)
    e.wait_for_trait("layer", name)
    assert name in e.maps.inner_text() or name in (e.maps.locator("[title]").first.get_attribute("title") or "")
    expect(e.overlay).to_contain_text(name[:12])
    e.page.mouse.move(0, 0)
    node.locator(".cnnw-ag-box").hover()
    expect(e.graph.get_by_role("tooltip")).to_be_visible()
    _fits(e)
    e.page.mouse.move(0, 0)


@pytest.mark.parametrize("index", range(len(LABELS)))
def test_an_odd_label_is_text(e: ExplorerPage, index: int) -> None:
    button = e.scores.locator(f'button[data-class="{index}"]')
    assert LABELS[index] in (button.text_content() or "")
    button.focus()
    button.press("Enter")
    e.wait_for_trait("target", index)
    e.wait_until_ready()
    assert LABELS[index] in e.overlay.evaluate(
        "(e) => e.textContent + [...e.querySelectorAll('[title]')].map((x) => x.title)"
    )
    assert button.locator("bdi").is_visible()
    box = e.scores.get_by_label("Find a class by name or number")
    box.fill(LABELS[index][:40])
    box.fill("")
    e.page.evaluate("document.activeElement.blur()")
    _fits(e)


def test_no_label_runs_into_its_bar(e: ExplorerPage) -> None:
    rows = e.scores.locator("button[data-class]").evaluate_all("""(rows) => rows.map((row) => [
        row.querySelector("bdi").textContent,
        row.querySelector("bdi").getBoundingClientRect().right,
        row.querySelector(".cnnw-track").getBoundingClientRect().left])""")
    assert {label for label, _, _ in rows} == set(LABELS)
    assert all(end < start for _, end, start in rows)


def test_an_explainer_that_raises_shows_its_message_and_traceback(e: ExplorerPage) -> None:
    e.choose_method("Failing")
    e.wait_for_trait("status", "error")
    alert = e.bar.get_by_role("alert")
    expect(alert).to_contain_text("broken on purpose <script>window.hacked=1</script>")
    assert e.overlay.get_attribute("aria-busy") is None
    expect(e.overlay).to_contain_text("gave no map")
    alert.locator("summary").click()
    expect(alert.locator("pre")).to_contain_text("in failing")
    expect(alert.locator("pre")).to_be_visible()
    _fits(e)


def test_the_message_can_be_dismissed_and_another_method_works(e: ExplorerPage) -> None:
    e.bar.get_by_role("alert").get_by_role("button", name="Dismiss").click()
    expect(e.bar.get_by_role("alert")).to_have_count(0)
    e.choose_method("Saliency")
    e.wait_for_trait("status", "ready")
    expect(e.overlay).to_contain_text("Saliency →")


def test_weights_that_are_not_numbers(e: ExplorerPage) -> None:
    assert ask(e.page, "n = nets.plain(); n[0].weight.data[2, 0, 0, 0] = float('nan')") == ""
    explore(e.page, "cw.explore(n, torch.rand(1, 3, 48, 48))")
    e.wait_until_complete()
    expect(e.overlay).to_contain_text("The weights contain 1 NaN value")
    expect(e.scores).to_contain_text("NaN")
    run_cell(e.page, 1, "e.layer = '0'")
    e.wait_for_maps_of("0")
    expect(e.maps).to_contain_text("NaN or infinite")


def test_a_network_without_maps_opens_and_says_why(e: ExplorerPage) -> None:
    explore(e.page, "cw.explore(nets.perceptron(), torch.rand(1, 3, 16, 16))")
    expect(e.maps).to_contain_text("no layer whose output is a stack of maps")
    expect(e.overlay).to_contain_text("Saliency →")  # what works there is shown at first
    e.choose_method("Grad-CAM")
    expect(e.overlay).to_contain_text("no layer whose output is a stack of maps, which Grad-CAM needs")
    before = e.painted_id()
    e.choose_method("Occlusion")
    e.wait_for_new_map(before)
    e.wait_for_trait("status", "ready")


def test_a_closed_explorer_is_gone_and_says_so(e: ExplorerPage) -> None:
    run_cell(e.page, 1, "e.close()")
    expect(e.page.locator(".cnnw-explorer")).to_have_count(0)
    run_cell(e.page, 1, "e.layer = '1'")
    expect(e.page.locator(".jp-Cell").nth(1)).to_contain_text("This Explorer is closed. Make another")
    run_cell(e.page, 1, "")
    explore(e.page, "cw.explore(nets.plain(), torch.rand(1, 3, 48, 48))")
    e.wait_until_complete()
