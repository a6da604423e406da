"""Recording leaves no trace, and costs little."""

from __future__ import annotations

import pytest
import torch
import torchvision
from torch import nn

from cnnwidgets.core.errors import CnnWidgetsError
from cnnwidgets.tracing.architecture import trace
from cnnwidgets.tracing.recording import plain_name, record
from tests.calls import python_calls


class Awkward(nn.Module):
    """Writes to its input, to a buffer, draws random numbers, and fails if asked to."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        self.drop = nn.Dropout(0.5)
        self.conv = nn.Conv2d(3, 3, 3)
        self.register_buffer("seen", torch.zeros(1))
        self.fails: type[BaseException] | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x.add_(1)
        self.seen += 1
        torch.rand(3)
        y = self.conv(self.drop(self.norm(x)))
        if self.fails is not None:
            raise self.fails("stop")
        return y


def hooks(net: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks) for m in net.modules())


@pytest.mark.parametrize("fails", [None, ValueError, KeyboardInterrupt])
def test_leaves_no_trace(fails: type[BaseException] | None) -> None:
    net = Awkward()
    net.fails = fails
    net.drop.eval()
    net.conv.weight.requires_grad_(False)
    net.conv.bias.grad = torch.ones(3)  # type: ignore[union-attr]
    state = {name: value.clone() for name, value in net.state_dict().items()}
    flags = [module.training for module in net.modules()]
    modules = list(net.modules())
    x = torch.full((2, 3, 8, 8), 0.5)
    torch.manual_seed(3)
    generator = torch.get_rng_state()
    if fails is None:
        trace(net, x)
    else:
        with pytest.raises(CnnWidgetsError if fails is ValueError else fails):
            trace(net, x)
    assert torch.equal(torch.get_rng_state(), generator)
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
    assert [module.training for module in net.modules()] == flags
    assert list(net.modules()) == modules
    assert hooks(net) == 0
    assert not net.conv.weight.requires_grad
    assert net.conv.weight.grad is None
    assert torch.equal(net.conv.bias.grad, torch.ones(3))  # type: ignore[union-attr,arg-type]
    assert torch.equal(x, torch.full((2, 3, 8, 8), 0.5))
    assert torch.is_grad_enabled()
    after = net.seen.clone()
    net.fails = None
    net(x.clone())
    assert torch.equal(net.seen, after + 1)


def test_evaluation_mode_inside() -> None:
    class Asks(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            assert not self.training
            assert not torch.is_grad_enabled()
            return x * 1

    net = Asks().train()
    assert trace(net, torch.zeros(1, 3, 4, 4)).outputs == ["mul"]
    assert net.training


def test_numbers_are_those_of_the_plain_forward() -> None:
    seen = []

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = torchvision.models.resnet18()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(self.net(x))
            return seen[-1]

    net = Net().eval()
    x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    trace(net, x)
    with torch.no_grad():
        net(x)
    assert torch.equal(seen[0], seen[1])


def test_records_calls_in_order_with_what_they_read() -> None:
    class Net(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = x + 1
            return torch.cat([y, x.relu()], 1)

    ops = record(Net(), torch.zeros(1, 1, 4, 4)).ops
    assert [(op.name, op.inputs) for op in ops if op.name] == [
        ("input", ()),
        ("add", (0,)),
        ("relu", (0,)),
        ("cat", (ops[1].id, ops[2].id)),
    ]


@pytest.mark.parametrize(
    ("name", "plain"),
    [("__iadd__", "add"), ("__rmul__", "mul"), ("relu_", "relu"), ("__getitem__", "getitem"), ("__radd__", "add"),
     ("__pow__", "pow"), ("rsqrt", "rsqrt")],
)  # fmt: skip
def test_plain_name(name: str, plain: str) -> None:
    assert plain_name(name) == plain


@pytest.mark.parametrize("name", ["resnet50", "densenet121", "densenet201"])
def test_costs_little_beyond_the_forward_and_as_much_for_each_layer(name: str) -> None:
    net = getattr(torchvision.models, name)(weights=None).eval()
    x = torch.zeros(1, 3, 64, 64)
    assert python_calls(lambda: trace(net, x)) < 1_400 * len(list(net.modules()))
