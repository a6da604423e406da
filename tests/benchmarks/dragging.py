"""From a step of a dragged patch to its moved bars, in JupyterLab, for ResNet-18 at 224 x 224."""

from __future__ import annotations

import statistics
from typing import Any

from playwright.sync_api import Page

from tests.browser.explorer_page import ExplorerPage
from tests.browser.lab import Lab, idle

from .pages import MODEL, opened
from .table import Row, p95

_STEPS = 40
_FAST = 150  # steps of a fast drag
_WATCH = """() => {
  const root = document.querySelector(".cnnw-explorer .cnnw-occluder");
  const bench = (window.dragged = { moved: 0, times: [], answers: 0, last: 0 });
  root.querySelector(".oc-stage").addEventListener("pointermove", () => (bench.moved = performance.now()), true);
  new MutationObserver(() => {
    bench.answers += 1;
    const { moved } = bench;
    // A task after the frame's callbacks runs when the frame has been drawn.
    requestAnimationFrame(() => setTimeout(() => {
      bench.last = performance.now();
      bench.times.push(bench.last - moved);
    }));
  }).observe(root, { attributeFilter: ["data-scored"] });
}"""


def measure(lab: Lab) -> list[Row]:
    """Two rows: single steps (median, p95), and how far the bars are behind at the end of a fast drag."""
    results = times(lab)
    middle, high = statistics.median(results["single"]), p95(results["single"])
    return [
        Row(
            f"a step of the dragged patch, ResNet-18 → bars drawn ({len(results['single'])} steps), median",
            f"{middle:.0f} ms (p95 {high:.0f} ms)",
            "≤ 100 ms",
            middle <= 100,
        ),
        Row(
            f"the same after the last of {_FAST} steps in {results['lasted']:.0f} ms ({results['answers']} answers)",
            f"{results['behind']:.0f} ms",
            "≤ two steps: no queue",
            results["behind"] <= 2 * high,
        ),
    ]


def times(lab: Lab) -> dict[str, Any]:
    """In ms: single, the time of each step; lasted, behind and answers, of a fast drag."""
    cell = MODEL.replace("resnet50", "resnet18")
    with opened(lab, "dragging", cell, "e = cw.explore(model)\ne.panel = 'hide'\ne") as page:
        explorer = ExplorerPage(page)
        explorer.root.locator(".oc-stage canvas").first.wait_for(timeout=60_000)
        idle(page)
        stage = explorer.root.locator(".oc-stage")
        stage.scroll_into_view_if_needed()
        box = stage.bounding_box()
        assert box is not None
        x, y = box["x"] + box["width"] / 3, box["y"] + box["height"] / 3
        page.evaluate(_WATCH)
        page.mouse.move(x, y)
        page.mouse.down()  # the first patch: the image's values are computed now
        _answered(page, 1)
        single = []
        for step in range(_STEPS + 5):
            before = page.evaluate("dragged.times.length")
            page.wait_for_timeout(150)  # the map of the step before has come, too
            page.mouse.move(x + 2 * (step + 1), y + step % 7)
            _answered(page, before + 1)
            if step >= 5:
                single.append(page.evaluate("dragged.times.at(-1)"))
        page.wait_for_timeout(500)
        page.evaluate("() => { dragged.answers = 0; dragged.began = performance.now(); }")
        page.mouse.move(x, y + box["height"] / 3, steps=_FAST)
        page.mouse.up()
        wanted = (
            "() => { const e = document.querySelector('.cnnw-explorer .cnnw-occluder'); return e.ariaBusy !== 'true'; }"
        )
        page.wait_for_timeout(600)
        page.wait_for_function(wanted)
        results: dict[str, Any] = page.evaluate(
            "(({ began, moved, last, answers }) => ({ lasted: moved - began, behind: last - moved, answers }))(dragged)"
        )
        return {"single": single, **results}


def _answered(page: Page, count: int) -> None:
    page.wait_for_function("(count) => dragged.times.length >= count", arg=count, timeout=20_000)
