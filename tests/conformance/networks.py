"""The networks that explainers are compared on: seeded, small inputs, and how each of their layers is reached."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional
from torchvision import models

from cnnwidgets import demo


class Small(nn.Module):
    """Separate, in-place and functional ReLUs, a layer called twice, a branch and a cat."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.twice = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 6, 3, padding=1), nn.Conv2d(12, 12, 1)
        self.norm, self.relu, self.separate = nn.BatchNorm2d(6), nn.ReLU(inplace=True), nn.ReLU()
        self.head = nn.Linear(12, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu(self.a(x))
        y = functional.relu(x + self.norm(self.b(x)))
        z = self.twice(torch.cat([x, y], 1)).relu_()
        return self.head(self.separate(self.twice(z)).mean((2, 3)))


def alive(net: nn.Module, size: int) -> nn.Module:
    """Random weights hardly react to the input in evaluation mode: take the norms' statistics from data."""
    norms = [(one, one.momentum) for one in net.modules() if isinstance(one, nn.BatchNorm2d)]
    net.train()
    for one, _ in norms:
        one.momentum = None  # the mean over the batches, where the usual one moves by a hundredth for each of some nets
        one.reset_running_stats()
    with torch.no_grad():
        for _ in range(3):
            net(torch.randn(4, 3, size, size))
    for one, momentum in norms:
        one.momentum = momentum
    return net.eval()


def inception() -> nn.Module:
    """Inception v3 without its auxiliary head, which wants 299 pixels."""
    net = models.inception_v3(weights=None, init_weights=False, aux_logits=True)
    net.aux_logits, net.AuxLogits = False, None
    return net


def vit() -> nn.Module:
    """ViT-B/16 for images of 64 pixels; torchvision sets the weights of its head to zero, so that all scores are 0."""
    net = models.VisionTransformer(64, 16, 12, 12, 768, 3072)
    nn.init.normal_(net.heads.head.weight, std=0.1)
    return net


def lite0() -> nn.Module:
    """timm's EfficientNet-Lite0 with its real ImageNet weights."""
    return demo.load().model


@dataclass(frozen=True)
class Case:
    """A network to compare on.

    Attributes:
        build: makes it, with weights from torch's generator.
        size: side of its input in pixels.
        layer: a layer before the last whose maps the methods of gradients explain.
        narrow: a layer of few maps, for the methods that run the model once a map.
        hooked: a layer that is followed by an activation that works in place, or is called twice.
        positive: another layer, mostly after its activation, where a formula magnifies rounding at ``layer``.
        channels: how many of the maps of ``narrow`` are looked at; None for all.
        lies: the centre of the first cell of ``narrow`` and the way to the next, worked out by hand; None: those of
            all of the image shared out.
        layer_lies: the same for ``layer``.
    """

    build: Callable[[], nn.Module]
    size: int
    layer: str
    narrow: str
    hooked: str | None = None
    positive: str = ""
    channels: int | None = None
    lies: tuple[float, float] | None = None
    layer_lies: tuple[float, float] | None = None


CASES = {
    "small net": Case(Small, 12, "norm", "b", "twice", "separate", lies=(1.5, 1), layer_lies=(1.5, 1)),
    "ResNet-18": Case(lambda: models.resnet18(weights=None), 48, "layer2.0", "layer1.0.conv1", "layer1.0.bn1"),
    "Inception v3": Case(
        inception, 107, "Mixed_5d", "Conv2d_2a_3x3", "Conv2d_2a_3x3.bn", lies=(3.5, 2), layer_lies=(13.5, 8)
    ),
    "DenseNet-121": Case(
        lambda: models.densenet121(weights=None),
        64,
        "features.denseblock2",
        "features.denseblock1.denselayer2.conv2",
        "features.norm0",
        "features.relu0",
    ),
    "MobileNetV3": Case(
        lambda: models.mobilenet_v3_small(weights=None),
        64,
        "features.3",
        "features.4.block.2",
        "features.0.1",
        "features.0",
    ),
    "EfficientNet-B0": Case(
        lambda: models.efficientnet_b0(weights=None), 64, "features.3", "features.1", "features.0.1", "features.0"
    ),
    "ConvNeXt-Tiny": Case(
        lambda: models.convnext_tiny(weights=None), 64, "features.3", "features.0", None, "features", 24
    ),
    "ViT-B/16": Case(
        vit,
        64,
        "encoder.layers.encoder_layer_10",
        "encoder.layers.encoder_layer_10",
        None,
        "encoder.layers.encoder_layer_10.mlp.1",
        channels=8,
    ),
    "EfficientNet-Lite0": Case(lite0, 96, "blocks.2", "blocks.0", None, "bn1"),
}


def built(name: str) -> tuple[nn.Module, torch.Tensor]:
    """The network and one image for it, the same each time; Lite0's is a photograph."""
    case = CASES[name]
    torch.manual_seed(21)
    net = case.build()
    if case.build is lite0:
        shown = demo.load()
        image = shown.preprocess.apply(shown.images["chelsea"])
        return net.eval(), functional.interpolate(image, (case.size, case.size), mode="bilinear", antialias=True)
    if case.build is vit:
        return net.eval(), torch.randn(1, 3, case.size, case.size)
    return alive(net, case.size), torch.randn(1, 3, case.size, case.size)
