"""Maps, scores and notes on a GPU are those on the CPU, and the model and the memory are as they were."""

from __future__ import annotations

import copy
import gc
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torchvision import models

import cnnwidgets as cw
from cnnwidgets.core.errors import CnnWidgetsError
from cnnwidgets.incremental import Edited
from tests.conformance.networks import CASES, alive, built
from tests.gpu.device import DEVICE, GPU, allocated

ONE_MAP_A_RUN = ("ablation_cam", "score_cam")
FEW = {"smooth_grad": {"samples": 2}, "integrated_gradients": {"steps": 6}}
QUICK = ("small net", "ResNet-18", "MobileNetV3")
"""Networks for the methods that run once a map, which the CPU has to do, too."""


def outcome(net: nn.Module, image: torch.Tensor, method: str, name: str, **options: Any) -> Any:
    """The attribution, or what the explainer refused with."""
    info, case = cw.explainers.info(method), CASES[name]
    if info.needs_layer and method != "cam":
        options["layer"] = case.narrow if method in ONE_MAP_A_RUN else case.layer
    options |= FEW.get(method, {})
    if method == "occlusion":
        options |= {"patch": case.size // 4, "stride": case.size // 4}
    try:
        return getattr(cw.explainers, method)(net, image, 3, **options)
    except CnnWidgetsError as error:
        return str(error)


def assert_alike(ours: Any, expected: Any, share: float) -> None:
    """No value differs by more than ``share`` of the largest."""
    if isinstance(expected, str):
        assert ours == expected
        return
    assert not isinstance(ours, str), ours
    assert (ours.notes, ours.target, ours.layer) == (expected.notes, expected.target, expected.layer)
    largest = float(expected.values.abs().max())
    torch.testing.assert_close(ours.values, expected.values, rtol=0, atol=share * largest, equal_nan=True)
    torch.testing.assert_close(ours.scores, expected.scores, rtol=1e-4, atol=1e-4)


@pytest.fixture(scope="module", params=CASES)
def network(request: pytest.FixtureRequest) -> tuple[str, nn.Module, nn.Module, torch.Tensor]:
    """Its name, itself on both devices in double precision, and an image."""
    net, image = built(request.param)
    net = net.double()
    return request.param, net, copy.deepcopy(net).to(DEVICE), image.double()


def assert_same_map(name: str, net: nn.Module, moved: nn.Module, image: torch.Tensor, method: str) -> None:
    with torch.random.fork_rng(devices=[0] if GPU else []):
        torch.manual_seed(3)
        expected = outcome(net, image, method, name)
        torch.manual_seed(3)
        ours = outcome(moved, image.to(DEVICE), method, name)
    if method == "smooth_grad" and GPU:  # its noise is drawn by the generator of the device
        assert (ours.values.shape, ours.notes) == (expected.values.shape, expected.notes)
        torch.testing.assert_close(ours.scores, expected.scores, rtol=1e-4, atol=1e-4)
        return
    assert_alike(ours, expected, 1e-4)  # a hard swish divides by 6 in single precision on a GPU
    assert_alike(outcome(moved, image, method, name), expected, 1e-4)  # an image on the CPU goes where the model is


@pytest.mark.parametrize("method", [name for name in cw.explainers.names() if name not in ONE_MAP_A_RUN])
def test_a_map(network: tuple[str, nn.Module, nn.Module, torch.Tensor], method: str) -> None:
    assert_same_map(*network, method)


@pytest.mark.parametrize("method", ONE_MAP_A_RUN)
@pytest.mark.parametrize("name", QUICK)
def test_a_map_of_many_runs(name: str, method: str) -> None:
    net, image = built(name)
    net = net.double()
    assert_same_map(name, net, copy.deepcopy(net).to(DEVICE), image.double(), method)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("method", ["grad_cam", "saliency", "guided_backprop", "score_cam", "occlusion"])
def test_a_map_in_fewer_digits(method: str, dtype: torch.dtype) -> None:
    net, image = built("ResNet-18")
    expected = outcome(net.double(), image.double(), method, "ResNet-18")
    ours = outcome(net.to(DEVICE, dtype), image.to(DEVICE, dtype), method, "ResNet-18")
    alike = np.corrcoef(ours.values.flatten(), expected.values.flatten())[0, 1]
    assert alike > {torch.float32: 0.97, torch.float16: 0.97, torch.bfloat16: 0.9}[dtype]


@pytest.mark.parametrize("method", cw.explainers.names())
def test_the_model_and_the_memory_stay_as_they_were(method: str) -> None:
    net, image = built("small net")
    net, image = net.to(DEVICE).train(), image.to(DEVICE)
    net.a.weight.grad = torch.full_like(net.a.weight, 2.5)
    outcome(net, image, method, "small net")
    before = {name: value.clone() for name, value in net.state_dict().items()}
    random = torch.cuda.get_rng_state_all() if GPU else []
    gc.collect()
    used = allocated()
    outcome(net, image, method, "small net")
    gc.collect()
    assert allocated() <= used
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert all(map(torch.equal, random, torch.cuda.get_rng_state_all() if GPU else []))
    assert all(module.training for module in net.modules())
    assert float(net.a.weight.grad.min()) == float(net.a.weight.grad.max()) == 2.5
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())


@pytest.mark.parametrize("name", CASES)
def test_architecture(name: str) -> None:
    net, image = built(name)
    expected = cw.trace(net, image)
    ours = cw.trace(net.to(DEVICE), image.to(DEVICE))
    assert ours == expected


@pytest.mark.parametrize("name", ["small net", "ResNet-18", "MobileNetV3", "DenseNet-121", "EfficientNet-Lite0"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_patches(name: str, dtype: torch.dtype) -> None:
    net, image = built(name)
    net, image = net.to(DEVICE, dtype), image.to(DEVICE, dtype)
    side = image.shape[-1] // 4
    tops, lefts = [0, side, 3 * side, -2], [side, 2, 3 * side, 1]
    edited = image.repeat(4, 1, 1, 1)
    for one, top, left in zip(edited, tops, lefts, strict=True):
        one[:, max(top, 0) : top + side, left : left + side] = 0.5
    with torch.no_grad():
        expected = net(edited).cpu()
    exact, spread = dtype == torch.float64, float(expected.max() - expected.min())
    # Where random weights magnify the rounding of TF32, every edit is run in full, and that is said.
    with Edited(net, image, engine="incremental" if exact else "auto") as edits:
        scores = edits.scores(torch.full((3, side, side), 0.5), tops, lefts)
        assert edits.engine == "incremental" or "run in full" in " ".join(edits.notes)
    torch.testing.assert_close(scores.cpu(), expected, rtol=0, atol=(1e-8 if exact else 5e-3) * spread)


@pytest.mark.parametrize("name", ["resnet50", "efficientnet_b0", "mobilenet_v2", "densenet121"])
def test_occlusion_where_rounding_is_magnified(name: str) -> None:
    """Random weights move the scores by up to some percent of their range, by rounding alone."""
    torch.manual_seed(0)
    net = alive(getattr(models, name)(weights=None), 64).to(DEVICE)
    for engine in ("auto", "full"):
        attribution = cw.explainers.occlusion(net, torch.randn(1, 3, 224, 224), 3, patch=56, stride=56, engine=engine)
        assert not any("not deterministic" in note for note in attribution.notes)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("around", [False, True])
def test_autocast_and_compiled(compiled: bool, around: bool) -> None:
    net, image = built("ResNet-18")
    expected = outcome(net, image, "grad_cam", "ResNet-18")
    net, image = net.to(DEVICE), image.to(DEVICE)
    model = torch.compile(net, backend="eager") if compiled else net
    with torch.autocast(DEVICE.type, dtype=torch.bfloat16, enabled=around):
        ours = outcome(model, image, "grad_cam", "ResNet-18")
    alike = np.corrcoef(ours.values.flatten(), expected.values.flatten())[0, 1]
    assert alike > (0.9 if around else 0.97)


def test_channels_last_and_several_images() -> None:
    net, _ = built("ResNet-18")
    images = torch.randn(5, 3, 48, 48)
    expected = cw.explainers.grad_cam(net.double(), images.double(), layer="layer3")
    moved = copy.deepcopy(net).to(DEVICE).to(memory_format=torch.channels_last)
    ours = cw.explainers.grad_cam(moved, images.double().to(DEVICE, memory_format=torch.channels_last), layer="layer3")
    assert_alike(ours, expected, 1e-5)
