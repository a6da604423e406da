"""Every explainer reads what a model returns alike: which output, and what its numbers are."""

# ruff: noqa: ARG005 (the functions that make outputs take all there is)
from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from cnnwidgets import checks, explainers
from cnnwidgets.core.errors import TargetError
from cnnwidgets.explainers import every_layer, names, register, unregister
from cnnwidgets.explainers.engine.all_layers import observe
from cnnwidgets.incremental import Edited

IMAGE = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(5))
LOGITS = [math.log(0.863 / 0.137), math.log(0.2 / 0.8), math.log(0.55 / 0.45)]
"""Of sigmoids 0.863, 0.2 and 0.55."""


class Net(nn.Module):
    """Says LOGITS of IMAGE, whatever its weights; ``wrap`` makes the outputs of features (N, 4) and logits (N, 3)."""

    def __init__(self, wrap: Callable[[torch.Tensor, torch.Tensor], Any] = lambda h, z: z) -> None:
        super().__init__()
        torch.manual_seed(7)
        self.convolution, self.linear, self.wrap = nn.Conv2d(3, 4, 3), nn.Linear(4, 3), wrap
        with torch.no_grad():
            self.linear.weight.mul_(6)
            self.linear.bias.add_(torch.tensor(LOGITS) - self.linear(self.features(IMAGE))[0])

    def features(self, x: torch.Tensor) -> torch.Tensor:
        return self.convolution(x).relu().mean((2, 3))

    def forward(self, x: torch.Tensor) -> Any:
        h = self.features(x)
        return self.wrap(h, self.linear(h))


def told(result: Any, words: str) -> bool:
    return any(words in note for note in result.notes)


def by_a_loop(net: nn.Module, score: Callable[[Any], torch.Tensor], patch: int = 8) -> torch.Tensor:
    """(rows, cols) of ``score`` with a patch of zeros at each place, by the model itself."""
    rows = []
    for top in range(0, 16, patch):
        for left in range(0, 16, patch):
            edited = IMAGE.clone()
            edited[:, :, top : top + patch, left : left + patch] = 0
            with torch.no_grad():
                rows.append(score(net(edited)))
    return torch.stack(rows).view(16 // patch, 16 // patch)


OCCLUDED = {
    "logits": (lambda h, z: z, lambda out: out.softmax(1)[0, 0]),
    "sigmoid": (lambda h, z: z.sigmoid(), lambda out: out[0, 0]),
    "hand-made sigmoid": (lambda h, z: 1 / (1 + torch.exp(-z)), lambda out: out[0, 0]),
    "log_softmax": (lambda h, z: functional.log_softmax(z, 1), lambda out: out.exp()[0, 0]),
    "softmax": (lambda h, z: z.softmax(1), lambda out: out[0, 0]),
    "one sigmoid, a scalar": (lambda h, z: z[:, 0].sigmoid().squeeze(), lambda out: out),
    "one number, a scalar": (lambda h, z: z[:, 0].squeeze(), lambda out: out),
    "one number, four axes": (lambda h, z: z[:, :1, None, None], lambda out: out[0, 0, 0, 0]),
    "squeezed classes": (lambda h, z: z.squeeze(), lambda out: out.softmax(0)[0]),
    "embedding and logits": (lambda h, z: (h, z), lambda out: out[1].softmax(1)[0, 0]),
    "embedding and sigmoid": (lambda h, z: {"features": h, "cls": z.sigmoid()}, lambda out: out["cls"][0, 0]),
}  # fmt: skip


@pytest.mark.parametrize("engine", ["auto", "full"])
@pytest.mark.parametrize("name", OCCLUDED)
def test_occlusion_explains_the_probability_that_the_outputs_stand_for(name: str, engine: str) -> None:
    wrap, score = OCCLUDED[name]
    net = Net(wrap).eval()
    found = explainers.occlusion(net, IMAGE, 0, patch=8, stride=8, engine=engine)
    torch.testing.assert_close(found.baseline[0], score(net(IMAGE)).detach())
    torch.testing.assert_close(found.grid[0], by_a_loop(net, score), rtol=1e-5, atol=1e-6)


def test_a_sigmoid_says_0_863_and_so_does_occlusion() -> None:
    found = explainers.occlusion(Net(lambda h, z: z.sigmoid()), IMAGE, 0, patch=8, stride=8)
    assert found.baseline.item() == pytest.approx(0.863, abs=1e-5)
    assert found.for_target(1).baseline.item() == pytest.approx(0.2, abs=1e-5)
    assert found.notes == ()


@pytest.mark.parametrize("name", [name for name in names() if name != "cam"])
def test_every_explainer_reads_the_same(name: str) -> None:
    function = explainers.get(name)
    pair = Net(lambda h, z: (h, z)).eval()
    result, plain = function(pair, IMAGE, 1), function(Net().eval(), IMAGE, 1)
    torch.testing.assert_close(result.values, plain.values)
    assert told(result, "output 1 (1, 3) is taken, not 0 (1, 4); output=0 chooses another")
    for output in (1, lambda raw: raw[1]):
        said = function(pair, IMAGE, 1, output=output)
        torch.testing.assert_close(said.values, plain.values)
        assert not told(said, "several tensors")
    other = function(pair, IMAGE, 3, output=0)
    torch.testing.assert_close(other.values, function(Net(lambda h, z: h).eval(), IMAGE, 3).values)


@pytest.mark.parametrize("name", [name for name in names() if name != "cam"])
def test_what_the_outputs_are_can_be_said_to_every_explainer(name: str) -> None:
    function = explainers.get(name)
    options = {"score": "probability"} if "score" in explainers.info(name).function.__wrapped__.__kwdefaults__ else {}
    result = function(Net().eval(), IMAGE, 0, outputs="independent_logits", **options)
    if options:
        assert result.scores.item() == pytest.approx(0.863, abs=1e-5)
        sigmoid = function(Net(lambda h, z: z.sigmoid()).eval(), IMAGE, 0, **options)
        torch.testing.assert_close(result.values, sigmoid.values, rtol=1e-4, atol=1e-6)
    with pytest.raises(TargetError, match="independent_logits"):
        function(Net(), IMAGE, 0, outputs="logits of classes")


@pytest.mark.parametrize("name", [name for name in names() if name != "cam"])
def test_a_function_makes_the_scores_of_a_segmentation(name: str) -> None:
    maps = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 3, 1)).eval()
    pooled = nn.Sequential(*maps, nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    options = {"layer": "0"} if explainers.info(name).needs_layer else {}
    found = explainers.get(name)(maps, IMAGE, 2, output=lambda out: out.mean((2, 3)), **options)
    torch.testing.assert_close(found.values, explainers.get(name)(pooled, IMAGE, 2, **options).values)
    assert found.target == (2,)


def test_a_log_softmax_is_told_where_the_logarithm_is_explained() -> None:
    net = Net(lambda h, z: functional.log_softmax(z, 1))
    assert told(explainers.saliency(net, IMAGE, 0), "already a log-softmax")
    assert not told(explainers.saliency(net, IMAGE, 0, score="probability"), "log-softmax")
    assert told(explainers.occlusion(net, IMAGE, 0, patch=8, score="logit"), "already a log-softmax")
    assert not explainers.occlusion(net, IMAGE, 0, patch=8).notes


def test_what_is_told_of_the_outputs_holds_for_the_other_classes_of_a_sweep() -> None:
    net = Net(lambda h, z: (h, z.softmax(1)))
    found = explainers.occlusion(net, IMAGE, 0, patch=8, stride=8).for_target(1)
    assert told(found, "several tensors")
    assert told(found, "already a softmax")


def test_a_saturated_sigmoid_is_told_for_its_own_class_only() -> None:
    net = Net(lambda h, z: torch.cat([(z[:, :1] + 20).sigmoid(), z[:, 1:].sigmoid()], 1))
    assert told(explainers.saliency(net, IMAGE, 0), "explain the model before its sigmoid")
    assert not told(explainers.saliency(net, IMAGE, 1), "saturated")


def test_negative_logarithms_are_told() -> None:
    assert told(explainers.saliency(Net(lambda h, z: -functional.log_softmax(z, 1)), IMAGE), "sign changed")


def test_a_batch_of_edits_does_not_switch_what_the_outputs_are() -> None:
    class Black(nn.Module):
        """Nothing tells what made its outputs; those of the whole image are no probabilities, those of edits are."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            first = x[:, 0, 0, 0]
            return torch.tensor([[0.4, 0.6] if value == 0 else [0.4, 0.9] for value in first.tolist()])

    image = torch.ones(1, 1, 4, 4)
    found = explainers.occlusion(Black(), image, 0, patch=2, stride=2)
    expected = torch.tensor([0.4, 0.6]).softmax(0)[0]
    torch.testing.assert_close(found.grid[0, 0, 0], expected)
    assert told(found, "what the outputs are is assumed")
    sure = explainers.occlusion(Black(), image, 0, patch=2, stride=2, outputs="sigmoid")
    assert sure.baseline.item() == pytest.approx(0.4)
    assert not told(sure, "assumed")


@pytest.mark.parametrize("target", [None, 0, lambda out: out.reshape(-1)])
@pytest.mark.parametrize("name", [name for name in names() if name != "cam"])
def test_a_scalar_is_explained_by_all(name: str, target: Any) -> None:
    scalar = explainers.get(name)(Net(lambda h, z: z[:, 0].squeeze()).eval(), IMAGE, target)
    table = explainers.get(name)(Net(lambda h, z: z[:, :1]).eval(), IMAGE, target)
    torch.testing.assert_close(scalar.values, table.values)
    assert scalar.scores.item() == pytest.approx(LOGITS[0], abs=1e-5)


def test_the_gradient_of_the_output_chosen_is_captums() -> None:
    captum = importlib.import_module("captum.attr")
    net = Net(lambda h, z: {"age": z[:, :1], "gender": z[:, 1:]}).eval()
    expected = captum.Saliency(lambda x: net(x)["gender"]).attribute(IMAGE.clone(), target=1, abs=False)
    torch.testing.assert_close(explainers.saliency(net, IMAGE, 1, output="gender").values, expected)
    torch.testing.assert_close(explainers.saliency(net, IMAGE, 1).values, expected)


def test_every_layer_and_observe_take_the_options() -> None:
    net = Net(lambda h, z: (z[:, :2], z.sigmoid())).eval()
    seen = observe(net, IMAGE, 2, output=1)
    assert (seen.kind, seen.outputs.shape) == ("sigmoid", (1, 3))
    assert observe(net, IMAGE, outputs="number").kind == "number"
    for method in ("grad_cam", "layer_cam"):
        found = every_layer(method, net, IMAGE, 2, output=1)["convolution"]
        single = explainers.get(method)(Net(lambda h, z: z.sigmoid()).eval(), IMAGE, 2, layer="convolution")
        torch.testing.assert_close(found.values, single.values)
    with pytest.raises(TargetError, match="output is 'cls'"):
        every_layer("grad_cam", net, IMAGE, 0, output="cls")


def test_edits_score_the_output_that_is_asked_for() -> None:
    net = Net(lambda h, z: (h, z)).eval()
    patch = torch.zeros(3, 8, 8)
    for output, index in ((None, 1), (0, 0), (lambda raw: raw[0], 0)):
        with Edited(net, IMAGE, output=output) as edited, torch.no_grad():
            image = IMAGE.clone()
            image[:, :, 4:12, 2:10] = 0
            torch.testing.assert_close(edited.scores(patch, [4], [2]), net(image)[index])
            torch.testing.assert_close(edited.base, net(IMAGE)[index])
            assert any("several tensors" in note for note in edited.notes) is (output is None)


def test_the_checks_read_the_same() -> None:
    net = Net(lambda h, z: (h, z.sigmoid())).eval()
    curves = checks.insertion_deletion(net, IMAGE, torch.rand(1, 16, 16), 0, steps=4, repeats=0)
    assert curves.scores.item() == pytest.approx(0.863, abs=1e-5)
    assert (curves.score, told(curves, "several tensors")) == ("probability", True)
    other = checks.insertion_deletion(Net(), IMAGE, torch.rand(1, 16, 16), 0, outputs="independent_logits", repeats=0)
    assert other.scores.item() == pytest.approx(0.863, abs=1e-5)
    number = checks.insertion_deletion(Net(), IMAGE, torch.rand(1, 16, 16), 0, outputs="number", repeats=0)
    assert (number.score, number.scores.item()) == ("score", pytest.approx(LOGITS[0], abs=1e-5))
    done = checks.randomised(net, IMAGE, "occlusion", 0, patch=8, stride=8, output=1)
    assert done.original.scores.item() == pytest.approx(0.863, abs=1e-5)
    assert not told(done.original, "several tensors")


def test_an_explainer_of_ones_own_takes_the_options_too() -> None:
    @register("own_saliency")
    def own(model, images, target=None):
        return explainers.saliency(model, images, target).values

    try:
        net = Net(lambda h, z: (h, z)).eval()
        found = explainers.get("own_saliency")(net, IMAGE, 3, output=0)
        torch.testing.assert_close(found.values, explainers.saliency(Net(lambda h, z: h), IMAGE, 3).values)
    finally:
        unregister("own_saliency")


def test_what_is_said_of_one_network_is_not_said_of_another_inside() -> None:
    inner = Net().eval()

    @register("own_nested")
    def own(model, images, target=None):
        return explainers.saliency(inner, images, target).values

    try:
        found = explainers.get("own_nested")(Net(lambda h, z: {"a": z}), IMAGE, 1, output="a")
        torch.testing.assert_close(found.values, explainers.saliency(inner, IMAGE, 1).values)
    finally:
        unregister("own_nested")
