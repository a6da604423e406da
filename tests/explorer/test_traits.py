"""Setting a trait moves the widgets; what is clicked in a widget moves the trait."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import cnnwidgets as cw
from tests.explorer import nets
from tests.explorer.shown import pushed, shown_map


def _cam(e: cw.Explorer, layer: str, target: int) -> np.ndarray[Any, Any]:
    return cw.explainers.grad_cam(nets.plain(), e._scene.picture.tensor, target, layer=layer).values[0].numpy()


def test_layer_moves_the_graph_and_the_maps(e: cw.Explorer) -> None:
    e.layer = "1"
    assert (e.graph.selected, e.feature_maps.layer) == ("1", "1")
    with torch.no_grad():
        maps = nets.plain()[:2](e._scene.picture.tensor)[0]
    sent = pushed(e.feature_maps, "maps")[1]
    np.testing.assert_allclose(sent["minimum"], maps.amin((1, 2)), rtol=1e-5)
    np.testing.assert_allclose(sent["maximum"], maps.amax((1, 2)), rtol=1e-5)
    assert e.overlay.layer == "1"  # there is one choice of layer


def test_a_click_in_the_graph_moves_the_layer(e: cw.Explorer) -> None:
    e.graph.selected = "0"
    assert (e.layer, e.feature_maps.layer) == ("0", "0")


def test_the_overlay_follows_the_layer_unless_it_is_pinned(e: cw.Explorer) -> None:
    e.layer = "1"
    assert e.overlay.layer == "1"
    np.testing.assert_allclose(shown_map(e), _cam(e, "1", e.target), rtol=1e-4, atol=1e-7)
    e.overlay.follow = False
    e.layer = "4"
    assert e.overlay.layer == "1"
    np.testing.assert_allclose(shown_map(e), _cam(e, "1", e.target), rtol=1e-4, atol=1e-7)
    e.overlay.follow = True
    assert e.overlay.layer == "4"


def test_the_overlays_slider_moves_the_graph_and_the_maps_unless_it_is_pinned(e: cw.Explorer) -> None:
    e.overlay.layer = "1"
    assert (e.layer, e.graph.selected, e.feature_maps.layer) == ("1", "1", "1")
    e.overlay.follow = False
    e.overlay.layer = "4"
    assert (e.layer, e.graph.selected, e.feature_maps.layer) == ("1", "1", "1")
    np.testing.assert_allclose(shown_map(e), _cam(e, "4", e.target), rtol=1e-4, atol=1e-7)
    e.overlay.layer = "1"
    np.testing.assert_allclose(shown_map(e), _cam(e, "1", e.target), rtol=1e-4, atol=1e-7)


def test_a_layer_without_maps_says_so_and_the_layer_stays(e: cw.Explorer) -> None:
    e.graph.selected = "7"
    assert e.layer == "4"
    assert "5 numbers" in pushed(e.feature_maps, "maps")[0]["message"]
    said = "7 has no map of the score. The overlay stays at 4."
    assert said in [note["text"] for note in e.overlay.notes]
    e.graph.selected = "4"
    assert said not in [note["text"] for note in e.overlay.notes]
    assert pushed(e.feature_maps, "maps")[0].get("message") is None
    assert e.feature_maps.layer == "4"


@pytest.mark.parametrize("back", [{"layer": "4"}, {"channel": 2}])
def test_from_a_layer_without_maps_a_trait_leads_back(e: cw.Explorer, back: dict[str, Any]) -> None:
    e.graph.selected = "7"
    for name, value in back.items():
        setattr(e, name, value)
    assert (e.graph.selected, e.feature_maps.layer, e.feature_maps.channel) == ("4", "4", back.get("channel"))


def test_channel_goes_both_ways_and_only_as_far_as_the_layer_has_it(e: cw.Explorer) -> None:
    e.channel = 7
    assert e.feature_maps.channel == 7
    e.feature_maps.channel = 5
    assert e.channel == 5
    e.layer = "0"
    assert (e.channel, e.feature_maps.channel) == (5, 5)
    e.layer = "4"
    e.channel = 7
    e.layer = "1"  # has 6
    assert (e.channel, e.feature_maps.channel) == (None, None)


def test_target_goes_both_ways_with_its_map_and_contributions(e: cw.Explorer) -> None:
    e.target = 1
    e.wait(20)
    assert e.scores.target == 1
    assert e.overlay.caption == "Grad-CAM · 4 → bee (1)"
    np.testing.assert_allclose(shown_map(e), _cam(e, "4", 1), rtol=1e-4, atol=1e-7)
    content, arrays = pushed(e.feature_maps, "contribution")
    assert content["target"] == "bee"
    # The mean over a map, then a linear layer: gradient times activation is weight times mean.
    net = nets.plain()
    with torch.no_grad():
        means = net[:5](e._scene.picture.tensor)[0].mean((1, 2))
    np.testing.assert_allclose(arrays["values"], (net[7].weight[1] * means).detach(), rtol=1e-4)
    e.scores.target = 3
    e.wait(20)
    assert (e.target, e.overlay.caption) == (3, "Grad-CAM · 4 → dog (3)")


def test_method_goes_both_ways(e: cw.Explorer) -> None:
    e.method = "saliency"
    e.wait(20)
    assert (e.overlay.method, e.status) == ("saliency", "ready")
    assert e.overlay.caption == f"Saliency → {e.scores.label(e.target)} ({e.target})"
    x = e._scene.picture.tensor.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(nets.plain()(x)[0, e.target], x)
    np.testing.assert_allclose(pushed(e.overlay, "map")[1]["magnitude"], gradient[0].abs().amax(0), rtol=1e-4)
    assert e.overlay.layers == []  # the input is explained: there is no layer to choose
    e.overlay.method = "grad_cam"
    e.wait(20)
    assert (e.method, e.overlay.layers) == ("grad_cam", ["1", "2", "4"])


def test_picture_goes_both_ways(e: cw.Explorer, pictures: dict[str, torch.Tensor]) -> None:
    e.picture = "bright"
    assert e.message == "Grad-CAM …"
    e.wait(20)
    assert (e._view.bar.picture, e.status, e.message) == ("bright", "ready", "")
    with torch.no_grad():
        np.testing.assert_allclose(e.scores._logits, nets.plain()(pictures["bright"])[0], rtol=1e-5)
    e._view.bar.picture = "dark"
    e.wait(20)
    assert e.picture == "dark"


@pytest.mark.parametrize(
    ("trait", "value", "kind", "says"),
    [
        ("layer", "44", cw.LayerNotFound, "Closest: '4'"),
        ("layer", "7", cw.NotSpatial, "5 numbers"),
        ("layer", "", cw.LayerNotFound, "No layer ''"),
        ("target", 5, cw.TargetError, "5 classes, 0 to 4"),
        ("target", -1, cw.TargetError, "5 classes, 0 to 4"),
        ("channel", 8, cw.InputError, "has 8, 0 to 7"),
        ("channel", -1, cw.InputError, "has 8, 0 to 7"),
        ("method", "grad_cams", cw.CnnWidgetsError, "Closest: 'grad_cam'"),
        ("picture", "nope", cw.InputError, "'dark', 'bright'"),
    ],
)
def test_a_value_that_does_not_exist_changes_nothing(
    e: cw.Explorer, trait: str, value: Any, kind: type[Exception], says: str
) -> None:
    e.layer, e.channel = "4", 2
    names = ["layer", "channel", "target", "method", "picture", "status", "message"]
    before = {name: getattr(e, name) for name in names}
    views = (e.graph.selected, e.feature_maps.channel, e.scores.target, e.overlay.method, e.overlay.caption)
    with pytest.raises(kind, match=says):
        setattr(e, trait, value)
    assert {name: getattr(e, name) for name in names} == before
    assert views == (e.graph.selected, e.feature_maps.channel, e.scores.target, e.overlay.method, e.overlay.caption)
    e.layer, e.channel, e.target, e.method, e.picture = "0", 1, 0, "saliency", "bright"
    e.wait(20)
    assert e.status == "ready"
    assert e.overlay.caption == "Saliency → ant (0)"


@pytest.mark.parametrize(
    ("widget", "trait", "value"),
    [("scores", "target", 77), ("overlay", "method", "nope"), ("bar", "picture", "nope")],
)
def test_a_view_that_asks_for_what_does_not_exist_is_put_right(
    e: cw.Explorer, widget: str, trait: str, value: Any
) -> None:
    view = e._view.bar if widget == "bar" else getattr(e, widget)
    before = getattr(view, trait)
    try:
        setattr(view, trait, value)
    except cw.TargetError:
        assert widget == "scores"  # refuses by itself
    else:
        assert str(value) in e._view.bar.error
        assert "Traceback" in e._view.bar.error_details
    assert getattr(view, trait) == before == getattr(e, trait)
    assert e.status == "ready"
