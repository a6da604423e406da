"""A twin computes as the user's network does, shares its parameters, and nothing else."""

from __future__ import annotations

import copy
import threading
import types
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

from cnnwidgets.core.capture import capture
from cnnwidgets.state.fingerprint import fingerprint
from cnnwidgets.state.preserved import preserved
from cnnwidgets.state.twin import Twin

X = torch.rand(2, 3, 12, 12, generator=torch.Generator().manual_seed(0))


class Keeping(nn.Module):
    """Holds a lock, a generator, activations with their graph."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.head = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 5)
        self.lock, self.numbers = threading.Lock(), (index for index in range(3))
        self.outputs: list[torch.Tensor] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with self.lock:
            x = self.norm(self.conv(x)).relu()
        self.last = x
        self.outputs.append(x)
        return self.head(x.mean((2, 3)))


class Hidden(nn.Module):
    """Its layer is in a plain list."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = [nn.Conv2d(3, 4, 3)]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers[0](x)


class Selfish(nn.Module):
    """Its ``__deepcopy__`` is of no use: "self", "raises", "anew"."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.conv, self.how = nn.Conv2d(3, 4, 3), how

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)

    def __deepcopy__(self, memo: Any) -> Any:
        if self.how == "self":
            return self
        if self.how == "raises":
            raise RuntimeError("no")
        made = Selfish(self.how)
        made.load_state_dict(self.state_dict())
        memo[id(self)] = made
        return made


def _run_once(net: nn.Module) -> nn.Module:
    net(X)
    return net


def _normed() -> nn.Module:
    net = Keeping()
    nn.utils.weight_norm(net.conv)
    prune.l1_unstructured(net.head, "weight", 0.5)
    return _run_once(net)


def _closure() -> nn.Module:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    original = net.forward
    net.forward = lambda x: original(x) * 2  # type: ignore[method-assign]
    return net


def _bound() -> nn.Module:
    net = nn.Sequential(nn.Conv2d(3, 4, 3))
    net.forward = types.MethodType(lambda self, x: self[0](x) + 1, net)  # type: ignore[method-assign]
    return net


def _hook_that_changes() -> nn.Module:
    net = nn.Sequential(nn.Conv2d(3, 4, 3))
    net[0].register_forward_hook(lambda module, inputs, output: output + module.bias.sum())  # noqa: ARG005
    return net


def _shared() -> nn.Module:
    layer = nn.Conv2d(3, 3, 3, padding=1)
    return nn.Sequential(layer, layer)


def _tied() -> nn.Module:
    net = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 3, padding=1))
    net[1].weight = net[0].weight
    return net


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "lock and generator": Keeping,
    "activations kept": lambda: _run_once(Keeping()),
    "weight norm and pruning": _normed,
    "spectral norm": lambda: _run_once(nn.utils.spectral_norm(nn.Conv2d(3, 4, 3))),
    "parametrization": lambda: parametrizations.weight_norm(nn.Conv2d(3, 4, 3)),
    "forward in a closure": _closure,
    "forward bound to the instance": _bound,
    "hook": _hook_that_changes,
    "hidden": Hidden,
    "selfish": lambda: Selfish("self"),
    "raises": lambda: Selfish("raises"),
    "anew": lambda: Selfish("anew"),
    "shared": _shared,
    "tied": _tied,
    "wrapped": lambda: nn.DataParallel(nn.Sequential(nn.Conv2d(3, 4, 3))),
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_same_scores_same_parameters_nothing_else_in_common(name: str) -> None:
    torch.manual_seed(0)
    net = NETWORKS[name]().eval()
    twin = Twin(net)
    assert twin.private
    assert not set(net.modules()) & set(twin.module.modules())
    assert {id(value) for value in net.parameters()} == {id(value) for value in twin.module.parameters()}
    assert not {id(value) for value in net.buffers()} & {id(value) for value in twin.module.buffers()}
    torch.testing.assert_close(twin.module(X), net(X))
    with torch.no_grad():
        for value in net.parameters():
            value.mul_(-0.5)  # an optimizer's step is seen at once
    torch.testing.assert_close(twin.module(X), net(X))


def test_what_runs_on_the_twin_is_not_seen_on_the_network() -> None:
    net = _closure()
    twin, calls = Twin(net), []
    twin.module[0].register_forward_hook(lambda *_: calls.append(1))
    net(X)
    assert calls == []
    twin.module(X)
    assert calls == [1]


COLLECTED: dict[str, torch.Tensor] = {}


def _collect(_: nn.Module, __: Any, output: torch.Tensor) -> torch.Tensor:
    COLLECTED["last"] = output
    return output * 2


def test_hooks_fill_lists_of_the_twins_own() -> None:
    net, outputs = nn.Sequential(nn.Conv2d(3, 4, 3)), []
    net[0].register_forward_hook(lambda module, inputs, output: outputs.append(output))  # noqa: ARG005
    net[0].register_forward_hook(_collect)
    twin = Twin(net)
    torch.testing.assert_close(twin.module(X), 2 * nn.functional.conv2d(X, net[0].weight, net[0].bias))
    assert (outputs, COLLECTED) == ([], {})
    net(X)
    assert len(outputs) == 1
    assert list(COLLECTED) == ["last"]
    COLLECTED.clear()


def test_hooks_of_ours_are_not_copied() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3))
    with capture(net, ["0"]):
        twin = Twin(net)
    assert not twin.module[0]._forward_hooks
    assert fingerprint(net).same(fingerprint(net))


def test_a_network_that_cannot_be_copied_is_used_itself_and_it_is_said() -> None:
    class Never(nn.Conv2d):
        def __deepcopy__(self, memo: Any) -> Any:
            raise RuntimeError("no")

        def __setattr__(self, name: str, value: Any) -> None:
            super().__setattr__(name, value)

        def __new__(cls, *_: Any, **__: Any) -> Any:
            return super().__new__(cls)

    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Never(3, 4, 3)
            self.box = {"cannot be copied": (number for number in range(2))}

        def __deepcopy__(self, memo: Any) -> Any:
            raise RuntimeError("no")

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.inner(x)

    net = Both()
    twin = Twin(net)
    assert not twin.private
    assert twin.module is net
    assert "Both cannot be copied (RuntimeError: no)" in twin.note


CHANGES: dict[str, Callable[[nn.Sequential], Any]] = {
    "step": lambda net: net[0].weight.data.add_(0.1),
    "one number": lambda net: net[0].weight.data[3, 1, 2, 2].zero_(),
    "rebound": lambda net: setattr(net[0].weight, "data", net[0].weight.data * 2),
    "swapped filters": lambda net: net[0].weight.data.copy_(net[0].weight.data.flip(0)),
    "half": lambda net: net.half(),
    "statistics": lambda net: net[1].running_var.mul_(2),
    "momentum": lambda net: setattr(net[1], "eps", 0.1),
    "module": lambda net: net.__setitem__(2, nn.GELU()),
    "added": lambda net: net.append(nn.ReLU()),
    "hook": lambda net: net[2].register_forward_hook(lambda *_: None),
    "list": lambda net: net.sizes.append(3),
    "forward": lambda net: setattr(net, "forward", lambda x: x),
}


@pytest.mark.parametrize("name", CHANGES)
def test_the_fingerprint_changes_with(name: str) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 64, 3), nn.BatchNorm2d(64), nn.ReLU())
    net.sizes = [1, 2]  # type: ignore[assignment]
    before = fingerprint(net)
    assert before.same(fingerprint(net))
    CHANGES[name](net)
    assert not before.same(fingerprint(net))


def test_the_fingerprint_does_not_change_with_the_mode_or_a_forward_or_our_hooks() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).eval()
    before = fingerprint(net)
    net(X)
    net.train()
    with preserved(net, evaluate=True), capture(net, ["0"]):
        assert before.same(fingerprint(net))
    copy.deepcopy(net)
    assert before.same(fingerprint(net))


def test_a_model_that_keeps_activations_can_be_randomised() -> None:
    from cnnwidgets.checks import randomised

    net = Keeping()
    net.numbers, net.lock = None, Nothing()
    net.eval()(X)
    done = randomised(net, X[:1], "saliency", 0, stages=1)
    assert done.complete


class Nothing:
    """A lock that can be copied."""

    def __enter__(self) -> None:
        """Nothing to do."""

    def __exit__(self, *_: object) -> None:
        """Nothing to undo."""
