"""From a press of "Switch off" or "Switch on" to the moved bars, in JupyterLab, for ResNet-18 at 224 x 224."""

from __future__ import annotations

import statistics

from tests.browser.explorer_page import ExplorerPage
from tests.browser.lab import Lab, idle

from .pages import MODEL, opened
from .table import Row, p95

_PRESSES = 30
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
    """One row: median, and p95."""
    results = times(lab)
    middle, high = statistics.median(results), p95(results)
    name = f"a switch of a feature map, ResNet-18 `layer3` → bars drawn ({len(results)} presses), median"
    return [Row(name, f"{middle:.0f} ms (p95 {high:.0f} ms)", "≤ 100 ms", middle <= 100)]


def times(lab: Lab) -> list[float]:
    """In ms, of each press."""
    cell = MODEL.replace("resnet50", "resnet18")
    with opened(lab, "switching", cell, "e = cw.explore(model)\ne.layer, e.channel = 'layer3', 4\ne") as page:
        ExplorerPage(page).wait_until_complete()
        results = []
        for press in range(_PRESSES + 3):  # the first run the whole network, to compare the engine with
            idle(page)
            page.wait_for_function("!document.querySelector('.cnnw-explorer .cnnw-heatmap-overlay[aria-busy=true]')")
            page.wait_for_timeout(100)
            one = float(page.evaluate(_PRESS))
            results += [one] if press >= 3 else []
        return results
