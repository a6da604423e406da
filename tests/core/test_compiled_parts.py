"""Compiled models and parts, fresh or run before, are seen through: names, calls and maps are the plain model's."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

import cnnwidgets as cw
from cnnwidgets.checks import randomised
from cnnwidgets.core.capture import capture
from cnnwidgets.core.errors import CnnWidgetsError
from cnnwidgets.core.network import Network
from cnnwidgets.incremental import Edited

X = torch.rand(1, 3, 12, 12, generator=torch.Generator().manual_seed(0))


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.act = nn.Conv2d(3, 8, 3, padding=1), nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.act(self.conv(x))


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.block, self.last, self.head = Block(), nn.Conv2d(8, 8, 3), nn.Linear(8, 4)
        self.eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.last(self.block(x)).relu().mean((2, 3)))


def whole(net: Net, backend: str) -> nn.Module:
    return torch.compile(net, backend=backend)  # type: ignore[return-value]


def part(net: Net, backend: str) -> nn.Module:
    net.block = torch.compile(net.block, backend=backend)  # type: ignore[assignment]
    return net


def parts(net: Net, backend: str) -> nn.Module:
    for name, module in list(net.named_children()):
        setattr(net, name, torch.compile(module, backend=backend))
    return torch.compile(net, backend=backend)  # type: ignore[return-value]


def in_place(net: Net, backend: str) -> nn.Module:
    net.compile(backend=backend)
    return net


def part_in_place(net: Net, backend: str) -> nn.Module:
    net.block.compile(backend=backend)
    return net


def forward(net: Net, backend: str) -> nn.Module:
    net.forward = torch.compile(net.forward, backend=backend)  # type: ignore[method-assign]
    return net


@pytest.fixture(autouse=True)
def _afresh() -> None:
    torch.compiler.reset()


@pytest.mark.parametrize("ran", [False, True])
@pytest.mark.parametrize(
    ("compiled", "backend"),
    [(way, "eager") for way in (whole, part, parts, in_place, part_in_place, forward)] + [(parts, "aot_eager")],
)
def test_compiled(compiled: Callable[[Net, str], nn.Module], backend: str, ran: bool) -> None:
    plain, net = Net(), Net()
    inner, own_forward = net.block, vars(net).get("forward")
    model = compiled(net, backend)
    own_forward = vars(net).get("forward")
    if ran:
        model(X)
        with torch.no_grad():
            model(X)
    assert Network.of(model).names == ["block", "block.conv", "block.act", "last", "head"]
    for name in ("block.conv", "block._orig_mod.conv", "_orig_mod.block.conv"):
        assert Network.of(model).find(name) == ("block.conv", inner.conv)
    assert Network.of(model).find(net.block) == ("block", inner)
    architecture, expected = cw.trace(model, X), cw.trace(plain, X)
    assert (architecture.edges, architecture.total_macs) == (expected.edges, expected.total_macs)
    assert [layer.name for layer in architecture.layers] == ["block.conv", "block.act", "last", "head"]
    with capture(model, ["block.conv", "block", "last"]) as outputs:
        model(X)
    assert [len(calls) for calls in outputs.values()] == [1, 1, 1]
    assert torch.equal(outputs["block.conv"][0], plain.block.conv(X))
    for layer in ("block.conv", "block", "last"):
        result = cw.explainers.grad_cam(model, X, 1, layer=layer)
        assert torch.equal(result.values, cw.explainers.grad_cam(plain, X, 1, layer=layer).values)
    for method in ("guided_backprop", "score_cam"):
        explain = getattr(cw.explainers, method)
        assert torch.allclose(explain(model, X, 1).values, explain(plain, X, 1).values, atol=1e-6)
    maps = [cw.explainers.occlusion(one, X, 1, patch=4, stride=4).values for one in (model, plain)]
    assert torch.allclose(*maps, atol=1e-6)
    assert Edited(model, X).engine == "incremental"
    assert vars(net).get("forward") is own_forward
    assert torch.allclose(model(X), plain(X))


def test_the_rest_of_the_house_on_a_compiled_part() -> None:
    model = part(Net(), "eager")
    model(X)
    check = randomised(model, X, "grad_cam", 1)
    assert [stage.layer for stage in check.stages] == ["head", "last", "block.conv"]
    explorer = cw.explore(model, X)
    explorer.wait()
    explorer.layer = "block.conv"
    explorer.wait()
    assert explorer.status == "ready"
    explorer.close()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("scripted", [torch.jit.script, lambda block: torch.jit.trace(block, X)])
def test_a_scripted_part_is_named_in_the_refusal(scripted: Callable[[nn.Module], nn.Module]) -> None:
    net = Net()
    net.block = scripted(net.block)  # type: ignore[assignment]
    assert torch.allclose(cw.explainers.saliency(net, X, 1).values, cw.explainers.saliency(Net(), X, 1).values)
    with pytest.raises(CnnWidgetsError, match=r"'block\.conv' is a ScriptModule"):
        cw.explainers.grad_cam(net, X, 1, layer="block.conv")
    assert "block._actual_script_module" not in Network.of(net).names


def test_a_graph_module() -> None:
    net = torch.fx.symbolic_trace(Net()).eval()
    assert cw.trace(net, X).edges == cw.trace(Net(), X).edges
    for layer in ("block.conv", "last"):
        result = cw.explainers.grad_cam(net, X, 1, layer=layer)
        assert torch.equal(result.values, cw.explainers.grad_cam(Net(), X, 1, layer=layer).values)
