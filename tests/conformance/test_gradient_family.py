"""Gradients of the input under every rule: Captum where it is right, and slow plain versions where it is not."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from cnnwidgets import demo
from cnnwidgets.explainers import (
    deconvnet,
    grad_cam,
    guided_backprop,
    guided_grad_cam,
    input_x_gradient,
    integrated_gradients,
    saliency,
    smooth_grad,
)

from .networks import alive, inception, lite0
from .references import enlarged, patched, reference

captum_attr = importlib.import_module("captum.attr")
models = importlib.import_module("torchvision.models")
pytestmark = pytest.mark.filterwarnings("ignore:Setting .*backward hooks", "ignore:Input Tensor 0 did not")

PRECISIONS = [(torch.float32, 1e-4), (torch.float64, 1e-8)]
OURS = {"guided": guided_backprop, "rectified": deconvnet}
CAPTUM = {"guided": captum_attr.GuidedBackprop, "rectified": captum_attr.Deconvolution}


def distance(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """Largest difference, as a share of the largest value."""
    theirs = theirs.detach().double()
    largest = float(theirs.abs().max())
    assert float(theirs.abs().flatten(1).amax(1).min()) > 0
    return float((ours.double() - theirs).abs().max()) / largest


def agree(ours: torch.Tensor, theirs: torch.Tensor, tolerance: float) -> None:
    # Results are float32, so the last bit of that is left out of the comparison in float64.
    assert distance(ours, theirs) <= max(tolerance, 6e-8)


def _halves(x: torch.Tensor) -> None:
    x[:, ::2].relu_()
    functional.relu(x[:, 1::2], inplace=True)


def _assigned(x: torch.Tensor) -> None:
    x[:] = torch.relu(x)


WAYS: dict[str, Any] = {
    "F.relu": functional.relu,
    "F.relu in place": lambda x: functional.relu(x, inplace=True),
    "F.relu in place, by position": lambda x: functional.relu(x, True),
    "torch.relu": torch.relu,
    "torch.relu_": torch.relu_,
    "method": torch.Tensor.relu,
    "method in place, result ignored": lambda x: (x.relu_(), None)[1],
    "clamp": lambda x: x.clamp(min=0),
    "clamp_": lambda x: x.clamp_(min=0),
    "clamp_min": lambda x: x.clamp_min(0.0),
    "clamp_min_, result ignored": lambda x: (x.clamp_min_(0), None)[1],
    "torch.clamp of a tensor": lambda x: torch.clamp(x, min=torch.zeros((), dtype=x.dtype)),
    "clip": lambda x: torch.clip(x, 0),
    "threshold": lambda x: functional.threshold(x, 0.0, 0.0),
    "maximum": lambda x: torch.maximum(torch.zeros((), dtype=x.dtype), x),
    "leaky, without a leak": lambda x: functional.leaky_relu(x, 0.0),
    "halves, views, in place": _halves,
    "a view of everything, in place": lambda x: (x.view(x.shape).clamp_(min=0), None)[1],
    "assigned": _assigned,
    "checkpoint": lambda x: checkpoint(torch.relu, x, use_reentrant=False),
    "wide bound": lambda x: functional.hardtanh(x, 0.0, 1e9),
}


class Small(nn.Module):
    """Branches, an addition, a concatenation, max pooling; the activation is one module a place, shared, or a call."""

    def __init__(self, way: str = "separate") -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 8, 3, bias=False), nn.Conv2d(8, 8, 3, padding=1)
        self.c, self.head = nn.Conv2d(16, 12, 3), nn.Linear(12, 4)
        self.norm, self.pool = nn.BatchNorm2d(8), nn.MaxPool2d(2)
        if way.startswith("separate"):
            self.relus = nn.ModuleList(nn.ReLU(inplace=way.endswith("in place")) for _ in range(3))
        elif way.startswith("shared"):
            self.shared = nn.ReLU(inplace=way.endswith("in place"))
        self.way = way

    def activate(self, place: int, x: torch.Tensor) -> torch.Tensor:
        if self.way.startswith("separate"):
            return self.relus[place](x)
        if self.way.startswith("shared"):
            return self.shared(x)
        changed = WAYS[self.way](x)
        return x if changed is None else changed

    def forward(self, x):
        x = self.activate(0, self.a(x))
        y = self.activate(1, x + self.norm(self.b(x)))
        z = self.activate(2, self.c(self.pool(torch.cat([x, y], 1))))
        return self.head(z.mean((2, 3)))


def small(way: str, dtype: torch.dtype) -> tuple[nn.Module, torch.Tensor]:
    torch.manual_seed(5)
    net = Small(way).to(dtype).eval()
    images = torch.randn(2, 3, 16, 16)
    images[..., :6] = 0  # there the first convolution's output is exactly 0, where relu and clamp differ
    return net, images.to(dtype)


@pytest.mark.parametrize("rule", OURS)
@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("way", ["separate", "separate in place", "shared", "shared in place", *WAYS])
def test_however_a_relu_is_written_the_map_is_captums_for_modules(
    way: str, dtype: torch.dtype, tolerance: float, rule: str
) -> None:
    modules, images = small("separate", dtype)
    theirs = CAPTUM[rule](modules).attribute(images.clone(), target=[3, 1])
    net, _ = small(way, dtype)
    result = OURS[rule](net, images, [3, 1])
    agree(result.values, theirs, tolerance)
    assert result.notes == ()
    agree(theirs, reference(modules, images, [3, 1], rule), tolerance)


@pytest.mark.parametrize("rule", OURS)
@pytest.mark.parametrize("way", ["F.relu", "method", "clamp"])
def test_captum_gives_the_plain_gradient_for_what_is_no_module(way: str, rule: str) -> None:
    net, images = small(way, torch.float64)
    theirs = CAPTUM[rule](net).attribute(images.clone(), target=[3, 1])
    plain = captum_attr.Saliency(net).attribute(images.clone(), target=[3, 1], abs=False)
    assert distance(theirs, plain) < 1e-12
    right = reference(small("separate", torch.float64)[0], images, [3, 1], rule)
    assert distance(theirs, right) > 0.1
    assert distance(OURS[rule](net, images, [3, 1]).values, right) < 6e-8


# How it is built, the input's side, whether Captum sees every ReLU, and what is noted.
LEFT = "activations without a {} rule left plain: "
NETWORKS: dict[str, tuple[Any, int, bool, str | None]] = {
    "resnet18": (lambda: models.resnet18(weights=None), 64, True, None),
    "densenet121": (lambda: models.densenet121(weights=None), 64, False, None),
    "inception_v3": (inception, 107, False, None),
    "mobilenet_v3_small": (
        lambda: models.mobilenet_v3_small(weights=None),
        96,
        True,
        LEFT + "19 hardswish, 9 hardsigmoid",
    ),
    "efficientnet_b0": (lambda: models.efficientnet_b0(weights=None), 64, True, LEFT + "49 silu, 16 sigmoid"),
    "convnext_tiny": (lambda: models.convnext_tiny(weights=None), 64, True, LEFT + "18 gelu"),
    "efficientnet_lite0": (lite0, 96, False, None),
}


@pytest.fixture(scope="module", params=NETWORKS)
def network(request: pytest.FixtureRequest):
    build, size, *rest = NETWORKS[request.param]
    torch.manual_seed(20)
    net = build()
    if request.param == "efficientnet_lite0":
        photograph = demo.load()
        images = photograph.preprocess.apply(photograph.images["chelsea"])
        images = functional.interpolate(images, (size, size), mode="bilinear")
    else:
        net = alive(net, size)
        images = torch.randn(2, 3, size, size)
    return request.param, net, images, *rest


@pytest.mark.parametrize("rule", OURS)
def test_known_networks(network, rule: str) -> None:
    _, net, images, modules_only, note = network
    target = [3, 281][: len(images)]
    result = OURS[rule](net, images, target)
    agree(result.values, reference(net, images, target, rule), 1e-4)
    if modules_only:
        agree(result.values, CAPTUM[rule](net).attribute(images.clone(), target=target), 1e-4)
    assert result.notes == (() if note is None else (note.format(rule),))


def test_captum_leaves_out_functional_and_bounded_relus(network) -> None:
    _, net, images, modules_only, _ = network
    theirs = captum_attr.GuidedBackprop(net).attribute(images.clone(), target=3)
    right = reference(net, images, [3] * len(images), "guided")
    assert distance(theirs, right) < 1e-4 if modules_only else distance(theirs, right) > 0.1
    assert distance(guided_backprop(net, images, 3).values, right) < 1e-4


def slow_grad_cam(net: nn.Module, images: torch.Tensor, layer: str, rule: str) -> torch.Tensor:
    seen: list[torch.Tensor] = []
    handle = net.get_submodule(layer).register_forward_hook(lambda *passed: seen.append(passed[2]))
    with patched(rule):
        score = net(images)[:, 3].sum()
    handle.remove()
    (gradient,) = torch.autograd.grad(score, seen[0])
    return (gradient.mean((2, 3), keepdim=True) * seen[0]).sum(1)


@pytest.mark.parametrize("rule", OURS)
def test_grad_cam_of_known_networks_by_a_rule(network, rule: str) -> None:
    layers = {
        "resnet18": "layer2.0",
        "densenet121": "features.denseblock2",
        "inception_v3": "Mixed_6a",
        "mobilenet_v3_small": "features.2",
        "efficientnet_b0": "features.3",
        "convnext_tiny": "features.3",
        "efficientnet_lite0": "blocks.2",
    }
    name, net, images, *_ = network
    slow = slow_grad_cam(net, images, layers[name], rule)
    agree(grad_cam(net, images, 3, layer=layers[name], backward=rule).values, slow, 1e-4)


@pytest.mark.parametrize("rule", OURS)
@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("way", ["separate", "shared in place", *WAYS])
def test_grad_cam_by_a_rule(way: str, dtype: torch.dtype, tolerance: float, rule: str) -> None:
    modules, images = small("separate", dtype)
    net, _ = small(way, dtype)
    for layer in ("a", "norm"):
        result = grad_cam(net, images, 3, layer=layer, backward=rule)
        agree(result.values, slow_grad_cam(modules, images, layer, rule), tolerance)
        assert not any("guided" in note or "rectified" in note for note in result.notes)


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("layer", ["a", "norm", "relus.1", "c"])
def test_guided_grad_cam(layer: str, dtype: torch.dtype, tolerance: float) -> None:
    net, images = small("separate", dtype)
    # Captum's own product stretches the map over the image, of which valid convolutions see less.
    gradient = captum_attr.GuidedBackprop(net).attribute(images.clone(), target=[3, 1])
    cam = captum_attr.LayerGradCam(net, net.get_submodule(layer)).attribute(
        images.clone(), [3, 1], relu_attributions=True
    )
    lies = (4.0, 2.0) if layer == "c" else (1.5, 1.0)
    placed = [enlarged(one[0].detach().double().numpy(), 16, 16, lies) for one in cam]
    theirs = gradient.double() * torch.from_numpy(np.stack(placed))[:, None]
    agree(guided_grad_cam(net, images, [3, 1], layer=layer).values, theirs, tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
def test_input_times_gradient(dtype: torch.dtype, tolerance: float) -> None:
    net, images = small("separate in place", dtype)
    theirs = captum_attr.InputXGradient(net).attribute(images.clone(), target=[3, 1])
    agree(input_x_gradient(net, images, [3, 1]).values, theirs, tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
@pytest.mark.parametrize(("baseline", "steps", "batch"), [(0.0, 50, None), (-0.5, 7, 3), ("noise", 20, 1)])
def test_integrated_gradients(dtype: torch.dtype, tolerance: float, baseline: Any, steps: int, batch: int) -> None:
    net, images = small("separate in place", dtype)
    if baseline == "noise":
        baseline = torch.randn(images.shape, generator=torch.Generator().manual_seed(1)).to(dtype)
    method = captum_attr.IntegratedGradients(net)
    theirs = method.attribute(images.clone(), baselines=baseline, target=[3, 1], n_steps=steps)
    ours = integrated_gradients(net, images, [3, 1], baseline=baseline, steps=steps, batch=batch)
    agree(ours.values, theirs, tolerance)


def test_smooth_grad_is_the_mean_of_plain_gradients_at_the_inputs_that_the_model_saw() -> None:
    net, images = small("shared", torch.float64)
    seen: list[torch.Tensor] = []

    def see(_: nn.Module, inputs: tuple[torch.Tensor]) -> None:
        seen.append(inputs[0].detach().clone())

    handle = net.register_forward_pre_hook(see)
    result = smooth_grad(net, images, [3, 1], samples=10, batch=10)
    handle.remove()
    _, *visits = seen
    assert [len(visit) for visit in visits] == [10, 10]
    for index, visit in enumerate(visits):
        x = visit.requires_grad_()
        (gradient,) = torch.autograd.grad(net(x)[:, [3, 1][index]].sum(), x)
        agree(result.values[index], gradient.mean(0), 1e-8)
        drawn = (visit.detach() - images[index]) / (images[index].max() - images[index].min())
        assert float(drawn.std()) == pytest.approx(0.15, rel=0.03)
        assert float(drawn.mean()) == pytest.approx(0, abs=0.01)


def test_smooth_grad_is_about_captums() -> None:
    net, images = small("shared", torch.float32)
    image = images[:1]
    torch.manual_seed(0)
    theirs = captum_attr.NoiseTunnel(captum_attr.Saliency(net)).attribute(
        image.clone(), nt_samples=600, stdevs=0.15 * float(image.max() - image.min()), target=3, abs=False
    )
    ours = smooth_grad(net, image, 3, samples=600).values
    plain = saliency(net, image, 3).values
    error = float((ours - theirs).norm() / theirs.norm())
    assert error < 0.15
    assert float((plain - theirs).norm() / theirs.norm()) > 3 * error
