"""What is more than a map, on a GPU: checks, synthesis, exemplars, switches, kernels, training, the Explorer."""

from __future__ import annotations

import copy
import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import cnnwidgets as cw
from tests.conformance.networks import built
from tests.explorer.shown import shown_map
from tests.explorer.test_tasks import LABELS, Segmenter, X
from tests.gpu.device import DEVICE, GPU, allocated
from tests.soak import actions
from tests.soak.state import assert_like_a_fresh_one, hooks


@pytest.fixture
def pair() -> tuple[nn.Module, nn.Module, torch.Tensor]:
    net, image = built("small net")
    net = net.double()
    return net, copy.deepcopy(net).to(DEVICE), image.double()


def test_checks(pair: tuple[nn.Module, nn.Module, torch.Tensor]) -> None:
    net, moved, image = pair
    results = []
    for model in (net, moved):
        attribution = cw.explainers.grad_cam(model, image, 1, layer="b")
        randomised = cw.checks.randomised(model, image, attribution)
        curves = cw.checks.insertion_deletion(model, image, attribution, steps=6)
        results.append((randomised, curves, cw.checks.read(randomised, curves).sentence))
    (first, curves, sentence), (second, others, same) = results
    assert [stage.layer for stage in first.stages] == [stage.layer for stage in second.stages]
    for one, other in zip(first.stages, second.stages, strict=True):
        torch.testing.assert_close(one.values, other.values, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(curves.deletion, others.deletion)
    torch.testing.assert_close(curves.random_insertion, others.random_insertion)
    assert sentence == same


def test_switches_kernels_and_concepts(pair: tuple[nn.Module, nn.Module, torch.Tensor]) -> None:
    net, moved, image = pair
    first, second = (cw.rank_channels(model, image, "b", 1) for model in (net, moved))
    torch.testing.assert_close(first.drops, second.drops)
    with torch.no_grad(), cw.without(net, {"b": [0, 2]}), cw.without(moved, {"b": [0, 2]}):
        torch.testing.assert_close(net(image), moved(image.to(DEVICE)).cpu())
    np.testing.assert_array_equal(cw.kernels.weights(net, "a").array, cw.kernels.weights(moved, "a").array)
    np.testing.assert_allclose(cw.kernels.summary(net, "a").norms, cw.kernels.summary(moved, "a").norms)
    first, second = (cw.kernels.arithmetic(model, image, "b", 1, 2, 3) for model in (net, moved))
    assert second.value == pytest.approx(first.value)
    torch.testing.assert_close(first.products, second.products)
    first, second = (cw.concepts.factor(model, "separate", image, 2) for model in (net, moved))
    assert second.explained == pytest.approx(first.explained, rel=1e-3)


def test_capture(pair: tuple[nn.Module, nn.Module, torch.Tensor]) -> None:
    net, moved, image = pair
    with cw.capture(net, ["b"]) as maps:
        net(image)
    with cw.capture(moved, ["b"]) as others:
        moved(image.to(DEVICE))
    torch.testing.assert_close(maps["b"][0], others["b"][0].cpu())


@pytest.mark.parametrize("recipe", ["fourier", "maco", "keras", "pixels"])
def test_synthesis(pair: tuple[nn.Module, nn.Module, torch.Tensor], recipe: str) -> None:
    net, moved, _ = pair
    first, second, again = (
        cw.synthesis.maximize(model, "separate", [1, 3], recipe=recipe, size=64, steps=6, value_range=(0.0, 1.0))
        for model in (net, moved, moved)
    )
    assert second.values.tolist() == pytest.approx(again.values.tolist(), rel=1e-3)
    assert second.values.tolist() == pytest.approx(first.values.tolist(), rel=0.5)
    assert second.notes == first.notes


def test_exemplars(pair: tuple[nn.Module, nn.Module, torch.Tensor]) -> None:
    net, moved, _ = pair
    data = torch.randn(40, 3, 12, 12, dtype=torch.float64)
    first, second = (cw.exemplars.find(model, ["b", "separate"], data, k=4, batch=7) for model in (net, moved))
    for layer in ("b", "separate"):
        np.testing.assert_array_equal(first.images[layer], second.images[layer])
        np.testing.assert_allclose(first.values[layer], second.values[layer], rtol=1e-5)
    assert first.notes == second.notes


def test_what_is_held_against_the_network_in_single_precision() -> None:
    """The sum of a cell, and the value of an exemplar: TF32 rounds them otherwise than the network does."""
    net, image = built("ResNet-18")
    net, image = net.to(DEVICE), image.to(DEVICE)
    for channel in range(6):
        cell = cw.kernels.arithmetic(net, image, "layer2.0.conv1", channel, 2, 3)
        assert float(cell.products.sum()) + cell.bias == pytest.approx(cell.steps[0].value, abs=0.02)
    exemplars = cw.exemplars.find(net, ["layer3"], torch.randn(30, 3, 48, 48), k=3, batch=7)
    crops = [crop for channel in range(12) for crop in exemplars.crops("layer3", channel)]
    assert not any("changed since" in note for crop in crops for note in crop.notes)


def test_training() -> None:
    torch.manual_seed(3)
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2)).to(DEVICE)
    x, y = torch.rand(16, 1, 8, 8, device=DEVICE), torch.arange(16, device=DEVICE) % 2
    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    view = cw.TrainingView(net, "0", images=x[:2])
    for step in range(5):
        loss = nn.functional.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert view.step(epoch=step, loss=loss)
    assert not hooks(net)


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """The network of the soak test is on the device."""
    made = actions.network()
    monkeypatch.setattr(actions, "network", lambda: copy.deepcopy(made).to(DEVICE))


@pytest.mark.parametrize("seed", [3, 14])
@pytest.mark.usefixtures("elsewhere")
def test_an_explorer_after_many_random_actions(seed: int) -> None:
    soak = actions.Soak(seed)
    soak.run(120)
    assert_like_a_fresh_one(soak)
    assert not hooks(soak.net)
    assert all(parameter.device.type == DEVICE.type for parameter in soak.net.parameters())
    soak.explorer.close()


def settled() -> int:
    """Bytes in use, without what cuBLAS keeps for each thread that ran."""
    gc.collect()
    if GPU:
        torch._C._cuda_clearCublasWorkspaces()
    return allocated()


def test_an_explorer_lets_go_of_the_memory() -> None:
    net, image = built("ResNet-18")
    net = net.to(DEVICE)
    for _ in range(2):
        e = cw.explore(net, image)
        e.wait(60)
        e.close()
    del e
    used = settled()
    e = cw.explore(net, image)
    for method in ("saliency", "score_cam", "occlusion", "grad_cam"):
        e.method = method
        e.wait(120)
        assert e.status == "ready", e.message
    e.close()
    del e
    assert settled() <= used * 1.02


def test_an_explorer_shows_what_the_cpu_does() -> None:
    net, image = built("EfficientNet-Lite0")
    first, second = cw.explore(net, image), cw.explore(copy.deepcopy(net).to(DEVICE), image.to(DEVICE))
    for method in ("grad_cam", "saliency", "guided_backprop", "layer_cam", "occlusion", "eigen_cam"):
        for e in (first, second):
            e.method = method
            e.wait(120)
            assert e.status == "ready", e.message
        one, other = shown_map(first), shown_map(second)
        assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.99, method
    assert first.target == second.target
    for e in (first, second):
        actions.command(e.map_check.panel, op="check")
        e.wait(120)
    assert first.map_check.badge == second.map_check.badge
    assert first.map_check.state == second.map_check.state == "done"
    for e in (first, second):
        e.close()


def test_an_explorer_of_a_segmentation() -> None:
    shown = []
    for device in (torch.device("cpu"), DEVICE):
        net = Segmenter().to(device)
        target = cw.explainers.targets.mask_sum(1, X[0, 0] > 0.5)
        map_of_mask = cw.explainers.grad_cam(net, X.to(device), target, layer="pixels")
        e = cw.explore(net, X.to(device), labels=LABELS)
        e.region = [2, 2, 6, 9]
        for method in ("saliency", "occlusion", "grad_cam"):
            e.method = method
            e.wait(60)
            assert e.status == "ready", e.message
        shown.append((map_of_mask.values.numpy(), shown_map(e)))
        e.close()
    for ours, expected in zip(*shown, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-2, atol=1e-2)


def test_compare_and_report(tmp_path: Path) -> None:
    net, image = built("small net")
    moved = copy.deepcopy(net).to(DEVICE)
    comparison = cw.compare(net, moved, image)
    comparison.wait(60)
    assert float(np.abs(comparison.difference).max()) < 0.02
    comparison.close()
    cw.report(moved, image, tmp_path / "page.html", methods=["grad_cam"], classes=1, progress=False)
    assert (tmp_path / "page.html").stat().st_size > 10_000


@pytest.mark.skipif(not GPU, reason="the memory of the CPU is not ours to use up")
@pytest.mark.parametrize("method", ["grad_cam", "saliency", "score_cam", "occlusion", "smooth_grad"])
def test_little_memory(method: str) -> None:
    """Fewer at a time, and the same map."""
    net, _ = built("ResNet-18")
    net = net.to(DEVICE)
    images = torch.randn(24, 3, 224, 224)
    options: dict[str, Any] = {"occlusion": {"patch": 112, "stride": 112}, "score_cam": {"layer": "layer1"}}
    arguments = options.get(method, {})
    count = 24 if method in ("grad_cam", "saliency") else 2
    torch.manual_seed(1)
    expected = getattr(cw.explainers, method)(net, images[:count], 3, **arguments)
    gc.collect()
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    share = (torch.cuda.memory_allocated() + 450e6) / total
    torch.cuda.set_per_process_memory_fraction(share)
    try:
        torch.manual_seed(1)
        ours = getattr(cw.explainers, method)(net, images[:count], 3, **arguments)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    if method != "smooth_grad":
        assert np.corrcoef(ours.values.flatten(), expected.values.flatten())[0, 1] > 0.98
    if count > 2:
        assert any("explained in parts" in note for note in ours.notes)
