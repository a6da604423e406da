"""From a press of "Switch off" or "Switch on" to the moved bars, in JupyterLab, for ResNet-18 at 224 x 224."""

from __future__ import annotations

import statistics

from tests.browser.explorer_page import ExplorerPage
from tests.browser.lab import Lab, ask, idle

from .pages import MODEL, opened
from .table import Row, p95

_CHANNELS = 12
_QUIET = "!document.querySelector('.cnnw-explorer .cnnw-heatmap-overlay[aria-busy=true]')"
# The maps, which follow, are not waited for, but are done before the next press.
_PRESS = """() => new Promise((done, fail) => {
  const root = document.querySelector(".cnnw-explorer");
  const timer = setTimeout(() => fail(new Error("no bar moved")), 10000);
  let start = 0;
  const observer = new MutationObserver(() => {
    observer.disconnect();
    clearTimeout(timer);
    // A task after the frame's callbacks runs when the frame has been drawn.
    requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)));
  });
  const bars = root.querySelector(".cnnw-area-scores");
  observer.observe(bars, { subtree: true, childList: true, characterData: true, attributes: true });
  start = performance.now();
  root.querySelector(".cnnw-feature-maps .fm-switch").click();
})"""


def measure(lab: Lab) -> list[Row]:
    """Two rows, median and p95: a map that was not switched before, and one that is switched to and fro."""
    first, again = times(lab)
    presses = (("switched off for the first time", first), ("switched on, and off again", again))
    return [
        Row(
            f"a feature map of ResNet-18 `layer3` {what} → bars drawn ({len(results)} presses), median",
            f"{(middle := statistics.median(results)):.0f} ms (p95 {p95(results):.0f} ms)",
            "≤ 100 ms",
            middle <= 100,
        )
        for what, results in presses
    ]


def times(lab: Lab) -> tuple[list[float], list[float]]:
    """In ms: of each first press on a map, and of those that follow."""
    cell = MODEL.replace("resnet50", "resnet18")
    with opened(lab, "switching", cell, "e = cw.explore(model)\ne.layer = 'layer3'\ne") as page:
        ExplorerPage(page).wait_until_complete()
        first, again = list[float](), list[float]()
        for channel in range(_CHANNELS + 1):  # the first runs the whole network, to compare the engine with
            ask(page, f"e.channel = {channel}")
            page.locator(".cnnw-feature-maps").get_by_text(f"Channel {channel}", exact=True).wait_for()
            results = []
            for _ in range(4):
                idle(page)
                page.wait_for_function(_QUIET)
                page.wait_for_timeout(200)
                results.append(float(page.evaluate(_PRESS)))
            if channel:
                first, again = [*first, results[0]], [*again, *results[1:]]
        return first, again
