"""From a click on a layer to its painted maps, in JupyterLab, for all spatial layers of ResNet-50."""

from __future__ import annotations

import json
import random
import statistics
from typing import Any

from tests.browser.explorer_page import ExplorerPage
from tests.browser.lab import Lab, ask

from .pages import MODEL, opened
from .table import Row, p95

_ROUNDS = 2


def measure(lab: Lab) -> list[Row]:
    """Three rows: until the maps' own event (median, p95), and until the frame with them has been drawn."""
    results = times(lab)
    layers = {one["layer"] for one in results}
    painted, drawn = ([one[key] for one in results] for key in ("painted", "drawn"))
    slowest = max(results, key=lambda one: float(one["painted"]))
    middle, high = statistics.median(painted), p95(painted)
    drawn_middle, drawn_high = statistics.median(drawn), p95(drawn)
    return [
        Row(
            f"click on a layer of ResNet-50 → painted maps ({len(results)} clicks on {len(layers)} layers), median",
            f"{middle:.0f} ms",
            "≤ 80 ms",
            middle <= 80,
        ),
        Row(
            "the same, p95",
            f"{high:.0f} ms (slowest: {slowest['painted']:.0f} ms, {slowest['layer']})",
            "≤ 150 ms",
            high <= 150,
        ),
        Row(
            "the same until the browser has drawn the frame, median and p95",
            f"{drawn_middle:.0f} ms, {drawn_high:.0f} ms",
            "≤ 80 ms, ≤ 150 ms",
            drawn_middle <= 80 and drawn_high <= 150,
        ),
    ]


def times(lab: Lab) -> list[dict[str, Any]]:
    """One dict a click: layer, painted and drawn in ms."""
    with opened(lab, "clicks", MODEL, "e = cw.explore(model)\ne.graph.expand_all()\ne") as page:
        explorer = ExplorerPage(page)
        explorer.wait_until_complete()
        explorer.root.scroll_into_view_if_needed()
        where: dict[str, float] = page.evaluate(
            "bench.places(document.querySelector('.cnnw-explorer .cnnw-ag-scroll'))"
        )
        spatial = set(json.loads(ask(page, "import json; print(json.dumps(list(e._scene.maps)))")))
        names = [name for name in where if name in spatial]
        assert len(names) >= 60
        shuffled = random.Random(0)  # noqa: S311
        order: list[str] = []
        for _ in range(_ROUNDS):
            shuffled.shuffle(names)
            order += [name for name in names if not order or name != order[-1]]
        first = order[-1]  # the one before the first is not the first, and everything has run once
        page.evaluate("([order, where]) => bench.clicks(order, where)", [[first, *order[:5], first], where])
        results: list[dict[str, Any]] = page.evaluate("([order, where]) => bench.clicks(order, where)", [order, where])
        return results
