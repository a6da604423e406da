"""Two networks side by side: what is linked, where they part, and what is said."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import cnnwidgets as cw
from cnnwidgets.pictures.preprocess import Preprocess
from cnnwidgets.widgets._still.publish import newest_push
from cnnwidgets.widgets.prediction_board import PredictionBoard
from tests.explorer import nets
from tests.widgets.parity import python_keys, typescript_keys

LABELS = ["ant", "bee", "cat", "dog", "eel"]


@pytest.fixture
def image() -> torch.Tensor:
    torch.manual_seed(1)
    return torch.rand(1, 3, 24, 24)


@pytest.fixture
def checkpoints() -> tuple[nn.Sequential, nn.Sequential]:
    """Two of one architecture; the second's layer "3" is another."""
    first = nets.plain()
    second = copy.deepcopy(first)
    with torch.no_grad():
        second[3].weight[0] += 0.5
    return first, second


@pytest.fixture
def compared() -> Iterator[Callable[..., cw.NetworkComparison]]:
    made: list[cw.NetworkComparison] = []

    def compare(*args: Any, **options: Any) -> cw.NetworkComparison:
        made.append(cw.compare(*args, **options))
        made[-1].wait(30)
        return made[-1]

    yield compare
    for comparison in made:
        comparison.close()


class Other(nn.Module):
    """Another architecture, with layers of other names: full size, half, quarter."""

    def __init__(self, classes: int = 5) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.wide = nn.Conv2d(3, 4, 3, padding=1)
        self.middle = nn.Conv2d(4, 6, 3, padding=1, stride=2)
        self.quarter = nn.Conv2d(6, 7, 3, padding=1, stride=2)
        self.head = nn.Linear(7, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.quarter(self.middle(self.wide(x).relu()).relu()).relu()
        return self.head(x.mean((2, 3)))


def grad_cam(net: nn.Sequential, image: torch.Tensor, last: int, target: int) -> torch.Tensor:
    """By hand: the mean gradient of each channel times the channel, summed."""
    maps = net[: last + 1](image)
    (gradient,) = torch.autograd.grad(net[last + 1 :](maps)[0, target], maps)
    return (gradient.mean((2, 3), keepdim=True) * maps).sum(1)[0].detach()


def test_the_page_has_the_traits_of_python() -> None:
    assert typescript_keys("PredictionBoardState") == python_keys(PredictionBoard)


def test_they_part_where_the_weights_do(checkpoints: Any, image: torch.Tensor, compared: Any) -> None:
    c = compared(*checkpoints, image, labels=LABELS, names=("before", "after"))
    assert c.status == "ready"
    assert c.parting == "3"
    apart = {layer.layer: layer.apart for layer in c.likenesses}
    assert [apart[name] for name in ("0", "1", "2")] == [0, 0, 0]
    with torch.no_grad():
        a, b = (net[:4](image) for net in checkpoints)
    assert apart["3"] == pytest.approx(float((b - a).norm() / max(a.norm(), b.norm())), rel=1e-6)
    text = " ".join(c._view.board.sentences)
    assert "The predictions part at 3, layer 4 of 5: the 3 before it are the same." in text
    pushed = newest_push(c._view.board, "layers")
    assert pushed.content["layers"] == ["0", "1", "2", "3", "4"]
    assert pushed.content["apart"][:3] == [0, 0, 0]


def test_the_difference_is_the_second_minus_the_first(checkpoints: Any, image: torch.Tensor, compared: Any) -> None:
    c = compared(*checkpoints, image, labels=LABELS, target="cat")
    assert (c.layer, c.layer_b, c.target) == ("4", "4", 2)
    a, b = (grad_cam(net, image, 4, 2) for net in checkpoints)
    np.testing.assert_allclose(c.difference, (b - a).numpy(), atol=1e-6)
    # Both are painted on one scale, the larger one's; the difference on its own, which is symmetric.
    ends = [float(cam.clamp(min=0).max()) for cam in (a, b)]
    assert [side.overlay.limit for side in c._sides] == pytest.approx([max(ends)] * 2, rel=1e-5)
    assert c._view.difference.sign == "signed"
    c.scale = "own"
    c.wait(30)
    np.testing.assert_allclose(c.difference, (b / b.abs().max() - a / a.abs().max()).numpy(), atol=1e-5)
    assert [side.overlay.limit for side in c._sides] == [0, 0]


def test_feature_maps_are_subtracted_channel_by_channel(checkpoints: Any, image: torch.Tensor, compared: Any) -> None:
    c = compared(*checkpoints, image)
    c.layer = "3"
    c.wait(30)
    shown = newest_push(c._view.map_differences, "maps").arrays
    with torch.no_grad():
        a, b = (net[:4](image)[0] for net in checkpoints)
    np.testing.assert_allclose(shown["maximum"], (b - a).amax((1, 2)), atol=1e-5)
    assert not (b - a)[1:].any()  # only its first channel has other weights
    assert not shown["maximum"][1:].any()
    c.layer = "1"
    c.wait(30)
    assert not newest_push(c._view.map_differences, "maps").arrays["maximum"].any()
    c._sides[0].feature_maps.channel = 2
    assert c._sides[1].feature_maps.channel == c._view.map_differences.channel == 2


def test_one_network_twice_is_the_same(image: torch.Tensor, compared: Any) -> None:
    net = nets.plain()
    c = compared(net, net, image)
    assert c.parting is None
    assert not c.difference.any()
    assert "Both give the same numbers" in " ".join(c._view.board.sentences)


def test_only_the_last_layer_differs(checkpoints: Any, image: torch.Tensor, compared: Any) -> None:
    first = checkpoints[0]
    second = copy.deepcopy(first)
    with torch.no_grad():
        second[7].bias[1] += 1
    c = compared(first, second, image)
    assert c.parting is None
    assert "the predictions part after them" in " ".join(c._view.board.sentences)


def test_selection_is_linked_by_name_depth_and_size(image: torch.Tensor, compared: Any) -> None:
    c = compared(nets.plain(), Other(), image, names=("plain", "other"))
    c.layer = "1"  # full size, near the beginning
    assert c.layer_b == "wide"
    assert "On show: 1 of plain and wide of other, the closest of other in depth and size." in c._view.board.pairing
    assert (c._sides[0].graph.selected, c._sides[1].graph.selected) == ("1", "wide")
    c.layer_b = "middle"
    c.wait(30)
    assert c.layer in ("2", "3", "4")  # those of half the size
    assert c._sides[0].graph.selected == c.layer
    c._sides[0].graph.selected = "0"  # a click in the first graph
    c.wait(30)
    assert c.layer_b == "wide"
    assert c.likenesses == []
    assert "Channels correspond only" in newest_push(c._view.map_differences, "maps").content["message"]
    c._sides[1].graph.selected = "head"  # no maps: said, and the rest stays
    assert (c.layer, c.layer_b) == ("0", "wide")
    assert "not maps" in newest_push(c._sides[1].feature_maps, "maps").content["message"]


def test_layers_that_somebody_pairs(image: torch.Tensor, compared: Any) -> None:
    c = compared(nets.plain(), Other(), image, layers={"1": "quarter"})
    assert (c.layer, c.layer_b) == ("1", "quarter")
    assert "as layers= says" in c._view.board.pairing
    c.layer = "4"
    c.layer_b = "quarter"
    assert c.layer == "1"


def test_classes_go_together_by_their_names(image: torch.Tensor, compared: Any) -> None:
    order = [3, 0, 4, 1, 2]  # the second has them in another order, and one under another name
    second = nets.plain()
    with torch.no_grad():
        second[7].weight.copy_(second[7].weight[order].clone())
        second[7].bias.copy_(second[7].bias[order].clone())
    labels = [LABELS[index] for index in order]
    labels[labels.index("eel")] = "moray"
    c = compared(nets.plain(), second, image, labels=(LABELS, labels), target="bee")
    assert c._sides[1].scene.target_class == labels.index("bee")
    np.testing.assert_allclose(c.difference, 0, atol=1e-7)
    rows = {row["label"]: row for row in newest_push(c._view.board, "classes").content["rows"]}
    assert rows["bee"]["texts"][2] == "0.0"
    assert rows["moray"]["index"] is None
    assert rows["moray"]["texts"][0] == "–"
    assert any("4 classes have the same name" in note for note in c._view.board.notes)
    c.target = "eel"
    c.wait(30)
    assert any("no class that is known to be eel" in note["text"] for note in c._sides[1].overlay.notes)


def test_other_numbers_of_classes_without_names(image: torch.Tensor, compared: Any) -> None:
    c = compared(nets.plain(5), Other(7), image)
    assert any("5 and 7 classes" in note for note in c._view.board.notes)
    assert c._sides[1].scene.target_class == c._sides[1].scene.predicted


def test_each_has_its_own_preprocessing(compared: Any) -> None:
    photograph = Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8))
    sizes = Preprocess(size=(24, 24), resize=(24, 24)), Preprocess(size=(32, 32), resize=(36, 36))
    c = compared(nets.plain(), Other(), photograph, preprocess=sizes, labels=LABELS)
    assert [tuple(side.scene.picture.tensor.shape[-2:]) for side in c._sides] == [(24, 24), (32, 32)]
    # The second sees 32 of 36: the difference covers the 8/9 of the first's side that both see.
    assert c.difference.shape == (21, 21)
    assert "21 × 21 places of what both networks see" in c._view.difference.notes[0]["text"]
    assert c._view.difference.notes[0]["level"] == "ok"
    c.method = "saliency"
    c.wait(30)
    assert c.difference.shape == (21, 21)


def test_a_transform_that_tells_nothing(compared: Any) -> None:
    photograph = Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8))

    def to(side: int) -> Callable[[Image.Image], torch.Tensor]:
        return lambda image: torch.from_numpy(np.array(image.resize((side, side)))).permute(2, 0, 1)[None] / 255

    c = compared(nets.plain(), Other(), photograph, preprocess=(to(24), to(32)))
    assert c.difference is None
    assert "cannot be told which part" in newest_push(c._view.difference, "map").content["message"]
    both = to(24)
    assert compared(nets.plain(), nets.plain(), photograph, preprocess=both).difference is not None


def test_the_networks_stay_as_they_were(checkpoints: Any, image: torch.Tensor, compared: Any) -> None:
    for net in checkpoints:
        net.train()
        net[0].weight.requires_grad_(False)
    before = [copy.deepcopy(net.state_dict()) for net in checkpoints]
    random = torch.get_rng_state()
    c = compared(*checkpoints, image)
    c.layer, c.method = "0", "saliency"
    c.wait(30)
    c.close()
    assert c.status == "closed"
    assert torch.equal(random, torch.get_rng_state())
    for net, state in zip(checkpoints, before, strict=True):
        assert all(module.training for module in net.modules())
        assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
        assert not net[0].weight.requires_grad
        assert all(parameter.grad is None for parameter in net.parameters())
        assert not any(module._forward_hooks for module in net.modules())
    with pytest.raises(cw.CnnWidgetsError, match="closed"):
        c.method = "grad_cam"


def test_weights_that_change_are_noticed(checkpoints: Any, image: torch.Tensor, compared: Any) -> None:
    first, second = checkpoints
    c = compared(first, second, image)
    with torch.no_grad():
        second[3].weight.copy_(first[3].weight)
    c.layer = "0"
    c.wait(30)
    assert c.parting is None


def test_what_is_refused_changes_nothing(checkpoints: Any, image: torch.Tensor, compared: Any) -> None:
    with pytest.raises(cw.InputError, match="names is 'ab'"):
        cw.compare(*checkpoints, image, names="ab")
    with pytest.raises(cw.LayerNotFound, match="nowhere"):
        cw.compare(*checkpoints, image, layers={"nowhere": "0"})
    with pytest.raises(cw.InputError, match="expected a mapping"):
        cw.compare(*checkpoints, image, layers="0")
    with pytest.raises(cw.TargetError, match="5 classes"):
        cw.compare(*checkpoints, image, target=5)
    with pytest.raises(cw.InputError, match=r"maps: .*only networks with one score a class"):
        cw.compare(checkpoints[0], nn.Conv2d(3, 6, 3, padding=1), image, names=("classes", "maps"))
    c = compared(*checkpoints, image)
    for name, value in [("layer", "7"), ("layer", "no"), ("target", 9), ("method", "no"), ("picture", "no")]:
        before = {trait: getattr(c, trait) for trait in ("layer", "layer_b", "target", "method", "picture")}
        with pytest.raises(cw.CnnWidgetsError):
            setattr(c, name, value)
        assert {trait: getattr(c, trait) for trait in before} == before


def test_a_method_that_fails_says_so_and_one_that_takes_long_is_cancelled(
    checkpoints: Any, image: torch.Tensor, compared: Any
) -> None:
    began = threading.Event()

    def broken(model: nn.Module, images: torch.Tensor, target: Any = None) -> torch.Tensor:
        raise ValueError("no map today")

    def endless(model: nn.Module, images: torch.Tensor, target: Any = None, *, progress: Any = None) -> torch.Tensor:
        with cw.core.progress.Meter(progress, 10**6) as meter:
            began.set()
            while True:
                meter.advance(1)

    for name, function in (("broken", broken), ("endless", endless)):
        cw.explainers.register(name, family="test")(function)
    try:
        c = compared(*checkpoints, image)
        c.method = "broken"
        c.wait(30)
        assert c.difference is None
        assert c.attributions == (None, None)
        assert "No map today" in newest_push(c._sides[0].overlay, "map").content["message"]
        c.method = "endless"
        assert began.wait(20)
        c.cancel()
        c.wait(20)
        assert c.status == "cancelled"
        c.method = "grad_cam"
        c.wait(30)
        assert c.status == "ready"
        assert c.difference is not None
    finally:
        for name in ("broken", "endless"):
            cw.explainers.unregister(name)


def test_a_still_picture(checkpoints: Any, image: torch.Tensor, compared: Any) -> None:
    c = compared(*checkpoints, image, names=("before", "after"))
    data, _ = c._repr_mimebundle_()
    assert "before and after" in data["text/plain"]
    assert "image/png" in data
