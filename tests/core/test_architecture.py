"""Layers, edges and joins, against what a reader of the forward method would write down."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
from collections.abc import Iterable
from types import SimpleNamespace

import pytest
import timm
import torch
import torchvision
from torch import nn
from torch.nn import functional

from cnnwidgets.core.errors import CnnWidgetsError, InputError, LayerNotFound, NotSpatial
from cnnwidgets.tracing.architecture import Architecture, trace

X = torch.linspace(-1, 1, 3 * 16 * 16).reshape(1, 3, 16, 16)


def names(architecture: Architecture) -> list[str]:
    return [layer.name for layer in architecture.layers]


def is_acyclic(links: Iterable[tuple[str, str]]) -> bool:
    waiting = set(links)
    while waiting:
        targets = {target for _, target in waiting}
        free = {link for link in waiting if link[0] not in targets}
        if not free:
            return False
        waiting -= free
    return True


class Residual(nn.Module):
    """One ReLU used twice, a skip, everything in place."""

    def __init__(self, channels: int = 4) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv2(self.relu(self.conv1(x)))
        y += x
        return self.relu(y)


def test_residual_block() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), Residual(), nn.Flatten())
    architecture = trace(net, X)
    assert names(architecture) == ["0", "1.conv1", "1.relu", "1.conv2", "2"]
    assert architecture.edges == [
        ("input", "0"),
        ("0", "1.conv1"),
        ("1.conv1", "1.relu"),
        ("1.relu", "1.conv2"),
        ("1.conv2", "1.relu"),
        ("0", "1.relu"),
        ("1.relu", "2"),
    ]
    relu = architecture.find("1.relu")
    assert (relu.calls, relu.params, relu.kind, relu.output_shape) == (2, 0, "activation", (1, 4, 14, 14))
    (join,) = architecture.joins
    assert (join.id, join.function, join.sources, join.path) == ("1.add", "add", ("1.conv2", "0"), "1")
    assert architecture.links == [
        ("input", "0"),
        ("0", "1.conv1"),
        ("1.conv1", "1.relu"),
        ("1.relu", "1.conv2"),
        ("1.conv2", "1.add"),
        ("0", "1.add"),
        ("1.add", "1.relu#2"),
        ("1.relu#2", "2"),
    ]
    assert [(node.id, node.kind, node.layer) for node in architecture.nodes if node.kind != "layer"] == [
        ("input", "input", None),
        ("1.add", "join", None),
    ]
    assert {node.id: node.layer for node in architecture.nodes}["1.relu#2"] == "1.relu"
    assert is_acyclic(architecture.links)
    assert not is_acyclic(architecture.edges)
    assert architecture.outputs == ["2"]
    block = architecture.find("1")
    assert (block.params, block.output_shape, block.receptive_field) == (2 * (4 * 4 * 9 + 4), (1, 4, 14, 14), (7, 7))
    assert block.macs == 2 * 4 * 4 * 9 * 14 * 14
    assert [container.name for container in architecture.containers] == ["1"]


def test_resnet18_skips() -> None:
    architecture = trace(torchvision.models.resnet18(), torch.zeros(1, 3, 64, 64))
    assert {source for source, target in architecture.edges if target == "layer1.1.relu"} == {
        "layer1.1.bn1",
        "layer1.1.bn2",
        "layer1.0.relu",
    }
    assert {source for source, target in architecture.edges if target == "layer2.0.relu"} == {
        "layer2.0.bn1",
        "layer2.0.bn2",
        "layer2.0.downsample.1",
    }
    assert [join.function for join in architecture.joins] == ["add"] * 8
    assert [(layer.name, layer.functions) for layer in architecture.layers if layer.functions] == [
        ("avgpool", ("flatten",))
    ]
    conv = architecture.find("layer4.1.conv2")
    assert (conv.type, conv.kind, conv.detail, conv.spatial) == ("Conv2d", "conv", "Conv 3×3", True)
    assert not architecture.find("avgpool").spatial
    assert architecture.total_params == 11_689_512  # torchvision's own table
    assert architecture.unattributed_params == 0


def test_densenet_layers_feed_all_later_ones_of_their_block() -> None:
    architecture = trace(torchvision.models.densenet121(), torch.zeros(1, 3, 32, 32))
    block = "features.denseblock1.denselayer"
    assert [source for source, target in architecture.edges if target == f"{block}4.norm1"] == [
        "features.pool0",
        f"{block}1.conv2",
        f"{block}2.conv2",
        f"{block}3.conv2",
    ]
    # 6 + 12 + 24 + 16 dense layers; the first of each block has nothing to join, each block ends in one more cat.
    assert len(architecture.joins) == 58 - 4 + 4


def test_mobilenet_gate_meets_what_it_scales() -> None:
    architecture = trace(torchvision.models.mobilenet_v3_small(), torch.zeros(1, 3, 32, 32))
    gate = next(join for join in architecture.joins if join.function == "mul")
    assert gate.sources == ("features.1.block.1.scale_activation", "features.1.block.0.2")
    assert architecture.find("features.1.block.0.0").detail == "Depthwise conv 3×3 /2"


class Functional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w1 = nn.Parameter(torch.ones(4, 3, 3, 3))
        self.w2 = nn.Parameter(torch.ones(4, 4, 3, 3))
        self.head = nn.Parameter(torch.ones(2, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = functional.relu(functional.conv2d(x, self.w1))
        y = functional.max_pool2d(torch.relu(functional.conv2d(y, self.w2, padding=1)) + y, 2)
        return functional.linear(y.mean((2, 3)), self.head)


def test_functional_network_is_opened() -> None:
    architecture = trace(Functional(), X)
    assert names(architecture) == ["conv2d", "relu", "conv2d_1", "relu_1", "max_pool2d", "mean", "linear"]
    assert all(layer.functional for layer in architecture.layers)
    assert architecture.edges == [
        ("input", "conv2d"),
        ("conv2d", "relu"),
        ("relu", "conv2d_1"),
        ("conv2d_1", "relu_1"),
        ("relu_1", "max_pool2d"),
        ("relu", "max_pool2d"),
        ("max_pool2d", "mean"),
        ("mean", "linear"),
    ]
    assert [(layer.params, layer.kind) for layer in architecture.layers][:3] == [
        (108, "conv"),
        (0, "activation"),
        (144, "conv"),
    ]
    assert [layer.output_shape for layer in architecture.layers][-2:] == [(1, 4), (1, 2)]
    assert architecture.unattributed_params == 0
    inside = trace(nn.Sequential(nn.Conv2d(3, 3, 1), Functional()), X)
    assert names(inside)[:3] == ["0", "1.conv2d", "1.relu"]
    assert inside.find("1").params == 108 + 144 + 8


def test_root_that_is_a_layer() -> None:
    architecture = trace(nn.Conv2d(3, 4, 3, stride=2), X)
    (layer,) = architecture.layers
    assert (layer.name, layer.type, layer.detail, layer.functional) == ("", "Conv2d", "Conv 3×3 /2", False)
    assert architecture.edges == [("input", "")]


def test_functions_between_layers() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)
            self.fc = nn.Linear(4 * 7 * 7, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(torch.flatten(functional.max_pool2d(functional.relu(self.conv(x)), 2), 1)).softmax(1)

    architecture = trace(Net(), X)
    assert architecture.find("conv").functions == ("relu",)
    assert architecture.find("max_pool2d").functions == ("flatten",)
    assert architecture.find("fc").functions == ("softmax",)
    assert architecture.edges == [("input", "conv"), ("conv", "max_pool2d"), ("max_pool2d", "fc")]
    assert architecture.resizing_functions == ["max_pool2d"]


def chain(forward: object) -> list[tuple[str, str]]:
    """Edges of a network of three convolutions a, b, c with this forward."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Conv2d(3, 3, 1)
            self.b = nn.Conv2d(3, 3, 1)
            self.c = nn.Conv2d(3, 3, 1)
            self.keep = nn.Identity()

        def forward(self, x: torch.Tensor) -> object:
            return forward(self, x)  # type: ignore[operator]

    return [edge for edge in trace(Net(), X).edges if edge[0] != "input"]


def test_ignored_return_of_an_inplace_call() -> None:
    def forward(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
        y = net.a(x)
        y.relu_()
        y[:, :1].mul_(2)
        return net.c(y)

    assert chain(forward) == [("a", "c")]


def test_slices_assigned_into_a_buffer() -> None:
    def by_index(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
        out = torch.zeros(1, 3, 16, 16)
        out[:, :1] = net.a(x)[:, :1]
        out[:, 1:] = net.b(x)[:, 1:]
        return net.c(out)

    def by_copy(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
        out = torch.empty(1, 3, 16, 16)
        out[:, :1].copy_(net.a(x)[:, :1])
        out[:, 1:].copy_(net.b(x)[:, 1:])
        return net.c(out)

    def by_out(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
        out = torch.empty(1, 3, 16, 16)
        torch.add(net.a(x), net.b(x), out=out)
        return net.c(out)

    for forward in (by_index, by_copy, by_out):
        assert sorted(chain(forward)) == [("a", "c"), ("b", "c")]


def test_write_through_a_view_reaches_the_base() -> None:
    def forward(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
        y = net.a(x)
        view = y.view(1, 3, 256)
        view += net.b(x).view(1, 3, 256)
        return net.c(y)

    assert sorted(chain(forward)) == [("a", "c"), ("b", "c")]


def test_write_to_one_half_leaves_the_other() -> None:
    def forward(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
        y = torch.cat([net.a(x), net.a(x)], 1)
        first, second = y[:, :3], y[:, 3:]
        first.add_(net.b(x))
        return net.c(second)

    assert chain(forward) == [("a", "c")]


def test_overwritten_content_is_forgotten() -> None:
    def forward(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
        y = net.a(x)
        y.copy_(net.b(x))
        z = net.a(x)
        z.zero_()
        return net.c(y + z)

    assert chain(forward) == [("b", "c")]


def test_constants_of_the_same_shape_carry_nothing() -> None:
    def forward(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
        y = net.a(x)
        return net.c(net.b(x) + torch.zeros_like(y) + y.new_ones(1))

    assert chain(forward) == [("b", "c")]


def test_skip_around_an_identity_starts_before_it() -> None:
    def forward(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
        y = net.a(x)
        z = net.keep(y)
        return net.c(z + net.b(y))

    assert sorted(chain(forward)) == [("a", "b"), ("a", "keep"), ("b", "c"), ("keep", "c")]


def test_freed_tensors_are_not_confused_with_new_ones() -> None:
    def forward(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
        for _ in range(200):
            net.a(x)  # dropped at once: its id comes back
            fresh = torch.ones(1, 3, 16, 16)
        return net.c(fresh + net.b(x))

    assert chain(forward) == [("b", "c")]


def test_called_past_its_hooks() -> None:
    def forward(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
        return net.c(net.a.forward(x) + net.b(x))

    assert chain(forward) == [("a", "c"), ("b", "c")]


def test_custom_autograd_function_and_inference_mode() -> None:
    class Double(torch.autograd.Function):
        @staticmethod
        def forward(_: object, x: torch.Tensor) -> torch.Tensor:
            return x * 2

    def custom(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
        return net.c(Double.apply(net.a(x)))

    def inference(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            y = net.a(x)
            y.relu_()
            return net.c(y)

    assert chain(custom) == [("a", "c")]
    assert chain(inference) == [("a", "c")]


def test_module_that_raises_inside_is_left() -> None:
    class Moody(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise ValueError("not today")

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.moody = Moody()
            self.a = nn.Conv2d(3, 3, 1)
            self.b = nn.Conv2d(3, 3, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.a(x)
            with contextlib.suppress(ValueError):
                y = self.moody(y)
            return self.b(y)

    architecture = trace(Net(), X)
    assert architecture.edges == [("input", "a"), ("a", "b")]
    assert architecture.find("moody").output_shape == ()
    assert architecture.find("b").output_shape == (1, 3, 16, 16)


def test_shared_parameters_count_once() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Linear(16, 16, bias=False)
            self.b = nn.Linear(16, 16, bias=False)
            self.b.weight = self.a.weight
            self.token = nn.Parameter(torch.zeros(5))
            self.frozen = nn.Linear(16, 2).requires_grad_(False)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.frozen(self.b(self.a(x)))

    architecture = trace(Tied(), X)
    assert [(layer.params, layer.trainable) for layer in architecture.layers] == [(256, 256), (0, 0), (34, 0)]
    assert (architecture.total_params, architecture.trainable_params) == (256 + 34 + 5, 256 + 5)
    assert architecture.unattributed_params == 5


def test_vision_transformer_token_belongs_to_no_layer() -> None:
    net = torchvision.models.vit_b_16(image_size=32)
    architecture = trace(net, torch.zeros(1, 3, 32, 32))
    token_and_positions = 768 + 5 * 768
    assert architecture.unattributed_params == token_and_positions
    attention = architecture.find("encoder.layers.encoder_layer_0.self_attention")
    assert (attention.kind, attention.detail) == ("attention", "Attention, 12 heads")
    assert attention.params == 768 * 3 * 768 + 3 * 768 + 768 * 768 + 768
    assert attention.receptive_field is None


def test_efficientnet_lite0_of_timm() -> None:
    net = timm.create_model("tf_efficientnet_lite0")
    net.train()
    architecture = trace(net, torch.zeros(1, 3, 64, 64))
    found = names(architecture)
    assert (found[0], found[-1]) == ("conv_stem", "classifier")
    assert architecture.total_params == 4_652_008  # timm's results table: 4.65 M
    assert architecture.unattributed_params == 0
    assert architecture.find("blocks.2.1").output_shape == (1, 40, 8, 8)
    assert architecture.find("blocks.0.0.conv_dw").detail == "Depthwise conv 3×3"
    assert architecture.find("conv_stem").receptive_field == (3, 3)
    last = [layer.name for layer in architecture.layers if layer.spatial][-1]
    assert last == "bn2.act"
    joins = [join.path for join in architecture.joins]
    assert joins == ["blocks.1.1", "blocks.2.1", "blocks.3.1", "blocks.3.2", "blocks.4.1", "blocks.4.2", "blocks.5.1",
                     "blocks.5.2", "blocks.5.3"]  # fmt: skip
    assert net.training


def test_parametrised_weight_is_part_of_its_layer() -> None:
    net = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 3)), nn.ReLU())
    architecture = trace(net, X)
    assert names(architecture) == ["0", "1"]
    assert architecture.find("0").params == 4 * 27 + 4 + 4
    assert architecture.find("0").kind == "conv"


@pytest.mark.parametrize("wrap", [nn.DataParallel, torch.compile, lambda net: torch.compile(nn.DataParallel(net))])
def test_wrappers_are_looked_through(wrap: object) -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    architecture = trace(wrap(net), X)  # type: ignore[operator]
    assert (names(architecture), architecture.name) == (["0", "1"], "Sequential")


def test_compiled_parts_run_eagerly() -> None:
    net = nn.Sequential(torch.compile(nn.Conv2d(3, 4, 3)), nn.ReLU())
    assert trace(net, X).edges[-1][1] == "1"
    inplace = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    inplace.compile()
    assert trace(inplace, X).edges == [("input", "0"), ("0", "1")]


@pytest.mark.parametrize(
    "give",
    [
        lambda y, z: (y, z),
        lambda y, z: {"out": y, "aux": [z]},
        lambda y, z: SimpleNamespace(logits=y, other=z),
    ],
)
def test_outputs_of_any_shape(give: object) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Conv2d(3, 3, 1)
            self.b = nn.Conv2d(3, 3, 1)
            self.c = nn.Conv2d(3, 3, 1)

        def forward(self, x: torch.Tensor) -> object:
            return give(self.a(x) + self.c(x), self.b(x))  # type: ignore[operator]

    assert trace(Net(), X).outputs == ["a", "c", "b"]


def test_several_inputs_and_small_grey_ones() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mix = nn.Bilinear(4, 5, 2)

        def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            return self.mix(a, b)

    assert trace(Two(), (torch.zeros(1, 4), torch.zeros(1, 5))).edges == [("input", "mix")]
    grey = trace(nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(72, 2)), torch.zeros(1, 1, 8, 8))
    assert grey.find("2").input_shape == (1, 72)
    half = trace(nn.Sequential(nn.Conv2d(1, 2, 3)).bfloat16(), torch.zeros(1, 1, 8, 8, dtype=torch.bfloat16))
    assert half.find("0").output_shape == (1, 2, 6, 6)


def test_control_flow_and_recursion() -> None:
    class Loop(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 3, padding=1)

        def forward(self, x: torch.Tensor, depth: int = 3) -> torch.Tensor:
            x = self.conv(x)
            return self(x, depth - 1) if depth > 1 else x

    architecture = trace(Loop(), X)
    conv = architecture.find("conv")
    assert (conv.calls, conv.receptive_field, conv.macs) == (3, (7, 7), 3 * 3 * 3 * 9 * 256)
    assert architecture.edges == [("input", "conv"), ("conv", "conv")]
    assert [node.id for node in architecture.nodes] == ["input", "conv", "conv#2", "conv#3"]


def test_layer_called_input() -> None:
    net = nn.Sequential()
    net.add_module("input", nn.Conv2d(3, 3, 1))
    net.add_module("output", nn.Conv2d(3, 3, 1))
    assert trace(net, X).edges == [("input_1", "input"), ("input", "output")]


def test_find_and_errors() -> None:
    architecture = trace(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sequential(nn.Flatten())), X)
    assert architecture.find("1").type == "Sequential"
    with pytest.raises(LayerNotFound, match=r"'1\.0'"):
        architecture.find("1.O")
    with pytest.raises(NotSpatial, match=r"\(1, 784\)"):
        architecture.receptive_box("1.0", 0, 0)
    for wrong in ("photo.jpg", None, (X, 3), ()):
        with pytest.raises(InputError, match="example must be a tensor"):
            trace(nn.ReLU(), wrong)  # type: ignore[arg-type]
    with pytest.raises(CnnWidgetsError, match=r"layer '0' \(Linear\)"):
        trace(nn.Sequential(nn.Linear(7, 2)), X)
    with pytest.raises(CnnWidgetsError, match="scripted"):
        trace(torch.jit.script(nn.ReLU()), X)


def test_architecture_holds_no_model() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3))
    architecture = trace(net, X)
    assert copy.deepcopy(architecture) == architecture
    with pytest.raises(dataclasses.FrozenInstanceError):
        architecture.find("0").name = "x"  # type: ignore[misc]
