"""Random messages and states from the page: used, or dropped with a sentence; never a wrong type, never a traceback."""

from __future__ import annotations

import logging
import random
from typing import Any

import ipywidgets
import numpy as np
import pytest
import torch
import traitlets

import cnnwidgets as cw
from cnnwidgets.widgets._base import CnnWidget
from cnnwidgets.widgets._messages import commands
from cnnwidgets.widgets.cell_sum import CellSum
from cnnwidgets.widgets.explorer_bar import ExplorerBar
from cnnwidgets.widgets.filter_ranking import FilterRanking
from cnnwidgets.widgets.panel_tabs import PanelTabs
from tests.explorer import nets
from tests.fuzz.budget import rounds
from tests.widgets.architecture_graph.made import residual

PICTURE = np.full((32, 48, 3), 200, np.uint8)
MAKERS: dict[str, Any] = {
    "graph": lambda: cw.ArchitectureGraph(residual()),
    "feature maps": lambda: cw.FeatureMaps(np.ones((3, 2, 2))),
    "overlay": lambda: cw.HeatmapOverlay(PICTURE, np.ones((2, 3)), layers=["a", "b"], layer="a"),
    "occluder": lambda: cw.Occluder(PICTURE, patches=[[1, 2, 3, 4]]),
    "comparison": lambda: cw.Comparison(PICTURE, methods=[["cam", "CAM", "?"]], layers=["a"], classes=[[3, "cat"]]),
    "scores": lambda: cw.ClassScores([0.0, 2.0]),
    "bar": ExplorerBar,
    "check": cw.MapCheck,
    "gallery": lambda: cw.FilterGallery(np.ones((2, 3, 4, 4)), channels=[1, 3]),
    "filter": lambda: cw.FilterPanel().view,
    "ranking": FilterRanking,
    "sum": CellSum,
    "tabs": PanelTabs,
}
WORDS = [
    "a",
    "body",
    "body.0",
    "cam",
    "layers",
    "grey",
    "copy",
    "color",
    "#ff0000",
    "",
    "__class__",
    "\0",
    "x" * 300_000,
]
NUMBERS = [0, 1, -1, 2, 3.0, 0.5, 10**9, -(10**9), 2**63, 10**400, float("nan"), float("inf"), -0.0, 1e-320]


def anything(rng: random.Random, depth: int = 0) -> Any:
    """Whatever JSON can hold, and a little more."""
    kind = rng.randrange(12 if depth < 4 else 8)
    if kind < 2:
        return rng.choice(WORDS)
    if kind < 5:
        return rng.choice(NUMBERS)
    if kind < 8:
        return rng.choice([None, True, False, b"bytes", memoryview(b"view")])
    if kind < 10:
        return [anything(rng, depth + 1) for _ in range(rng.randrange(5))]
    return {
        rng.choice(["top", "left", "height", "width", "fill", "x", *WORDS[:3]]): anything(rng, depth + 1)
        for _ in range(4)
    }


def near(rng: random.Random, value: Any) -> Any:
    """``value`` with something in it changed: gets further than what is all wrong."""
    if isinstance(value, list) and value and rng.random() < 0.7:
        changed = list(value)
        changed[rng.randrange(len(changed))] = near(rng, rng.choice(changed))
        return changed
    if isinstance(value, dict) and value and rng.random() < 0.7:
        return {**value, rng.choice(sorted(value)): anything(rng)}
    return anything(rng)


def fits(trait: Any, value: Any) -> bool:
    """Whether a stored value is of its trait's type, inner ones included."""
    if value is None:
        return bool(trait.allow_none)
    if isinstance(trait, traitlets.Bool):
        return type(value) is bool
    if isinstance(trait, traitlets.Int):
        return type(value) is int
    if isinstance(trait, traitlets.Float):
        low, high = trait.min, trait.max
        return type(value) is float and np.isfinite(value) and low <= value <= high
    if isinstance(trait, traitlets.Unicode):
        return type(value) is str and len(value) <= 100_000
    if isinstance(trait, traitlets.Enum):
        return value in trait.values
    if isinstance(trait, traitlets.List):
        inner = trait._trait
        return type(value) is list and (inner is None or all(fits(inner, one) for one in value))
    return True


def check(widget: CnnWidget) -> None:
    for name, trait in widget.traits(sync=True).items():
        if name not in ipywidgets.DOMWidget.class_trait_names() and not name.startswith("_"):
            assert fits(trait, getattr(widget, name)), (name, getattr(widget, name))
    assert "Traceback" not in widget.error_details, widget.error_details
    assert len(widget.error) <= 100_000


@pytest.mark.parametrize("kind", MAKERS)
def test_state(kind: str, caplog: Any) -> None:
    widget = MAKERS[kind]()
    names = [name for name in widget.keys if not name.startswith("_")]
    with caplog.at_level(logging.WARNING):
        for rng in rounds(f"state {kind}"):
            state = {}
            for _ in range(rng.randrange(1, 4)):
                name = rng.choice([*names, "no_trait"])
                state[name] = near(rng, getattr(widget, name, None))
            message = {"method": "update", "state": state, "buffer_paths": []}
            widget._handle_msg({"content": {"data": message}, "buffers": []})
            check(widget)
    assert caplog.records == []


@pytest.mark.parametrize("kind", MAKERS)
def test_commands(kind: str, caplog: Any) -> None:
    widget = MAKERS[kind]()
    table = commands(type(widget))
    good = {"name": "body", "kind": "maps", "id": 1, "patches": [[1, 2, 3, 4]], "selected": 0, "size": 8, "stride": 8}
    good |= {"fill": "grey", "color": "#00ff00", "methods": ["cam"], "axis": "layers", "layers": ["a"], "classes": [3]}
    with caplog.at_level(logging.WARNING):
        for rng in rounds(f"commands {kind}"):
            op = rng.choice([*table, "nonsense"])
            fields = table[op][1].fields if op in table else {"name": None}
            content: Any = {"op": op, **{name: good.get(name, 0) for name in fields}}
            for name in rng.sample(sorted(content), rng.randrange(len(content) + 1)):
                content[name] = near(rng, content[name])
            content = anything(rng) if rng.random() < 0.1 else content
            buffers = [b"file"] * rng.choice([0, 0, 1, 2])
            data = {"method": rng.choice(["custom"] * 9 + ["update", None]), "content": content}
            widget._handle_msg({"content": {"data": data}, "buffers": buffers})
            check(widget)
    assert caplog.records == []


def test_the_explorer_stays_alive(caplog: Any) -> None:
    """Its panels get anything; afterwards it answers as before."""
    explorer = cw.explore(nets.plain(), torch.rand(1, 3, 24, 24))
    parts = [explorer.graph, explorer.feature_maps, explorer.overlay, explorer.occluder, explorer._view.tabs]
    parts += [explorer._view.bar, explorer.comparison, explorer.map_check.panel, explorer.scores, explorer]
    try:
        with caplog.at_level(logging.WARNING):
            for rng in rounds("explorer"):
                widget = rng.choice(parts)
                names = [
                    name for name in widget.keys if not name.startswith("_") and name not in ("layout", "children")
                ]
                name = rng.choice(names)
                state = {name: near(rng, getattr(widget, name, None))}
                widget._handle_msg(
                    {"content": {"data": {"method": "update", "state": state, "buffer_paths": []}}, "buffers": []}
                )
        explorer.wait(60)
        assert caplog.records == []
        explorer.method, explorer.target = "saliency", 2
        explorer.wait(60)
        assert (explorer.status, explorer.method, explorer.target) == ("ready", "saliency", 2)
    finally:
        explorer.close()
