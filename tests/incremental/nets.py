"""Small networks for the engine, and the slow truth about them."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def alive(net: nn.Module, shape: tuple[int, ...], seed: int = 0) -> nn.Module:
    """``net`` in evaluation mode with the batch statistics of noise: random weights alone hardly react to an input."""
    for module in net.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = None
            module.reset_running_stats()
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(seed)
        net.train()(torch.randn(8, *shape))
    return net.eval()


def one_by_one(net: nn.Module, image: torch.Tensor, edits: list[list[tuple[torch.Tensor, int, int]]]) -> torch.Tensor:
    """Scores of each edited image, pixel by pixel and alone in its batch."""
    rows = []
    for patches in edits:
        edited = image.clone()
        for patch, top, left in patches:
            for y in range(patch.shape[-2]):
                for x in range(patch.shape[-1]):
                    if 0 <= top + y < image.shape[2] and 0 <= left + x < image.shape[3]:
                        edited[0, :, top + y, left + x] = patch[:, y, x]
        with torch.no_grad():
            rows.append(net(edited))
    return torch.cat(rows)


class Steps(nn.Module):
    """Layers one after the other, then a linear layer over the mean."""

    def __init__(self, steps: list[nn.Module], channels: int, head: str = "mean") -> None:
        super().__init__()
        self.steps, self.head = nn.Sequential(*steps), head
        self.linear = nn.Linear(channels, 3)

    def forward(self, x: torch.Tensor) -> Any:
        x = self.steps(x)
        x = x.amax((2, 3)) if self.head == "max" else x.mean((2, 3))
        return self.linear(x)


class Call(nn.Module):
    """A function as a layer."""

    def __init__(self, function: Any, name: str = "") -> None:
        super().__init__()
        self.function, self.name = function, name

    def extra_repr(self) -> str:
        return self.name

    def forward(self, x: torch.Tensor) -> Any:
        return self.function(x)


class Residual(nn.Module):
    """The input beside, or added to, what a layer of the same size makes of it."""

    def __init__(self, inner: nn.Module, way: str) -> None:
        super().__init__()
        self.inner, self.way = inner, way

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.inner(x)
        if self.way == "add":
            return x + y
        if self.way == "add_":
            y += x
            return y
        if self.way == "mul":
            return x * torch.sigmoid(y)
        if self.way == "max":
            return torch.maximum(x, y)
        return torch.cat([x, y], 1)


class ChannelsLast(nn.Module):
    """Layer norm and a linear layer over channels that come last, as in ConvNeXt."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm, self.linear = nn.LayerNorm(channels), nn.Linear(channels, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.gelu(self.linear(self.norm(x.permute(0, 2, 3, 1)))).permute(0, 3, 1, 2)


def shuffled(x: torch.Tensor) -> torch.Tensor:
    n, c, h, w = x.shape
    return x.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, c, h, w)


def halves(x: torch.Tensor) -> torch.Tensor:
    one, other = x.chunk(2, 1)
    return torch.cat([other.tanh(), one], 1)


def in_place(x: torch.Tensor) -> torch.Tensor:
    x = x.clone()
    x.mul_(1.5).add_(0.1)
    x += 0.25
    x.relu_()
    x.clamp_(max=2.0).sub_(x.mean(1, keepdim=True))
    return x


def in_place_on_views(x: torch.Tensor) -> torch.Tensor:
    x = x * 1.0
    first = x[:, :2]
    view = x.view(x.shape[0], x.shape[1], *x.shape[2:])
    first.relu_()
    view.mul_(2.0)
    x[:, 1:].add_(1.0)
    return x + view.permute(0, 1, 2, 3)


def written(x: torch.Tensor) -> torch.Tensor:
    out = torch.zeros_like(x)
    out[:, :, 1:] = x[:, :, :-1]
    out[..., 0] = 1.0
    return out
