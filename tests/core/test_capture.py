from __future__ import annotations

import gc
import threading
import weakref

import pytest
import torch
from torch import nn
from torch.nn import functional

from cnnwidgets.core.capture import attached, capture
from cnnwidgets.core.errors import CnnWidgetsError, LayerNotFound


def hooks(model: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Linear(2, 2, bias=False)
        nn.init.constant_(self.scale.weight, 0.25)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.relu_(self.scale(functional.relu_(self.scale(x) - 1)))


def test_outputs_are_what_the_layer_returned_whatever_follows_in_place() -> None:
    net = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.ReLU(inplace=True))
    nn.init.constant_(net[0].weight, 2.0)
    with capture(net, "0") as outputs:
        net(torch.tensor([[[[-1.0, 3.0]]]]))
    assert outputs["0"][0].tolist() == [[[[-2.0, 6.0]]]]
    assert hooks(net) == 0


def test_one_output_a_call_in_order() -> None:
    net = Twice()
    with capture(net, net.scale) as outputs:
        net(torch.tensor([[8.0, 8.0]]))
    # 0.25 * (8 + 8) = 4; minus 1 is 3; 0.25 * (3 + 3) = 1.5
    assert [call.tolist() for call in outputs["scale"]] == [[[4.0, 4.0]], [[1.5, 1.5]]]


def test_nothing_is_attached_when_one_name_is_unknown() -> None:
    net = nn.Sequential(nn.Linear(1, 1), nn.ReLU())
    with pytest.raises(LayerNotFound, match="'2'"), capture(net, ["0", "2"]):
        pass
    assert hooks(net) == 0


def test_hooks_are_gone_after_an_error_inside() -> None:
    net = nn.Sequential(nn.Linear(1, 1))
    with pytest.raises(ZeroDivisionError), capture(net, ["0"]):
        raise ZeroDivisionError
    assert hooks(net) == 0


def test_attaching_is_all_or_nothing() -> None:
    class Refusing(nn.Identity):
        def register_forward_hook(self, *_: object, **__: object) -> None:
            raise RuntimeError("no hooks here")

    net = nn.Sequential(nn.Identity(), Refusing())
    with pytest.raises(RuntimeError, match="no hooks here"), attached(net, leave=lambda *_: None):
        pass
    assert hooks(net) == 0


@pytest.mark.parametrize("layers", [None, 3])
def test_what_is_no_layer_is_said(layers: object) -> None:
    with pytest.raises(LayerNotFound, match="expected a dotted name"), capture(nn.Sequential(nn.ReLU()), layers):
        pass


def test_a_scripted_part_is_passed_over_and_refused_by_name() -> None:
    inner = torch.jit.trace(nn.Linear(1, 1), torch.zeros(1, 1))
    net = nn.Sequential(nn.ReLU(), inner)
    with capture(net, "0") as outputs:
        net(torch.ones(1, 1))
    assert outputs["0"][0].tolist() == [[1.0]]
    with pytest.raises(CnnWidgetsError, match="ScriptModule"), capture(net, "1"):
        pass


def test_another_thread_that_runs_the_model_is_not_seen() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU())
    with capture(net, ["0"]) as outputs:
        thread = threading.Thread(target=lambda: net(torch.ones(3, 1, 2, 2)))
        thread.start()
        thread.join()
        net(torch.zeros(1, 1, 2, 2))
    assert [len(output) for output in outputs["0"]] == [1]


def test_what_the_watcher_held_is_let_go_at_once() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU())

    def watch() -> weakref.ref[torch.Tensor]:
        image = torch.ones(1, 1, 2, 2)
        sums: list[torch.Tensor] = []

        def leave(_: nn.Module, __: object, output: torch.Tensor) -> None:
            sums.append(output.sum() + image.sum())

        with attached(net, leave=leave, enter=lambda *_: sums.append(image), always=lambda *_: sums.append(image)):
            net(image)
        assert len(sums) == 3 * 2
        return weakref.ref(image)

    gc.disable()  # a cycle would keep the image until Python tidies up: of a data set, many of them
    try:
        assert watch()() is None
    finally:
        gc.enable()


def test_a_call_on_another_thread_while_hooks_come_and_go() -> None:
    """Torch marks a hook that takes keyword arguments after it has put it there; such a moment is made here."""
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU())
    x, own, outputs = torch.ones(1, 1, 2, 2), list[str](), list[torch.Tensor]()
    expected = net(x)

    def enter(*_: object) -> None:
        own.append("enter")

    def leave(*_: object) -> None:
        own.append("leave")

    def elsewhere() -> None:
        outputs.append(net(x))

    with attached([net[0]], enter=enter, leave=leave, always=leave):
        markers = net[0]._forward_pre_hooks_with_kwargs, net[0]._forward_hooks_with_kwargs
        before = [dict(some) for some in markers]
        for some in markers:
            some.clear()
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        for some, those in zip(markers, before, strict=True):
            some.update(those)
        assert own == []
        net(x)
        assert own == ["enter", "leave", "leave"]
    torch.testing.assert_close(outputs[0], expected)
