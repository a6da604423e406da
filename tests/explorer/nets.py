"""Small networks, each with one thing about it that tends to break tools."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import nn
from torch.nn import functional


def plain(classes: int = 5, channels: int = 3) -> nn.Sequential:
    """Convolution, ReLU, pool, convolution, ReLU, mean, linear; all layers modules."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(channels, 6, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, classes),
    ).eval()


def colours() -> nn.Sequential:
    """Scores: how red, green and blue the image is."""
    net = nn.Sequential(
        nn.Conv2d(3, 3, 1, bias=False), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 3, bias=False)
    )
    net[0].weight.data = torch.eye(3)[:, :, None, None]
    net[4].weight.data = torch.eye(3)
    return net.eval()


class Branching(nn.Module):
    """Its own module with control flow: how often a layer runs depends on the image."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.again = nn.Conv2d(8, 8, 3, padding=1)
        self.bright = nn.Conv2d(8, 8, 1)
        self.dark = nn.Conv2d(8, 8, 1)
        self.head = nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = self.stem(x).relu()
        for _ in range(2):
            maps = maps + self.again(maps).relu()
        maps = self.bright(maps) if x.mean() > 0 else self.dark(maps)
        return self.head(maps.relu().mean((2, 3)))


class Pooled(nn.Module):
    """Convolutions as modules, what follows them as functions: the form of many a first network."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv1 = nn.Conv2d(3, 6, 3, padding=1)
        self.conv2 = nn.Conv2d(6, 8, 3, padding=1)
        self.head = nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = functional.max_pool2d(functional.relu(self.conv1(x)), 2)
        maps = functional.max_pool2d(functional.relu(self.conv2(maps)), 2)
        return self.head(maps.mean((2, 3)))


class Functional(nn.Module):
    """No layer is a module: convolutions are functions of parameters."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Parameter(torch.randn(6, 3, 3, 3) / 5)
        self.second = nn.Parameter(torch.randn(8, 6, 3, 3) / 7)
        self.head = nn.Parameter(torch.randn(5, 8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = functional.max_pool2d(functional.relu(functional.conv2d(x, self.first, padding=1)), 2)
        maps = functional.relu(functional.conv2d(maps, self.second, padding=1))
        return functional.linear(maps.mean((2, 3)), self.head)


def in_place() -> nn.Sequential:
    """ReLUs that overwrite the convolutions' outputs."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(6, 8, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 5),
    ).eval()


class Returning(nn.Module):
    """The plain network, returning its scores inside something: "tuple", "dict", "logits"."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self.inner, self.what = plain(), what

    def forward(self, x: torch.Tensor) -> Any:
        scores = self.inner(x)
        if self.what == "tuple":
            return scores, scores * 0
        return {"aux": scores * 0, "logits": scores} if self.what == "dict" else SimpleNamespace(logits=scores)


class Training(nn.Module):
    """Batch norm and dropout, modes mixed, one parameter frozen."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(6, 5)
        self.train()
        self.norm.eval()
        self.conv.weight.requires_grad_(False)
        self.head.weight.grad = torch.ones_like(self.head.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.drop(self.norm(self.conv(x)).relu()).mean((2, 3)))


class Moody(nn.Module):
    """The plain network; refuses images whose mean is below a threshold."""

    def __init__(self, least: float) -> None:
        super().__init__()
        self.inner, self.least = plain(), least

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.mean() < self.least:
            raise RuntimeError("too dark for me")
        return self.inner(x)


class Broken(nn.Module):
    """One layer of it raises."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3)
        self.bad = Moody(torch.inf)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.bad(self.stem(x))


class Segmenting(nn.Module):
    """Scores for each pixel: nothing for a class bar."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


def perceptron() -> nn.Sequential:
    """No layer has maps."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 8), nn.ReLU(), nn.Linear(8, 4)).eval()


def resnet50() -> nn.Module:
    """torchvision's, with random weights."""
    from torchvision.models import resnet50

    torch.manual_seed(0)
    return resnet50(weights=None).eval()


def mobilenet() -> nn.Module:
    """A small one of timm's, with random weights."""
    import timm

    torch.manual_seed(0)
    return timm.create_model("mobilenetv3_small_050").eval()


def named(names: list[str]) -> nn.Module:
    """A chain of convolutions whose names are these (without dots), with as many classes."""
    torch.manual_seed(0)
    net = nn.Sequential()
    for name in names:
        net.add_module(name, nn.Conv2d(3, 3, 3, padding=1))
    net.add_module("mean", nn.AdaptiveAvgPool2d(1))
    net.add_module("flat", nn.Flatten())
    net.add_module("head", nn.Linear(3, len(names)))
    return net.eval()
