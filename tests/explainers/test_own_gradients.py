"""A forward that works with gradients itself runs in every method; the numbers are those of the same maths without."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import cnnwidgets as cw
from cnnwidgets.checks import insertion_deletion, randomised
from cnnwidgets.core.errors import CnnWidgetsError
from cnnwidgets.incremental import Edited
from cnnwidgets.incremental.zeroed import zeroed
from cnnwidgets.running.forward import needs_gradients

X = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
KINDS = ("register_hook", "retain_grad", "grad_fn", "energy", "of the input", "multi hook", "asserts", "own words")


class Net(nn.Module):
    def __init__(self, kind: str = "", frozen: bool = False, in_place: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b, self.head = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3), nn.Linear(8, 4)
        self.kind, self.in_place = kind, in_place
        self.requires_grad_(not frozen)
        self.eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.in_place:
            x.mul_(0.5)
        y = self.a(x).relu()
        if self.kind == "register_hook":
            y.register_hook(lambda gradient: gradient)
        elif self.kind == "retain_grad":
            y.retain_grad()
        elif self.kind == "grad_fn":
            y.grad_fn.register_hook(lambda *_: None)
        elif self.kind == "energy":  # the gradient of the sum of squares is twice y
            (slope,) = torch.autograd.grad(y.square().sum(), y, create_graph=True)
            y = y + 0.1 * slope
        elif self.kind == "of the input":  # the gradient of the sum of squares is twice x
            x.requires_grad_()
            (slope,) = torch.autograd.grad(x.square().sum(), x, create_graph=True)
            y = y + 0.1 * slope[:, :1]
        elif self.kind == "multi hook":
            torch.autograd.graph.register_multi_grad_hook((y,), lambda *_: None)
        elif self.kind == "asserts":
            assert y.requires_grad
        elif self.kind == "own words":
            try:
                y.retain_grad()
            except RuntimeError as error:
                raise ValueError("nothing to keep") from error
        elif self.kind == "plain energy":
            y = 1.2 * y
        elif self.kind == "plain input":
            y = y + 0.2 * x[:, :1]
        return self.head(self.b(y).relu().mean((2, 3)))


PLAIN = {"energy": "plain energy", "of the input": "plain input"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("name", cw.explainers.names())
def test_explainers(kind: str, frozen: bool, name: str) -> None:
    net, plain = Net(kind, frozen), Net(PLAIN.get(kind, ""))
    explain = getattr(cw.explainers, name)
    result, expected = explain(net, X, 1), explain(plain, X, 1)
    assert torch.allclose(result.values, expected.values, atol=1e-5)
    assert torch.allclose(result.scores, expected.scores, atol=1e-6)
    assert not result.values.requires_grad
    assert all(value.grad is None and value.requires_grad is not frozen for value in net.parameters())


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_everything_else(kind: str, in_place: bool) -> None:
    net, plain = Net(kind, in_place=in_place), Net(PLAIN.get(kind, ""), in_place=in_place)
    architecture = cw.trace(net, X[:1])
    assert architecture.edges[:2] == [("input", "a"), ("a", "b")]
    assert architecture.total_macs == cw.trace(plain, X[:1]).total_macs == 8 * 27 * 256 + 8 * 72 * 196 + 8 * 4
    with torch.no_grad():
        edited = X[:1].clone()
        edited[:, :, 2:6, 3:7] = 0
        expected = plain(edited.clone())
        off = plain_without_map_1(plain, X[:1])
    assert torch.allclose(Edited(net, X[:1]).scores(torch.zeros(3, 4, 4), [2], [3]), expected, atol=1e-5)
    maps = Edited(net, X[:1], layer="a")
    assert torch.allclose(maps.scores(maps_without_1(net, X[:1]), [0], [0]), off, atol=1e-5)
    result = cw.explainers.grad_cam(plain, X[:1], 1)
    curves = [insertion_deletion(one, X[:1], result, steps=4) for one in (net, plain)]
    assert torch.allclose(curves[0].deletion, curves[1].deletion, atol=1e-5)
    checks = [randomised(one, X[:1], "grad_cam", 1) for one in (net, plain)]
    assert [stage.layer for stage in checks[0].stages] == ["head", "b", "a"]
    assert all(torch.allclose(*(one.stages[at].values for one in checks), atol=1e-5) for at in range(3))
    explorer = cw.explore(net, X[:1])
    explorer.method = "occlusion"
    explorer.wait()
    assert (explorer.status, explorer.method) == ("ready", "occlusion")
    explorer.close()
    assert needs_gradients(net)
    assert not needs_gradients(plain)


def maps_without_1(net: Net, x: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        maps = net.a(x * (0.5 if net.in_place else 1.0))
    maps[:, 1] = 0
    return maps


def plain_without_map_1(plain: Net, x: torch.Tensor) -> torch.Tensor:
    with zeroed(plain, {"a": [1]}):
        return plain(x.clone())


def test_an_error_that_gradients_do_not_mend_is_the_models() -> None:
    class Fails(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            torch.zeros(1).register_hook(print)
            return x

    with pytest.raises(CnnWidgetsError, match=r"doesn't require grad.*Fails\.forward"):
        cw.explainers.occlusion(Fails(), X, 1)
    with pytest.raises(CnnWidgetsError, match=r"doesn't require grad.*Fails\.forward"):
        cw.trace(Fails(), X)


def test_what_the_forward_registers_on_its_modules_does_not_stay() -> None:
    class Registers(Net):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.b.register_full_backward_hook(lambda *_: None)
            handle = self.b.register_forward_hook(lambda *args: args[2].register_hook(lambda _: None) and None)
            scores = super().forward(x)
            handle.remove()
            return scores

    net = Registers()
    own = net.b.register_forward_hook(lambda *_: None)
    cw.trace(net, X[:1])
    for name in ("occlusion", "ablation_cam", "grad_cam"):
        result = getattr(cw.explainers, name)(net, X[:1], 1)
        assert torch.allclose(result.values, getattr(cw.explainers, name)(Net(), X[:1], 1).values, atol=1e-5)
        assert list(net.b._forward_hooks) == [own.id]
        assert not net.b._backward_hooks
        assert net.b._is_full_backward_hook is None


def test_the_gradient_of_the_scores_by_the_image() -> None:
    class Sensitive(Net):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            scores = super().forward(x)
            (slope,) = torch.autograd.grad(scores.sum(), x, create_graph=True)
            return scores + 0 * slope.sum()

    assert cw.trace(Sensitive(), X[:1]).edges[:2] == [("input", "a"), ("a", "b")]
    explorer = cw.explore(Sensitive(), X[:1])
    explorer.wait()
    assert explorer.status == "ready"
    explorer.close()


def test_several_inputs() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(4, 3), nn.Linear(4, 3)

        def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            z = self.a(x)
            z.register_hook(lambda gradient: gradient)
            return z + self.b(y)

    assert cw.trace(Two(), (torch.ones(1, 4), torch.ones(1, 4))).edges == [("input", "a"), ("input", "b")]
