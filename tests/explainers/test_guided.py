from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from cnnwidgets.core.errors import Cancelled, CnnWidgetsError
from cnnwidgets.explainers import deconvnet, get, grad_cam, guided_backprop, saliency

METHODS = {"guided": guided_backprop, "rectified": deconvnet}
X = torch.tensor([[[[1.0, 2.0]]]])


def linear(*rows: list[float]) -> nn.Linear:
    layer = nn.Linear(len(rows[0]), len(rows), bias=False)
    layer.weight.data = torch.tensor(rows)
    return layer


class Net(nn.Module):
    """[1, 2] -> [3, -1, 8, 1] -> activation -> 2a + 5b - 3c + 4d."""

    def __init__(self, activation: Any) -> None:
        super().__init__()
        self.first = linear([1.0, 1.0], [1.0, -1.0], [2.0, 3.0], [-1.0, 1.0])
        self.last = linear([2.0, 5.0, -3.0, 4.0])
        self.activation = activation

    def forward(self, x):
        return self.last(self.activation(self.first(x.flatten(1))))


# Guided, a and d: their rows times 2 and 4. Rectified, b too: its row times 5. Plain, c too: its row times -3.
EXPECTED = {"guided": [-2.0, 6.0], "rectified": [3.0, 1.0], "plain": [-8.0, -3.0]}


@pytest.mark.parametrize("rule", METHODS)
@pytest.mark.parametrize("activation", [nn.ReLU(), functional.relu, lambda x: x.clamp(min=0)])
def test_by_hand(activation: Any, rule: str) -> None:
    assert saliency(Net(activation), X).values.flatten().tolist() == EXPECTED["plain"]
    result = METHODS[rule](Net(activation), X)
    assert result.values.flatten().tolist() == EXPECTED[rule]
    assert (result.target, result.layer, result.notes) == ((0,), None, ())
    assert result.scores.tolist() == [6.0 - 24.0 + 4.0]


@pytest.mark.parametrize(
    "activation",
    [nn.ReLU6(), nn.ReLU6(inplace=True), nn.Hardtanh(0.0, 6.0), functional.relu6, lambda x: x.clamp_(0, 6)],
)
def test_a_bounded_relu_is_shut_above_its_bound(activation: Any) -> None:
    class Positive(Net):
        def __init__(self) -> None:
            super().__init__(activation)
            self.last = linear([2.0, 5.0, 3.0, 4.0])  # c is open now, but for the bound

    assert guided_backprop(Positive(), X).values.flatten().tolist() == EXPECTED["guided"]
    # Run backwards, a ReLU has no mask: 2a + 5b + 3c + 4d.
    assert deconvnet(Positive(), X).values.flatten().tolist() == [9.0, 10.0]


@pytest.mark.parametrize("activation", [lambda x: x.clamp(min=0), lambda x: torch.maximum(x, torch.zeros(4))])
def test_at_exactly_zero_a_clamp_is_shut_like_a_relu(activation: Any) -> None:
    at_zero = torch.tensor([[[[1.0, 1.0]]]])  # b and d are 0
    assert guided_backprop(Net(nn.ReLU()), at_zero).values.flatten().tolist() == [2.0, 2.0]
    assert guided_backprop(Net(activation), at_zero).values.flatten().tolist() == [2.0, 2.0]


def test_other_activations_are_left_plain_and_named() -> None:
    net = Net(nn.Sequential(nn.SiLU(), nn.SiLU(), nn.Sigmoid(), nn.LeakyReLU(0.1), nn.ReLU()))
    for rule, method in METHODS.items():
        result = method(net, X)
        assert result.notes == (f"activations without a {rule} rule left plain: 2 silu, 1 leaky_relu, 1 sigmoid",)
    smooth = Net(nn.Sequential(nn.GELU(), nn.Softplus(), nn.ELU(), nn.Tanh(), nn.Mish(), nn.Hardswish(), nn.PReLU()))
    result = guided_backprop(smooth, X)
    torch.testing.assert_close(result.values, saliency(smooth, X).values)
    (note,) = result.notes
    assert sorted(note.split(": ")[1].split(", ")) == [
        f"1 {name}" for name in ("elu", "gelu", "hardswish", "mish", "prelu", "softplus", "tanh")
    ]


@pytest.mark.parametrize("inner", [nn.SiLU(inplace=True), lambda x: x.clamp_(-1, 1), lambda x: x.sigmoid_()])
def test_what_happens_to_a_view_in_place_is_seen(inner: Any) -> None:
    def on_a_view(x: torch.Tensor) -> torch.Tensor:
        inner(x.view(-1))
        return x

    def apart(x: torch.Tensor) -> torch.Tensor:
        return inner(x.clone())

    expected, result = (guided_backprop(Net(activation), X) for activation in (apart, on_a_view))
    assert torch.equal(result.values, expected.values)
    assert result.notes == expected.notes


class OwnRelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return x.relu()

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        return gradient * (ctx.saved_tensors[0] > 0)


def without_gradient(x: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        gate = functional.relu(x) > 2
    return functional.relu(x) * gate


MISSED = "1 of 2 ReLUs could not be guided: they run under no_grad or inside a custom autograd function"


def test_relus_out_of_reach_are_counted() -> None:
    assert guided_backprop(Net(without_gradient), X).notes == (MISSED,)
    custom = guided_backprop(Net(lambda x: functional.relu(OwnRelu.apply(x))), X)
    assert custom.notes == (MISSED, "custom autograd functions left plain: 1 OwnRelu")
    alone = guided_backprop(Net(OwnRelu.apply), X)
    assert alone.values.flatten().tolist() == EXPECTED["plain"]
    assert alone.notes[0].startswith("1 of 1 ReLUs could not be guided")


@pytest.mark.filterwarnings("ignore:`torch.jit.script`")
def test_a_scripted_part_is_guided_or_noted() -> None:
    @torch.jit.script
    def scripted(x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x * 1.0) * 1.0

    net = Net(scripted)
    seen = set()
    for _ in range(4):  # after the first runs torch fuses it, and hides what is inside
        result = guided_backprop(net, X)
        noted = "1 scripted part was left plain: what runs inside cannot be seen" in result.notes
        assert result.values.flatten().tolist() == EXPECTED["plain" if noted else "guided"]
        seen.add(noted)
    assert True in seen


def test_relus_that_the_gradient_does_not_pass_are_not_counted() -> None:
    class Aside(Net):
        def forward(self, x):
            self.aside = functional.silu(self.first(x.flatten(1)))
            constant = functional.relu(self.last.weight.detach()).sum()
            return super().forward(x) + 0 * constant

    result = guided_backprop(Aside(nn.ReLU()), X)
    assert (result.values.flatten().tolist(), result.notes) == (EXPECTED["guided"], ())


def test_a_model_without_activations() -> None:
    result = deconvnet(nn.Sequential(nn.Flatten(), linear([1.0, -2.0])), X)
    assert result.values.flatten().tolist() == [1.0, -2.0]
    assert result.notes == (
        "the gradient passes no activation on its way to the input: rectified is the same as plain",
    )


def test_a_rule_that_lets_nothing_by_says_so() -> None:
    net = nn.Sequential(nn.Flatten(), linear([1.0, 1.0]), nn.ReLU(), linear([-1.0]))
    assert guided_backprop(net, X).notes == ("the gradient is zero everywhere: the guided rule lets none by",)


def conv(*weights: float) -> nn.Conv2d:
    layer = nn.Conv2d(1, len(weights), 1, bias=False)
    layer.weight.data = torch.tensor(weights, dtype=torch.float32).reshape(-1, 1, 1, 1)
    return layer


def cam_net() -> nn.Sequential:
    """[1, -2, 3] -> maps [2, -4, 6] and [-1, 2, -3] -> ReLU -> weights 1, -2, -3 and 4, 5, 6."""
    return nn.Sequential(conv(2, -1), nn.ReLU(), nn.Flatten(), linear([1.0, -2.0, -3.0, 4.0, 5.0, 6.0]))


def test_grad_cam_by_a_rule() -> None:
    images = torch.tensor([[[[1.0, -2.0, 3.0]]]])

    def cam(backward: str, layer: str = "0") -> list[float]:
        return grad_cam(cam_net(), images, layer=layer, backward=backward).values.flatten().tolist()

    # Gradients of the maps: plain [1, 0, -3] and [0, 5, 0]; guided [1, 0, 0]; rectified [1, 0, 0] and [4, 5, 6].
    assert cam("plain") == pytest.approx([-2 / 3 * 2 - 5 / 3, 2 / 3 * 4 + 10 / 3, -4 - 5])
    assert cam("guided") == pytest.approx([2 / 3 - 5 / 3, -4 / 3 + 10 / 3, 2 - 5])
    assert cam("rectified") == pytest.approx([2 / 3 - 5, -4 / 3 + 10, 2 - 15])
    # No ReLU follows the ReLU itself.
    assert cam("guided", "1") == pytest.approx(cam("plain", "1"))
    result = grad_cam(cam_net(), images, layer="1", backward="guided")
    assert result.notes == ("the gradient passes no activation on its way to layer '1': guided is the same as plain",)
    with pytest.raises(CnnWidgetsError, match=r"'upwards'.*\"guided\""):
        cam("upwards")


@pytest.mark.parametrize("layer", ["1", None])
def test_relus_before_the_layer_do_not_count_for_grad_cam(layer: str | None) -> None:
    class Frozen(nn.Module):
        def forward(self, x):
            with torch.no_grad():
                return functional.relu(x)

    class Head(nn.Module):
        def forward(self, x):
            with torch.no_grad():
                functional.relu(x)
            return functional.relu(x)

    net = nn.Sequential(Frozen(), conv(2, -1), nn.Flatten(), Head(), linear([1.0, 1.0, 1.0, 1.0]))
    assert grad_cam(net, X, layer=layer, backward="guided").notes == (MISSED,)


@pytest.mark.parametrize("error", [Cancelled("stop"), KeyboardInterrupt()])
@pytest.mark.parametrize(
    "name",
    ["guided_backprop", "deconvnet", "guided_grad_cam", "input_x_gradient", "integrated_gradients", "smooth_grad"],
)
def test_after_a_failure_in_backward_nothing_is_left(name: str, error: BaseException) -> None:
    class Breaks(torch.autograd.Function):
        @staticmethod
        def forward(_: Any, x: torch.Tensor) -> torch.Tensor:
            return x.clone()

        @staticmethod
        def backward(*_: Any) -> torch.Tensor:
            raise error

    net = nn.Sequential(conv(2, -1), nn.ReLU(), nn.Flatten(), linear([1.0, 1.0, 1.0, 1.0])).train()
    net[3].weight.grad = torch.ones_like(net[3].weight)
    net[1].forward = lambda x: functional.relu(Breaks.apply(x))
    generator = torch.get_rng_state()
    with pytest.raises(type(error)):
        get(name)(net, X)
    assert all(module.training and not module._forward_hooks for module in net.modules())
    assert torch.equal(net[3].weight.grad, torch.ones_like(net[3].weight))
    assert net[0].weight.grad is None
    assert torch.equal(torch.get_rng_state(), generator)


def test_the_graph_is_freed_without_the_garbage_collector() -> None:
    alive: list[weakref.ref[torch.Tensor]] = []

    def activation(x: torch.Tensor) -> torch.Tensor:
        y = x.clamp(min=0)
        alive.append(weakref.ref(y))
        return y * 1

    gc.disable()
    try:
        guided_backprop(Net(activation), X)
        assert [reference() for reference in alive] == [None]
    finally:
        gc.enable()
