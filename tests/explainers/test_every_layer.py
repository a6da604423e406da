from __future__ import annotations

import importlib

import pytest
import torch
from torch import nn
from torch.nn import functional

from cnnwidgets.core.capture import capture
from cnnwidgets.core.errors import CnnWidgetsError, LayerNotFound, NotSpatial
from cnnwidgets.explainers import every_layer, get, grad_cam, register, saliency, unregister
from cnnwidgets.explainers.engine.all_layers import observe
from tests.calls import python_calls


class Small(nn.Module):
    """In-place ReLUs, a residual branch, a reused layer, a container, a pooled and a flat part."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True))
        self.shortcut = nn.Identity()
        self.twice = nn.Conv2d(4, 4, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.spare = nn.Conv2d(4, 4, 1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        x = self.stem(x)
        y = self.relu(self.twice(functional.relu(self.twice(x))) + self.shortcut(x))
        return self.head(self.pool(y).flatten(1))


@pytest.fixture
def net() -> Small:
    torch.manual_seed(2)
    return Small().eval()


@pytest.fixture
def images() -> torch.Tensor:
    torch.manual_seed(3)
    return torch.rand(2, 3, 8, 8)


SPATIAL = ["stem.0", "stem.1", "stem.2", "stem", "shortcut", "twice", "relu"]


def test_all_layers_at_once_are_as_one_by_one(net: Small, images: torch.Tensor) -> None:
    together = every_layer("grad_cam", net, images, [0, 2])
    assert sorted(together) == sorted(SPATIAL)
    for name, result in together.items():
        alone = grad_cam(net, images, [0, 2], layer=name)
        torch.testing.assert_close(result.values, alone.values, msg=name)
        assert (result.layer, result.method, result.target) == (name, "grad_cam", (0, 2))
        assert result.notes == alone.notes
        assert torch.equal(result.scores, alone.scores)


def test_one_forward_is_enough(net: Small, images: torch.Tensor) -> None:
    calls = []
    net.register_forward_hook(lambda *_: calls.append(1))
    every_layer("grad_cam", net, images)
    assert len(calls) == 1


def test_only_the_layers_asked_for(net: Small, images: torch.Tensor) -> None:
    assert list(every_layer("grad_cam", net, images, 1, [net.relu, "stem.0"])) == ["stem.0", "relu"]


def test_layers_that_cannot_be_explained(net: Small, images: torch.Tensor) -> None:
    with pytest.raises(LayerNotFound, match="stam"):
        every_layer("grad_cam", net, images, layers=["stam"])
    with pytest.raises(NotSpatial, match=r"'head' returns shape \(2, 3\)"):
        every_layer("grad_cam", net, images, layers=["stem", "head"])
    with pytest.raises(CnnWidgetsError, match="'spare' did not run"):
        every_layer("grad_cam", net, images, layers=["spare"])
    with pytest.raises(CnnWidgetsError, match="not a layer"):
        every_layer("saliency", net, images)
    with pytest.raises(CnnWidgetsError, match="'grad_cam'"):
        every_layer("gradcam", net, images)


def test_an_option_it_does_not_have_is_refused(net: Small, images: torch.Tensor) -> None:
    with pytest.raises(TypeError, match="patch"):
        every_layer("grad_cam", net, images, patch=3)


def test_other_methods_run_layer_by_layer(net: Small, images: torch.Tensor) -> None:
    @register("loudness", needs_layer=True)
    def loudness(model, images, target=None, *, layer=None):
        with capture(model, [layer]) as outputs:
            model(images)
        return outputs[layer][-1].sum(1)

    try:
        results = every_layer("loudness", net, images)
        assert sorted(results) == sorted(SPATIAL)
        assert torch.equal(results["stem"].values, get("loudness")(net, images, layer="stem").values)
    finally:
        unregister("loudness")


def test_first_call_of_a_reused_layer(net: Small, images: torch.Tensor) -> None:
    first = every_layer("grad_cam", net, images, layers=["twice"], call=0)["twice"]
    torch.testing.assert_close(first.values, grad_cam(net, images, layer="twice", call=0).values)


def test_the_observation_holds_what_the_layers_returned(net: Small, images: torch.Tensor) -> None:
    seen = observe(net, images)
    with capture(net, SPATIAL) as outputs:
        scores = net(images)
    for name in SPATIAL:
        assert torch.equal(seen.maps[name], outputs[name][-1].detach()), name
    assert torch.equal(seen.outputs, scores.detach())
    assert seen.chosen == tuple(scores.argmax(1).tolist())
    assert torch.equal(seen.scores, scores.detach().amax(1))
    assert seen.calls == {**dict.fromkeys([*SPATIAL, "pool", "head"], 1), "twice": 2}
    assert seen.shapes["pool"] == (2, 4, 1, 1)
    assert seen.shapes["head"] == (2, 3)
    assert [name for name in seen.order if name not in ("shortcut", "twice")] == [
        "stem.0", "stem.1", "stem.2", "stem", "relu", "pool", "head"
    ]  # fmt: skip
    torch.testing.assert_close(seen.input_gradient, saliency(net, images).values)


def test_contributions_are_gradient_times_activation_summed_over_the_map(net: Small, images: torch.Tensor) -> None:
    seen = observe(net, images, 1)
    with capture(net, ["stem"]) as outputs:
        score = net(images)[:, 1].sum()
    # The copy that capture yields is off the path, so the gradient comes from the activation's own slow re-run.
    stem = outputs["stem"][0].detach().requires_grad_()
    y = functional.relu(net.twice(functional.relu(net.twice(stem))) + stem)
    again = net.head(net.pool(y).flatten(1))[:, 1].sum()
    torch.testing.assert_close(again, score)
    (gradient,) = torch.autograd.grad(again, stem)
    torch.testing.assert_close(seen.contribution["stem"], (gradient * stem.detach()).sum((2, 3)))
    torch.testing.assert_close(seen.cam["stem"], (gradient.mean((2, 3), keepdim=True) * stem.detach()).sum(1))


def test_a_container_shares_its_last_childs_map(net: Small, images: torch.Tensor) -> None:
    maps = observe(net, images).maps
    assert maps["stem"].data_ptr() == maps["stem.2"].data_ptr()
    assert maps["stem.1"].data_ptr() != maps["stem.2"].data_ptr()


def test_nothing_is_kept_that_was_not_asked_for(net: Small, images: torch.Tensor) -> None:
    assert observe(net, images, keep_maps=False).maps == {}
    plain = observe(net, images, gradients=False)
    assert (plain.cam, plain.contribution, plain.input_gradient) == ({}, {}, None)
    assert sorted(plain.maps) == sorted(SPATIAL)
    assert list(observe(net, images, layers=["stem"]).maps) == ["stem"]


def test_layers_behind_a_cut_have_maps_but_no_gradient(images: torch.Tensor) -> None:
    class Cut(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.early, self.late, self.head = nn.Conv2d(3, 2, 3), nn.Conv2d(2, 2, 3), nn.Linear(32, 2)

        def forward(self, x):
            with torch.no_grad():
                x = self.early(x)
            return self.head(self.late(x).flatten(1))

    seen = observe(Cut(), images)
    assert sorted(seen.maps) == ["early", "late"]
    assert "no gradient reaches 1 of 2 layers" in " ".join(seen.notes)
    assert list(seen.cam) == ["late"]
    with pytest.raises(CnnWidgetsError, match="No gradient reaches layer 'early'"):
        every_layer("grad_cam", Cut(), images, layers=["early"])


def test_a_dense_target_has_no_table(images: torch.Tensor) -> None:
    net = nn.Sequential(nn.Conv2d(3, 2, 1))
    seen = observe(net, images, lambda out: out[:, 0].mean((1, 2)))
    assert seen.outputs is None
    torch.testing.assert_close(seen.cam["0"], seen.maps["0"][:, 0] / 64)


def test_resnet50_takes_one_pass_there_and_back_and_little_memory() -> None:
    torchvision = importlib.import_module("torchvision")
    torch.manual_seed(0)
    net = torchvision.models.resnet50(weights=None).eval()
    x = torch.randn(1, 3, 224, 224)

    passes = []

    def follow(_module, _inputs, outputs) -> None:
        passes.append("there")
        outputs.register_hook(lambda _: passes.append("back"))

    net.fc.register_forward_hook(follow)
    seen = observe(net, x)
    held = {maps.untyped_storage().data_ptr(): maps.untyped_storage().nbytes() for maps in seen.maps.values()}
    assert len(seen.maps) == len(seen.cam) == 148
    assert sum(held.values()) < 200e6
    passes.clear()
    calls = python_calls(lambda: observe(net, x))
    assert passes == ["there", "back"]
    assert calls < 400 * len(seen.maps)


def test_a_map_with_nan_says_so() -> None:
    net = nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU(), nn.Flatten(), nn.Linear(4, 2))
    with torch.no_grad():
        net[0].weight.fill_(torch.nan)
    alone = grad_cam(net, torch.ones(1, 1, 2, 2), 0, layer="0")
    together = every_layer("grad_cam", net, torch.ones(1, 1, 2, 2), 0)["0"]
    assert any("NaN" in note and "map" in note for note in together.notes)
    assert set(alone.notes) == set(together.notes)
