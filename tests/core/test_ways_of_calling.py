"""However a module is called or kept, it is seen alike: the same edges, the same copies, the same maps."""

from __future__ import annotations

import copy
import functools
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

import cnnwidgets as cw
from cnnwidgets.core.capture import attached, capture
from cnnwidgets.core.errors import CnnWidgetsError
from cnnwidgets.core.network import Network
from cnnwidgets.incremental import Edited
from cnnwidgets.incremental.zeroed import zeroed
from cnnwidgets.tracing.architecture import trace

X = torch.linspace(-1, 1, 2 * 6 * 6).reshape(1, 2, 6, 6)
EDGES = [("input", "a"), ("a", "b"), ("b", "c")]


class Scaled(nn.Module):
    """Multiplies by a number, so that what it was given can be told from what it returned."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((2, 1, 1, 1), factor))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.conv2d(x, self.weight, groups=2)


class OwnCall(Scaled):
    """Its class calls it in a way of its own, past torch's."""

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return self.forward(x)


class OwnCallAroundTorchs(Scaled):
    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return super().__call__(x)


class OwnCallImpl(Scaled):
    def _call_impl(self, *args: Any, **kwargs: Any) -> Any:
        return self.forward(*args, **kwargs)


class OwnCallImplAndCall(OwnCallImpl):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return super().__call__(*args, **kwargs)


class Chain(nn.Module):
    """a, b and c, one after the other; how b is called is told from outside."""

    def __init__(self, call: Callable[[nn.Module, torch.Tensor], Any], kind: type[Scaled] = Scaled) -> None:
        super().__init__()
        self.a, self.b, self.c = Scaled(2.0), kind(3.0), Scaled(5.0)
        self._call = call

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.c(self._call(self.b, self.a(x)))


CALLS: dict[str, Callable[[nn.Module, torch.Tensor], Any]] = {
    "call": lambda b, x: b(x),
    "keyword": lambda b, x: b(x=x),
    "forward": lambda b, x: b.forward(x),
    "forward by keyword": lambda b, x: b.forward(x=x),
    "__call__": lambda b, x: b.__call__(x),
    "torch's __call__": lambda b, x: nn.Module.__call__(b, x),
    "_call_impl": lambda b, x: b._call_impl(x),
    "bound method": lambda b, x: functools.partial(b.forward, x)(),
    "map": lambda b, x: next(map(b, [x])),
    "functional_call": lambda b, x: torch.func.functional_call(b, dict(b.named_parameters()), (x,)),
    "checkpoint": lambda b, x: checkpoint(b, x, use_reentrant=False),
}
KINDS = [Scaled, OwnCall, OwnCallAroundTorchs, OwnCallImpl, OwnCallImplAndCall]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", CALLS)
def test_every_way_of_calling_is_seen_once(way: str, kind: type[Scaled]) -> None:
    net = Chain(CALLS[way], kind)
    architecture = trace(net, X)
    assert architecture.edges == EDGES
    assert [(layer.name, layer.calls, layer.params, layer.macs) for layer in architecture.layers] == [
        ("a", 1, 2, 72),
        ("b", 1, 2, 72),
        ("c", 1, 2, 72),
    ]
    assert architecture.total_macs == 216
    with capture(net, ["a", "b", "c"]) as outputs:
        net(X)
    assert [len(outputs[name]) for name in "abc"] == [1, 1, 1]
    assert all(torch.allclose(outputs[name][0], X * by) for name, by in zip("abc", (2, 6, 30), strict=True))
    with torch.no_grad(), zeroed(net, {"b": [1]}):
        without = net(X)
    assert torch.allclose(without, 30 * X * torch.tensor([1.0, 0.0]).view(1, 2, 1, 1))
    found = cw.explainers.every_layer("grad_cam", net, X, lambda y: y[:, 0].sum((1, 2)))
    # The weight of map 0 is 30 over what the layer's output is multiplied by already, of map 1 it is 0.
    for name, by in zip("abc", (2, 6, 30), strict=True):
        assert torch.allclose(found[name].values, 30 * X[:, 0]), (name, by)
    assert_untouched(net)


def assert_untouched(net: nn.Module) -> None:
    for module in net.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
        assert "forward" not in vars(module)
    for kind in (OwnCall, OwnCallAroundTorchs):
        assert vars(kind)["__call__"].__code__.co_filename == __file__
    assert vars(OwnCallImpl)["_call_impl"].__code__.co_filename == __file__


def test_the_models_own_call() -> None:
    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.head = Scaled(2.0), Scaled(3.0)

        def __call__(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(input_doubled(self.a.forward(x))).mean((2, 3))

    def input_doubled(x: torch.Tensor) -> torch.Tensor:
        return 2 * x

    net = Whole()
    assert trace(net, X).edges == [("input", "a"), ("a", "head")]
    result = cw.explainers.grad_cam(net, X, 0, layer="a")
    assert torch.allclose(result.values, 2 * X[:, 0] * 6 / 36)
    with capture(net, "head") as outputs:
        net(X)
    assert torch.allclose(outputs["head"][0], 12 * X)


class TwoDropouts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Dropout(0.5), nn.Dropout(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.first(input=x)
        z = self.second(input=y)
        return (z * 3 + y).mean((2, 3)) + x.mean()


def test_two_dropouts_called_by_keyword_have_maps_of_their_own() -> None:
    """What the first returns is multiplied by 3 and by 1, what the second returns by 3 alone; 36 places."""
    net = TwoDropouts().eval()
    found = cw.explainers.every_layer("grad_cam", net, X, 1)
    assert torch.allclose(found["first"].values, X[:, 1] * 4 / 36)
    assert torch.allclose(found["second"].values, X[:, 1] * 3 / 36)
    for layer, by in (("first", 4), ("second", 3)):
        assert torch.allclose(cw.explainers.grad_cam(net, X, 1, layer=layer).values, X[:, 1] * by / 36)
    assert trace(net, X).links == [
        ("input", "first"),
        ("first", "second"),
        ("second", "add"),
        ("first", "add"),
        ("add", "add_1"),
        ("input", "add_1"),
    ]


class Helper:
    def __init__(self, module: nn.Module) -> None:
        self.module = module


class Slotted:
    __slots__ = ("module",)

    def __init__(self, module: nn.Module) -> None:
        self.module = module


def kept_in(net: nn.Module, module: nn.Module, how: str) -> Callable[[torch.Tensor], torch.Tensor]:
    """Keep ``module`` in ``net`` without registering it; returns what runs it."""
    held: Any = {
        "list": [module],
        "tuple": (None, module),
        "dict": {"key": module},
        "nested": {"a": [("b", {"c": module})]},
        "helper": Helper(module),
        "slots": Slotted(module),
        "partial": functools.partial(module),
        "method": module.forward,
        "lambda": lambda x: module(x),
        "default": lambda x, module=module: module(x),
    }[how]
    net.kept = held
    return {
        "list": lambda x: net.kept[0](x),
        "tuple": lambda x: net.kept[1](x),
        "dict": lambda x: net.kept["key"](x),
        "nested": lambda x: net.kept["a"][0][1]["c"](x),
        "helper": lambda x: net.kept.module(x),
        "slots": lambda x: net.kept.module(x),
    }.get(how, lambda x: net.kept(x))


KEPT = {
    "list": "kept.0",
    "tuple": "kept.1",
    "dict": "kept.key",
    "nested": "kept.a.0.1.c",
    "helper": "kept.module",
    "slots": "kept.module",
    "partial": "kept",
    "method": "kept",
    "lambda": "kept.module",
    "default": "kept.default0",
}


@pytest.mark.parametrize("how", KEPT)
def test_a_module_that_is_not_registered_is_a_layer(how: str) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = Scaled(2.0)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.run(self.stem(x)).mean((2, 3))

    net = Net()
    hidden = nn.Sequential(nn.Dropout(0.9), Scaled(3.0))
    object.__setattr__(net, "run", kept_in(net, hidden, how))
    name = KEPT[how]
    if how in ("lambda", "partial"):
        assert dict(Network.of(net).layers)[name] is hidden
    architecture = trace(net, X)
    assert architecture.edges == [("input", "stem"), ("stem", f"{name}.0"), (f"{name}.0", f"{name}.1")]
    assert architecture.total_params == 4
    assert architecture.unattributed_params == 0
    assert architecture.find(f"{name}.1").params == 2
    # The dropout is random in training mode: the map is right only where it was put into evaluation mode, and put back.
    result = cw.explainers.grad_cam(net, X, 0, layer=f"{name}.1")
    assert torch.allclose(result.values, 6 * X[:, 0] / 36)
    assert hidden.training
    assert hidden[0].training
    with capture(net, hidden[1]) as outputs:
        net.eval()
        hidden.eval()
        net(X)
    assert torch.allclose(outputs[f"{name}.1"][0], 6 * X)
    with torch.no_grad(), zeroed(net, {f"{name}.1": [0, 1]}):
        assert net(X).abs().sum() == 0
    assert [unit.name for unit in cw.checks._stages.units(net, X)] == [f"{name}.1", "stem"]


relu_of_the_notebook = nn.ReLU()


class UsesGlobal(nn.Module):
    shared = nn.Hardtanh()

    def __init__(self) -> None:
        super().__init__()
        self.a = Scaled(2.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.shared(relu_of_the_notebook(self.a(x)))


def test_modules_of_the_class_and_of_the_file() -> None:
    assert trace(UsesGlobal(), X).edges == [
        ("input", "a"),
        ("a", "relu_of_the_notebook"),
        ("relu_of_the_notebook", "shared"),
    ]


def test_names_of_registered_modules_are_those_of_torch() -> None:
    net = nn.Sequential(nn.Conv2d(1, 1, 1), nn.ModuleDict({"b": nn.ReLU()}))
    net.again = net[0]
    net.all = [net[0], net[1]["b"]]
    assert Network.of(net).layers == list(net.named_modules())


def test_cycles_and_long_lists_cost_little() -> None:
    net = nn.Sequential(Scaled(2.0))
    net.me, net.numbers = [net], list(range(10**6))
    net.round = {}
    net.round["round"] = net.round
    net.call_me = lambda x: net(x)
    assert [name for name, _ in Network.of(net).layers] == ["", "0"]


def test_a_module_with_two_names() -> None:
    net = nn.Sequential(Scaled(2.0), nn.Sequential(Scaled(3.0)))
    net.other = net[1]
    assert Network.of(net).find("other.0") == ("1.0", net[1][0])


def test_what_was_there_before_is_there_after() -> None:
    net = Scaled(2.0)
    mine = functools.partial(Scaled.forward, net)
    net.forward = mine  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError), attached([net], leave=lambda *_: 1 / 0):
        net.forward(X)
    assert vars(net)["forward"] is mine
    with attached([net], leave=lambda *_: None):
        with attached([net], leave=lambda *_: None):
            pass
        assert vars(net)["forward"] is not mine
    assert vars(net)["forward"] is mine


def test_blocks_that_overlap_and_end_in_the_other_order() -> None:
    net = Scaled(2.0)
    seen: list[str] = []
    first = attached([net], leave=lambda *_: seen.append("first"))
    second = attached([net], leave=lambda *_: seen.append("second"))
    first.__enter__()
    second.__enter__()
    net.forward(X)
    first.__exit__(None, None, None)
    net.forward(X)
    second.__exit__(None, None, None)
    net.forward(X)
    assert seen == ["first", "second", "second"]
    assert "forward" not in vars(net)


def test_another_thread_is_not_seen_and_not_hindered() -> None:
    for kind in KINDS:
        net, seen, got = kind(2.0), list[Any](), list[torch.Tensor]()
        with attached([net], enter=lambda *_, seen=seen: seen.append(1)):
            other = threading.Thread(target=lambda net=net, got=got: got.append(net(X)))
            other.start()
            other.join()
        assert seen == []
        assert torch.equal(got[0], 2 * X)


def test_a_copy_made_meanwhile_runs_by_itself() -> None:
    net = Chain(CALLS["call"])
    with attached([net.b], leave=lambda *_: None):
        twin = copy.deepcopy(net)
    with torch.no_grad():
        twin.b.weight.zero_()
    assert twin.b.forward(X).abs().sum() == 0
    assert torch.equal(net.b.forward(X), 3 * X)


def test_an_error_names_the_layer_that_was_called_directly() -> None:
    class Fails(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise ValueError("no")

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.block = nn.Sequential(Fails())
            self.kept = [Fails()]
            self.use = 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.block[0].forward(x) if self.use == 0 else self.kept[0](x=x)

    net = Net()
    with pytest.raises(CnnWidgetsError, match=r"layer 'block\.0' \(Fails\)"):
        cw.explainers.saliency(net, X, 0)
    net.use = 1
    with pytest.raises(CnnWidgetsError, match=r"layer 'kept\.0' \(Fails\), which got input of shape \(1, 2, 6, 6\)"):
        cw.explainers.saliency(net, X, 0)


@pytest.mark.parametrize("norm", [nn.utils.parametrizations.weight_norm, nn.utils.weight_norm])
def test_a_weight_that_is_computed(norm: Callable[[nn.Module], nn.Module]) -> None:
    """One filter, so that the weight looks like the maps of one image: it must never be taken for them."""
    net = nn.Sequential(nn.Conv2d(2, 1, 3, bias=False), nn.Flatten(), nn.Linear(16, 2))
    norm(net[0])
    plain = nn.Sequential(nn.Conv2d(2, 1, 3, bias=False), nn.Flatten(), nn.Linear(16, 2))
    plain[0].weight = nn.Parameter(net[0].weight.detach().clone())
    plain[2] = net[2]
    result = cw.explainers.grad_cam(net, X, 1)
    assert result.layer == "0"
    assert torch.allclose(result.values, cw.explainers.grad_cam(plain, X, 1).values, atol=1e-6)
    assert trace(net, X).edges == [("input", "0"), ("0", "1"), ("1", "2")]


@pytest.mark.parametrize("argument", [lambda x: ([x, None],), lambda x: ({"x": x},)])
def test_a_tensor_inside_of_an_argument(argument: Callable[[torch.Tensor], tuple[Any, ...]]) -> None:
    class Takes(nn.Module):
        def forward(self, inside: Any) -> torch.Tensor:
            return inside[0] if isinstance(inside, list) else inside["x"]

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.pick = Scaled(2.0), Takes()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.a(x)
            return (self.pick(*argument(y)) + 2 * y).mean((2, 3))

    net = Net()
    found = cw.explainers.every_layer("grad_cam", net, X, 0)
    assert torch.allclose(found["a"].values, 2 * X[:, 0] * 3 / 36)
    assert torch.allclose(found["pick"].values, 2 * X[:, 0] / 36)
    assert trace(net, X).links[:2] == [("input", "a"), ("a", "pick")]


class Functions(nn.Module):
    """Torch's functions, with their arguments by place or by name."""

    def __init__(self, by_name: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.by_name = by_name
        self.conv, self.head = nn.Conv2d(2, 2, 3), nn.Linear(8, 3)
        self.eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        functional = nn.functional
        if self.by_name:
            y = functional.pad(input=x, pad=(1, 1, 1, 1), mode="circular")
            y = functional.conv2d(input=y, weight=self.conv.weight, bias=self.conv.bias)
            y = functional.max_pool2d(input=functional.relu(input=y), kernel_size=3)
            y = torch.flatten(input=torch.cat(tensors=[y, y], dim=1)[:, 1:3], start_dim=1)
            return functional.linear(input=y, weight=self.head.weight, bias=self.head.bias)
        y = functional.conv2d(functional.pad(x, (1, 1, 1, 1), "circular"), self.conv.weight, self.conv.bias)
        y = functional.max_pool2d(functional.relu(y), 3)
        y = torch.flatten(torch.cat([y, y], 1)[:, 1:3], 1)
        return functional.linear(y, self.head.weight, self.head.bias)


def test_functions_whose_arguments_are_given_by_name() -> None:
    by_place, by_name = (trace(Functions(by_name), X) for by_name in (False, True))
    assert by_name.layers == by_place.layers
    assert by_name.links == by_place.links
    edited = [Edited(Functions(by_name), X) for by_name in (False, True)]
    assert [one.engine for one in edited] == ["incremental", "incremental"]
    assert torch.equal(*(one.scores(torch.zeros(2, 2, 2), [1, 4], [0, 3]) for one in edited))


def test_randomising_a_copy_leaves_what_it_shares_with_the_original() -> None:
    """A closure is not copied with the model: the module in it is the user's own."""

    class Net(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.stem, self.run = Scaled(2.0), lambda x: inner(x)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.run(self.stem(x)).mean((2, 3))

    inner = Scaled(3.0)
    check = cw.checks.randomised(Net(inner), X, "grad_cam", 0)
    assert torch.equal(inner.weight, torch.full((2, 1, 1, 1), 3.0))
    assert [stage.layers for stage in check.stages] == [("stem",)]


def test_weak_proxies_and_helpers_of_helpers() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = Scaled(2.0)
            self.proxies = [weakref.proxy(self.a), weakref.proxy(Helper(self.a))]  # the second is gone at once
            self.deep = [Helper(Helper(Helper(Helper(Scaled(3.0)))))]  # type: ignore[arg-type]

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.deep[0].module.module.module.module(self.proxies[0](x)).mean((2, 3))

    net = Net()
    name = "deep.0.module.module.module.module"
    assert trace(net, X).edges == [("input", "a"), ("a", name)]
    assert torch.allclose(cw.explainers.grad_cam(net, X, 0, layer="a").values, 6 * X[:, 0] / 36)
    assert torch.allclose(cw.explainers.occlusion(net, X, 0, patch=6, score="logit").grid, torch.zeros(1, 1, 1))


def test_a_checkpoint_whose_inside_runs_without_gradients() -> None:
    net = Chain(lambda b, x: checkpoint(b, x, use_reentrant=True))
    net.b = nn.Dropout(0.5)  # type: ignore[assignment]
    found = cw.explainers.score_cam(net, X, lambda y: y[:, 0].sum((1, 2)), layer="b")
    assert found.layer == "b"
    assert found.values.abs().sum() > 0
    assert_untouched(net)
