"""Ctrl-C at any line: the model, the hooks, the generators, torch's modes and the signal handler are as before."""

from __future__ import annotations

import contextlib
import copy
import random
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from cnnwidgets import capture, explainers, trace
from cnnwidgets.core import capture as capture_module
from cnnwidgets.core import network as layer_names
from cnnwidgets.core.capture import attached
from cnnwidgets.core.interrupts import Deferral
from cnnwidgets.incremental import Edited
from cnnwidgets.outputs import readout
from cnnwidgets.state import attributes, tables
from cnnwidgets.state import preserved as state
from cnnwidgets.state.preserved import preserved

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_forward_hooks_with_kwargs", "_forward_hooks_always_called")
UNDOING = {module.__file__ for module in (state, capture_module, tables, attributes)}
IMAGE = torch.rand(1, 3, 12, 12, generator=torch.Generator().manual_seed(3))


@pytest.fixture(autouse=True)
def pythons_own_handler() -> Iterator[None]:
    """A process that a shell starts in the background ignores Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class Recorder(nn.Module):
    """Keeps its last output, counts its calls, and draws a random number."""

    def __init__(self) -> None:
        super().__init__()
        self.calls, self.last, self.history = 0, None, []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        self.last = x
        self.history.append(x)
        torch.rand(1)
        return x


def network() -> nn.Sequential:
    torch.manual_seed(11)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(inplace=True),
        Recorder(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 5),
    )
    net.train()
    net[1].eval()
    net[0].register_forward_hook(_nothing)
    return net


def _nothing(*_: object) -> None:
    """The user's own hook, which stays."""


def traces(net: nn.Sequential) -> dict[str, Any]:
    return {
        "training": [module.training for module in net.modules()],
        "hooks": [[list(getattr(module, hooks)) for hooks in HOOKS] for module in net.modules()],
        "values": {name: value.tolist() for name, value in net.state_dict().items()},
        "recorder": (net[3].calls, net[3].last, list(net[3].history)),
        "generator": torch.get_rng_state().tolist(),
        "modes": (torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch._C._len_torch_function_stack()),
        "dispatch": torch._C._len_torch_dispatch_stack(),
        "followed": torch._C._is_torch_function_enabled(),
        "context": (readout._in_force.get(), layer_names._networks.get()),
        "handler": signal.getsignal(signal.SIGINT),
    }


class Injection:
    """Calls ``strike`` at the line event number ``at`` in files that ``chosen`` accepts."""

    def __init__(self, at: int, chosen: Callable[[str], bool], strike: Callable[[], None]) -> None:
        self.count, self.where = 0, ""
        self.lines: dict[str, list[int]] = {}
        self._at, self._chosen, self._strike = at, chosen, strike

    def __call__(self, frame: Any, event: str, _: Any) -> Any:
        if not self._chosen(frame.f_code.co_filename):
            return None
        if event == "line":
            self.count += 1
            line = f"{frame.f_code.co_filename}:{frame.f_lineno}"
            self.lines.setdefault(line, []).append(self.count - 1)
            if self.count - 1 == self._at:
                self.where = line
                self._strike()
        return self

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        before = sys.gettrace()
        sys.settrace(self)
        try:
            yield
        finally:
            sys.settrace(before)


def contained(work: Callable[[nn.Sequential], Any], net: nn.Sequential) -> None:
    """``work(net)``; what Python takes for being handled when a tracer raises in a handler ends with a generator."""

    def inside() -> Iterator[None]:
        work(net)
        yield

    next(inside())


def _raise() -> None:
    raise KeyboardInterrupt


def _signal() -> None:
    signal.raise_signal(signal.SIGINT)


def watched(net: nn.Sequential) -> None:
    with preserved(net, evaluate=True), attached(net.modules(), enter=_nothing, leave=_nothing, always=_nothing):
        net(IMAGE)


def captured(net: nn.Sequential) -> None:
    with capture(net, ["0", "3"]):
        pass


@pytest.mark.parametrize("work", [watched, captured])
def test_an_interrupt_raised_at_any_line_that_changes_or_restores(work: Callable[[nn.Sequential], None]) -> None:
    net = network()
    before = traces(net)
    length = Injection(-1, UNDOING.__contains__, _raise)
    with length.running():
        work(net)
    # Each line, when it runs first and last.
    moments = {at for times in length.lines.values() for at in (times[0], times[-1])}
    assert len(moments) > 50
    for at in sorted(moments):
        injection = Injection(at, UNDOING.__contains__, _raise)
        with pytest.raises(KeyboardInterrupt), injection.running():
            contained(work, net)
        assert traces(net) == before, injection.where


def _library(file: str) -> bool:
    return "cnnwidgets/" in file or file.endswith(("contextlib.py", "torch/overrides.py", "grad_mode.py"))


def edited(net: nn.Sequential) -> None:
    with Edited(net, IMAGE) as edits:
        edits.scores(torch.zeros(3, 4, 4), tops=[0, 4], lefts=[0, 4])


CALLS: dict[str, Callable[[nn.Sequential], Any]] = {
    "watched": watched,
    "captured": captured,
    "grad_cam": lambda net: explainers.grad_cam(net, IMAGE, 1),
    "guided_backprop": lambda net: explainers.guided_backprop(net, IMAGE, 1),
    "every_layer": lambda net: explainers.every_layer("grad_cam", net, IMAGE, 1),
    "occlusion": lambda net: explainers.occlusion(net, IMAGE, 1, patch=6, stride=6),
    "trace": lambda net: trace(net, IMAGE),
    "edited": edited,
}


@pytest.mark.parametrize("name", CALLS)
def test_a_signal_at_any_moment(name: str) -> None:
    net = network()
    for _ in range(3):  # what is made once, at the first uses
        CALLS[name](net)
    before = traces(net)
    length = Injection(-1, _library, _signal)
    with length.running():
        CALLS[name](net)
    every = range(length.count)
    at_random = random.Random(7).sample(every, min(12, length.count))  # noqa: S311 (seed 7)
    ends, struck = [*every[:20], *every[-30:]], 0  # the outermost entries and exits
    for at in sorted({*at_random, *ends}):
        injection = Injection(at, _library, _signal)
        torch.set_rng_state(torch.tensor(before["generator"], dtype=torch.uint8))
        raised = False
        try:
            with injection.running():
                contained(CALLS[name], net)
        except KeyboardInterrupt:
            raised = True
        assert raised or not injection.where, f"the interrupt was lost: {injection.where}"
        assert traces(net) == before, injection.where
        struck += raised
    assert struck > 0.8 * len({*at_random, *ends})  # a run is not always as many lines long


def test_an_interrupt_in_the_users_block_comes_at_once() -> None:
    net, reached = network(), False
    with pytest.raises(KeyboardInterrupt), capture(net, ["0"]):  # noqa: PT012
        signal.raise_signal(signal.SIGINT)
        reached = True
    assert not reached


def test_somebody_elses_handler_is_called_and_put_back() -> None:
    calls: list[int] = []

    def theirs(number: int, _: Any) -> None:
        calls.append(number)

    old = signal.signal(signal.SIGINT, theirs)
    try:
        with preserved(network()):
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is theirs
    finally:
        signal.signal(signal.SIGINT, old)
    assert calls == [signal.SIGINT]


def test_deferrals_nest_and_other_threads_take_no_part() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Deferral():
        ours = signal.getsignal(signal.SIGINT)
        with Deferral():
            assert signal.getsignal(signal.SIGINT) is ours
        assert signal.getsignal(signal.SIGINT) is ours is not before
    assert signal.getsignal(signal.SIGINT) is before
    found: list[Any] = []

    def elsewhere() -> None:
        with Deferral():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert found == [before]


class WeightNormed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.utils.weight_norm(nn.Conv2d(3, 4, 3))
        self.pruned = nn.Conv2d(4, 4, 3)
        prune.l1_unstructured(self.pruned, "weight", 0.5)
        self.head = nn.Linear(4, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.pruned(self.conv(x).relu()).relu().mean((2, 3)))


class Bag:
    """A plain object of the model's own."""

    def __init__(self) -> None:
        self.last: Any = None


class Keeping(nn.Module):
    """Keeps activations in an attribute, a list, a nested dict, an object, a hidden module."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 5)
        self.seen, self.nested, self.bag, self.hidden = [], {"a": {"b": None}}, Bag(), [nn.BatchNorm2d(4)]
        self.steps, self.counter = 0, torch.zeros(1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.hidden[0](self.conv(x)).relu()
        self.last = x
        self.seen.append(x)
        self.nested["a"]["b"] = x
        self.bag.last = x
        self.hidden[0].last = x
        self.steps += 1
        self.counter += 1
        return self.head(x.mean((2, 3)))


@pytest.mark.parametrize("make", [WeightNormed, Keeping])
@pytest.mark.parametrize("name", ["grad_cam", "occlusion", "every_layer", "trace"])
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_model_can_be_copied_afterwards_as_it_could_before(make: Callable[[], nn.Module], name: str) -> None:
    torch.manual_seed(0)
    net = make()
    if isinstance(net, WeightNormed):
        with torch.no_grad():
            net(IMAGE)  # as made, neither can be copied
    elif name == "occlusion":
        net.hidden[0].eval()
    copy.deepcopy(net)
    attributes_before = {path: set(vars(module)) for path, module in net.named_modules()}
    CALLS[name](net)
    copied = copy.deepcopy(net)
    assert {path: set(vars(module)) for path, module in net.named_modules()} == attributes_before
    if isinstance(net, Keeping):
        assert (net.seen, net.nested, net.bag.last, net.steps) == ([], {"a": {"b": None}}, None, 0)
        assert float(net.counter) == 0
        assert int(net.hidden[0].num_batches_tracked) == 0
    torch.testing.assert_close(copied.eval()(IMAGE), net.eval()(IMAGE))
