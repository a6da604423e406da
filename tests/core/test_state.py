from __future__ import annotations

import random
import threading
from collections import namedtuple
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from cnnwidgets.core.errors import CnnWidgetsError, TargetError
from cnnwidgets.outputs.scores import score_tensor
from cnnwidgets.state.preserved import generators_now, have_moved, in_training_mode, preserved


def mixed_flags() -> nn.Sequential:
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.Sequential(nn.Dropout(), nn.ReLU()))
    net.train()
    net[1].eval()
    net[2][0].eval()
    return net


def flags(net: nn.Module) -> list[bool]:
    return [module.training for module in net.modules()]


def test_each_training_flag_comes_back() -> None:
    net = mixed_flags()
    before = flags(net)
    with preserved(net, evaluate=True):
        assert flags(net) == [False] * 6
    assert flags(net) == before == [True, True, False, True, False, True]


def test_without_evaluate_the_mode_stays() -> None:
    net = mixed_flags()
    with preserved(net):
        assert flags(net) == [True, True, False, True, False, True]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_flags_and_statistics_come_back_after_an_error(error: type[BaseException]) -> None:
    net = nn.BatchNorm2d(2)

    def work() -> None:
        with preserved(net):
            net(torch.randn(4, 2, 3, 3))
            assert net.num_batches_tracked == 1
            net.eval()
            raise error

    with pytest.raises(error):
        work()
    assert net.training
    assert net.num_batches_tracked == 0
    assert net.running_mean.tolist() == [0.0, 0.0]
    assert net.running_var.tolist() == [1.0, 1.0]


def test_a_replaced_a_grown_and_a_data_written_buffer_come_back() -> None:
    net = nn.Module()
    for name in "abc":
        net.register_buffer(name, torch.arange(3.0))
    originals = dict(net.named_buffers())
    with preserved(net):
        net.a = torch.zeros(3)
        net.b.resize_(5)
        net.c.data.mul_(2)  # does not touch the version counter
    for name in "abc":
        assert getattr(net, name) is originals[name]
        assert getattr(net, name).tolist() == [0.0, 1.0, 2.0]


def test_what_was_put_back_is_told() -> None:
    net = nn.Sequential(nn.BatchNorm2d(2), nn.BatchNorm2d(2).eval())
    with preserved(net) as kept:
        net(torch.randn(4, 2, 3, 3))
    assert kept.changed == ("0.running_mean", "0.running_var", "0.num_batches_tracked")
    with preserved(net, evaluate=True) as kept:
        net(torch.randn(4, 2, 3, 3))
    assert kept.changed == ()


def test_buffers_of_every_sort() -> None:
    sorts = {
        "empty": torch.zeros(0),
        "number": torch.tensor(3),
        "flags": torch.tensor([True, False]),
        "bytes": torch.tensor([1, 2], dtype=torch.uint8),
        "nan": torch.tensor([torch.nan, 1.0]),
        "complex": torch.tensor([1 + 2j]),
        "transposed": torch.arange(6.0).view(2, 3).T,
        "expanded": torch.ones(1).expand(4),
        "large": torch.zeros(70000),
        "sparse": torch.eye(3).to_sparse(),
        "in_half": torch.ones(3, dtype=torch.float16),
        "in_double": torch.ones(3, dtype=torch.float64),
    }
    net = nn.Module()
    for name, tensor in sorts.items():
        net.register_buffer(name, tensor.clone() if name != "expanded" else tensor)
    net.register_buffer("none", None)
    with preserved(net) as kept:
        pass
    assert kept.changed == ()
    written = ["number", "bytes", "nan", "complex", "transposed", "large", "in_half"]
    versions = {name: buffer._version for name, buffer in net.named_buffers()}
    with preserved(net) as kept:
        for name in written:
            getattr(net, name).data.view(-1)[-1:].add_(1) if name != "transposed" else net.transposed.add_(1)
    assert set(kept.changed) == set(written)
    for name, tensor in sorts.items():
        now = getattr(net, name)
        assert torch.equal(now.to_dense().nan_to_num(7.0), tensor.to_dense().nan_to_num(7.0)), name
        assert (now._version == versions[name]) == (name not in written), "what was not written to is left alone"


@pytest.mark.parametrize("draw", [lambda: torch.rand(1), random.random, lambda: np.random.rand()])
def test_a_drawn_number_is_noticed(draw) -> None:
    before = generators_now()
    assert not have_moved(before)
    torch.rand(1, generator=torch.Generator().manual_seed(0))
    assert not have_moved(before)
    draw()
    assert have_moved(before)


def test_generators_come_back() -> None:
    def draws() -> tuple[float, float, float]:
        return torch.rand(()).item(), random.random(), float(np.random.rand())  # noqa: S311

    def seed() -> None:
        torch.manual_seed(7)
        random.seed(7)
        np.random.seed(7)

    seed()
    expected = draws()
    seed()
    with preserved(nn.Identity()):
        draws()
    assert draws() == expected


def test_a_wrapper_keeps_its_flags_too() -> None:
    net = nn.DataParallel(nn.Sequential(nn.Dropout()))
    net.train()
    net.module.eval()
    with preserved(net, evaluate=True):
        assert not in_training_mode(net)
    assert flags(net) == [True, False, False]


def test_buffers_made_in_inference_mode() -> None:
    with torch.inference_mode():
        net = nn.BatchNorm2d(1)
    with preserved(net), torch.inference_mode():
        net.running_mean.add_(1)
    assert net.running_mean.item() == 0


def test_a_lazy_model_is_refused() -> None:
    with pytest.raises(CnnWidgetsError, match="lazy"), preserved(nn.LazyLinear(3)):
        pass


@pytest.mark.parametrize(
    "wrap",
    [
        lambda scores: scores,
        lambda scores: (scores, "more"),
        lambda scores: ["text", scores],
        lambda scores: {"aux": torch.zeros(1), "logits": scores},
        lambda scores: {"aux": torch.zeros(1), "out": scores},
        lambda scores: {"loss": None, "scores": scores},
        lambda scores: SimpleNamespace(logits=scores, other=torch.zeros(1)),
        lambda scores: namedtuple("Out", "logits aux")(scores, torch.zeros(1)),
        lambda scores: ({"logits": scores}, torch.zeros(1)),
    ],
)
def test_score_tensor_finds_the_scores(wrap) -> None:
    scores = torch.ones(1, 2)
    assert score_tensor(wrap(scores)) is scores


@pytest.mark.parametrize("output", ["text", None, {}, {"a": 1}, [1, 2], SimpleNamespace(logits=None)])
def test_score_tensor_says_what_arrived(output) -> None:
    with pytest.raises(TargetError, match=type(output).__name__):
        score_tensor(output)


class Chooses(nn.Module):
    def forward(self, x):
        return [y for y in (x,) if self.training]


class Inherits(Chooses):
    pass


@pytest.mark.parametrize(
    ("module", "matters"),
    [
        (nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU()), False),
        (nn.Sequential(nn.Dropout()), True),
        (nn.BatchNorm2d(1), True),
        (nn.BatchNorm2d(1).eval(), False),
        (nn.Sequential(nn.BatchNorm2d(1).eval()), False),
        (Chooses(), True),
        (Inherits(), True),
    ],
)
def test_training_mode_counts_where_it_is_looked_at(module: nn.Module, matters: bool) -> None:
    assert in_training_mode(module) is matters


def test_computations_that_overlap_put_the_model_back_as_the_first_found_it() -> None:
    net = nn.Sequential(nn.Dropout(), nn.BatchNorm1d(2))
    net[1].eval()
    first, second = preserved(net, evaluate=True), preserved(net, evaluate=True)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert not net.training, "the second still needs evaluation mode"
    net[1].running_mean.fill_(7.0)
    second.__exit__(None, None, None)
    assert [module.training for module in net.modules()] == [True, True, False]
    assert net[1].running_mean.tolist() == [0.0, 0.0]


def test_work_on_a_thread_does_not_rewind_what_the_main_thread_draws() -> None:
    begun, drawn = threading.Event(), threading.Event()

    def work() -> None:
        with preserved(nn.Linear(1, 1)):
            begun.set()
            drawn.wait(10)

    thread = threading.Thread(target=work)
    thread.start()
    begun.wait(10)
    first = torch.rand(3)
    drawn.set()
    thread.join(10)
    assert not torch.equal(torch.rand(3), first)


def test_a_loss_beside_the_scores_is_no_score() -> None:
    scores = torch.zeros(1, 3)
    assert score_tensor((torch.tensor(0.5), scores)) is scores
    assert score_tensor({"loss": torch.tensor(0.5), "scores": scores}) is scores
