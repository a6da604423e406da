from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from cnnwidgets.core.errors import LayerNotFound
from cnnwidgets.explainers import every_layer, grad_cam
from cnnwidgets.explainers.engine.all_layers import observe
from cnnwidgets.tracing.architecture import trace


class Functional(nn.Module):
    """No modules at all; weights are standardised, so that some calls do not depend on the input."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.randn(4, 3, 3, 3))
        self.second = nn.Parameter(torch.randn(5, 4, 3, 3))
        self.last = nn.Parameter(torch.randn(3, 5))

    def forward(self, x):
        first = functional.relu(self.first) - functional.relu(-self.first)
        x = functional.relu(functional.conv2d(x, first), inplace=True)
        y = functional.conv2d(x, self.second)
        y.relu_()
        y = y * torch.sigmoid(y) + y
        return functional.linear(y.mean((2, 3)), self.last)


class AsModules(nn.Module):
    """The same network, of modules."""

    def __init__(self, net: Functional) -> None:
        super().__init__()
        self.conv2d, self.conv2d_1, self.linear = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 5, 3), nn.Linear(5, 3)
        self.relu, self.relu_1, self.sigmoid = nn.ReLU(), nn.ReLU(), nn.Sigmoid()
        for layer, weight in ((self.conv2d, net.first), (self.conv2d_1, net.second), (self.linear, net.last)):
            layer.weight.data, layer.bias.data = weight.data, torch.zeros(len(weight))

    def forward(self, x):
        y = self.relu_1(self.conv2d_1(self.relu(self.conv2d(x))))
        y = y * self.sigmoid(y) + y
        return self.linear(y.mean((2, 3)))


class Twice(nn.Module):
    """A functional block inside of a network, used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.block, self.head = nn.Conv2d(3, 3, 3), Block(), nn.Linear(3, 2)

    def forward(self, x):
        return self.head(self.block(self.block(self.stem(x))).mean((2, 3)))


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.kernels = nn.ParameterList([torch.randn(3, 3, 3, 3), torch.randn(3, 3, 3, 3)])

    def forward(self, x):
        return functional.conv2d(functional.conv2d(x, self.kernels[0]).relu(), self.kernels[1], padding=2)


@pytest.fixture
def net() -> Functional:
    torch.manual_seed(4)
    return Functional()


LAYERS = ["conv2d", "relu", "conv2d_1", "relu_1", "sigmoid"]


def test_the_names_are_those_of_the_architecture(net: Functional) -> None:
    images = torch.rand(2, 3, 10, 10)
    traced = {layer.name: layer.output_shape for layer in trace(net, images).layers}
    seen = observe(net, images)
    assert {name: seen.shapes[name] for name in traced} == traced
    assert sorted(seen.maps) == sorted(LAYERS)


def test_maps_and_gradients_are_those_of_the_same_network_of_modules(net: Functional) -> None:
    images = torch.rand(2, 3, 10, 10)
    seen, expected = observe(net, images, 1), observe(AsModules(net), images, 1)
    for name in LAYERS:
        torch.testing.assert_close(seen.maps[name], expected.maps[name], msg=name)
        torch.testing.assert_close(seen.cam[name], expected.cam[name], msg=name)
        torch.testing.assert_close(seen.contribution[name], expected.contribution[name], msg=name)
        torch.testing.assert_close(grad_cam(net, images, 1, layer=name).values, expected.cam[name], msg=name)


def test_without_a_layer_the_last_spatial_call(net: Functional) -> None:
    assert grad_cam(net, torch.rand(1, 3, 10, 10)).layer == "sigmoid"


def test_every_layer_and_unknown_names(net: Functional) -> None:
    images = torch.rand(1, 3, 10, 10)
    assert list(every_layer("grad_cam", net, images, layers=["relu", "conv2d"])) == ["conv2d", "relu"]
    with pytest.raises(LayerNotFound, match="'conv2d_1'"):
        grad_cam(net, images, layer="conv2d_2")


def test_a_functional_block_that_is_used_twice() -> None:
    torch.manual_seed(6)
    net, images = Twice(), torch.rand(1, 3, 10, 10)
    result = grad_cam(net, images, 0, layer="block.conv2d")
    assert result.notes[0] == "layer 'block.conv2d' is called 2 times; showing call 2"
    with torch.no_grad():
        x = net.block(net.stem(images))
        first = functional.conv2d(x, net.block.kernels[0])
    first.requires_grad_()
    score = net.head(functional.conv2d(first.relu(), net.block.kernels[1], padding=2).mean((2, 3)))[:, 0].sum()
    (gradient,) = torch.autograd.grad(score, first)
    torch.testing.assert_close(result.values, (gradient.mean((2, 3), keepdim=True) * first.detach()).sum(1))
    first_call = grad_cam(net, images, 0, layer="block.conv2d", call=0)
    assert not torch.allclose(first_call.values, result.values)
