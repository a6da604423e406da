"""How smoothly the two largest drawings scroll, in JupyterLab: nearly 60 frames a second, rarely one lost."""

from __future__ import annotations

import statistics

from tests.browser.lab import Lab

from .pages import opened
from .table import Row, p95

_CELL = """import numpy as np, torch
from torchvision.models import densenet121
import cnnwidgets as cw
from cnnwidgets.widgets.architecture_graph import ArchitectureGraph
from cnnwidgets.widgets.feature_maps import FeatureMaps
graph = ArchitectureGraph(cw.trace(densenet121(weights=None).eval(), torch.zeros(1, 3, 224, 224)))
graph.expand_all()
maps = FeatureMaps(np.random.default_rng(0).random((2048, 7, 7)), layer="layer4")"""
_STEP = 60  # px a frame: 3,600 px a second
_FRAMES = 240


def measure(lab: Lab) -> list[Row]:
    """One row a drawing."""
    wanted = [
        ("scrolling 2,048 feature maps", "maps", ".cnnw-feature-maps .fm-scroll"),
        ("panning DenseNet-121, all groups open", "graph", ".cnnw-architecture-graph .cnnw-ag-scroll"),
    ]
    rows = []
    for name, cell, selector in wanted:
        with opened(lab, f"drawing_{cell}", _CELL, cell) as page:
            page.wait_for_selector(f"{selector} :is([data-channel], [data-layer])")
            page.locator(selector).scroll_into_view_if_needed()
            page.wait_for_timeout(500)
            script = "([selector, step, count]) => bench.frames(document.querySelector(selector), step, count)"
            page.evaluate(script, [selector, _STEP, _FRAMES // 4])
            times = page.evaluate(script, [selector, _STEP, _FRAMES])
        middle, high = statistics.median(times), p95(times)
        measured = f"median {middle:.0f} ms a frame, p95 {high:.0f} ms"
        rows.append(Row(f"{name}, {_STEP} px a frame", measured, "≤ 20 ms, ≤ 34 ms", middle <= 20 and high <= 34))
    return rows
