from __future__ import annotations

import importlib
from typing import ClassVar

import pytest
import torch
from torch import nn

from cnnwidgets import explainers
from cnnwidgets.core.errors import NotSpatial
from cnnwidgets.explainers import every_layer, grad_cam
from cnnwidgets.explainers.engine.all_layers import observe


class Turned(nn.Module):
    """A perceptron on the channels of each place, written with Linear layers between two turns."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.up, self.act, self.down = nn.Conv2d(3, 4, 3), nn.Linear(4, 6), nn.GELU(), nn.Linear(6, 4)
        self.mix, self.pool, self.head = nn.Conv2d(4, 5, 3), nn.AdaptiveAvgPool2d(1), nn.Linear(5, 3)

    def block(self, x: torch.Tensor) -> torch.Tensor:
        return self.down(self.act(self.up(x.permute(0, 2, 3, 1)))).permute(0, 3, 1, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        return self.head(self.pool(self.mix(x + self.block(x)).tanh()).flatten(1))


class Unturned(Turned):
    """The same function, of 1x1 convolutions."""

    def __init__(self, net: Turned) -> None:
        super().__init__()
        self.load_state_dict(net.state_dict())
        for name in ("up", "down"):
            linear = getattr(self, name)
            conv = nn.Conv2d(linear.in_features, linear.out_features, 1)
            conv.weight.data, conv.bias.data = linear.weight.data[:, :, None, None], linear.bias.data
            setattr(self, name, conv)

    def block(self, x: torch.Tensor) -> torch.Tensor:
        return self.down(self.act(self.up(x)))


class Wrapped(nn.Module):
    """Two turned perceptrons as blocks, with a norm that gives them away."""

    def __init__(self, least: int = 1) -> None:
        super().__init__()
        self.stem, self.least, self.blocks = nn.Conv2d(3, 4, 3), least, nn.ModuleList([Block(), Block()])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if len(x) < self.least:
            raise ValueError("too few images")
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return x.mean((2, 3))


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm, self.linear = nn.LayerNorm(4), nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.linear(self.norm(x.permute(0, 2, 3, 1))).permute(0, 3, 1, 2)


@pytest.fixture
def net() -> Turned:
    torch.manual_seed(5)
    return Turned().eval()


@pytest.fixture
def images() -> torch.Tensor:
    torch.manual_seed(6)
    return torch.rand(2, 3, 8, 9)


def forwards(net: nn.Module) -> list[int]:
    calls: list[int] = []
    net.register_forward_hook(lambda *_: calls.append(1))
    return calls


def test_maps_around_a_turned_part_are_those_of_the_same_net_of_convolutions(net: Turned, images: torch.Tensor) -> None:
    same = Unturned(net).eval()
    torch.testing.assert_close(net(images), same(images))
    for layer in (None, "stem", "mix"):
        ours, theirs = grad_cam(net, images, [0, 2], layer=layer), grad_cam(same, images, [0, 2], layer=layer)
        assert (ours.layer, ours.notes) == (theirs.layer, theirs.notes)
        torch.testing.assert_close(ours.values, theirs.values)
    seen, expected = observe(net, images, 1), observe(same, images, 1)
    layers = ["stem", "up", "act", "down", "mix"]
    assert list(seen.maps) == list(seen.cam) == list(seen.contribution) == layers
    assert list(every_layer("grad_cam", net, images)) == layers
    for name in seen.maps:
        torch.testing.assert_close(seen.cam[name], expected.cam[name])
        torch.testing.assert_close(seen.contribution[name], expected.contribution[name])
    torch.testing.assert_close(seen.input_gradient, expected.input_gradient)


@pytest.mark.parametrize("layer", ["up", "act", "down"])
@pytest.mark.parametrize("method", ["grad_cam", "hires_cam", "eigen_cam", "ablation_cam", "score_cam"])
def test_a_layer_within_is_turned(net: Turned, images: torch.Tensor, layer: str, method: str) -> None:
    same, explain = Unturned(net).eval(), explainers.get(method)
    expected = explain(same, images, [0, 2], layer=layer)
    found = explain(net, images, [0, 2], layer=layer)
    torch.testing.assert_close(found.values, expected.values)
    assert found.notes == expected.notes
    together = every_layer(method, net, images, [0, 2], layers=["stem", layer])
    torch.testing.assert_close(together[layer].values, expected.values)


def test_a_turn_without_a_linear_layer_shows_in_memory(images: torch.Tensor) -> None:
    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.act = nn.Conv2d(3, 4, 3), nn.ReLU()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.act(self.stem(x).permute(0, 2, 3, 1)).mean((1, 2))

    net = Plain()
    found = grad_cam(net, images, 1)
    expected = net.stem(images).relu()[:, 1].detach() / 42  # the score is the mean of the map
    assert found.layer == "act"
    torch.testing.assert_close(found.values, expected)
    torch.testing.assert_close(grad_cam(net, images, 1, layer="act").values, expected)
    assert list(observe(net, images).maps) == ["stem", "act"]


@pytest.mark.parametrize("method", ["grad_cam", "eigen_cam"])
def test_a_turn_long_before_the_layer_is_noticed(images: torch.Tensor, method: str) -> None:
    class Far(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.act, self.drop = nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Dropout()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.act(self.stem(x).permute(0, 2, 3, 1))
            return self.drop(x.contiguous() + 1).mean((1, 2))

    net = Far()
    maps = (net.stem(images).relu() + 1).detach()
    found = explainers.get(method)(net, images, 1, layer="drop")
    assert found.values.shape == (2, 6, 7)
    if method == "grad_cam":
        torch.testing.assert_close(found.values, maps[:, 1] / 42)


def test_a_layer_asked_for_by_name_is_the_only_one_watched(images: torch.Tensor) -> None:
    class Counting(nn.Module):
        hooked: ClassVar[set[str]] = set()  # what an instance notes is put back

        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            Counting.hooked |= {name for name, module in self.named_modules() if module._forward_hooks}
            return self.b(self.a(x)).mean((2, 3))

    net = Counting()
    by_name = grad_cam(net, images, 1, layer="b")
    assert net.hooked == {"b"}
    torch.testing.assert_close(by_name.values, grad_cam(net, images, 1).values)
    assert net.hooked == {"a", "b"}


def test_a_block_watched_alone_counts_only_what_comes_after_it(images: torch.Tensor) -> None:
    class Inner(nn.Module):
        """Returns what its first layer returned, and keeps something made of it aside."""

        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Conv2d(3, 2, 1), nn.Conv2d(2, 2, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.first(x)
            self.aside = self.second(x)
            return x

    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.block = Inner()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (3 * self.block(x) + self.block.aside**2).mean((2, 3))

    net = Outer()
    found = grad_cam(net, images, 1, layer="block")
    torch.testing.assert_close(found.values, 3 / 72 * net.block(images)[:, 1].detach())


def test_the_block_around_is_named(images: torch.Tensor) -> None:
    class Scored(Wrapped):
        def __init__(self) -> None:
            super().__init__()
            self.blocks[0].weigh = nn.Identity()

    net = Scored()
    block = net.blocks[0]
    block.forward = lambda x: Block.forward(block, x) * block.weigh(x.mean((2, 3)))[..., None, None]
    with pytest.raises(NotSpatial, match=r"'blocks.0.weigh' .* Choose 'blocks.0', the block around it\."):
        grad_cam(net, images, layer="blocks.0.weigh")


def test_parts_of_the_image_as_a_batch_are_refused(images: torch.Tensor) -> None:
    class Halves(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.inner = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.stem(x)
            halves = self.inner(torch.cat(x.chunk(2, 2)))
            return torch.cat(halves.chunk(2), 2).mean((2, 3))

    assert grad_cam(Halves(), images).layer == "stem"
    with pytest.raises(NotSpatial, match=r"'inner' returns \(4, 4, 3, 7\), with another first axis than the images"):
        grad_cam(Halves(), images, layer="inner")


def test_what_could_not_be_followed_says_so(images: torch.Tensor) -> None:
    torch.manual_seed(0)
    picky = Wrapped(least=2)
    note = "axes could not be followed"
    for notes in (grad_cam(picky, images).notes, observe(picky, images).notes):
        assert any(note in one and "too few images" in one for one in notes)
    assert not any(note in one for one in grad_cam(Wrapped(), images).notes)


def test_one_layer_of_unknown_axes_says_so(images: torch.Tensor) -> None:
    class Shuffled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.stem, self.seen = nn.LayerNorm(9), nn.Conv2d(3, 4, 3), nn.Identity()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.stem(self.norm(x)).flatten(1)
            return self.seen((x @ torch.eye(x.shape[1])).reshape(-1, 2, 7, 12)).mean((2, 3))

    note = "the axes of layer 'seen' could not be followed; read as (N, C, H, W)"
    assert note in grad_cam(Shuffled(), images).notes
    together = every_layer("grad_cam", Shuffled(), images)
    assert note in together["seen"].notes
    assert note not in together["stem"].notes


def test_a_plain_network_runs_once() -> None:
    torchvision = importlib.import_module("torchvision")
    net = torchvision.models.resnet18(weights=None).eval()
    calls = forwards(net)
    x = torch.rand(1, 3, 64, 64)
    grad_cam(net, x)
    observe(net, x)
    every_layer("grad_cam", net, x, layers=["layer3"])
    assert len(calls) == 3


def test_convnext() -> None:
    torchvision = importlib.import_module("torchvision")
    torch.manual_seed(0)
    net = torchvision.models.convnext_tiny(weights=None).eval()
    x = torch.rand(1, 3, 64, 64)
    last = grad_cam(net, x, 3)
    assert (last.layer, last.values.shape) == ("features", (1, 2, 2))
    # Channels last from the Permute in a block to the one before its end: five layers in each of 18 blocks.
    turned = {f"{name}.{i}" for name, module in net.named_modules() if name.endswith("block") for i in range(1, 6)}
    flat = {"classifier", "classifier.1", "classifier.2", "classifier.0", "avgpool"}
    seen = observe(net, x, 3)
    assert len(turned) == 5 * 18
    assert turned <= set(seen.maps) == set(seen.cam)
    assert set(seen.order) - set(seen.maps) == flat
    assert seen.default == "features"
    torch.testing.assert_close(seen.cam["features"], last.values)
    # By hand: the gradient for the last maps, from the part of the network behind them.
    maps = net.features(x).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(net.classifier(net.avgpool(maps))[0, 3], maps)
    torch.testing.assert_close(last.values, (gradient.mean((2, 3), keepdim=True) * maps).sum(1).detach())
    found = grad_cam(net, x, 3, layer="features.7.2.block.4")
    block = net.features[7][2]
    before = net.features[:7](x)
    for earlier in net.features[7][:2]:
        before = earlier(before)
    wide = block.block[:5](before).detach().requires_grad_()
    rest = block.block[5:](wide)
    (gradient,) = torch.autograd.grad(net.classifier(net.avgpool(before + block.layer_scale * rest))[0, 3], wide)
    torch.testing.assert_close(found.values, (gradient.mean((1, 2), keepdim=True) * wide).sum(3).detach())


def test_swin() -> None:
    torchvision = importlib.import_module("torchvision")
    torch.manual_seed(0)
    net = torchvision.models.swin_t(weights=None).eval()
    x = torch.rand(1, 3, 64, 64)
    found = grad_cam(net, x, 3)
    assert (found.layer, found.values.shape) == ("permute", (1, 2, 2))
    maps = net.norm(net.features(x)).permute(0, 3, 1, 2).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(net.head(maps.mean((2, 3)))[0, 3], maps)
    expected = (gradient.mean((2, 3), keepdim=True) * maps).sum(1).detach()
    torch.testing.assert_close(found.values, expected)
    torch.testing.assert_close(grad_cam(net, x, 3, layer="norm").values, expected)
    seen = observe(net, x, 3)
    assert set(seen.order) - set(seen.maps) == {"avgpool", "flatten", "head"}
    block = net.features[:7](x).detach()
    block = net.features[7][0](block).detach().requires_grad_()
    score = net.head(net.norm(net.features[7][1](block)).mean((1, 2)))[0, 3]
    (gradient,) = torch.autograd.grad(score, block)
    expected = (gradient.mean((1, 2), keepdim=True) * block).sum(3).detach()
    torch.testing.assert_close(grad_cam(net, x, 3, layer="features.7.0").values, expected)
    torch.testing.assert_close(seen.cam["features.7.0"], expected)
    with pytest.raises(NotSpatial, match=r"'features.1.0.attn.\w+' returns \(9, 49, \d+\)"):
        grad_cam(net, x, layer="features.1.0.attn.linear")
