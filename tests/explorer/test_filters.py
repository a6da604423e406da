"""What does it look for: places, made images, receptive fields and rankings in an Explorer, by independent numbers."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

import cnnwidgets as cw
from cnnwidgets.explorer.panels import filters
from cnnwidgets.explorer.panels import gallery as gallery_panel
from cnnwidgets.widgets._still.publish import newest_push
from tests.explorer import nets


def dataset(count: int = 12) -> list[torch.Tensor]:
    torch.manual_seed(5)
    return [torch.randn(3, 24, 24) for _ in range(count)]


def brute_force(net: torch.nn.Module, depth: int, channel: int, images: list[torch.Tensor]) -> tuple[Any, Any]:
    """Of each image the largest value of a channel after ``depth`` layers, from the largest on, and the images."""
    with torch.no_grad():
        peaks = torch.stack([net[:depth](image[None])[0, channel].max() for image in images])
    order = peaks.argsort(descending=True, stable=True)[:9]
    return peaks[order].numpy(), order.tolist()


def places(e: cw.Explorer) -> tuple[Any, list[str]]:
    arrays, content = newest_push(e.filters.view, "places")
    return arrays.get("values"), content.get("names", [])


@pytest.fixture
def e(pictures: dict[str, torch.Tensor]) -> Iterator[cw.Explorer]:
    explorer = cw.explore(nets.plain(), pictures, labels=list("abcde"), examples=dataset())
    yield explorer
    explorer.wait(60)
    explorer.close()


def look_at(e: cw.Explorer, layer: str, channel: int) -> None:
    e.panel, e.layer, e.channel = "filters", layer, channel
    e.wait(60)


def test_the_places_of_a_filter_are_those_of_brute_force(e: cw.Explorer) -> None:
    look_at(e, "4", 2)
    values, indices = brute_force(nets.plain(), 5, 2, dataset())
    shown, names = places(e)
    np.testing.assert_allclose(shown, values, rtol=1e-5)
    assert names == [f"image {index}" for index in indices]
    assert e.filters.view.source == "From the 12 images passed as examples."
    assert (e.filters.view.job, e.filters.view.error, e.status) == ("", "", "ready")
    # A 3 x 3 kernel after a pooling of 2 after a 3 x 3 kernel sees 8 pixels, fewer at the border.
    assert newest_push(e.filters.view, "places").arrays["sizes"].max() == 8


def test_the_kernel_is_there_at_once(e: cw.Explorer) -> None:
    e.layer, e.channel = "4", 2
    values = newest_push(e.filters.kernel, "kernels").arrays["values"]
    np.testing.assert_array_equal(values[0, :, 0], nets.plain()[3].weight[2].detach().numpy())
    assert (e.filters.kernel.layer, e.filters.view.no_kernel) == ("3", "")
    e.layer = "2"
    assert "Max pool" in e.filters.view.no_kernel


def test_a_cell_is_taken_apart(e: cw.Explorer) -> None:
    e.layer, e.channel = "4", 2
    e.feature_maps._receive(None, {"op": "cell", "channel": 2, "row": 0, "column": 3}, [])
    e.wait(60)
    assert e.panel == "filters"
    arrays, content = newest_push(e.filters.cell, "cell")
    net, x = nets.plain(), e._scene.picture.tensor
    with torch.no_grad():
        before = torch.nn.functional.pad(net[:3](x), (1, 1, 1, 1))[0, :, 0:3, 3:6]
        expected = float(net[:5](x)[0, 2, 0, 3])
        added = (before * net[3].weight[2]).sum((1, 2))
    order = arrays["inputs"].tolist()
    np.testing.assert_allclose(arrays["added"], added[order].numpy(), atol=1e-5)
    np.testing.assert_allclose(arrays["patches"], before[order].numpy(), atol=1e-6)
    assert content["value"] == pytest.approx(expected, abs=1e-5)
    assert content["convolution"] == "3"
    assert content["steps"][-1][1] == pytest.approx(expected, abs=1e-5)
    assert (e.filters.cell.steppable, e.filters.stepper) == (True, None)
    e.filters.cell._receive(None, {"op": "step"}, [])
    stepper = e.filters.stepper
    assert stepper in e.filters.children
    with torch.no_grad():
        whole = net[3](net[:3](x))[0, 2].numpy()
    row, column = divmod(stepper.position, stepper.output.shape[1])
    assert stepper.output[row, column] == pytest.approx(whole[0, 3], abs=1e-5)
    np.testing.assert_allclose(stepper.output, whole[:, 3 - column :][: stepper.output.shape[0]], atol=1e-5)
    assert stepper.notes[-1] == "Zeros at the edge are the layer's padding."
    e.picture = "bright"
    e.wait(60)
    assert e.filters.cell.heading == "", "the numbers were of another photograph"
    assert (e.filters.stepper, e.filters.cell.steppable) == (None, False)
    assert stepper not in e.filters.children
    e.layer = "2"
    e.feature_maps._receive(None, {"op": "cell", "channel": 2, "row": 0, "column": 3}, [])
    e.wait(60)
    assert "cannot be taken apart" in e.filters.cell.hint
    e.filters.cell._receive(None, {"op": "step"}, [])
    assert (e.filters.stepper, e.filters.cell.error) == (None, "")


def test_nothing_is_searched_before_the_tab_is_on_show(e: cw.Explorer) -> None:
    e.layer, e.channel = "1", 3
    e.wait(20)
    assert places(e)[0] is None
    assert e.filters.view.channel == 3
    e.panel = "filters"
    e.wait(60)
    assert len(places(e)[0]) == 9


def test_a_layer_is_searched_once(e: cw.Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
    searches: list[list[str]] = []

    def find(model: Any, layers: list[str], *rest: Any, **options: Any) -> Any:
        searches.append(layers)
        return cw.exemplars.find(model, layers, *rest, **options)

    monkeypatch.setattr(filters, "find", find)
    for layer, channel in (("1", 0), ("1", 5), ("4", 1), ("1", 2)):
        look_at(e, layer, channel)
        depth = int(layer) + 1
        np.testing.assert_allclose(places(e)[0], brute_force(nets.plain(), depth, channel, dataset())[0], rtol=1e-5)
    e.picture = "bright"
    e.wait(60)
    assert searches == [["1"], ["4"]], "another photograph changes nothing of what a filter looks for"


class Slow(torch.utils.data.Dataset[torch.Tensor]):
    """Stands still at an image until it is told to go on."""

    def __init__(self) -> None:
        self.images, self.reached, self.go_on = dataset(), threading.Event(), threading.Event()

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> torch.Tensor:
        if index == 7:
            self.reached.set()
            assert self.go_on.wait(30)
        return self.images[index]


def test_a_search_is_cancelled_and_goes_on(pictures: dict[str, torch.Tensor]) -> None:
    slow = Slow()
    e = cw.explore(nets.plain(), pictures, examples=slow)
    e.panel, e.layer, e.channel = "filters", "4", 2
    assert slow.reached.wait(30)
    assert (e.filters.view.job, e.filters.busy) == ("places", True)
    e.filters.view._receive(None, {"op": "cancel"}, [])
    slow.go_on.set()
    e.wait(60)
    view = e.filters.view
    assert (view.job, view.busy, view.error) == ("", False, "")
    assert "stopped" in newest_push(view, "stopped").content["message"]
    e.channel = 3
    e.wait(60)
    assert view.job == "", "it was stopped by the reader: it does not begin by itself"
    view._receive(None, {"op": "start", "job": "places"}, [])
    e.wait(60)
    np.testing.assert_allclose(places(e)[0], brute_force(nets.plain(), 5, 3, dataset())[0], rtol=1e-5)
    e.close()


def test_an_image_that_cannot_be_read_is_named(pictures: dict[str, torch.Tensor]) -> None:
    images: list[Any] = dataset()
    images[6] = torch.zeros(3, 5, 5)
    e = cw.explore(nets.plain(), pictures, examples=images)
    look_at(e, "4", 2)
    assert "6" in e.filters.view.error
    assert e.status == "ready"
    assert len(e.scores._logits) == 5
    e.close()


@pytest.fixture
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filters, "maximize", functools.partial(cw.synthesis.maximize, steps=40))


@pytest.mark.usefixtures("few_steps")
def test_the_image_that_maximises_stands_beside_the_places(e: cw.Explorer) -> None:
    look_at(e, "4", 2)
    e.filters.view._receive(None, {"op": "start", "job": "image"}, [])
    e.wait(300)
    arrays, content = newest_push(e.filters.view, "image")
    assert not e.filters.view.error
    assert arrays["pixels"].size > 0
    assert content["largest"] == pytest.approx(brute_force(nets.plain(), 5, 2, dataset())[0][0], rel=1e-5)
    assert content["peak"] > content["largest"], "gradient ascent finds more than twelve images of noise"
    assert "seed 0" in content["about"]
    assert len(places(e)[0]) == 9


@pytest.mark.usefixtures("few_steps")
def test_a_dead_filter_is_said_to_be_dead(pictures: dict[str, torch.Tensor]) -> None:
    net = nets.plain()
    with torch.no_grad():
        net[3].weight[2], net[3].bias[2] = 0, -1
    e = cw.explore(net, pictures, examples=dataset())
    look_at(e, "4", 2)
    e.filters.view._receive(None, {"op": "start", "job": "image"}, [])
    e.wait(300)
    arrays, content = newest_push(e.filters.view, "image")
    assert (content["dead"], arrays) == (True, {})
    e.close()


def test_layers_without_filters_say_why(e: cw.Explorer) -> None:
    look_at(e, "4", 2)
    e.graph.selected = "7"
    e.wait(20)
    assert "not maps with height and width" in e.filters.view.hint
    e.graph.selected = "1"
    e.wait(60)
    assert e.filters.view.hint.startswith("Click a feature map")


def test_a_layer_with_fewer_channels_begins_without_one(e: cw.Explorer) -> None:
    look_at(e, "4", 7)
    e.layer = "1"
    e.wait(20)
    assert (e.channel, e.filters.view.channel, e.filters.view.error) == (None, None, "")
    assert e.filters.view.hint.startswith("Click a feature map")


def test_a_network_without_maps_says_so() -> None:
    e = cw.explore(nets.perceptron(), torch.rand(1, 3, 16, 16))
    assert e.filters.view.hint == e.filters.ranking.hint == "This network has no layer whose output is a stack of maps."
    e.close()


def test_the_network_has_changed(e: cw.Explorer) -> None:
    look_at(e, "4", 2)
    net = e._session.original
    with torch.no_grad():
        net[3].weight.mul_(2)
        net[3].bias.mul_(2)
    before = places(e)[0]
    e.layer = "1"
    e.wait(60)
    look_at(e, "4", 2)
    np.testing.assert_allclose(places(e)[0], 2 * before, rtol=1e-4)


def test_without_examples_of_a_small_network_the_menu_serves(pictures: dict[str, torch.Tensor]) -> None:
    e = cw.explore(nets.plain(channels=2), torch.rand(1, 2, 24, 24))
    look_at(e, "1", 0)
    assert e.filters.view.source.startswith("From the one image in this Explorer's menu")
    assert len(places(e)[0]) == 1
    e.close()


def test_the_network_stays_as_it_was(pictures: dict[str, torch.Tensor]) -> None:
    net = nets.Training()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    modes = [module.training for module in net.modules()]
    e = cw.explore(net, pictures, examples=dataset())
    look_at(e, "conv", 1)
    e.filters.ranking._receive(None, {"op": "start", "job": "ranking"}, [])
    e.wait(60)
    e.close()
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert [module.training for module in net.modules()] == modes
    assert not net.conv.weight.requires_grad
    assert torch.equal(net.head.weight.grad, torch.ones_like(net.head.weight))
    assert not any(module._forward_hooks for module in net.modules())


@pytest.mark.parametrize("layer", ["0", "2", "4"])
def test_what_a_cell_sees_is_where_its_gradient_is(e: cw.Explorer, layer: str) -> None:
    e.layer = layer
    arrays, _ = newest_push(e.feature_maps, "maps")
    net, depth = nets.plain().double(), int(layer) + 1
    for row, column in ((0, 0), (3, 5), (11, 11)):
        x = torch.randn(64, 3, 24, 24, dtype=torch.float64, requires_grad=True)
        (gradient,) = torch.autograd.grad(net[:depth](x)[:, :, row, column].sum(), x)
        support = gradient.abs().sum((0, 1)) > 0
        for axis, name, at in ((1, "rows", row), (0, "columns", column)):
            along = support.any(axis).nonzero().flatten()
            expected = [float(along.min()) / 24, (float(along.max()) + 1) / 24]
            np.testing.assert_allclose(arrays[name][at], expected, rtol=1e-6)


def test_the_ranking_is_that_of_zeroing_by_hand(e: cw.Explorer) -> None:
    e.layer = "4"
    ranking = e.filters.ranking
    ranking._receive(None, {"op": "start", "job": "ranking"}, [])
    e.wait(60)
    net, x = nets.plain(), e._scene.picture.tensor
    drops = []
    with torch.no_grad():
        whole = net(x)[0, e.target]
        for channel in range(8):
            maps = net[:5](x)
            maps[:, channel] = 0
            drops.append(float(whole - net[5:](maps)[0, e.target]))
    arrays, content = newest_push(ranking, "ranking")
    np.testing.assert_allclose(arrays["drops"], drops, atol=1e-5)
    assert content["score"] == pytest.approx(float(whole), rel=1e-5)
    assert (ranking.job, ranking.error) == ("", "")
    e.target = (e.target + 1) % 5
    e.wait(20)
    assert not newest_push(ranking, "ranking").arrays, "of another class"


def test_a_switch_beside_a_bar_is_the_maps_own(e: cw.Explorer) -> None:
    e.layer = "4"
    before = torch.as_tensor(e.scores._logits).float()
    e.filters.ranking._receive(None, {"op": "switch", "channel": 2, "off": True}, [])
    e.wait(20)
    assert e.feature_maps.off == e.filters.ranking.off == [2]
    assert not torch.allclose(torch.as_tensor(e.scores._logits).float(), before)
    assert e.filters.ranking.effect == e.feature_maps.effect != ""
    e.feature_maps.off = []
    e.wait(20)
    assert e.filters.ranking.off == []
    torch.testing.assert_close(torch.as_tensor(e.scores._logits).float(), before)
    e.filters.ranking._receive(None, {"op": "choose", "channel": 5}, [])
    assert e.channel == 5


def test_hiding_a_group_moves_the_bars(e: cw.Explorer) -> None:
    e.layer = "4"
    ranking, before = e.filters.ranking, torch.as_tensor(e.scores._logits).float()
    ranking.groups = 3
    ranking._receive(None, {"op": "start", "job": "groups"}, [])
    e.wait(60)
    arrays, content = newest_push(ranking, "groups")
    assert not ranking.error
    assert len(arrays["maps"]) == 3
    assert 0 < content["explained"] <= 1
    ranking.hidden = [0]
    e.wait(60)
    # The maps less what the group makes up of them, through the rest of the network.
    net, x = nets.plain(), e._scene.picture.tensor
    concepts = cw.concepts.factor(net, "4", x, 3)
    with torch.no_grad():
        group = torch.einsum("hw,c->chw", concepts.maps[0, 0], concepts.channels[0])
        expected = net[5:]((net[:5](x) - group).clamp(min=0))[0]
    shown = torch.as_tensor(e.scores._logits).float()
    torch.testing.assert_close(shown, expected, atol=1e-4, rtol=1e-3)
    assert not torch.allclose(shown, before)
    assert ranking.effect.startswith("Without group 1 of 4: ")
    assert e.scores.switched == "Without group 1 of 4."
    for widget in (e.overlay, e.feature_maps, e.filters.view, e.occluder):
        assert widget.switched.startswith("The class bars are without group 1 of 4; this has them")
    e.overlay._receive(None, {"op": "switch_all_on"}, [])
    e.wait(60)
    assert (ranking.hidden, e.overlay.switched, e.scores.switched) == ([], "", "")
    torch.testing.assert_close(torch.as_tensor(e.scores._logits).float(), before)


def test_groups_and_switched_channels_are_not_mixed(e: cw.Explorer) -> None:
    e.layer = "4"
    ranking = e.filters.ranking
    ranking._receive(None, {"op": "start", "job": "groups"}, [])
    e.wait(60)
    ranking.hidden = [0]
    e.wait(60)
    e.feature_maps.off = [2]
    e.wait(60)
    assert ranking.hidden == []
    assert (e.scores.switched, e.overlay.switched) == ("Without channel 2 of 4.",) * 2
    net, x = nets.plain(), e._scene.picture.tensor
    with torch.no_grad():
        net[3].weight[2], net[3].bias[2] = 0, 0
        torch.testing.assert_close(torch.as_tensor(e.scores._logits).float(), net(x)[0])
    ranking.hidden = [1]
    e.wait(60)
    assert ranking.hidden == []
    assert "Switch all channels on" in ranking.effect
    assert e.scores.switched == "Without channel 2 of 4."


def test_groups_have_the_places_that_excite_them_together(e: cw.Explorer) -> None:
    e.layer = "4"
    ranking = e.filters.ranking
    ranking.groups = 3
    ranking._receive(None, {"op": "start", "job": "groups"}, [])
    e.wait(60)
    net, x = nets.plain(), e._scene.picture.tensor
    directions = cw.concepts.factor(net, "4", x, 3).channels
    with torch.no_grad():
        sums = torch.stack([torch.einsum("khw,dk->dhw", net[:5](image[None])[0], directions) for image in dataset()])
    peaks = sums.amax((2, 3))
    arrays, content = newest_push(ranking, "group_places")
    assert arrays["counts"].tolist() == [3, 3, 3]
    order = peaks.argsort(dim=0, descending=True)[:3].T.flatten()
    assert content["names"] == [f"image {index}" for index in order.tolist()]
    np.testing.assert_allclose(arrays["values"], peaks.sort(dim=0, descending=True).values[:3].T.flatten(), rtol=1e-4)
    assert (ranking.job, ranking.error) == ("", "")
    e.target = (e.target + 1) % 5
    e.wait(20)
    assert not newest_push(ranking, "group_places").arrays


class Counted(torch.utils.data.Dataset[torch.Tensor]):
    """Stands still at its seventh image, when some batches have been looked at, until it is told to go on."""

    def __init__(self) -> None:
        self.images, self.reached, self.go_on = dataset(), threading.Event(), threading.Event()

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> torch.Tensor:
        if index == 7 and not self.go_on.is_set():
            self.reached.set()
            assert self.go_on.wait(30)
        return self.images[index]


def test_places_are_drawn_while_the_search_runs(
    pictures: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filters, "find", functools.partial(cw.exemplars.find, batch=2))
    counted = Counted()
    e = cw.explore(nets.plain(), pictures, examples=counted)
    e.panel, e.layer, e.channel = "filters", "4", 2
    assert counted.reached.wait(30)
    arrays, content = newest_push(e.filters.view, "places")
    assert content["partial"]
    assert e.filters.view.job == "places"
    seen = set(content["names"])  # the first batch at least; how many more, the clock says
    assert {"image 0", "image 1"} <= seen < {f"image {index}" for index in range(6)} | {"image 6"}
    with torch.no_grad():
        for name, value in zip(content["names"], arrays["values"], strict=True):
            peak = nets.plain()[:5](counted.images[int(name.split()[1])][None])[0, 2].max()
            assert value == pytest.approx(float(peak), rel=1e-5)
    counted.go_on.set()
    e.wait(60)
    assert not newest_push(e.filters.view, "places").content["partial"]
    np.testing.assert_allclose(places(e)[0], brute_force(nets.plain(), 5, 2, dataset())[0], rtol=1e-5)
    e.close()


@pytest.mark.usefixtures("few_steps")
def test_how_alike_the_image_is_processed_stands_beside_it(e: cw.Explorer) -> None:
    look_at(e, "4", 2)
    e.filters.view._receive(None, {"op": "start", "job": "image"}, [])
    e.wait(300)
    content = newest_push(e.filters.view, "image").content
    assert content["compared"]
    net = nets.plain()
    exemplars = cw.exemplars.find(net, "4", dataset())
    with torch.no_grad():
        means = {
            c: [net[:5](dataset()[i][None])[0].mean((1, 2)).numpy() for i in exemplars.images["4"][c][:4]]
            for c in (2, 3, 4, 5, 6, 7)
        }
        synthesis, _ = e._panels.filters._syntheses["4", 2]
        made = net[:5](torch.from_numpy(np.asarray(in_colours(synthesis.images))))[0].mean((1, 2)).numpy()
    others = [mean for c, group in means.items() if c != 2 and exemplars.largest("4")[c] > 0 for mean in group]
    own = means[2]
    same = np.mean([spearmanr(a, b)[0] for i, a in enumerate(own) for j, b in enumerate(own) if i != j])
    other = np.mean([spearmanr(a, b)[0] for a in own for b in others])
    expected = (np.mean([spearmanr(made, a)[0] for a in own]) - other) / (same - other) if same > other else None
    assert content["alike"] == (None if expected is None else pytest.approx(expected, abs=2e-3))


def in_colours(images: torch.Tensor) -> torch.Tensor:
    """What the network is given for images in [0, 1]: it says nothing of its own, so ImageNet's normalisation."""
    mean, std = (torch.tensor(numbers).view(3, 1, 1) for numbers in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    return (images - mean) / std


def test_the_gallery_fills_in_keeps_what_is_done_and_selects(e: cw.Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[list[int]] = []
    second = threading.Event()

    def maximize_few(model: Any, layer: str, channels: list[int], **options: Any) -> Any:
        made.append(channels)
        if len(made) == 2:
            second.set()
            gallery._receive(None, {"op": "cancel"}, [])
        return cw.synthesis.maximize(model, layer, channels, **{**options, "steps": 10})

    monkeypatch.setattr(gallery_panel, "maximize", maximize_few)
    monkeypatch.setattr(gallery_panel, "_AT_A_TIME", 3)
    e.layer, gallery = "4", e.filters.gallery
    assert newest_push(gallery, "filters").content["message"].startswith("Images that are made to maximise")
    gallery._receive(None, {"op": "start"}, [])
    e.wait(120)
    with torch.no_grad():
        order = nets.plain()[:5](e._scene.picture.tensor)[0].amax((1, 2)).argsort(descending=True).tolist()
    assert made == [order[:3], order[3:6]]
    arrays, content = newest_push(gallery, "filters")
    done = set(arrays["channels"].tolist())
    assert done >= set(order[:3])
    if done > set(order[:3]):
        assert any("not finished" in note for note in content["notes"])
    assert content["names"] == ["made", "photograph"]
    assert (gallery.progress, gallery.busy, gallery.error) == (None, False, "")
    gallery.channel = order[1]
    assert e.channel == order[1]
    gallery._receive(None, {"op": "start"}, [])
    e.wait(120)
    assert [channel for part in made[2:] for channel in part] == order[3:]
    assert sorted(newest_push(gallery, "filters").arrays["channels"].tolist()) == list(range(8))
    e.layer = "1"
    assert not newest_push(gallery, "filters").arrays
    e.layer = "4"
    e.wait(20)
