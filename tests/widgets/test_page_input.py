"""Messages and state from the page: what fits is used, what does not is dropped and said, nothing else happens."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest

import cnnwidgets as cw
from cnnwidgets.core.errors import InputError
from cnnwidgets.widgets._base import CnnWidget
from cnnwidgets.widgets._messages import answer, bounded, brief, command, list_of, maybe, one_of, text, whole_number
from cnnwidgets.widgets.explorer_bar import ExplorerBar
from cnnwidgets.widgets.filter_ranking import FilterRanking
from cnnwidgets.widgets.panel_tabs import PanelTabs
from tests.widgets.architecture_graph.made import residual

PICTURE = np.full((32, 48, 3), 200, np.uint8)


def graph() -> cw.ArchitectureGraph:
    return cw.ArchitectureGraph(residual(), expanded=["body"])


def overlay() -> cw.HeatmapOverlay:
    return cw.HeatmapOverlay(PICTURE, np.ones((2, 3)), layers=["a", "b"], layer="a")


def update(widget: Any, state: Any, **more: Any) -> None:
    """As the kernel hands it on."""
    data = {"method": "update", "state": state, "buffer_paths": [], **more}
    widget._handle_msg({"content": {"data": data}, "buffers": more.get("buffers", [])})


WRONG_STATE = [
    (graph, "expanded", ["nonsense"]),
    (graph, "expanded", "body"),
    (graph, "expanded", [0]),
    (graph, "expanded", {"body": True}),
    (graph, "selected", "nonsense"),
    (graph, "selected", 3),
    (graph, "error", 5),
    (graph, "error", {"message": "x"}),
    (graph, "error", "x" * 1_000_000),
    (graph, "busy", 1),
    (graph, "_esm", "export default {}"),
    (graph, "no_such_trait", 1),
    (overlay, "layer", "nonsense"),
    (overlay, "layer", 7),
    (overlay, "opacity", float("nan")),
    (overlay, "opacity", True),
    (overlay, "opacity", 1.5),
    (overlay, "opacity", 10**400),
    (overlay, "notes", [{"level": 3}]),
    (overlay, "notes", [[]]),
    (overlay, "methods", [["a"]]),
    (lambda: cw.FeatureMaps(np.ones((3, 2, 2))), "channel", "1"),
    (lambda: cw.FeatureMaps(np.ones((3, 2, 2))), "channel", -1),
    (lambda: cw.FeatureMaps(np.ones((3, 2, 2))), "channel", True),
    (lambda: cw.FeatureMaps(np.ones((3, 2, 2))), "off", [7]),
    (lambda: cw.FeatureMaps(np.ones((3, 2, 2))), "off", [True]),
    (lambda: cw.FeatureMaps(np.ones((3, 2, 2))), "off", [0.5]),
    (lambda: cw.FeatureMaps(np.ones((3, 2, 2))), "off", {"0": 0}),
    (lambda: cw.Occluder(PICTURE, patches=[[1, 2, 3, 4]]), "patches", [{"top": "a"}]),
    (lambda: cw.Occluder(PICTURE, patches=[[1, 2, 3, 4]]), "patches", "no list"),
    (lambda: cw.Occluder(PICTURE, patches=[[1, 2, 3, 4]]), "patches", [[1, 2, 3, 4, 5]]),
    (lambda: cw.Occluder(PICTURE, patches=[[1, 2, 3, 4]]), "patches", [[10**9, 2, 3, 4]]),
    (lambda: cw.Occluder(PICTURE, patches=[[1, 2, 3, 4]]), "patches", [[0, 0, 2, 2]] * 100_001),
    (lambda: cw.Occluder(PICTURE, patches=[[1, 2, 3, 4]]), "patches", [[True, 0, 2, 2]]),
    (lambda: cw.Occluder(PICTURE), "color", "javascript:alert(1)"),
    (lambda: cw.Occluder(PICTURE), "size", 0),
    (lambda: cw.Comparison(PICTURE), "classes", [["a", 3]]),
    (lambda: cw.Comparison(PICTURE), "classes", [[0]]),
    (lambda: cw.Comparison(PICTURE), "chosen_classes", ["a"]),
    (lambda: cw.Comparison(PICTURE), "axis", "colours"),
    (lambda: cw.ClassScores([0.0, 2.0]), "target", [1]),
    (lambda: cw.ClassScores([0.0, 2.0]), "target", 10**9),
    (lambda: cw.ClassScores([0.0, 2.0]), "target", -1),
    (cw.ClassScores, "rows", [None]),
    (cw.ClassScores, "bars", [[0.0]]),
    (ExplorerBar, "pictures", [3]),
    (cw.MapCheck, "progress", "half"),
    (cw.MapCheck, "progress", 7),
    (PanelTabs, "tabs", [["a", "b"]]),
    (lambda: cw.FilterGallery(np.ones((2, 3, 4, 4))), "channel", 7),
    (lambda: cw.FilterGallery(np.ones((2, 3, 4, 4))), "sort", "size"),
    (lambda: cw.FilterPanel().view, "progress", 7),
    (cw.ConvolutionStepper, "kernel", [[[1.0, float("nan")]]]),
    (cw.ConvolutionStepper, "kernel", [[[1.0]], [[1.0]]]),
    (cw.ConvolutionStepper, "kernel", "3"),
    (cw.ConvolutionStepper, "kernel", [[[1.0] * 13] * 13]),
    (cw.ConvolutionStepper, "dilation", 9),
    (cw.ConvolutionStepper, "stride", 0),
    (cw.ConvolutionStepper, "bias", float("inf")),
    (cw.ConvolutionStepper, "operation", "mean"),
    (cw.ConvolutionStepper, "channel", 1),
    (lambda: cw.ImageInput(PICTURE), "edits", [{"op": "crop", "box": [0, 0, 3, 1]}]),
    (lambda: cw.ImageInput(PICTURE), "edits", "crop"),
    (lambda: cw.ImageInput(PICTURE), "sample", "nonsense"),
    (lambda: cw.ImageInput(PICTURE), "sides", [0.5]),
    (FilterRanking, "off", [-1]),
    (FilterRanking, "groups", 99),
]


@pytest.mark.parametrize(
    ("make", "name", "value"), WRONG_STATE, ids=lambda part: getattr(part, "__name__", str(part))[:30]
)
def test_state_of_another_kind_is_not_stored_and_said(make: Any, name: str, value: Any, caplog: Any) -> None:
    widget = make()
    before = getattr(widget, name, None)
    with caplog.at_level(logging.WARNING):
        update(widget, {name: value})
    assert caplog.records == [], "nothing in the kernel's log"
    if name != "error":
        assert getattr(widget, name, None) == before
    assert widget.error.startswith("Something from the page was dropped: ")
    assert name in widget.error
    assert len(widget.error) < 500
    assert widget.error_details == ""


def test_what_fits_is_kept_beside_what_does_not() -> None:
    widget = overlay()
    update(widget, {"opacity": 0.25, "layer": "nonsense", "sign": "signed"})
    assert (widget.opacity, widget.layer, widget.sign) == (0.25, "a", "signed")
    assert "No map of layer 'nonsense'" in widget.error
    update(widget, {"layer": "b"})
    assert widget.layer == "b"


def test_a_refused_value_is_set_back_on_the_page(monkeypatch: Any) -> None:
    widget, sent = overlay(), []
    monkeypatch.setattr(widget, "send_state", lambda key=None: sent.append(key))
    widget.set_state({"layer": "nonsense"})
    assert "layer" in sent


def test_the_sentence_goes_with_the_next_command() -> None:
    widget = graph()
    widget._receive(None, {"op": "expand"}, [])
    assert "name of 'expand': None; expected a text" in widget.error
    widget._receive(None, {"op": "expand", "name": "body.1"}, [])
    assert (widget.error, widget.expanded) == ("", ["body", "body.1"])


WRONG_COMMANDS: list[Any] = [
    None,
    [],
    "expand",
    {},
    {"op": None},
    {"op": ["expand"]},
    {"op": "__init__"},
    {"op": "close"},
    {"op": "expand", "name": 3},
    {"op": "expand", "name": {"x": [[[[[[[[[[1]]]]]]]]]]}},
    {"op": "expand", "name": "0" * 10_000},
    {"op": "expand", "name": float("inf")},
    {"op": "expand", "name": "body.0", "more": float("nan")},
    {"op": "pull"},
    {"op": "pull", "kind": ["maps"]},
]


@pytest.mark.parametrize("content", WRONG_COMMANDS, ids=lambda content: str(content)[:30])
def test_a_command_of_another_kind_is_dropped_and_said(content: Any, caplog: Any) -> None:
    widget = graph()
    with caplog.at_level(logging.WARNING):
        widget._handle_msg({"content": {"data": {"method": "custom", "content": content}}, "buffers": []})
    assert widget.expanded == ["body"]
    assert widget.error.startswith("Something from the page was dropped: ")
    assert (widget.error_details, caplog.records) == ("", [])


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"content": None},
        {"content": {"data": []}},
        {"content": {"data": {}}},
        {"content": {"data": {"method": "explode"}}},
        {"content": {"data": {"method": "update", "state": []}}},
        {"content": {"data": {"method": "update", "state": {}, "buffer_paths": [["a", 0]]}}, "buffers": [b"x"]},
        {"content": {"data": {"method": "update", "state": {}, "buffer_paths": 3}}, "buffers": [b"x"]},
        {"content": {"data": {"method": "update", "state": {"error": "x"}, "buffer_paths": [[]]}}, "buffers": [b"x"]},
    ],
)
def test_messages_outside_the_protocol_are_dropped_and_said(message: Any, caplog: Any) -> None:
    widget = graph()
    with caplog.at_level(logging.WARNING):
        widget._handle_msg(message)
    assert widget.error.startswith("Something from the page was dropped: ")
    assert caplog.records == []


def test_binary_state_where_none_is_expected() -> None:
    widget = graph()
    update(widget, {"selected": None}, buffer_paths=[["selected"]], buffers=[memoryview(b"0.0")])
    assert widget.selected == ""
    assert "selected" in widget.error


def test_an_observer_that_fails_is_shown_and_not_raised(caplog: Any) -> None:
    widget = overlay()

    def fail(_: Any) -> None:
        raise ValueError("my own mistake")

    widget.observe(fail, "opacity")
    with caplog.at_level(logging.WARNING):
        update(widget, {"opacity": 0.5})
    assert (widget.opacity, widget.error) == (0.5, "my own mistake")
    assert "ValueError" in widget.error_details
    assert caplog.records == []


def test_uploads_come_whole_and_bounded(monkeypatch: Any) -> None:
    bar, files = ExplorerBar(), []
    bar.on_upload = lambda name, content: files.append((name, content))
    for buffers in ([], [b"a", b"b"]):
        bar._receive(None, {"op": "upload", "name": "x.png"}, buffers)
        assert "buffers instead of 1" in bar.error
    monkeypatch.setattr("cnnwidgets.widgets._messages.MOST_BYTES", 3)
    bar._receive(None, {"op": "upload", "name": "x.png"}, [b"abcd"])
    assert "more than 0 MB" in bar.error
    bar._receive(None, {"op": "upload", "name": "x.png"}, [memoryview(b"abc")])
    bar._receive(None, {"op": "upload", "name": None}, [b""])
    assert files == [("x.png", b"abc"), ("upload", b"")]


def test_only_what_is_offered_can_be_compared() -> None:
    asked: list[Any] = []
    widget = cw.Comparison(PICTURE, methods=[["cam", "CAM", "?"]], layers=["a"], classes=[[3, "cat"]])
    widget.on_compare(asked.append)
    good = {"op": "compare", "methods": ["cam"], "axis": "layers", "layers": ["a"], "classes": [3]}
    for wrong in ({"methods": ["os.system"]}, {"layers": ["__class__"]}, {"classes": [4]}, {"classes": [True]}):
        widget._receive(None, good | wrong, [])
        assert widget.error
        assert asked == []
    widget._receive(None, good, [])
    assert len(asked) == 1
    assert widget.error == ""


def test_a_command_is_called_with_its_checked_fields_alone() -> None:
    class Own(CnnWidget):
        _esm = "export default {}"
        called: tuple[Any, ...] = ()

        @command("go", name=text(5), steps=list_of(whole_number(0, 3)), mode=maybe(one_of("a", "b"), "a"))
        def _go(self, name: str, steps: list[int], mode: str) -> None:
            self.called = (name, steps, mode)

    own = Own()
    own._receive(None, {"op": "go", "id": 4, "name": "n", "steps": [1, 2.0], "stray": [1]}, [])
    assert own.called == ("n", [1, 2], "a")
    for wrong in ({"name": "too long"}, {"steps": [4]}, {"steps": [0.5]}, {"steps": 1}, {"mode": "c"}, {"mode": []}):
        with pytest.raises(InputError):
            answer(own, {"op": "go", "name": "n", "steps": [], **wrong}, [])


def test_what_is_bounded() -> None:
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    wide = [[0] * 1_000] * 1_000
    for value in (deep, wide, "x" * 10**6, [0] * 10**6, 2**60, float("nan"), {1: 2}, object()):
        with pytest.raises(InputError):
            bounded(value)
    bounded({"a": [1, 2.5, None, True, "x"], "b": {"c": [[1]]}, "d": memoryview(b"x")})
    assert len(brief("\0" * 10**6)) < 70
    while isinstance(deep, list):  # freed from outside in: without this CPython's own trashcan has to
        deep = deep.pop()
