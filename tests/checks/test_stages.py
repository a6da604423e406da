"""Order and groups of what is randomised, and the random values."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from cnnwidgets.checks._stages import WeightedModule, grouped, redraw, units
from tests.checks import nets


class OutOfOrder(nn.Module):
    """Modules declared in another order than they run; one unused; one whose weight is read but that is not called."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3, 2)
        self.unused = nn.Linear(7, 7)
        self.read = nn.Linear(3, 3, bias=False)
        self.stem = nn.Conv2d(2, 3, 1)
        self.gain = nn.Parameter(torch.ones(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = functional.linear(self.stem(x).relu().mean((2, 3)), self.read.weight)
        return self.head(y * self.gain)


def test_modules_come_from_the_output_to_the_input() -> None:
    net = OutOfOrder().eval()
    found = units(net, nets.images())
    assert [unit.name for unit in found] == ["head", "stem"]
    rest = {id(value) for value in found[-1].parameters} - {id(value) for value in net.stem.parameters()}
    assert rest == {id(net.unused.weight), id(net.unused.bias), id(net.read.weight), id(net.gain)}
    everything = [id(value) for unit in found for value in unit.parameters]
    assert sorted(everything) == sorted(id(value) for value in net.parameters())


def test_a_module_called_twice_comes_where_it_runs_last_and_shared_weights_count_once() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c = (nn.Conv2d(2, 2, 1) for _ in range(3))
            self.c.weight = self.b.weight

        def forward(self, x: torch.Tensor) -> Any:
            return self.a(self.c(self.b(self.a(x)))).mean((2, 3))

    net = Twice()
    found = units(net, nets.images())
    assert [unit.name for unit in found] == ["a", "c", "b"]
    assert [len(unit.parameters) for unit in found] == [2, 2, 1]


def test_attention_whose_projection_is_never_called_is_randomised_whole() -> None:
    class Attends(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mixer = nn.MultiheadAttention(4, 2, batch_first=True)
            self.head = nn.Linear(4, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            tokens = x.flatten(2).mT.repeat(1, 1, 2)
            return self.head(self.mixer(tokens, tokens, tokens)[0].mean(1))

    net = Attends().eval()
    found = {unit.name: unit.parameters for unit in units(net, nets.images(side=4))}
    assert {id(value) for value in found["mixer"]} == {id(value) for value in net.mixer.parameters()}


@pytest.mark.parametrize("count", [1, 3, 8, 9, 50])
@pytest.mark.parametrize("stages", [1, 2, 8])
def test_groups_hold_every_unit_once_in_order(count: int, stages: int) -> None:
    found = [WeightedModule(str(place), ()) for place in range(count)]
    groups = grouped(found, stages)
    assert [unit for group in groups for unit in group] == found
    assert len(groups) == min(count, stages)
    assert all(groups)
    if stages > 1:
        assert len(groups[0]) == 1
    sizes = [len(group) for group in groups[1:]]
    assert max(sizes, default=0) - min(sizes, default=0) <= 1


def test_weights_keep_each_filters_size_and_lose_all_else() -> None:
    scale = torch.tensor([0.1, 10.0])
    weight = nn.Parameter(scale.view(2, 1, 1, 1) * torch.ones(2, 40, 10, 10))
    redraw(weight, torch.Generator().manual_seed(0))
    assert torch.allclose(weight.flatten(1).square().mean(1).sqrt(), scale, rtol=0.05)
    assert torch.allclose(weight.flatten(1).mean(1) / scale, torch.zeros(2), atol=0.05)


def test_zeros_become_random_too() -> None:
    weight = nn.Parameter(torch.zeros(8, 25, 4, 4))
    redraw(weight, torch.Generator().manual_seed(0))
    assert weight.std().item() == pytest.approx(1 / 20, rel=0.05)
    pruned = nn.Parameter(torch.tensor([[1.0, 2.0], [0.0, 0.0]]))
    redraw(pruned, torch.Generator().manual_seed(0))
    assert pruned[1].tolist() == [0, 0]


def test_a_model_that_is_one_layer_is_one_unit() -> None:
    assert [unit.name for unit in units(nn.Conv2d(2, 3, 1), nets.images())] == ["Conv2d"]


def test_vectors_keep_their_mean_and_spread() -> None:
    values = nn.Parameter(3 + 0.5 * torch.randn(4000, generator=torch.Generator().manual_seed(1)))
    before = values.detach().clone()
    redraw(values, torch.Generator().manual_seed(0))
    assert values.mean().item() == pytest.approx(3, abs=0.05)
    assert values.std().item() == pytest.approx(0.5, abs=0.05)
    assert abs(torch.corrcoef(torch.stack([values.detach(), before]))[0, 1].item()) < 0.1
    alone = nn.Parameter(torch.tensor([0.25]))
    redraw(alone, torch.Generator())
    assert alone.item() == 0.25


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_random_values_are_the_seeds_whatever_the_precision(dtype: torch.dtype) -> None:
    made = []
    for kind in (torch.float32, dtype):
        weight = nn.Parameter(torch.ones(3, 4).to(kind), requires_grad=False)
        redraw(weight, torch.Generator().manual_seed(5))
        assert weight.dtype == kind
        made.append(weight.float())
    assert torch.allclose(made[0], made[1], rtol=0.01)
