"""The layers of plain numpy against PyTorch's, forward and backward, in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cnnwidgets import learn
from cnnwidgets.core.errors import InputError

CONVOLUTIONS = [
    {},
    {"stride": 2},
    {"padding": 1},
    {"dilation": 2},
    {"stride": 3, "padding": 2, "dilation": 2},
    {"groups": 2},
    {"groups": 2, "stride": 2, "padding": 1},
    {"bias": False, "padding": 3},
]


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def assert_close(ours: Any, theirs: torch.Tensor) -> None:
    assert ours.dtype == np.float64
    assert tuple(ours.shape) == tuple(theirs.shape)
    np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-9, atol=1e-9)


def compare(layer: learn.Layer, reference: Callable[..., torch.Tensor], x: np.ndarray) -> None:
    """The output of ``reference(x, **parameters)``, and the gradients of its weighted sum."""
    tensor = torch.tensor(x, requires_grad=True)
    parameters = {name: torch.tensor(value, requires_grad=True) for name, value in layer.parameters.items()}
    output = reference(tensor, **parameters)
    weights = numbers(*output.shape, seed=7)
    gradients = torch.autograd.grad((output * torch.tensor(weights)).sum(), [tensor, *parameters.values()])
    assert_close(layer.forward(x), output)
    assert_close(layer.backward(weights), gradients[0])
    assert sorted(layer.gradients) == sorted(parameters)
    for name, gradient in zip(parameters, gradients[1:], strict=True):
        assert_close(layer.gradients[name], gradient)


def with_biases(layer: Any) -> Any:
    if "bias" in layer.parameters:
        layer.parameters["bias"] = numbers(*layer.parameters["bias"].shape, seed=3)
    return layer


@pytest.mark.parametrize("options", CONVOLUTIONS, ids=str)
@pytest.mark.parametrize(("size", "kernel"), [((9, 7), 3), ((8, 11), (2, 3)), ((7, 7), 1)])
def test_conv2d(options: dict[str, Any], size: tuple[int, int], kernel: Any) -> None:
    layer = with_biases(learn.Conv2d(4, 6, kernel, **options))
    plain = {name: value for name, value in options.items() if name != "bias"}
    compare(layer, lambda x, weight, bias=None: F.conv2d(x, weight, bias, **plain), numbers(3, 4, *size))


def test_depthwise_conv2d() -> None:
    layer = learn.Conv2d(3, 6, 3, groups=3, padding=1)
    compare(layer, lambda x, weight, bias: F.conv2d(x, weight, bias, groups=3, padding=1), numbers(2, 3, 5, 6))


def test_conv2d_with_another_stride_along_columns() -> None:
    options: Any = {"stride": (1, 2), "padding": (2, 0), "dilation": (2, 1)}
    layer = learn.Conv2d(1, 2, (3, 4), **options)
    compare(layer, lambda x, weight, bias: F.conv2d(x, weight, bias, **options), numbers(1, 1, 8, 9))


@pytest.mark.parametrize("options", CONVOLUTIONS, ids=str)
def test_conv3d(options: dict[str, Any]) -> None:
    layer = with_biases(learn.Conv3d(4, 4, (2, 3, 1), **options))
    plain = {name: value for name, value in options.items() if name != "bias"}
    compare(layer, lambda x, weight, bias=None: F.conv3d(x, weight, bias, **plain), numbers(2, 4, 5, 7, 6))


@given(
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    padding=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    dilation=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    groups=st.sampled_from([1, 2]),
)
@settings(max_examples=60, deadline=None)
def test_any_conv2d(height: int, width: int, kernel: Any, groups: int, **steps: Any) -> None:
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, steps["dilation"], strict=True)]
    x = numbers(2, 2, height, width)
    layer = learn.Conv2d(2, 2, kernel, groups=groups, **steps)
    if any(r > n + 2 * p for r, n, p in zip(reach, (height, width), steps["padding"], strict=True)):
        with pytest.raises(InputError, match="reaches over"):
            layer.forward(x)
        return
    compare(layer, lambda x, weight, bias: F.conv2d(x, weight, bias, groups=groups, **steps), x)


@pytest.mark.parametrize(("size", "stride", "padding"), [(2, None, 0), (3, 2, 1), ((2, 3), (1, 2), (1, 0)), (3, 1, 0)])
def test_pooling(size: Any, stride: Any, padding: Any) -> None:
    x = numbers(2, 3, 9, 7)
    arguments = {"stride": stride, "padding": padding}
    compare(learn.MaxPool2d(size, **arguments), lambda x: F.max_pool2d(x, size, **arguments), x)
    compare(learn.AvgPool2d(size, **arguments), lambda x: F.avg_pool2d(x, size, **arguments), x)


def test_max_pooling_of_equal_numbers() -> None:
    compare(learn.MaxPool2d(3, stride=1, padding=1), lambda x: F.max_pool2d(x, 3, 1, 1), np.zeros((1, 2, 5, 6)))
    steps = np.random.default_rng(1).integers(0, 3, (2, 2, 8, 8)).astype(float)
    compare(learn.MaxPool2d(2), lambda x: F.max_pool2d(x, 2), steps)


def test_functions_of_scores() -> None:
    scores = numbers(5, 4) * 40
    compare(with_biases(learn.Affine(4, 3)), F.linear, scores)
    compare(learn.ReLU(), torch.relu, scores)
    compare(learn.Softmax(), lambda x: x.softmax(1), scores)
    compare(learn.Flatten(), lambda x: x.flatten(1), numbers(2, 3, 4, 5))


@pytest.mark.parametrize("size", [1.0, 1000.0])
def test_cross_entropy(size: float) -> None:
    scores, labels = numbers(6, 4) * size, np.array([0, 3, 1, 1, 2, 0])
    tensor = torch.tensor(scores, requires_grad=True)
    loss = F.cross_entropy(tensor, torch.tensor(labels))
    criterion = learn.CrossEntropy()
    assert criterion.forward(scores, labels) == pytest.approx(loss.item(), rel=1e-9)
    assert_close(criterion.backward(), torch.autograd.grad(loss, tensor)[0])


OPTIMISERS: list[tuple[Any, Any]] = [
    (lambda layers: learn.SGD(layers, 0.05), lambda parameters: torch.optim.SGD(parameters, 0.05)),
    (
        lambda layers: learn.SGD(layers, 0.05, momentum=0.9),
        lambda parameters: torch.optim.SGD(parameters, 0.05, momentum=0.9),
    ),
    (lambda layers: learn.Adam(layers, 0.01), lambda parameters: torch.optim.Adam(parameters, 0.01)),
    (
        lambda layers: learn.Adam(layers, 0.02, betas=(0.5, 0.8), epsilon=1e-3),
        lambda parameters: torch.optim.Adam(parameters, 0.02, betas=(0.5, 0.8), eps=1e-3),
    ),
]


@pytest.mark.parametrize(("ours", "theirs"), OPTIMISERS)
def test_twenty_steps_of_training(ours: Any, theirs: Any) -> None:
    """The whole network, its loss and the optimiser, step by step beside the same network in PyTorch."""
    network = learn.digits_network(seed=4)
    twin = nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(128, 10)),
    ).double()
    values = [value for layer in network.layers for value in layer.parameters.values()]
    with torch.no_grad():
        for parameter, value in zip(twin.parameters(), values, strict=True):
            parameter.copy_(torch.tensor(value))
    optimiser, reference = ours(network.layers), theirs(twin.parameters())
    images, labels = learn.digits().images[:80].astype(np.float64), learn.digits().labels[:80]
    criterion = learn.CrossEntropy()
    for start in list(range(0, 80, 16)) * 4:
        x, y = images[start : start + 16], labels[start : start + 16]
        loss = criterion.forward(network.forward(x), y)
        network.backward(criterion.backward())
        optimiser.step()
        reference.zero_grad()
        their_loss = F.cross_entropy(twin(torch.tensor(x)), torch.tensor(y))
        their_loss.backward()
        reference.step()
        assert loss == pytest.approx(their_loss.item(), abs=1e-8)
    for parameter, value in zip(twin.parameters(), values, strict=True):
        np.testing.assert_allclose(value, parameter.detach().numpy(), atol=1e-8)
