"""Networks of every kind open, and what is shown is theirs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import timm
import torch
import torchvision
from captum.attr import LayerGradCam
from torch import nn
from torch.nn import functional

import cnnwidgets as cw
from tests.explorer import nets
from tests.explorer.shown import pushed, shown_map

torch.manual_seed(2)
X = torch.rand(1, 3, 32, 32)
IMAGE = np.random.default_rng(4).integers(0, 256, (40, 48, 3), dtype=np.uint8)


def _hooked(model: nn.Module, layer: str, x: torch.Tensor) -> torch.Tensor:
    """The layer's output (C, h, w), copied by a plain hook."""
    kept: list[torch.Tensor] = []
    hook = model.get_submodule(layer).register_forward_hook(lambda _, __, output: kept.append(output.clone()))
    with torch.no_grad():
        model.eval()(x)
    hook.remove()
    return kept[-1][0].float()


def _all_methods_work(e: cw.Explorer) -> None:
    for method in ("saliency", "occlusion", "grad_cam"):
        e.method = method
        e.wait(60)
        assert (e.status, e.message) == ("ready", ""), method


def _check_maps(e: cw.Explorer, maps: torch.Tensor, tolerance: float = 1e-5) -> None:
    sent = pushed(e.feature_maps, "maps")[1]
    for name, values in (("minimum", maps.amin((1, 2))), ("maximum", maps.amax((1, 2))), ("mean", maps.mean((1, 2)))):
        np.testing.assert_allclose(sent[name], values, rtol=tolerance, atol=tolerance, err_msg=name)
    assert sent["maps"].shape == tuple(maps.shape)


SMALL: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "plain": (nets.plain, "3"),
    "control flow": (nets.Branching, "bright"),
    "in-place ReLU": (nets.in_place, "2"),
    "tuple": (lambda: nets.Returning("tuple"), "inner.3"),
    "dict": (lambda: nets.Returning("dict"), "inner.3"),
    ".logits": (lambda: nets.Returning("logits"), "inner.3"),
    "frozen": (lambda: nets.plain().requires_grad_(False), "3"),
    "training mode": (nets.Training, "norm"),
}


@pytest.mark.parametrize("name", SMALL)
def test_a_network_of_ones_own(name: str) -> None:
    make, layer = SMALL[name]
    e = cw.explore(make(), X)
    e.layer = layer
    _check_maps(e, _hooked(make(), layer, X))
    plain = make().eval()
    scores = plain(X)
    scores = scores[0] if isinstance(scores, tuple) else scores["logits"] if isinstance(scores, dict) else scores
    scores = getattr(scores, "logits", scores)
    assert e.target == int(scores.argmax())
    e.overlay.layer = layer
    _all_methods_work(e)
    if layer != "again" and isinstance(plain(X), torch.Tensor):
        expected = LayerGradCam(plain, plain.get_submodule(layer)).attribute(X, target=e.target)[0, 0].detach()
        np.testing.assert_allclose(shown_map(e), expected, rtol=1e-3, atol=1e-6)
    e.close()


def test_maps_that_a_function_pools_can_be_looked_at_and_explained() -> None:
    net = nets.Pooled()
    e = cw.explore(net, X)
    e.wait()
    assert (e.layer, e.overlay.layers) == ("conv2", ["conv1", "max_pool2d", "conv2", "max_pool2d_1"])
    assert e.layer == cw.explainers.grad_cam(net, X).layer, "the same default as without an Explorer"
    e.layer = "max_pool2d"
    e.wait()
    with torch.no_grad():
        maps = functional.max_pool2d(functional.relu(net.conv1(X)), 2)
    torch.testing.assert_close(e._host.scene.maps["max_pool2d"], maps)
    e.target = 3
    e.wait()
    assert (e.overlay.layer, e.status) == ("max_pool2d", "ready")
    shown = e._host.scene.now.cam["max_pool2d"]
    e.close()
    x = maps.clone().requires_grad_()
    after = functional.max_pool2d(functional.relu(net.conv2(x)), 2)
    (gradient,) = torch.autograd.grad(net.head(after.mean((2, 3)))[0, 3], x)
    expected = (gradient.mean((2, 3), keepdim=True) * maps).sum(1)
    torch.testing.assert_close(shown, expected, rtol=1e-4, atol=1e-7)
    by_itself = cw.explainers.grad_cam(net, X, target=3, layer="max_pool2d")
    torch.testing.assert_close(by_itself.values, expected, rtol=1e-4, atol=1e-7)
    assert by_itself.notes == ()


def test_layers_that_are_functions() -> None:
    net = nets.Functional()
    e = cw.explore(net, X)
    assert (e.layer, e.overlay.layers) == ("relu_1", ["relu", "max_pool2d", "relu_1"])
    with torch.no_grad():
        first = functional.relu(functional.conv2d(X, net.first, padding=1))
        second = functional.relu(functional.conv2d(functional.max_pool2d(first, 2), net.second, padding=1))
    _check_maps(e, second[0])
    # After a mean and a linear layer Grad-CAM is the maps weighted by the head's weights over the number of places.
    weights = net.head[e.target].detach() / (16 * 16)
    np.testing.assert_allclose(shown_map(e), (weights[:, None, None] * second[0]).sum(0), rtol=1e-4, atol=1e-7)
    e.layer = "conv2d"
    with torch.no_grad():
        _check_maps(e, functional.conv2d(X, net.first, padding=1)[0])
    _all_methods_work(e)


def test_the_maps_of_a_layer_called_twice_are_of_the_last_call_and_say_so() -> None:
    net = nets.Branching()
    e = cw.explore(net, X)
    e.layer = "again"
    with torch.no_grad():
        maps = net.stem(X).relu()
        maps = maps + net.again(maps).relu()
        _check_maps(e, net.again(maps)[0])
    assert "called 2 times" in " ".join(pushed(e.feature_maps, "maps")[0]["notes"])


@pytest.mark.parametrize("wrap", [nn.DataParallel, lambda net: torch.compile(net, backend="eager")])
def test_wrappers_are_looked_through(wrap: Callable[[nn.Module], Any]) -> None:
    e = cw.explore(wrap(nets.plain()), X)
    e.layer = "3"
    _check_maps(e, _hooked(nets.plain(), "3", X))
    _all_methods_work(e)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.bfloat16, 0.02), (torch.float16, 0.002), (torch.float64, 1e-5)]
)
def test_other_precisions(dtype: torch.dtype, tolerance: float) -> None:
    e = cw.explore(nets.plain().to(dtype), X)
    e.layer = "3"
    _check_maps(e, _hooked(nets.plain(), "3", X), tolerance)
    _all_methods_work(e)


def test_one_channel_digits_of_eight_pixels() -> None:
    from sklearn.datasets import load_digits

    digit = load_digits().images[7].astype(np.float32)
    e = cw.explore(nets.plain(10, 1), torch.from_numpy(digit)[None, None] / 16)
    e.layer = "0"
    _check_maps(e, _hooked(nets.plain(10, 1), "0", torch.from_numpy(digit)[None, None] / 16))
    pixels = pushed(e.overlay, "picture")[1]["pixels"]
    np.testing.assert_array_equal(pixels, np.repeat(np.round(digit / 16 * 255)[..., None], 3, 2))
    _all_methods_work(e)


@pytest.mark.parametrize(
    ("make", "layer"),
    [
        (lambda: torchvision.models.resnet18(weights=None), "layer2.0.conv2"),
        (lambda: timm.create_model("mobilenetv3_small_050"), "blocks.2.0"),
    ],
    ids=["torchvision", "timm"],
)
def test_networks_of_the_libraries(make: Callable[[], nn.Module], layer: str) -> None:
    torch.manual_seed(0)
    model = make().eval()
    e = cw.explore(model, IMAGE)
    assert e.scores._labels[282] == "tiger cat"  # ImageNet's names come by themselves
    assert e._scene.picture.tensor.shape == (1, 3, 224, 224)  # and so does the preprocessing
    e.layer = layer
    maps = _hooked(model, layer, e._scene.picture.tensor)
    _check_maps(e, maps, 1e-4)
    assert layer in e.graph._where
    for method in ("saliency", "grad_cam"):
        e.method = method
        e.wait(60)
        assert e.status == "ready"
    e.overlay.follow = True
    if layer in e._display.layers:
        expected = LayerGradCam(model, model.get_submodule(layer)).attribute(e._scene.picture.tensor, target=e.target)
        np.testing.assert_allclose(shown_map(e), expected[0, 0].detach(), rtol=1e-3, atol=1e-7)


def test_weights_that_are_not_numbers_are_told_and_not_painted() -> None:
    net = nets.plain()
    net[0].weight.data[2, 0, 0, 0] = torch.nan
    e = cw.explore(net, X)
    notes = " ".join(note["text"] for note in e.overlay.notes)
    assert "The weights contain 1 NaN value in '0.weight'" in notes
    assert "The map contains" in notes
    assert "score is not a finite number" in notes
    assert np.isnan(shown_map(e)).all()
    assert not any(note["level"] == "ok" for note in e.overlay.notes)
    e.layer = "0"
    content, sent = pushed(e.feature_maps, "maps")
    np.testing.assert_array_equal(np.isnan(sent["maximum"]), np.arange(6) == 2)
    assert "1,024 values are NaN" in " ".join(content["notes"])
    assert {row.text for row in e.scores.shown} == {"NaN"}
    _all_methods_work(e)


def test_one_score_that_is_not_a_number() -> None:
    net = nets.plain()
    net[7].bias.data[2] = torch.nan
    e = cw.explore(net, X)
    caption, target = e.overlay.caption, e.target
    assert caption == f"Grad-CAM · 4 → class {target} ({target})"
    e.target = 0
    e.wait(20)
    assert e.overlay.caption == "Grad-CAM · 4 → class 0 (0)"
    assert np.isfinite(shown_map(e)).all()


def test_no_layer_has_maps_and_that_is_said() -> None:
    net, x = nets.perceptron(), torch.rand(1, 3, 16, 16)
    e = cw.explore(net, x)
    e.wait(20)
    assert (e.layer, e.method, e.status) == ("", "saliency", "ready")
    assert "no layer" in pushed(e.feature_maps, "maps")[0]["message"]
    e.method = "grad_cam"
    assert "which Grad-CAM needs" in pushed(e.overlay, "map")[0]["message"]
    e.graph.selected = "1"
    assert "8 numbers" in pushed(e.feature_maps, "maps")[0]["message"]
    with pytest.raises(cw.InputError, match="no layer whose output"):
        e.channel = 0
    e.target = 2
    e.wait(20)
    e.method = "saliency"
    e.wait(20)
    weights = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(net(weights)[0, 2], weights)
    np.testing.assert_allclose(pushed(e.overlay, "map")[1]["magnitude"], gradient[0].abs().amax(0), rtol=1e-4)
    _all_methods_work(e)


def test_the_end_of_a_chain_is_offered_also_before_a_dropout() -> None:
    class Dropping(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
            self.drop, self.last, self.drop2, self.head = (
                nn.Dropout2d(),
                nn.Conv2d(4, 4, 3),
                nn.Dropout2d(),
                nn.Linear(4, 2),
            )

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.drop(self.norm(self.conv(x)).relu())
            return self.head(self.drop2(self.last(x)).mean((2, 3)))

    e = cw.explore(Dropping().eval(), X)
    # "drop2" hands on what "last" gives, and is what explainers take by default: one name for both
    assert e.overlay.layers == ["norm", "drop2"]
    assert e.layer == cw.explainers.grad_cam(Dropping().eval(), X).layer == "drop2"


@pytest.mark.parametrize(
    ("make", "name", "inner"),
    [
        (lambda: timm.create_model("mobilenetv2_035"), "bn2", "bn2.act"),  # a norm that holds its activation
        (lambda: torchvision.models.shufflenet_v2_x0_5(), "conv5", "conv5.2"),  # a mean over places comes after it
        (lambda: timm.create_model("regnetx_002"), "final_conv", "s4"),  # an Identity
    ],
)
def test_a_layer_has_one_name_in_functions_and_explorer(make: Callable[[], nn.Module], name: str, inner: str) -> None:
    torch.manual_seed(0)
    net, x = make().eval(), torch.rand(1, 3, 64, 64)
    assert cw.explainers.grad_cam(net, x).layer == name
    e = cw.explore(net, x)
    assert (e.layer, e.overlay.layer, e.graph.selected) == (name, name, name)
    assert name in e.overlay.layers
    assert inner not in e.overlay.layers
    # The other name is taken, and names the same maps.
    before = pushed(e.feature_maps, "maps")[1]["maps"].copy()
    e.layer = inner
    np.testing.assert_array_equal(pushed(e.feature_maps, "maps")[1]["maps"], before)
    e.overlay.layer = inner
    assert e.overlay.layer == inner
    e.close()


def test_a_click_on_a_node_gives_the_name_that_functions_give() -> None:
    e = cw.explore(timm.create_model("mobilenetv2_035").eval(), torch.rand(1, 3, 64, 64))
    assert {"bn1", "bn2"} <= e.graph.named
    assert not any(layer.endswith(".act") for layer in e.graph.named)
    e.close()


@pytest.mark.parametrize(
    ("make", "kind", "says"),
    [
        (nets.Broken, cw.CnnWidgetsError, "RuntimeError: too dark for me — in layer 'bad'"),
        (lambda: nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten(), nn.LazyLinear(2)), cw.CnnWidgetsError, "lazy"),
        (lambda: nn.Sequential(nn.Conv2d(1, 4, 3)), cw.InputError, "network's first convolution takes 1"),
        (lambda: torch.jit.trace(nets.plain(), X), cw.CnnWidgetsError, "scripted model"),
    ],
)
def test_what_cannot_be_explored_says_why(
    make: Callable[[], nn.Module], kind: type[Exception], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(kind, match=says):
        cw.explore(make(), X)
    assert capsys.readouterr().err == ""


def test_segmentation_opens_also_with_a_callable_alone() -> None:
    net = nets.Segmenting().eval()

    def mean(outputs: torch.Tensor) -> torch.Tensor:
        return outputs.mean((1, 2, 3))

    e = cw.explore(net, X, target=mean)
    assert [row.value for row in e.scores.shown] == pytest.approx([float(mean(net(X))[0])])
    assert e.scores.label(0) == "mean"
