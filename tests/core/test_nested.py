"""Tensors in what layers return, whatever holds them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn

from cnnwidgets.core.capture import capture
from cnnwidgets.core.nested import detached, layer_tensor, tensors, with_replaced

ONE, TWO = torch.ones(1, 2, 3, 3), torch.full((1, 2, 3, 3), 2.0)


@dataclass(frozen=True)
class Record:
    maps: torch.Tensor
    more: tuple[torch.Tensor, ...] = ()
    name: str = "maps"


@dataclass(slots=True)
class Slotted:
    maps: torch.Tensor


class Pair(NamedTuple):
    first: torch.Tensor
    second: Record


def test_every_kind_of_holder_is_walked() -> None:
    holders = [ONE, {"a": [TWO]}, Pair(ONE, Record(TWO, (ONE,))), Slotted(TWO), torch.Size([1]), None, "text"]
    assert [int(tensor.mean()) for tensor in tensors(holders)] == [1, 2, 1, 2, 1, 2]


def test_a_tensor_in_an_object_is_replaced_in_a_copy_of_it() -> None:
    record = Record(ONE, (TWO,))
    changed = with_replaced(Pair(TWO, record), ONE, TWO)
    assert isinstance(changed, Pair)
    assert changed.second.maps is TWO
    assert changed.second.name == "maps"
    assert record.maps is ONE
    slotted = Slotted(ONE)
    assert with_replaced(slotted, ONE, TWO).maps is TWO
    assert slotted.maps is ONE


def test_tensors_in_an_object_are_detached() -> None:
    graph = (ONE * torch.ones(1, requires_grad=True)).exp()
    assert not detached([Record(graph)])[0].maps.requires_grad
    assert graph.requires_grad


def test_a_captured_object_is_safe_from_what_is_written_later() -> None:
    class Layer(nn.Module):
        def forward(self, x: torch.Tensor) -> Record:
            return Record(x + 1)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = Layer()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layer(x).maps.zero_()

    net = Net()
    with capture(net, "layer") as outputs:
        net(ONE)
    assert layer_tensor(outputs["layer"][0]) is outputs["layer"][0].maps
    assert torch.equal(outputs["layer"][0].maps, TWO)
