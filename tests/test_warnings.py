"""Scripts under ``python -W error``: nothing that we import, make or show warns."""

from __future__ import annotations

import subprocess
import sys

import pytest

START = """
import numpy as np, torch
from torch import nn
import cnnwidgets as cw
net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)).eval()
image, pixels = torch.rand(1, 3, 16, 16), np.zeros((8, 8, 3), np.uint8)
"""
SCRIPTS = {
    "imports": "import cnnwidgets\nfor name in cnnwidgets.__all__: getattr(cnnwidgets, name)",
    "widgets": START
    + """
from cnnwidgets.widgets.explorer_bar import ExplorerBar
from cnnwidgets.widgets.panel_tabs import PanelTabs
for widget in (
    ExplorerBar(), PanelTabs(), cw.FeatureMaps(np.ones((2, 3, 3))), cw.HeatmapOverlay(pixels, np.ones((2, 2))),
    cw.Occluder(pixels), cw.Comparison(pixels), cw.MapCheck(), cw.ClassScores([1.0, 2.0]),
    cw.ArchitectureGraph(cw.trace(net, image)),
):
    repr(widget)
    widget.close()
""",
    "explore": START + "e = cw.explore(net, image); e.wait(60); e.layer; e.close()",
    "explainers": START
    + """
for name in cw.explainers.names():
    if name != "cam":
        cw.explainers.get(name)(net, image)._repr_png_()
""",
}


@pytest.mark.parametrize("kind", SCRIPTS)
def test_a_script_that_takes_warnings_for_errors(kind: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPTS[kind]], capture_output=True, text=True, timeout=300
    )
    assert (done.returncode, done.stderr) == (0, "")
