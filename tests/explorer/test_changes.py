"""The network or the image changes while an Explorer is open."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import cnnwidgets as cw
from tests.explorer import nets
from tests.explorer.shown import pushed, shown_map

SAID = "changed since this picture was made"


class Trained(nn.Module):
    """Batch norm, dropout, and an attribute that its forward reads."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.conv, self.norm = nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6)
        self.drop, self.head, self.scale = nn.Dropout(0.5), nn.Linear(6, 5), 1.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = self.norm(self.conv(x)).relu() * self.scale
        return self.head(self.drop(maps.mean((2, 3))))


def _load(net: Trained) -> None:
    torch.manual_seed(9)
    state = {name: value for name, value in net.state_dict().items() if value.is_floating_point() and "var" not in name}
    net.load_state_dict({name: torch.randn_like(value) for name, value in state.items()}, strict=False)


def _step(net: Trained) -> None:
    optimizer = torch.optim.SGD(net.parameters(), 5.0)
    net.train()
    net(torch.rand(4, 3, 24, 24)).square().mean().backward()
    optimizer.step()
    optimizer.zero_grad()


def _data_copy(net: Trained) -> None:
    net.conv.weight.data.copy_(net.conv.weight.data * -1)


def _one_filter(net: Trained) -> None:
    net.conv.weight.data[4] = 0


def _rebound_data(net: Trained) -> None:
    net.conv.weight.data = net.conv.weight.data * 3


def _replaced(net: Trained) -> None:
    net.conv = nn.Conv2d(3, 6, 5, padding=2)


def _attribute(net: Trained) -> None:
    net.scale = -2.0


def _hook(net: Trained) -> None:
    net.conv.register_forward_hook(lambda module, inputs, output: output.abs())  # noqa: ARG005


def _statistics(net: Trained) -> None:
    net.norm.running_mean += 0.3


def _double(net: Trained) -> None:
    net.double()
    net.conv.weight.data.mul_(1.5)


CHANGES = [_load, _step, _data_copy, _one_filter, _rebound_data, _replaced, _attribute, _hook, _statistics, _double]


@pytest.fixture
def net() -> Trained:
    return Trained()


def fresh(net: nn.Module, image: Any) -> cw.Explorer:
    return cw.explore(copy.deepcopy(net), image)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("action", ["layer", "target", "method", "hide"])
def test_a_change_is_noticed_at_the_next_click_and_said(
    net: Trained, change: Callable[[Trained], None], action: str
) -> None:
    image = torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(1))
    e = cw.explore(net, image)
    e.method = "saliency"
    e.wait(20)
    e.method = "grad_cam"
    e.wait(20)
    change(net)
    match action:
        case "layer":
            e.layer = "norm" if e.layer != "norm" else "conv"
        case "target":
            e.target = (e.target + 1) % 5
        case "method":
            e.method = "saliency"
        case "hide":
            e.panel = "hide"
            patch = {"top": 2, "left": 3, "width": 6, "height": 6, "fill": "mean"}
            e.occluder.patches = [patch]
            e._panels.hiding._move(_move([patch]))
    e.wait(30)
    e.wait(30)
    assert e.status == "ready", e.message
    assert any(SAID in note for note in e._view.bar.notes), e._view.bar.notes
    f = fresh(net, image)
    f.layer, f.target, f.method = e.layer, e.target, e.method
    f.wait(20)
    torch.testing.assert_close(e._scene.logits, f._scene.logits)
    np.testing.assert_allclose(shown_map(e), shown_map(f), rtol=1e-4, atol=1e-7)
    mine, theirs = pushed(e.feature_maps, "maps")[1], pushed(f.feature_maps, "maps")[1]
    for name, expected in theirs.items():
        np.testing.assert_allclose(mine[name], expected, rtol=1e-4, atol=1e-6)
    e.layer = "conv"
    e.wait(20)
    e.close()
    f.close()


def test_a_sweep_of_a_changed_network_waits_until_all_panels_know_of_it(
    net: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(1))
    e = cw.explore(net, image)
    checking = e._panels.checking  # told before the panel that sweeps

    def slowly(scene: Any) -> None:
        time.sleep(0.2)
        type(checking).scene_opened(checking, scene)

    monkeypatch.setattr(checking, "scene_opened", slowly)
    net.scale = -2.0
    message = {"op": "sweep", "id": 1, "size": 6, "stride": 6, "fill": "black", "color": "#000000"}
    e.occluder._receive(None, message, [])
    e.wait(30)
    e._panels.hiding.wait(30)
    assert (e.occluder.sweep, e.occluder.error) == ("done", "")
    # In pixels of the network's input, black is 0.
    plain = cw.explainers.occlusion(copy.deepcopy(net), image, e.target, patch=6, stride=6, fill=0.0)
    drop = plain.baseline[0] - plain.grid[0]
    np.testing.assert_allclose(pushed(e.occluder, "sweep")[1]["drop"], drop, atol=1e-6)
    e.close()


def _move(patches: list[dict[str, Any]]) -> Any:
    from cnnwidgets.widgets.occluder import Move

    return Move(1, tuple(patches))


def test_nothing_is_said_and_computed_where_nothing_changed(net: Trained) -> None:
    e = cw.explore(net, torch.rand(1, 3, 24, 24))
    scene = e._scene
    net.train()
    net.eval()
    net(torch.rand(1, 3, 24, 24))
    e.layer = "conv"
    e.wait(20)
    assert e._scene is scene
    assert not any(SAID in note for note in e._view.bar.notes)
    e.close()


def test_an_image_changed_in_place_is_noticed(net: Trained) -> None:
    image = torch.rand(1, 3, 24, 24)
    e = cw.explore(net, image)
    image.mul_(-1)
    e.layer = "conv"
    e.wait(20)
    assert any("The image has changed" in note for note in e._view.bar.notes)
    torch.testing.assert_close(e._scene.picture.tensor, image)
    e.close()


class Slow(Trained):
    """Says when it runs off the main thread, and takes its time."""

    def __init__(self) -> None:
        super().__init__()
        self.elsewhere: list[int] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if threading.current_thread() is not threading.main_thread():
            time.sleep(0.02)
        return super().forward(x)


def test_the_users_model_is_untouched_while_the_explorer_works() -> None:
    net = Slow().train()
    net.drop.eval()
    e = cw.explore(net, torch.rand(1, 3, 24, 24))
    expected = [module.training for module in net.modules()]
    statistics = {name: value.clone() for name, value in net.named_buffers()}
    e.method = "occlusion"
    for _ in range(60):
        assert [module.training for module in net.modules()] == expected
        assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())
        copied = copy.deepcopy(net)
        assert [module.training for module in copied.modules()] == expected
        time.sleep(0.005)
    net.eval()
    net.norm.running_mean.fill_(3.0)
    e.cancel()
    e.wait(20)
    assert not any(module.training for module in net.modules())
    assert net.norm.running_mean.tolist() == [3.0] * 6
    assert torch.equal(net.norm.running_var, statistics["norm.running_var"])
    e.close()


def test_users_lists_are_not_written_to_by_the_explorer(net: Trained) -> None:
    calls: list[Any] = []
    net.conv.register_forward_hook(lambda *_: calls.append(threading.current_thread()))
    e = cw.explore(net, torch.rand(1, 3, 24, 24))
    e.method = "saliency"
    e.wait(20)
    e.target = (e.target + 1) % 5
    e.wait(20)
    assert not [thread for thread in calls if thread is not threading.main_thread()]
    e.close()


def test_a_model_that_cannot_be_copied_takes_turns(monkeypatch: pytest.MonkeyPatch, net: Trained) -> None:
    from cnnwidgets.state import twin

    def refuse(_: nn.Module) -> nn.Module:
        raise TypeError("no copies")

    monkeypatch.setattr(twin, "_by_deepcopy", refuse)
    monkeypatch.setattr(twin, "_by_dict", refuse)
    threads: list[Any] = []
    net.conv.register_forward_hook(lambda *_: threads.append(threading.current_thread()))
    e = cw.explore(net, torch.rand(1, 3, 24, 24))
    assert any("cannot be copied (TypeError: no copies)" in note for note in e._view.bar.notes)
    e.method = "occlusion"
    assert e.status == "ready"  # done when the assignment returns
    e.target = (e.target + 1) % 5
    assert e.status == "ready"
    assert set(threads) == {threading.main_thread()}
    expected = cw.explainers.occlusion(net, e._scene.picture.tensor, e.target, patch=3, stride=1)
    np.testing.assert_allclose(shown_map(e), expected.values[0], atol=1e-6)
    e.close()


def test_only_the_newest_of_many_clicks_is_computed(registered: Callable[..., None], pictures: Any) -> None:
    calls, go = [], threading.Event()

    def slow(model: Any, images: torch.Tensor, target: Any = None) -> torch.Tensor:
        calls.append(target)
        go.wait(10)
        return images.mean(1)

    registered("slow", slow)
    e = cw.explore(nets.plain(), pictures)
    e.method = "slow"
    while not calls:
        time.sleep(0.01)
    first = e.target
    for index in range(21):
        e.target = (first + 1 + index) % 5
    go.set()
    e.wait(20)
    assert calls == [first, (first + 1) % 5]
    e.close()


class Mute(Exception):
    """Cannot say what it is."""

    def __str__(self) -> str:
        raise ValueError("no words")


@pytest.mark.parametrize("error", [RuntimeError(), Mute(), SystemExit(), AssertionError(), StopIteration(), KeyError()])
def test_an_error_without_text_is_shown_by_its_name(registered: Callable[..., None], error: BaseException) -> None:
    def failing(model: Any, images: Any, target: Any = None) -> Any:
        raise error

    registered("failing", failing)
    e = cw.explore(nets.plain(), torch.rand(1, 3, 24, 24))
    e.method = "failing"
    e.wait(20)
    assert (e.status, e._view.bar.busy, e.overlay.busy) == ("error", False, False)
    assert type(error).__name__ in e.message
    e.method = "grad_cam"
    e.wait(20)
    assert e.status == "ready"
    e.close()


def test_pictures_are_added_while_others_are_opened(pictures: Any) -> None:
    e = cw.explore(nets.plain(), pictures)
    for index in range(30):
        e.add_picture(torch.rand(1, 3, 24, 24), f"more {index}")
        e.picture = "dark" if index % 2 else "bright"
    e.wait(30)
    assert e.status == "ready"
    assert len(e.pictures) == 32
    e.close()


class Interrupted(Trained):
    """An optimizer steps between a forward and its backward, as often as told."""

    steps = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        outputs = super().forward(x)
        if threading.current_thread() is not threading.main_thread() and Interrupted.steps:
            Interrupted.steps -= 1
            with torch.no_grad():
                self.head.weight.add_(0.1)
        return outputs


@pytest.mark.parametrize("method", ["saliency", "grad_cam"])
def test_a_step_between_forward_and_backward_is_made_good(method: str) -> None:
    net = Interrupted()
    image = torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(1))
    e = cw.explore(net, image)
    Interrupted.steps = 1
    e.target, e.method = (e.target + 1) % 5, method
    e.wait(30)
    assert (e.status, e.message, Interrupted.steps) == ("ready", "", 0)
    f = cw.explore(net, image)
    f.target, f.method = e.target, method
    f.wait(30)
    np.testing.assert_allclose(shown_map(e), shown_map(f), rtol=1e-4, atol=1e-7)
    e.close()
    f.close()


def test_steps_without_end_are_said_in_place_of_what_autograd_says() -> None:
    e = cw.explore(Interrupted(), torch.rand(1, 3, 24, 24))
    Interrupted.steps = 1000
    e.method = "saliency"
    e.wait(30)
    Interrupted.steps = 0
    assert e.status == "error"
    assert "changed while this was computed, as in training" in e.message
    assert "inplace" not in e.message
    e.method = "grad_cam"
    e.wait(30)
    assert e.status == "ready"
    e.close()


class Kept(nn.Module):
    """Plain tensors and arrays as attributes."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.conv, self.head = nn.Conv2d(3, 6, 3, padding=1), nn.Linear(6, 5)
        self.scale, self.array, self.listed = torch.ones(6), np.ones(1), [torch.ones(1)]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = self.conv(x).relu().mean((2, 3)) * self.scale * float(self.array[0]) * self.listed[0]
        return self.head(maps)


def _plain_tensor(net: Kept) -> None:
    net.scale.data[3] = -4


def _numpy_array(net: Kept) -> None:
    net.array[0] = -2


def _listed_tensor(net: Kept) -> None:
    net.listed[0].data.fill_(3)


def _function_of_the_class(_: Kept) -> None:
    forward = Kept.forward
    Kept.forward = lambda self, x: -forward(self, x)  # type: ignore[method-assign]


@pytest.mark.parametrize("change", [_plain_tensor, _numpy_array, _listed_tensor, _function_of_the_class])
def test_what_a_forward_reads_beside_parameters_is_looked_at(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[Kept], None]
) -> None:
    monkeypatch.setattr(Kept, "forward", Kept.forward)
    net, image = Kept(), torch.rand(1, 3, 24, 24)
    e = cw.explore(net, image)
    e.layer = "conv"
    change(net)
    e.target = (e.target + 1) % 5
    e.wait(30)
    assert any(SAID in note for note in e._view.bar.notes)
    with torch.no_grad():
        torch.testing.assert_close(e._scene.logits, net(image)[0])
    e.close()


def test_the_graph_is_that_of_the_network_as_it_is_now() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5))
    e = cw.explore(net, torch.rand(1, 3, 24, 24))
    before = e.graph._network
    net[4].weight.data.mul_(2)
    e.layer = "0"
    e.wait(30)
    assert e.graph._network is before
    net[1] = nn.Sequential(nn.Conv2d(4, 8, 1), nn.Sigmoid(), nn.Conv2d(8, 4, 1))
    e.layer = "1" if e.layer != "1" else "0"
    e.wait(30)
    assert {"1.0", "1.1", "1.2"} <= set(e.graph._where)
    assert not any("takes another way" in note for note in e._view.bar.notes)
    e.graph.selected = "1.1"
    e.wait(30)
    assert (e.layer, e.feature_maps.layer) == ("1.1", "1.1")
    net[1] = nn.ReLU()
    e.target = (e.target + 1) % 5
    e.wait(30)
    assert "1.1" not in e.graph._where
    assert e.layer in e._scene.maps
    assert e.status == "ready"
    e.close()


def test_a_click_on_a_layer_looks_at_the_network_once_and_each_click_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    net = nets.plain().eval()
    e = cw.explore(net, torch.rand(1, 3, 24, 24))
    e.wait(30)
    looks: list[str] = []
    look = e._session._version

    def counted(name: str, **options: Any) -> Any:
        looks.append(name)
        return look(name, **options)

    monkeypatch.setattr(e._session, "_version", counted)
    e.graph.selected = "1"
    assert (e.layer, e.overlay.layer, looks) == ("1", "1", ["tensor"])
    e.graph.selected = "4"
    assert looks == ["tensor"] * 2
    e.close()
