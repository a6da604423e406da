"""Filters that are switched off."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
import torch
import traitlets
from torch import nn

import cnnwidgets as cw
from cnnwidgets.explorer import requests
from cnnwidgets.explorer.panels import switch
from cnnwidgets.switches.scores import ZeroedScores
from tests.explorer import nets
from tests.explorer.shown import pushed, shown_map


def _by_hand(x: torch.Tensor, first: list[int], last: list[int]) -> torch.Tensor:
    net = nets.plain()
    with torch.no_grad():
        maps = net[:2](x)
        maps[:, first] = 0
        maps = net[2:5](maps)
        maps[:, last] = 0
        return net[5:](maps)[0]


def _bars(e: cw.Explorer) -> torch.Tensor:
    return torch.as_tensor(e.scores._logits).float()


def test_the_bars_are_those_of_the_network_without_the_maps(e: cw.Explorer) -> None:
    x = e._scene.picture.tensor
    e.feature_maps.off = [2]
    e.wait(20)
    torch.testing.assert_close(_bars(e), _by_hand(x, [], [2]))
    assert e.feature_maps.effect.startswith("1 map switched off: ")
    e.layer = "1"
    assert e.feature_maps.off == []
    e.feature_maps.off = [0, 5]
    e.wait(20)
    torch.testing.assert_close(_bars(e), _by_hand(x, [0, 5], [2]))
    assert e.feature_maps.effect.startswith("3 maps switched off in 2 layers: ")
    e.layer = "4"
    assert e.feature_maps.off == [2]
    torch.testing.assert_close(_bars(e), _by_hand(x, [0, 5], [2]))


def test_the_sentence_tells_the_explained_class_and_a_new_verdict() -> None:
    x = torch.full((1, 3, 4, 4), 0.1)
    x[:, 0] = 1.0
    e = cw.explore(nets.colours(), x, labels=["red", "green", "blue"])
    e.layer = "1"
    e.feature_maps.off = [0]
    e.wait(20)
    before = torch.tensor([1.0, 0.1, 0.1]).softmax(0)[0]
    after = torch.tensor([0.0, 0.1, 0.1]).softmax(0)[0]
    said = f"1 map switched off: red {100 * before:.1f} % → {100 * after:.1f} %; the network now says green"
    assert e.feature_maps.effect == said
    e.target = 1
    e.wait(20)
    assert e.feature_maps.effect.startswith("1 map switched off: green ")
    e.close()


def test_switching_all_on_brings_the_photographs_scores_back(e: cw.Explorer) -> None:
    before = _bars(e)
    e.feature_maps.off = [1, 2]
    e.wait(20)
    assert not torch.allclose(_bars(e), before)
    e.feature_maps._receive(None, {"op": "switch_all_on"}, [])
    e.wait(20)
    assert (e.feature_maps.off, e.feature_maps.effect) == ([], "")
    assert torch.equal(_bars(e), before)


def test_another_photograph_is_judged_without_the_maps_too(e: cw.Explorer) -> None:
    e.feature_maps.off = [2]
    e.picture = "bright"
    e.wait(20)
    assert e.feature_maps.off == [2]
    torch.testing.assert_close(_bars(e), _by_hand(e._scene.picture.tensor, [], [2]))


def test_no_such_map_is_refused(e: cw.Explorer) -> None:
    with pytest.raises(traitlets.TraitError, match="No channel 8"):
        e.feature_maps.off = [8]
    assert e.feature_maps.off == []


def test_the_model_is_as_it_was(e: cw.Explorer) -> None:
    e.feature_maps.off = [2]
    e.wait(20)
    assert not any(module._forward_hooks for module in e._session.model.modules())


def test_a_torch_call_cannot_be_switched_off(pictures: dict[str, torch.Tensor]) -> None:
    e = cw.explore(nets.Functional(), pictures)
    assert e.layer
    assert not e.feature_maps.switchable
    e.close()


def test_patches_and_switches_are_judged_together(e: cw.Explorer) -> None:
    x = e._scene.picture.tensor
    whole = _bars(e)
    e.panel = "hide"
    e.feature_maps.off = [2]
    e.wait(20)
    e.occluder.patches = [{"top": 0, "left": 0, "height": 8, "width": 8, "fill": "black"}]
    e.wait(20)
    image = e._panels.hiding._open.filling.edited(e.occluder.patches)
    assert not torch.equal(image, x)
    torch.testing.assert_close(_bars(e), _by_hand(image, [], [2]))
    e.feature_maps.off = []
    e.wait(20)
    torch.testing.assert_close(_bars(e), _by_hand(image, [], []))
    e.feature_maps.off = [1]
    e.wait(20)
    e.occluder.patches = []
    e.wait(20)
    torch.testing.assert_close(_bars(e), _by_hand(x, [], [1]))
    e.feature_maps.off = []
    e.wait(20)
    torch.testing.assert_close(_bars(e), whole)


def test_what_a_patch_does_is_told_beside_the_network_without_the_maps(
    e: cw.Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, told = e._scene.picture.tensor, list[tuple[torch.Tensor, torch.Tensor]]()
    monkeypatch.setattr(e.occluder, "show_scores", lambda before, after, *_, **__: told.append((before, after)))
    patch = {"top": 0, "left": 0, "height": 8, "width": 8, "fill": "black"}
    e.panel = "hide"
    for off in ([2], []):
        e.occluder.patches = []
        e.feature_maps.off = off
        e.wait(20)
        whole = _by_hand(x, [], off)
        torch.testing.assert_close(told[-1][0], whole)
        torch.testing.assert_close(told[-1][1], whole)
        assert e.occluder.switched == ("Without channel 2 of 4." if off else "")
        e.occluder.patches = [patch]
        e.wait(20)
        edited = e._panels.hiding._open.filling.edited(e.occluder.patches)
        torch.testing.assert_close(told[-1][0], whole)
        torch.testing.assert_close(told[-1][1], _by_hand(edited, [], off))


def _without(channels: list[int]) -> nn.Module:
    """The network whose second convolution makes nothing of these channels."""
    net = nets.plain()
    with torch.no_grad():
        net[3].weight[channels], net[3].bias[channels] = 0, 0
    return net


def _maps_on_show(e: cw.Explorer) -> torch.Tensor:
    content, arrays = pushed(e.feature_maps, "maps")
    assert content["layer"] == e.layer
    return torch.from_numpy(arrays["maximum"].copy())


def test_the_map_the_strip_and_the_feature_maps_are_those_of_the_network_without(e: cw.Explorer) -> None:
    x, off = e._scene.picture.tensor, [0, 2]
    zero = _without(off)
    whole = shown_map(e).copy()
    e.layer = "4"
    e.feature_maps.off = off
    e.wait(20)
    expected = cw.explainers.grad_cam(zero, x, e.target, layer=e.attribution.layer).values
    torch.testing.assert_close(e.attribution.values, expected)
    np.testing.assert_allclose(shown_map(e), expected[0], rtol=1e-4, atol=1e-6)
    assert not np.allclose(shown_map(e), whole)
    with torch.no_grad():
        torch.testing.assert_close(_maps_on_show(e), zero[:5](x)[0].amax((1, 2)))
        torch.testing.assert_close(_bars(e), zero(x)[0])
    for method in ("saliency", "occlusion", "score_cam"):
        e.method = method
        e.wait(20)
        options = e._session.options(method, e._scene)
        layer = {"layer": e.attribution.layer} if method == "score_cam" else {}
        again = getattr(cw.explainers, method)(zero, x, e.target, **layer, **options)
        torch.testing.assert_close(e.attribution.values, again.values, msg=method)
    e.feature_maps._receive(None, {"op": "switch_all_on"}, [])
    e.wait(20)
    again = cw.explainers.score_cam(nets.plain(), x, e.target, layer=e.attribution.layer)
    torch.testing.assert_close(e.attribution.values, again.values)  # no map of the network without is kept for this one


def test_everything_on_show_says_what_is_off_and_switches_it_on(e: cw.Explorer) -> None:
    follow = [e.overlay, e.feature_maps, e.occluder, e.comparison, e.scores]
    e.layer = "4"
    e.feature_maps.off = [2, 5]
    e.wait(20)
    for widget in follow:
        assert widget.switched == "Without 2 channels of 4.", widget
        assert widget.network.endswith(", without 2 channels of 4")  # which titles and saved pictures have
    assert e.map_check.network == e.overlay.network  # it lies under the map that it checks
    assert "of the network with all its channels" in e.filters.view.switched
    assert e.graph.touched == ["4"]
    e.overlay._receive(None, {"op": "switch_all_on"}, [])
    e.wait(20)
    for widget in [*follow, e.filters.view]:
        assert (widget.switched, "without" in widget.network) == ("", False)
    assert (e.feature_maps.off, e.graph.touched) == ([], [])


def test_a_layer_is_scaled_and_switched_off_from_the_graph(e: cw.Explorer) -> None:
    net, x = nets.plain(), e._scene.picture.tensor
    e.graph._receive(None, {"op": "scale", "name": "1", "factor": 0.5}, [])
    e.wait(20)
    with torch.no_grad():
        torch.testing.assert_close(_bars(e), net[2:](0.5 * net[:2](x))[0])
    assert e.feature_maps.effect.startswith("With 1 × 0.5: ")
    assert e.graph.scales == {"1": 0.5}
    e.layer = "1"
    e.feature_maps.off = [3]
    e.wait(20)
    maps = 0.5 * net[:2](x).detach()
    maps[:, 3] = 0
    with torch.no_grad():
        torch.testing.assert_close(_bars(e), net[2:](maps)[0])
    assert e.overlay.switched == "Without channel 3 of 1, with the rest of 1 × 0.5."
    e.graph._receive(None, {"op": "scale", "name": "3", "factor": 0}, [])
    e.wait(20)
    assert e.overlay.switched == "Without channel 3 of 1 and 3, with the rest of 1 × 0.5."
    torch.testing.assert_close(_bars(e), net[7].bias.detach())
    e.graph._receive(None, {"op": "scale", "name": "7", "factor": 0}, [])
    assert "No layer '7'" in e.graph.error  # it returns no maps
    e.graph._receive(None, {"op": "scale", "name": "1", "factor": 3}, [])
    assert "expected a number from 0 to 2" in e.graph.error
    e.overlay._receive(None, {"op": "switch_all_on"}, [])
    e.wait(20)
    with torch.no_grad():
        torch.testing.assert_close(_bars(e), net(x)[0])
    assert (e.graph.scales, e.graph.touched, e.overlay.switched) == ({}, [], "")


def test_the_class_explained_stays_and_the_check_and_the_comparison_follow(e: cw.Explorer) -> None:
    x, zero, target = e._scene.picture.tensor, _without([0, 1, 2, 3]), e.target
    e.layer = "4"
    e.feature_maps.off = [0, 1, 2, 3]
    e.wait(20)
    assert e.target == target
    assert e.scores.explains == "Explains the class with the highest score with all channels on."
    e.comparison.chosen_methods, e.comparison.chosen_layers = ["grad_cam"], ["1"]
    e.panel = "compare"
    e.wait(20)
    _, arrays = pushed(e.comparison, "cell:0:0")
    expected = cw.explainers.grad_cam(zero, x, target, layer="1").values[0]
    np.testing.assert_allclose(arrays["values"], expected, rtol=1e-4, atol=1e-6)
    told: list[torch.Tensor] = []
    e.map_check.show_curves = lambda _, deletion, *__, **___: told.append(deletion)  # type: ignore[method-assign]
    e._panels.checking.check()
    e.wait(20)
    again = cw.checks.insertion_deletion(zero, x, cw.explainers.grad_cam(zero, x, target, layer=e.attribution.layer))
    torch.testing.assert_close(told[-1], again.deletion[0])


def test_until_the_map_follows_it_says_so_and_an_error_leaves_it(e: cw.Explorer, monkeypatch: Any) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no such luck")

    before = shown_map(e).copy()
    monkeypatch.setattr(requests, "switched_scene", fail)
    e.layer = "4"
    e.feature_maps.off = [2]
    e.wait(20)
    assert (e.status, e.message) == ("error", "no such luck")
    assert np.array_equal(shown_map(e), before)
    assert any("of the network with other switches" in note["text"] for note in e.overlay.notes)
    assert e.overlay.switched == ""
    monkeypatch.undo()
    e.feature_maps.off = []
    e.wait(20)
    assert e.status == "ready"
    assert not any("other switches" in note["text"] for note in e.overlay.notes)


def test_a_switch_that_is_flicked_says_nothing_of_a_map_that_lags(e: cw.Explorer) -> None:
    e.layer = "4"
    notes: list[str] = []
    e.overlay.observe(lambda change: notes.extend(note["text"] for note in change["new"]), "notes")
    e.feature_maps.off = [2]
    e.feature_maps.off = []
    e.wait(20)
    assert not any("other switches" in note for note in notes)
    assert (e.status, e.feature_maps.effect) == ("ready", "")


def test_the_bars_speak_of_patches_only_where_patches_are_seen(e: cw.Explorer) -> None:
    whole = _bars(e)
    e.panel = "hide"
    e.occluder.patches = [{"top": 0, "left": 0, "height": 12, "width": 12, "fill": "black"}]
    e.wait(20)
    patched = _bars(e)
    assert not torch.allclose(patched, whole)
    e.panel = "look"
    assert torch.equal(_bars(e), whole)
    e.panel = "hide"
    assert torch.equal(_bars(e), patched)


class Inner(nn.Module):
    """A stem, a layer whose maps lie ``way``, and a head."""

    def __init__(self, way: str) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.stem, self.act, self.norm = nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.GELU(), nn.LayerNorm(8)
        self.front, self.mix = nn.Parameter(torch.randn(1, 1, 8)), nn.Linear(8, 8)
        self.head, self.way = nn.Linear(8, 4), way

    def before(self, x: torch.Tensor) -> torch.Tensor:
        maps = self.stem(x)
        if self.way == "channels last":
            return self.norm(maps.permute(0, 2, 3, 1))
        tokens = self.norm(maps.flatten(2).mT)
        if self.way == "channels before tokens":
            return tokens.mT
        return torch.cat([self.front.expand(len(x), -1, -1), tokens], 1)

    def after(self, held: torch.Tensor) -> torch.Tensor:
        if self.way == "channels last":
            return self.head(self.mix(held).relu().mean((1, 2)))
        if self.way == "channels before tokens":
            held = held.mT
        mixed = nn.functional.scaled_dot_product_attention(self.mix(held), held, held)
        return self.head(mixed[:, 0])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.after(self.act(self.before(x)))


@torch.no_grad()
@pytest.mark.parametrize("way", ["channels last", "class token", "channels before tokens"])
def test_maps_that_lie_in_another_order_than_usual(way: str) -> None:
    net, x = Inner(way).eval(), torch.rand(1, 3, 16, 16)  # 8 channels, 8 rows and 8 columns behind the stem
    e = cw.explore(net, x)
    e.layer = "act"
    e.feature_maps.off = [1, 5]
    e.wait(20)
    held = net.act(net.before(x))
    expected = {
        "channels last": lambda: held.index_fill(3, torch.tensor([1, 5]), 0),
        "class token": lambda: held.index_fill(2, torch.tensor([1, 5]), 0),
        "channels before tokens": lambda: held.index_fill(1, torch.tensor([1, 5]), 0),
    }[way]()
    torch.testing.assert_close(_bars(e), net.after(expected)[0])
    assert not torch.allclose(_bars(e), net(x)[0])
    e.close()


@torch.no_grad()
def test_a_model_whose_axes_cannot_be_followed() -> None:
    class ByNumpy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.act = nn.Conv2d(3, 8, 3), nn.ReLU()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.act(torch.from_numpy(self.stem(x).detach().numpy()) + 0.5).mean((2, 3))

    net, x = ByNumpy(), torch.rand(1, 3, 10, 10)
    e = cw.explore(net, x)
    e.layer = "act"
    for channel in range(3):
        e.feature_maps.off = [channel]
        e.wait(20)
        torch.testing.assert_close(_bars(e), net(x)[0].index_fill(0, torch.tensor([channel]), 0))
    e.close()


def test_switching_on_again_at_once_ends_the_work(e: cw.Explorer) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def wait(*_: object) -> None:
        begun.set()
        go_on.wait(10)

    hook = e._session.model.register_forward_pre_hook(wait)
    e.feature_maps.off = [1]
    assert begun.wait(10)
    e.feature_maps.off = []
    go_on.set()
    e.wait(20)
    hook.remove()
    assert not e._panels.switching.busy
    assert (e.feature_maps.busy, e._view.bar.busy) == (False, False)
    assert e.feature_maps.effect == ""


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The switches whose scores the engine, or the whole network, was asked for since they were last known."""
    computed: list[dict[str, Any]] = []
    by_engine, in_full = ZeroedScores._by_engine, ZeroedScores._in_full

    def noted(method: Any) -> Any:
        def compute(self: ZeroedScores, off: Any, counts: Any) -> Any:
            computed.append(dict(off))
            return method(self, off, counts)

        return compute

    monkeypatch.setattr(ZeroedScores, "_by_engine", noted(by_engine))
    monkeypatch.setattr(ZeroedScores, "_in_full", noted(in_full))
    monkeypatch.setattr(switch, "_CALM", 0.0)
    return computed


def test_who_switches_one_map_finds_the_next_computed(e: cw.Explorer, computed: list[dict[str, Any]]) -> None:
    ahead = e._panels.switching._ahead
    e.layer, e.channel = "4", 1
    ahead.wait(20)
    assert computed == []  # nobody has switched anything
    e.feature_maps.off = [2]
    e.wait(20)
    e.channel = 5
    ahead.wait(20)
    assert {"4": {2: 0.0, 5: 0.0}} in computed
    x = e._scene.picture.tensor
    torch.testing.assert_close(_bars(e), _by_hand(x, [], [2]))  # nothing is switched yet
    computed.clear()
    e.feature_maps.off = [2, 5]
    e.wait(20)
    assert computed == []
    torch.testing.assert_close(_bars(e), _by_hand(x, [], [2, 5]))
    e.layer, e.channel = "1", 3
    ahead.wait(20)
    assert {"1": {3: 0.0}, "4": {2: 0.0, 5: 0.0}} in computed
    computed.clear()
    e.feature_maps.off = [3]
    e.wait(20)
    assert computed == []
    torch.testing.assert_close(_bars(e), _by_hand(x, [3], [2, 5]))


def test_where_the_last_map_would_be_switched_on_nothing_is_computed(
    e: cw.Explorer, computed: list[dict[str, Any]]
) -> None:
    e.layer = "4"
    e.feature_maps.off = [2]
    e.wait(20)
    computed.clear()
    e.channel = 2
    e._panels.switching._ahead.wait(20)
    assert computed == []


@pytest.mark.parametrize("change", ["a weight", "a layer without weights"])
def test_what_was_computed_ahead_is_not_shown_of_another_network(
    pictures: dict[str, torch.Tensor], computed: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    model = nets.plain()
    e = cw.explore(model, pictures)
    e.layer = "4"
    e.feature_maps.off = [2]
    e.wait(20)
    e.channel = 5
    e._panels.switching._ahead.wait(20)
    assert {"4": {2: 0.0, 5: 0.0}} in computed
    if change == "a weight":
        with torch.no_grad():
            model[7].weight.mul_(2)
    else:
        model[1] = nn.Identity()
    bars: list[torch.Tensor] = []
    show = e._panels.switching._host.update_bars

    def noted(logits: torch.Tensor | None) -> None:
        bars.extend([] if logits is None else [logits])
        show(logits)

    monkeypatch.setattr(e._panels.switching._host, "update_bars", noted)
    e.feature_maps.off = [2, 5]
    e.wait(20)
    maps = model[:5](e._scene.picture.tensor).index_fill(1, torch.tensor([2, 5]), 0)
    expected = model[5:](maps)[0].detach()
    assert bars
    for logits in [*bars, _bars(e)]:
        torch.testing.assert_close(logits, expected)
    e.close()


def test_what_fails_ahead_is_told_at_the_press_alone(
    e: cw.Explorer, computed: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    e.layer = "4"
    e.feature_maps.off = [2]
    e.wait(20)

    def fail(*_: object) -> None:
        raise RuntimeError("out of order")

    monkeypatch.setattr(ZeroedScores, "scores", fail)
    e.channel = 5
    e._panels.switching._ahead.wait(20)
    assert (caplog.records, e.feature_maps.error) == ([], "")
    e.feature_maps.off = [5]
    e.wait(20)
    assert "out of order" in e.feature_maps.error
