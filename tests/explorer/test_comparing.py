"""The panel that compares, without the rest of the Explorer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import cnnwidgets as cw
from cnnwidgets.core.progress import Meter
from cnnwidgets.explainers.attribution import Attribution
from cnnwidgets.explorer.panels.compare import ComparePanel, last_of_stages, spread
from cnnwidgets.explorer.work.layers import explained_layers
from cnnwidgets.explorer.work.scene import Scene
from cnnwidgets.explorer.work.session import Session
from tests.explorer import nets
from tests.explorer.shown import pushed

LABELS = ["ant", "bee", "cat", "dog", "eel"]


class FakeHost:
    """What a part sees of an Explorer."""

    def __init__(self, pictures: dict[str, torch.Tensor]) -> None:
        self.session = Session(nets.plain(), pictures, labels=LABELS)
        self.scene: Scene = self.session.open("dark", 1)
        self.overlay_map: Attribution | None = None
        self.changes = 0

    switched_scores, lags = None, False

    @property
    def model(self) -> torch.nn.Module:
        return self.session.model

    def show_switched(self, logits: torch.Tensor | None) -> None:
        pass

    def show_scores(self, logits: torch.Tensor | None) -> None:
        raise AssertionError("a comparison moves no bars")

    def busy_changed(self) -> None:
        self.changes += 1


@pytest.fixture
def host(pictures: dict[str, torch.Tensor]) -> FakeHost:
    return FakeHost(pictures)


@pytest.fixture
def part(host: FakeHost) -> Iterator[ComparePanel]:
    made = ComparePanel(host)
    made.scene_opened(host.scene)
    yield made
    made.close()
    made.widget.close()


def press(part: ComparePanel, methods: list[str], axis: str = "layers", layers: Any = (), classes: Any = ()) -> None:
    """What the button does; the choice is all in the command."""
    command = {"op": "compare", "methods": methods, "axis": axis, "layers": list(layers), "classes": list(classes)}
    part.widget._receive(None, command, [])


def shown(part: ComparePanel, row: int, column: int) -> np.ndarray:
    arrays = pushed(part.widget, f"cell:{row}:{column}")[1]
    return arrays.get("magnitude", arrays["values"])


def test_what_is_offered(part: ComparePanel, host: FakeHost) -> None:
    widget = part.widget
    assert widget.layers == explained_layers(host.scene) == ["1", "2", "4"]
    assert widget.chosen_layers == ["1", "2", "4"]
    order = host.scene.logits.argsort(descending=True).tolist()
    assert widget.classes == [[i, LABELS[i]] for i in order]
    assert set(widget.chosen_classes) == {*order[:3], 1}
    families = {name: family for name, _, _, family in widget.methods}
    assert (families["saliency"], families["occlusion"]) == ("gradient", "perturbation")
    assert set(widget.chosen_methods) <= set(families)


def test_methods_by_layers_are_the_explainers_own_numbers(part: ComparePanel, host: FakeHost) -> None:
    press(part, ["grad_cam", "layer_cam", "saliency"], layers=["1", "4"])
    part.wait(30)
    net, x = nets.plain(), host.scene.picture.tensor
    for column, layer in enumerate(["1", "4"]):
        cam = cw.explainers.grad_cam(net, x, 1, layer=layer).values[0]
        np.testing.assert_allclose(shown(part, 0, column), cam, atol=1e-6)
        np.testing.assert_allclose(
            shown(part, 1, column), cw.explainers.layer_cam(net, x, 1, layer=layer).values[0], atol=1e-6
        )
    gradient = cw.explainers.saliency(net, x, 1).values[0].abs().amax(0)
    np.testing.assert_allclose(shown(part, 2, 0), gradient, atol=1e-6)
    grid = pushed(part.widget, "grid")[0]
    assert grid["rows"][2] == {"label": "Saliency", "note": "Explains the input, not a layer: one map.", "single": True}
    assert grid["caption"] == "dark → bee (1)"
    assert "cell:2:1" not in part.widget._pushed
    assert (part.widget.busy, part.busy, part.widget.progress, part.widget.error) == (False, False, None, "")


def test_methods_by_classes_explain_each_class(part: ComparePanel, host: FakeHost) -> None:
    press(part, ["grad_cam", "saliency"], "classes", classes=[1, 3])
    part.wait(30)
    net, x = nets.plain(), host.scene.picture.tensor
    for column, target in enumerate([1, 3]):
        cam = cw.explainers.grad_cam(net, x, target, layer="4").values[0]
        np.testing.assert_allclose(shown(part, 0, column), cam, atol=1e-6)
        gradient = cw.explainers.saliency(net, x, target).values[0].abs().amax(0)
        np.testing.assert_allclose(shown(part, 1, column), gradient, atol=1e-6)
    grid = pushed(part.widget, "grid")[0]
    assert (grid["columns"], grid["rows"][0]["note"]) == (["bee (1)", "dog (3)"], "Layer 4")
    assert host.scene.now.chosen == (1,), "the Explorer's own target stays"


def test_classes_use_the_layer_on_the_overlay(part: ComparePanel, host: FakeHost) -> None:
    host.overlay_map = host.session.explain(host.scene, "grad_cam", "2", lambda _: None)
    press(part, ["grad_cam"], "classes", classes=[0])
    part.wait(30)
    assert pushed(part.widget, "grid")[0]["rows"][0]["note"] == "Layer 2"
    cam = cw.explainers.grad_cam(nets.plain(), host.scene.picture.tensor, 0, layer="2").values[0]
    np.testing.assert_allclose(shown(part, 0, 0), cam, atol=1e-6)


def test_a_method_that_fails_says_why_and_the_rest_goes_on(
    part: ComparePanel, registered: Callable[[str, Callable[..., Any]], None]
) -> None:
    def failing(model: Any, images: torch.Tensor, target: Any = None) -> torch.Tensor:
        raise RuntimeError("not on this network")

    registered("failing", failing)
    press(part, ["failing", "saliency"], "classes", classes=[0, 1])
    part.wait(30)
    reasons = [pushed(part.widget, f"cell:0:{j}")[0]["reason"] for j in (0, 1)]
    assert reasons == ["not on this network"] * 2
    assert shown(part, 1, 1).shape == (24, 24)
    assert part.widget.error == ""


def test_cancel_keeps_what_is_done(part: ComparePanel, registered: Callable[[str, Callable[..., Any]], None]) -> None:
    reached, told = threading.Event(), []

    def slow(model: Any, images: torch.Tensor, target: Any = None, *, progress: Any = None) -> torch.Tensor:
        with Meter(progress, 2) as meter:
            meter.advance()
            reached.set()
            assert cancelled.wait(20)
            meter.advance()
        return images

    cancelled = threading.Event()
    registered("slow", slow)
    part.widget.observe(lambda change: told.append(change["new"]), "progress_text")
    press(part, ["saliency", "slow"], "classes", classes=[0, 1])
    assert reached.wait(20)
    assert part.widget.busy
    part.widget._receive(None, {"op": "cancel"}, [])
    cancelled.set()
    part.wait(20)
    assert {"cell:0:0", "cell:0:1"} == {kind for kind in part.widget._pushed if kind.startswith("cell:")}
    assert (part.widget.busy, part.widget.progress, part.widget.error) == (False, None, "")
    assert "2 of 4" in told


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ({"methods": []}, "No method is ticked"),
        ({"methods": ["saliency"], "axis": "layers"}, "None of the layers is ticked"),
        ({"methods": ["saliency"], "axis": "classes"}, "None of the classes is ticked"),
        ({"methods": ["grad_kam"], "layers": ["1"]}, "Closest: 'grad_cam'"),
    ],
)
def test_a_choice_of_nothing_is_refused(part: ComparePanel, choice: dict[str, Any], said: str) -> None:
    press(part, **choice)
    assert said in part.widget.error
    assert not part.busy


def test_another_photograph_clears_the_grid(part: ComparePanel, host: FakeHost) -> None:
    press(part, ["grad_cam"], layers=["1"])
    part.wait(30)
    host.scene = host.session.open("bright", None)
    part.scene_opened(host.scene)
    assert pushed(part.widget, "grid")[0]["rows"] == []
    assert not [kind for kind in part.widget._pushed if kind.startswith("cell:")]
    np.testing.assert_array_equal(pushed(part.widget, "picture")[1]["pixels"], host.scene.picture.pixels)


def test_another_class_is_ticked_unless_the_reader_chose(part: ComparePanel, host: FakeHost) -> None:
    last = part.widget.classes[-1][0]
    host.scene = host.session.retarget(host.scene, last)
    part.target_changed(host.scene)
    assert last in part.widget.chosen_classes
    part.widget.chosen_classes = [0]
    host.scene = host.session.retarget(host.scene, 1)
    part.target_changed(host.scene)
    assert part.widget.chosen_classes == [0]


def scene_of(host: FakeHost, sizes: dict[str, int]) -> None:
    maps = {name: torch.zeros(1, 2, side, side) for name, side in sizes.items()}
    host.scene = replace(host.scene, first=replace(host.scene.first, maps=maps))


def test_the_explorer_may_offer_other_layers(part: ComparePanel, host: FakeHost) -> None:
    scene_of(host, dict.fromkeys("abcdefg", 8))
    part.offer_layers(list("abcdefg"))
    assert part.widget.chosen_layers == ["d", "f", "g"], "of one size: spread over the second half"
    part.widget.chosen_layers = ["b"]
    part.offer_layers(["b", "c"])
    assert part.widget.chosen_layers == ["b"]


def test_it_begins_with_the_ends_of_the_last_stages(host: FakeHost) -> None:
    sizes = {"stem": 64, "layer1": 64, "layer2.0.conv1": 64, "layer2": 32, "layer3.0.conv1": 32, "layer3": 16}
    scene_of(host, sizes | {"layer4.0": 8, "layer4": 8, "head.act": 8})
    layers = list(host.scene.maps)
    assert last_of_stages(host.scene, layers) == ["layer2", "layer3", "head.act"]
    assert last_of_stages(host.scene, layers[:2]) == layers[:2]


def test_the_tab_begins_by_itself_once(part: ComparePanel, host: FakeHost) -> None:
    part.widget.chosen_methods, part.widget.chosen_layers = ["grad_cam", "saliency"], ["2", "4"]
    part.open()
    part.wait(30)
    assert pushed(part.widget, "grid")[0]["columns"] == ["2", "4"]
    cam = cw.explainers.grad_cam(nets.plain(), host.scene.picture.tensor, 1, layer="2").values[0]
    np.testing.assert_allclose(shown(part, 0, 0), cam, atol=1e-6)
    part.widget.chosen_layers = ["1"]
    part.open()
    part.wait(30)
    assert pushed(part.widget, "grid")[0]["columns"] == ["2", "4"], "what is on show is not taken away"


@pytest.mark.parametrize(("method", "seconds"), [("occlusion", 0.001), ("grad_cam", 60.0)])
def test_what_takes_long_waits_for_the_button(part: ComparePanel, host: FakeHost, method: str, seconds: float) -> None:
    host.scene = replace(host.scene, seconds=seconds)
    part.widget.chosen_methods = [method]
    part.open()
    part.wait(30)
    assert "grid" not in part.widget._pushed
    host.scene = replace(host.scene, seconds=0.001)
    part.widget.chosen_methods = ["saliency"]
    part.open()
    part.wait(30)
    assert "grid" in part.widget._pushed, "a shorter choice begins when the tab is opened again"


def test_the_photograph_knows_how_long_the_look_took(host: FakeHost) -> None:
    assert 0 < host.scene.seconds < 60


def test_a_map_that_no_class_changes_has_none_in_its_headings(part: ComparePanel) -> None:
    press(part, ["eigen_cam"], layers=["2", "4"])
    part.wait(30)
    grid = pushed(part.widget, "grid")[0]
    assert (grid["caption"], grid["rows"][0]["note"]) == ("dark", "Does not depend on the class.")
    press(part, ["eigen_cam", "grad_cam"], layers=["4"])
    part.wait(30)
    grid = pushed(part.widget, "grid")[0]
    assert (grid["caption"], grid["rows"][1]["note"]) == ("dark → bee (1)", "")
    press(part, ["eigen_cam", "grad_cam"], "classes", classes=[1, 3])
    part.wait(30)
    rows = pushed(part.widget, "grid")[0]["rows"]
    assert [row["single"] for row in rows] == [True, False], "one map, not one under each class"
    assert [row["note"] for row in rows] == ["Layer 4. Does not depend on the class: one map.", "Layer 4"]
    assert "cell:0:0" in part.widget._pushed
    assert "cell:0:1" not in part.widget._pushed


@pytest.mark.parametrize(("count", "wanted"), [(0, []), (1, [0]), (4, [0, 1, 2, 3]), (58, [0, 19, 38, 57])])
def test_spread(count: int, wanted: list[int]) -> None:
    assert [int(name) for name in spread([str(i) for i in range(count)], 4)] == wanted
