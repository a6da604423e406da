"""Receptive fields, against hand computation and against what gradients say on small networks."""

from __future__ import annotations

import pytest
import torch
import torchvision
from torch import nn
from torch.nn import functional

from cnnwidgets.tracing.architecture import Architecture, trace
from cnnwidgets.tracing.receptive.field import Field, of_input, plain_dim, reshaped
from cnnwidgets.tracing.receptive.interval import pixels, whole_axis


def ones(net: nn.Module) -> nn.Module:
    """``net`` with all weights one, so that no path from input to output can cancel another."""
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.fill_(1.0)
    return net.eval().double()


def influence(net: nn.Module, size: int, row: int, column: int) -> tuple[int, int, int, int]:
    """Top, left, bottom, right of the pixels with a gradient at one output unit: the field, found by experiment."""
    # Max pooling has one winner: many runs, so that each pixel gets to be it.
    touched = torch.zeros(size, size, dtype=torch.bool)
    generator = torch.Generator().manual_seed(7)
    for _ in range(60):
        x = torch.rand(1, 1, size, size, dtype=torch.float64, generator=generator).requires_grad_()
        (gradient,) = torch.autograd.grad(net(x)[0, :, row, column].sum(), x)
        touched |= gradient[0, 0] != 0
    rows, columns = touched.any(1).nonzero(), touched.any(0).nonzero()
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


class Branches(nn.Module):
    """A residual sum of a 3x3 and a dilated path, then a cat with a pooled one."""

    def __init__(self) -> None:
        super().__init__()
        self.near = nn.Conv2d(1, 2, 3, padding=1)
        self.far = nn.Conv2d(1, 2, 3, padding=3, dilation=3)
        self.pool = nn.MaxPool2d(5, stride=1, padding=2)
        self.last = nn.Conv2d(3, 1, (3, 1), stride=2, padding=(1, 0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.cat([self.near(x) + self.far(x), self.pool(x)], 1))


class Functional(nn.Module):
    """No submodule is called: everything goes through torch.nn.functional and operators."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2, 1, 4, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = functional.relu(functional.conv2d(functional.pad(x, (1, 2, 1, 2)), self.weight))
        y = functional.avg_pool2d(y, 2)
        return y[:, :, 1:, 1:] * 2 + 1


class Hourglass(nn.Module):
    """Down, up again by a transposed convolution, and a skip."""

    def __init__(self, up: nn.Module) -> None:
        super().__init__()
        self.down = nn.Conv2d(1, 1, 3, stride=2, padding=1)
        self.middle = nn.Conv2d(1, 1, 3, padding=1)
        self.up = up

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.up(self.middle(self.down(x)))


class Squeeze(nn.Module):
    """Squeeze and excitation: every unit sees the whole image through the gate."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3, padding=1)
        self.gate = nn.Linear(2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x)
        return y * torch.sigmoid(self.gate(y.mean((2, 3))))[:, :, None, None]


NETWORKS = {
    "plain": lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Conv2d(2, 1, 5, stride=2)),
    "branches": Branches,
    "functional": Functional,
    "transposed": lambda: Hourglass(nn.ConvTranspose2d(1, 1, 4, stride=2, padding=1)),
    "transposed 3": lambda: Hourglass(nn.ConvTranspose2d(1, 1, 3, stride=2, padding=1, output_padding=1)),
    "transposed 2": lambda: Hourglass(nn.ConvTranspose2d(1, 1, 2, stride=2)),
    "nearest": lambda: Hourglass(nn.Upsample(scale_factor=2)),
    "bilinear": lambda: Hourglass(nn.Upsample(scale_factor=2, mode="bilinear")),
    "bicubic": lambda: Hourglass(nn.Upsample(scale_factor=2, mode="bicubic")),
    "adaptive": lambda: nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.AdaptiveAvgPool2d(7), nn.Conv2d(1, 1, 3)),
    "shuffle": lambda: nn.Sequential(nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.PixelShuffle(2), nn.Conv2d(1, 1, 2)),
    "unshuffle": lambda: nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(4, 1, 3, padding=1)),
    "same": lambda: nn.Sequential(nn.Conv2d(1, 1, 4, padding="same"), nn.AvgPool2d(3, 2, ceil_mode=True)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_field_is_where_gradients_reach(name: str) -> None:
    net = ones(NETWORKS[name]())
    size = 32
    x = torch.rand(1, 1, size, size, dtype=torch.float64)
    architecture = trace(nn.Sequential(net), x)
    rows, columns = net(x).shape[-2:]
    middle = [(rows // 2 + down, columns // 2 + right) for down, right in ((0, 0), (1, 0), (0, 1))]
    expected = [influence(net, size, row, column) for row, column in middle]
    assert [architecture.receptive_box("0", row, column) for row, column in middle] == expected
    largest = (max(b - t for t, _, b, _ in expected), max(r - left for _, left, _, r in expected))
    field = architecture.find("0").receptive_field
    assert field is not None
    # Another phase than these three may see a little more.
    assert largest[0] <= field[0] <= largest[0] + 2
    assert largest[1] <= field[1] <= largest[1] + 2


def field_of(architecture: Architecture, name: str) -> tuple[int, int] | None:
    return architecture.find(name).receptive_field


def test_vgg16_by_hand() -> None:
    # Each block of n 3x3 convolutions adds 2n jumps, each pool one more jump; jumps double.
    expected, jump, size = [], 1, 1
    for convolutions in (2, 2, 3, 3, 3):
        size += 2 * convolutions * jump + jump
        jump *= 2
        expected.append(size)
    assert expected == [6, 16, 44, 100, 212]
    architecture = trace(torchvision.models.vgg16().features, torch.zeros(1, 3, 64, 64))
    pools = [layer.receptive_field for layer in architecture.layers if layer.kind == "pool"]
    assert pools == [(size, size) for size in expected]


@pytest.mark.parametrize(
    ("build", "layer", "size"),
    [
        # From the recurrence size += (kernel - 1) * jump; the ResNets agree with Araujo et al., Distill 2019.
        (torchvision.models.alexnet, "features.12", 195),
        (torchvision.models.resnet18, "layer4", 435),
        (torchvision.models.resnet50, "layer4", 427),
        (torchvision.models.resnet50, "layer1", 35),
    ],
)
def test_known_networks(build: object, layer: str, size: int) -> None:
    architecture = trace(build(), torch.zeros(1, 3, 64, 64))  # type: ignore[operator]
    assert field_of(architecture, layer) == (size, size)


def test_what_sees_everything() -> None:
    x = torch.zeros(1, 1, 20, 12)
    assert field_of(trace(Squeeze(), x), "conv") == (3, 3)
    net = nn.Sequential(Squeeze(), nn.Conv2d(2, 1, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, 2))
    architecture = trace(net, x)
    assert field_of(architecture, "0") == (20, 12)
    assert field_of(architecture, "1") == (20, 12)
    assert field_of(architecture, "2") == (20, 12)
    assert field_of(architecture, "3") is None
    assert field_of(architecture, "4") is None


def test_decoder_behind_a_bottleneck_sees_everything() -> None:
    class Auto(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.code = nn.Linear(64, 3)
            self.back = nn.Linear(3, 64)
            self.conv = nn.Conv2d(1, 1, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.conv(self.back(self.code(x.flatten(1))).view(-1, 1, 8, 8))

    assert field_of(trace(Auto(), torch.zeros(1, 1, 8, 8)), "conv") == (8, 8)


def test_norms_over_the_map_see_everything_and_over_channels_do_not() -> None:
    x = torch.zeros(1, 4, 16, 16)
    conv = nn.Conv2d(4, 4, 3)
    assert field_of(trace(nn.Sequential(conv, nn.BatchNorm2d(4)), x), "1") == (3, 3)
    assert field_of(trace(nn.Sequential(conv, nn.GroupNorm(2, 4)), x), "1") == (16, 16)
    assert field_of(trace(nn.Sequential(conv, nn.LocalResponseNorm(2)), x), "1") == (3, 3)


def test_channels_last_layers_keep_their_field() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(4, 4, 7, padding=3)
            self.norm = nn.LayerNorm(4)
            self.wide = nn.Linear(4, 8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.wide(self.norm(self.conv(x).permute(0, 2, 3, 1))).permute(0, 3, 1, 2)

    architecture = trace(nn.Sequential(Block(), nn.Conv2d(8, 1, 3)), torch.zeros(1, 4, 16, 16))
    assert field_of(architecture, "0.wide") == (7, 7)
    assert not architecture.find("0.wide").spatial
    assert field_of(architecture, "0") == (7, 7)
    assert field_of(architecture, "1") == (9, 9)
    assert architecture.find("1").spatial


def test_attention_sees_everything() -> None:
    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patch = nn.Conv2d(1, 8, 4, stride=4)
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
            self.after = nn.Conv2d(8, 1, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.patch(x)
            tokens = y.flatten(2).transpose(1, 2)
            tokens, _ = self.attention(tokens, tokens, tokens)
            return self.after(tokens.transpose(1, 2).reshape(y.shape))

    architecture = trace(Tokens(), torch.zeros(1, 1, 16, 16))
    assert field_of(architecture, "patch") == (4, 4)
    assert field_of(architecture, "attention") is None
    assert field_of(architecture, "after") == (16, 16)


def test_reach_counts_phases() -> None:
    up = pixels("h").through(2, 1, lambda o: (o // 2, o // 2))
    assert [up.at(i) for i in range(4)] == [(0, 0), (0, 0), (1, 1), (1, 1)]
    conv = up.through(1, 1, lambda o: (o, o + 2))
    assert [conv.at(i) for i in range(3)] == [(0, 1), (0, 1), (1, 2)]
    assert conv.size == 2
    assert pixels("h").union(whole_axis(0), 4).is_whole


def test_reshape_follows_axes_through_flattening() -> None:
    field = of_input((1, 3, 4, 6))
    flat = reshaped(field, (1, 3, 24))
    assert flat.along(0) is None
    assert reshaped(flat, (1, 3, 4, 6)) == field
    assert reshaped(field, (1, 1, 3, 4, 6)).along(0) == pixels("h")
    windows = reshaped(field, (1, 3, 2, 2, 3, 2))  # 2x2 windows: no regular grid along an axis any more
    # Put together again they are where they were, and as everything may have happened inside, each sees everything.
    everything = Field(
        (plain_dim(1), plain_dim(3), plain_dim(4, pixels("h").everywhere()), plain_dim(6, pixels("w").everywhere()))
    )
    assert reshaped(windows, (1, 3, 4, 6)) == everything
