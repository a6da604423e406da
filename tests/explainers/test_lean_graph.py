"""The gradient at one layer needs nothing of what came before it; whoever needs more than that gets it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils.checkpoint import checkpoint

import cnnwidgets as cw
from cnnwidgets.core.errors import CnnWidgetsError
from cnnwidgets.explainers.engine import one_layer

X = torch.rand(2, 3, 12, 12, generator=torch.Generator().manual_seed(0))


class Squared(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> Any:
        return 2 * ctx.saved_tensors[0] * slopes[0]


class Block(nn.Module):
    """The layer explained; it may use what it returns for something else before it returns it."""

    def __init__(self, also: Callable[[torch.Tensor], torch.Tensor] | None = None) -> None:
        super().__init__()
        self.conv, self.also, self.aside = nn.Conv2d(8, 8, 3), also, torch.zeros(1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x)
        if self.also is not None:
            self.aside = self.also(y)
        return y


class Net(nn.Module):
    def __init__(
        self,
        before: Callable[[torch.Tensor], torch.Tensor] = torch.relu,
        around: Callable[..., Any] | None = None,
        also: Callable[[torch.Tensor], torch.Tensor] | None = None,
        after: Callable[[torch.Tensor], torch.Tensor] = torch.relu,
        times: int = 1,
    ) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.block, self.head = nn.Conv2d(3, 8, 3), Block(also), nn.Linear(8, 4)
        self.before, self.around, self.after, self.times = before, around, after, times
        self.eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        type(self).runs += 1
        y = self.before(self.first(x))
        for _ in range(self.times):
            y = self.block(y) if self.around is None else self.around(self.block, y)
        y = self.after(y)
        return self.head(y.mean((2, 3)) + self.block.aside.mean())

    runs = 0


def by_hand(net: nn.Module, layer: nn.Module) -> torch.Tensor:
    """Grad-CAM of class 1 from a backward pass of torch's own through the whole graph."""
    kept: list[torch.Tensor] = []

    def keep(_module: nn.Module, _inputs: Any, output: torch.Tensor) -> torch.Tensor:
        kept.append(output.clone())
        return kept[-1].clone()  # so that what follows in place leaves it as it is

    with layer.register_forward_hook(keep):
        scores = net(X.clone())
    (slope,) = torch.autograd.grad(scores[:, 1].sum(), kept[-1])
    return torch.einsum("nk,nkhw->nhw", slope.mean((2, 3)), kept[-1]).detach()


def _energy(y: torch.Tensor) -> torch.Tensor:
    with torch.enable_grad():
        y = y.exp()
        (slope,) = torch.autograd.grad(y.square().sum(), y, create_graph=True)
    return y + 0.1 * slope


def _functional(y: torch.Tensor) -> torch.Tensor:
    return y + torch.func.grad(lambda z: z.square().sum())(y)


def _swallowed(y: torch.Tensor) -> torch.Tensor:
    """A model that goes on, another way, where it gets no gradient."""
    z = y.exp()
    try:
        (slope,) = torch.autograd.grad(z.sum(), y, retain_graph=True)
    except RuntimeError:
        return y
    return y * slope.detach().sigmoid()


def _refusing(y: torch.Tensor) -> torch.Tensor:
    with torch.autograd.graph.disable_saved_tensors_hooks("not in here"):
        return y.sigmoid()


def _in_place(y: torch.Tensor) -> torch.Tensor:
    y = y * 2
    return y.add_(1).relu_()


def _view(y: torch.Tensor) -> torch.Tensor:
    y.flatten(2)[:, :4].relu_()
    return y


@torch.jit.script
def _scripted(y: torch.Tensor) -> torch.Tensor:
    return y.sigmoid() * y.exp() * y


def _on_cpu(block: nn.Module, y: torch.Tensor) -> torch.Tensor:
    with torch.autograd.graph.save_on_cpu():
        result: torch.Tensor = block(y)
        return result.sigmoid()


def _again(block: nn.Module, y: torch.Tensor, *, reentrant: bool) -> torch.Tensor:
    result: torch.Tensor = checkpoint(lambda x: block(x.relu()).sigmoid(), y, use_reentrant=reentrant)  # type: ignore[no-untyped-call]
    return result


NETS: dict[str, Callable[[], Net]] = {
    "plain": Net,
    "in place": lambda: Net(_in_place, after=_in_place),
    "a part in place": lambda: Net(after=_view),
    "a function of its own": lambda: Net(Squared.apply, after=Squared.apply),
    "a scripted part before": lambda: Net(_scripted),
    "a scripted part after": lambda: Net(after=_scripted),
    "energy before": lambda: Net(_energy),
    "energy after": lambda: Net(after=_energy),
    "torch.func before": lambda: Net(_functional),
    "torch.func after": lambda: Net(after=_functional),
    "an error caught before": lambda: Net(_swallowed),
    "hooks refused before": lambda: Net(_refusing),
    "hooks refused after": lambda: Net(after=_refusing),
    "the output used inside": lambda: Net(also=torch.exp),
    "the output used inside by a function": lambda: Net(also=Squared.apply),
    "saved on the CPU": lambda: Net(around=_on_cpu),
    "checkpoint": lambda: Net(around=lambda block, y: _again(block, y, reentrant=False)),
    "checkpoint before": lambda: Net(lambda y: _again(nn.Identity(), y, reentrant=False)),
    "old checkpoint before": lambda: Net(lambda y: _again(nn.Identity(), y, reentrant=True)),
    "checkpoint after": lambda: Net(after=lambda y: _again(nn.Identity(), y, reentrant=False)),
    "twice": lambda: Net(times=2),
}


@pytest.mark.parametrize("name", NETS)
def test_the_map_is_that_of_the_whole_graph(name: str) -> None:
    net = NETS[name]()
    expected = by_hand(net, net.block)
    for _ in range(3):  # as it is found out, and once it is known
        result = cw.explainers.grad_cam(net, X, 1, layer="block")
        assert torch.allclose(result.values, expected, atol=1e-6)
    if name != "old checkpoint before":  # torch itself cannot differentiate for anything before such a one
        first = cw.explainers.grad_cam(net, X, 1, layer="first")
        assert torch.allclose(first.values, by_hand(net, net.first), atol=1e-6)


@pytest.mark.parametrize("options", [{"before": _energy}, {"after": _energy}])
def test_a_second_layer_of_a_frozen_network_that_differentiates(options: dict[str, Any]) -> None:
    net = Net(**options)
    expected = by_hand(net, net.first)
    net.requires_grad_(False)
    cw.explainers.grad_cam(net, X, 1, layer="block")
    result = cw.explainers.grad_cam(net, X, 1, layer="first")
    assert torch.allclose(result.values, expected, atol=1e-6)


@pytest.mark.parametrize("name", ["hires_cam", "grad_cam_pp", "xgrad_cam", "layer_cam", "guided_grad_cam"])
@pytest.mark.parametrize("kind", ["plain", "in place", "energy before", "the output used inside", "twice"])
def test_other_methods_of_a_layer(name: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    explain = cw.explainers.get(name)
    lean = explain(NETS[kind](), X, 1, layer="block")
    monkeypatch.setattr(one_layer, "sparing", lambda _base, look: look(None))
    whole = explain(NETS[kind](), X, 1, layer="block")
    assert torch.equal(lean.values, whole.values)
    assert lean.notes == whole.notes


def test_what_comes_before_is_let_go() -> None:
    memory: list[StorageWeakRef] = []
    gone: list[bool] = []

    def before(y: torch.Tensor) -> torch.Tensor:
        result = y.sigmoid()  # whose backward needs the result
        memory.append(StorageWeakRef(result.untyped_storage()))
        return result * 2

    def after(y: torch.Tensor) -> torch.Tensor:
        gone.append(memory[-1].expired())
        return y.relu()

    net = Net(before, after=after)
    cw.explainers.grad_cam(net, X, 1, layer="block")
    assert gone
    assert all(gone)
    gone.clear()
    net(X)
    assert gone == [False]


def test_a_network_that_needs_the_whole_graph_is_asked_once() -> None:
    net = Net(_energy)

    def runs() -> int:
        before = Net.runs
        cw.explainers.grad_cam(net, X, 1, layer="block")
        return Net.runs - before

    first, second, third = runs(), runs(), runs()
    assert first > second == third == 1


def test_one_pass_where_nothing_more_is_needed() -> None:
    net = Net()
    cw.explainers.grad_cam(net, X, 1, layer="block")
    before = Net.runs
    cw.explainers.grad_cam(net, X, 1, layer="block")
    assert Net.runs - before == 1


def test_what_is_written_over_after_it_was_saved_is_an_error_as_ever() -> None:
    def spoiled(y: torch.Tensor) -> torch.Tensor:
        z = y.exp()
        result = z * y
        z.add_(1)
        return result

    with pytest.raises(CnnWidgetsError, match="modified by an inplace operation"):
        cw.explainers.grad_cam(Net(after=spoiled), X, 1, layer="block")


def test_an_error_of_the_model_is_told_as_ever() -> None:
    def failing(y: torch.Tensor) -> torch.Tensor:
        raise ValueError("no more")

    with pytest.raises(CnnWidgetsError, match="The model raised ValueError: no more"):
        cw.explainers.grad_cam(Net(after=failing), X, 1, layer="block")


def test_hooks_of_the_caller_are_in_force_again_afterwards() -> None:
    packed: list[tuple[int, ...]] = []

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        packed.append(tuple(tensor.shape))
        return tensor.detach()

    weight = torch.ones(3, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        cw.explainers.grad_cam(Net(), X, 1, layer="block")
        packed.clear()
        weight.exp()
    assert packed == [(3,)]
    assert torch._C._autograd._saved_tensors_hooks_is_enabled()
