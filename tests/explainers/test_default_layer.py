"""One rule for the layer that nobody chose: the last with maps that the explained score depends on."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

import cnnwidgets as cw
from cnnwidgets import explainers
from cnnwidgets.core.errors import CnnWidgetsError, NotSpatial
from cnnwidgets.explainers.engine.all_layers import observe
from cnnwidgets.explainers.engine.default_layer import reacts

IMAGES = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(5))
CAMS = [name for name in explainers.names() if explainers.info(name).needs_layer and name != "cam"]
WITHOUT_GRADIENT = ["eigen_cam", "score_cam", "ablation_cam"]


class Heads(nn.Module):
    """Body, a head of classes, and something more that runs after it."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU())
        self.last = nn.Conv2d(4, 6, 3, padding=1)
        self.mask = nn.Conv2d(6, 2, 1)
        self.head = nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> Any:
        maps = self.last(self.body(x))
        return self.head(maps.mean((2, 3))), self.mask(maps)


class Projection(Heads):
    """As dla34 does: a projection whose result nobody reads."""

    def forward(self, x: torch.Tensor) -> Any:
        maps = self.last(self.body(x))
        self.mask(maps)
        return self.head(maps.mean((2, 3)))


class Argmax(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.argmax(1, keepdim=True)


class Above(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x > 0


class Whole(Heads):
    """Whole numbers and booleans, which the score depends on, come last."""

    def __init__(self) -> None:
        super().__init__()
        self.argmax, self.above = Argmax(), Above()

    def forward(self, x: torch.Tensor) -> Any:
        maps = self.last(self.body(x))
        share = self.argmax(maps).float().mean() + self.above(maps).float().mean()
        return self.head(maps.mean((2, 3)) + share)


class Small(Heads):
    """Maps of one place come last."""

    def forward(self, x: torch.Tensor) -> Any:
        maps = functional.adaptive_avg_pool2d(self.last(self.body(x)), 1)
        return self.head((maps + self.mask(maps).mean()).flatten(1))


class Reused(Heads):
    """Its last layer is called again, for the mask."""

    def forward(self, x: torch.Tensor) -> Any:
        maps = self.last(self.body(x))
        return self.head(maps.mean((2, 3))), self.last(self.body(x.flip(0))).sum((1, 2, 3))


class Functional(Heads):
    """The mask is made by a torch call, with a weight of the network's own."""

    def forward(self, x: torch.Tensor) -> Any:
        maps = self.last(self.body(x))
        scores = self.head(maps.mean((2, 3)))
        return {"logits": scores, "mask": functional.conv2d(maps, self.mask.weight)}


class Split(Heads):
    """Two halves of one layer's output: only the second is read."""

    def forward(self, x: torch.Tensor) -> Any:
        maps = self.last(self.body(x))
        left, right = maps.chunk(2, 1)
        left = self.mask(torch.cat([left, left], 1))
        return self.head(torch.cat([right, right], 1).mean((2, 3)))


class Branches(Heads):
    """The class explained comes from ``last``, another one from a branch that runs after it."""

    def __init__(self) -> None:
        super().__init__()
        self.side, self.other = nn.Conv2d(6, 4, 3, padding=1), nn.Linear(4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = self.last(self.body(x))
        scores = self.head(maps.mean((2, 3)))
        return torch.cat([scores, self.other(self.side(maps).mean((2, 3)))], 1)


NETWORKS: dict[str, type[Heads]] = {
    "a mask after the classes": Heads,
    "a projection that nobody reads": Projection,
    "whole numbers": Whole,
    "one place": Small,
    "called again": Reused,
    "a torch call": Functional,
    "a part": Split,
}


def seeded(make: Callable[[], nn.Module]) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make().eval()


class NoGradient(nn.Module):
    """The same forward, cut out of every graph."""

    def __init__(self, inner: nn.Module, how: Callable[[], Any]) -> None:
        super().__init__()
        self.inner, self.how = inner, how

    def forward(self, x: torch.Tensor) -> Any:
        with self.how():
            return self.inner(x)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("count", [1, 2])
def test_every_method_takes_the_last_layer_that_the_score_depends_on(name: str, count: int) -> None:
    net, images = seeded(NETWORKS[name]), IMAGES[:count]
    for method in CAMS:
        found = explainers.get(method)(net, images, 1)
        assert found.layer == "last", method
        if name != "called again":
            asked = explainers.get(method)(net, images, 1, layer="last")
            torch.testing.assert_close(found.values, asked.values, msg=method)
    assert observe(net, images, 1).default == "last"


def test_the_map_is_that_of_the_call_that_the_score_depends_on() -> None:
    net = seeded(Reused)
    with torch.no_grad():
        maps = net.last(net.body(IMAGES))
    weights = net.head.weight[1].detach() / maps[0, 0].numel()
    expected = torch.einsum("k,nkhw->nhw", weights, maps)
    found = explainers.grad_cam(net, IMAGES, 1)
    torch.testing.assert_close(found.values, expected)
    assert any("showing call 1" in note for note in found.notes)


@pytest.mark.parametrize("count", [1, 2])
def test_a_branch_that_makes_other_classes_is_not_taken(count: int) -> None:
    net, images = seeded(Branches), IMAGES[:count]
    for target, layer in ((1, "last"), (3, "side")):
        for method in CAMS:
            options = {"score": "logit"} if method == "score_cam" else {}  # of the softmax all classes make part
            assert explainers.get(method)(net, images, target, **options).layer == layer, method
        assert observe(net, images, target).default == layer


@pytest.mark.parametrize("how", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("name", ["a mask after the classes", "a projection that nobody reads", "whole numbers"])
@pytest.mark.parametrize("count", [1, 2])
def test_without_a_graph_the_score_is_moved(name: str, how: Callable[[], Any], count: int) -> None:
    plain, images = seeded(NETWORKS[name]), IMAGES[:count]
    net = NoGradient(plain, how).eval()
    for method in WITHOUT_GRADIENT:
        found = explainers.get(method)(net, images, 1)
        assert found.layer == "inner.last", method
        torch.testing.assert_close(found.values, explainers.get(method)(plain, images, 1).values, msg=method)
    with pytest.raises(
        CnnWidgetsError, match=r"No gradient reaches layer 'inner\.last'.*method that needs no gradient"
    ):
        explainers.grad_cam(net, images, 1)
    assert observe(net, images, 1).default == "inner.last"


def test_cam_takes_the_pooled_layer_of_the_head_asked_for() -> None:
    for net in (seeded(Heads), NoGradient(seeded(Heads), torch.no_grad)):
        found = explainers.cam(net, IMAGES, 2)
        assert found.layer in ("last", "inner.last")
        bias = seeded(Heads).head.bias[2].detach()
        torch.testing.assert_close(found.values.mean((1, 2)) + bias, found.scores)


class Segmenting(nn.Module):
    """The explained score, a pixel of the mask, comes before the classes; torchvision's auxiliary heads come after."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.out, self.aux = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 2, 1), nn.Conv2d(4, 2, 1)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        maps = self.body(x)
        return {"out": self.out(maps), "aux": self.aux(maps)}


@pytest.mark.parametrize("method", [name for name in CAMS if name != "guided_grad_cam"])
def test_the_target_decides(method: str) -> None:
    net = seeded(Segmenting)
    for key in ("out", "aux"):
        assert (
            explainers.get(method)(net, IMAGES, lambda outputs, key=key: outputs[key][:, 1].mean((1, 2))).layer == key
        )


@pytest.mark.parametrize("method", ["xgrad_cam", "eigen_cam"])
@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "called again"])
def test_every_layer_leaves_out_what_the_score_does_not_depend_on(method: str, name: str) -> None:
    net = seeded(NETWORKS[name])
    names = list(explainers.every_layer(method, net, IMAGES[:1], 1))
    assert names == ["body.0", "body.1", "body", "last"]


def test_every_layer_of_a_network_without_gradients_ends_with_the_last_that_moves_the_score() -> None:
    net = NoGradient(seeded(Heads), torch.no_grad)
    names = list(explainers.every_layer("eigen_cam", net, IMAGES[:1], 1))
    assert names == ["inner.body.0", "inner.body.1", "inner.body", "inner.last"]


def test_a_network_without_maps() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 3))
    with pytest.raises(NotSpatial, match="saliency"):
        explainers.eigen_cam(net, IMAGES, 0)
    assert observe(net, IMAGES, 0).default is None


class Rolled(Heads):
    """The last layer's maps are not where the image is."""

    def forward(self, x: torch.Tensor) -> Any:
        return self.head(self.last(self.body(x).roll(5, 3)).mean((2, 3)))


def test_a_later_layer_that_cannot_be_laid_over_the_image_is_named() -> None:
    net = seeded(Rolled)
    for method in ("grad_cam", "eigen_cam"):
        found = explainers.get(method)(net, IMAGES[:1], 0)
        assert found.layer == "body"
        assert any("taken by default, not the last: the later layer 'last' returns" in note for note in found.notes)
        asked = explainers.get(method)(net, IMAGES[:1], 0, layer="body")
        assert not any("by default" in note for note in asked.notes)
    assert any("by default" in note for note in observe(net, IMAGES[:1], 0).notes)
    assert not any("by default" in note for note in explainers.grad_cam(seeded(Heads), IMAGES, 0).notes)


@pytest.mark.parametrize(("side", "layer"), [(64, "level5"), (32, "level4")])  # the rest has one place
def test_timms_dla_whose_projection_no_gradient_reaches(side: int, layer: str) -> None:
    timm = importlib.import_module("timm")
    from tests.sweeps.timm_families import by_hooks, plain_cam

    net = seeded(lambda: timm.create_model("dla34", pretrained=False))
    image = functional.interpolate(IMAGES[:1], (side, side))
    target, truth = by_hooks(net, image)
    assert truth["level4.project"][1] is None
    for method in ("grad_cam", "eigen_cam"):
        assert explainers.get(method)(net, image, target).layer == layer
    found = explainers.grad_cam(net, image, target)
    expected = plain_cam(*truth[layer], shape=(2, 2))
    assert expected is not None
    torch.testing.assert_close(found.values[0], expected, rtol=1e-3, atol=1e-6)


def test_the_graph_tells_what_the_score_depends_on() -> None:
    from cnnwidgets.explainers.engine.layer_outputs import Output, get_gradient_edge
    from cnnwidgets.tracing.layouts.layouts import Layout

    x = torch.ones(1, 2, 2, 2, requires_grad=True)
    left, right = (x * 2).chunk(2, 1)
    score = right.sum()[None]
    edges = [get_gradient_edge(value) for value in (right, left, x)]
    assert [reacts(Output(Layout((1, 1, 2, 2)), own=edge), score) for edge in edges] == [True, None, True]
    assert reacts(Output(Layout((1, 1, 2, 2)), own=edges[0]), torch.ones(1)) is None


def test_trace_and_the_explorer_take_the_same() -> None:
    explorer = cw.explore(seeded(Projection), IMAGES[:1])
    explorer.wait(60)
    assert explorer.layer == explorer.overlay.layer == "last"
    explorer.close()
