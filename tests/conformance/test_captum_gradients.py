"""The same numbers as Captum, an independent implementation."""

from __future__ import annotations

import importlib

import pytest
import torch
from torch import nn
from torch.nn import functional

from cnnwidgets.explainers import every_layer, grad_cam, saliency

from .networks import alive, inception

captum_attr = importlib.import_module("captum.attr")
models = importlib.import_module("torchvision.models")


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 6, 3, padding=1), nn.Conv2d(6, 5, 3)
        self.norm, self.relu = nn.BatchNorm2d(6), nn.ReLU(inplace=True)
        self.head = nn.Linear(5, 4)

    def forward(self, x):
        x = self.relu(self.a(x))
        x = functional.relu(x + self.norm(self.b(x)))
        return self.head(functional.elu(self.c(x)).mean((2, 3)))


NETWORKS = {
    "small": (Small, 16, ["a", "b", "norm", "c"]),
    "resnet18": (lambda: models.resnet18(weights=None), 64, ["conv1", "layer1", "layer2.0.bn2", "layer4"]),
    "densenet121": (
        lambda: models.densenet121(weights=None),
        64,
        ["features.conv0", "features.denseblock2", "features"],
    ),
    "mobilenet_v3_small": (
        lambda: models.mobilenet_v3_small(weights=None),
        96,
        ["features.0", "features.3", "features"],
    ),
    "inception_v3": (
        inception,
        107,
        ["Conv2d_4a_3x3", "Mixed_5d", "Mixed_7c"],
    ),
}


@pytest.fixture(scope="module", params=NETWORKS)
def case(request: pytest.FixtureRequest):
    build, size, layers = NETWORKS[request.param]
    torch.manual_seed(20)
    return alive(build(), size), torch.randn(2, 3, size, size), layers


PRECISIONS = [(torch.float32, 1e-4), (torch.float64, 1e-8)]


def agree(ours: torch.Tensor, theirs: torch.Tensor, tolerance: float) -> None:
    theirs = theirs.detach().float()
    largest = float(theirs.abs().max())
    assert largest > 0
    # Results are float32, so the last bit of that is left out of the comparison in float64.
    assert float((ours - theirs).abs().max()) <= max(tolerance, 6e-8) * largest


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
def test_saliency(case, dtype: torch.dtype, tolerance: float) -> None:
    net, images, _ = case
    net, images = net.to(dtype), images.to(dtype)
    targets = net(images).argmax(1)
    theirs = captum_attr.Saliency(net).attribute(images.clone(), target=targets, abs=False)
    agree(saliency(net, images).values, theirs, tolerance)
    agree(saliency(net, images, targets).values, theirs, tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
def test_grad_cam(case, dtype: torch.dtype, tolerance: float) -> None:
    net, images, layers = case
    net, images = net.to(dtype), images.to(dtype)
    modules = dict(net.named_modules())
    together = every_layer("grad_cam", net, images, 3, layers)
    for name in layers:
        method = captum_attr.LayerGradCam(net, modules[name])
        theirs = method.attribute(images.clone(), target=3, relu_attributions=False)[:, 0]
        agree(grad_cam(net, images, 3, layer=name).values, theirs, tolerance)
        agree(together[name].values, theirs, tolerance)
