"""Insertion and deletion: a linear model that can be done by hand, and a plain loop over pixels."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import nn

from cnnwidgets import explainers
from cnnwidgets.checks import insertion_deletion
from cnnwidgets.checks._orders import elsewhere, importance, ranks
from cnnwidgets.core.errors import Cancelled, InputError, TargetError
from cnnwidgets.core.progress import Step
from cnnwidgets.explainers.engine.patches import blurred
from tests.checks import nets


def linear(weights: list[list[float]]) -> nn.Module:
    flat = torch.tensor(weights).flatten()
    net = nn.Sequential(nn.Flatten(), nn.Linear(len(flat), 1, bias=False))
    net[1].weight.data = flat[None]
    return net


def test_a_linear_model_by_hand() -> None:
    x = torch.tensor([[[[1.0, 2.0], [3.0, -1.0]]]])
    # contributions 4, -2, 9, -1: hiding the largest first leaves 10, 1, -3, -2, 0
    net = linear([[4.0, -1.0], [3.0, 1.0]])
    given = explainers.input_x_gradient(net, x, 0).values[:, 0]
    done = insertion_deletion(net, x, given, 0, steps=4, baseline=0.0)
    assert done.deletion.tolist() == [[10, 1, -3, -2, 0]]
    assert done.insertion.tolist() == [[0, 9, 13, 12, 10]]
    assert done.fractions.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert done.deletion_area.item() == pytest.approx((10 / 2 + 1 - 3 - 2 + 0) / 4)
    assert done.insertion_area.item() == pytest.approx((0 + 9 + 13 + 12 + 10 / 2) / 4)
    assert (done.score, done.complete, done.notes) == ("logit", True, ())


def test_no_order_beats_that_of_the_contributions() -> None:
    x = torch.tensor([[[[1.0, -2.0, 0.5], [3.0, 0.7, -1.0]]]])
    net = linear([[0.3, -1.0, 2.0], [0.1, -3.0, 1.5]])
    best = explainers.input_x_gradient(net, x, 0).values[:, 0]
    own = insertion_deletion(net, x, best, 0, steps=6, baseline=0.0, repeats=0)
    areas = []
    for order in itertools.permutations(range(6)):
        values = torch.tensor(order, dtype=torch.float32).view(1, 2, 3)
        other = insertion_deletion(net, x, values, 0, steps=6, baseline=0.0, repeats=0)
        areas.append((other.deletion_area.item(), other.insertion_area.item()))
    assert own.deletion_area.item() == pytest.approx(min(area for area, _ in areas))
    assert own.insertion_area.item() == pytest.approx(max(area for _, area in areas))


def plain_curves(
    model: nn.Module, x: torch.Tensor, wanted: torch.Tensor, target: int, steps: int, hidden: tuple[Any, Any]
) -> tuple[list[float], list[float]]:
    """Pixel by pixel, one image at a time; (C, H, W)."""
    height, width = wanted.shape
    places = sorted(itertools.product(range(height), range(width)), key=lambda place: -wanted[place].item())
    curves: tuple[list[float], list[float]] = ([], [])
    for step in range(steps + 1):
        chosen = places[: round(step * len(places) / steps)]
        deleted, inserted = x.clone(), hidden[1].clone()
        for row, column in chosen:
            deleted[:, row, column] = hidden[0][:, row, column]
            inserted[:, row, column] = x[:, row, column]
        for curve, edited in zip(curves, (deleted, inserted), strict=True):
            with torch.no_grad():
                curve.append(model(edited[None]).softmax(1)[0, target].item())
    return curves


@pytest.mark.parametrize("baseline", [None, "blur", 0.25])
@pytest.mark.parametrize("channels", [(), (2,)], ids=["map", "gradient"])
def test_curves_equal_a_plain_loop(baseline: Any, channels: tuple[int, ...]) -> None:
    model, x = nets.small(), nets.images(2, side=6)
    values = torch.randn(2, *channels, 6, 6, generator=torch.Generator().manual_seed(3))
    done = insertion_deletion(model, x, values, [1, 3], steps=7, baseline=baseline, batch=5, repeats=2, seed=4)
    wanted = values.abs().amax(1) if channels else values
    soft = blurred(x, 6 / 20)
    for index, target in enumerate([1, 3]):
        plain = torch.full_like(x[index], 0.25)
        zero = torch.zeros_like(x[index])
        hidden = {None: (zero, soft[index]), "blur": (soft[index], soft[index]), 0.25: (plain, plain)}[baseline]
        deletion, insertion = plain_curves(model, x[index], wanted[index], target, 7, hidden)
        assert done.deletion[index].tolist() == pytest.approx(deletion, abs=1e-6)
        assert done.insertion[index].tolist() == pytest.approx(insertion, abs=1e-6)
        generator = torch.Generator().manual_seed(4)
        for repeat in range(2):
            moved = elsewhere(wanted[index], generator)
            deletion, insertion = plain_curves(model, x[index], moved, target, 7, hidden)
            assert done.random_deletion[index, repeat].tolist() == pytest.approx(deletion, abs=1e-6)
            assert done.random_insertion[index, repeat].tolist() == pytest.approx(insertion, abs=1e-6)
    assert done.score == "probability"


def test_elsewhere_is_the_same_map_a_quarter_away() -> None:
    wanted = torch.arange(48.0).view(6, 8)
    generator = torch.Generator().manual_seed(0)
    moves = set()
    for _ in range(60):
        moved = elsewhere(wanted, generator)
        fits = [
            (flips, down, right)
            for flips in ((), (0,), (1,), (0, 1))
            for down in range(6)
            for right in range(8)
            if torch.equal(moved, wanted.flip(flips).roll((down, right), (0, 1)))
        ]
        assert len(fits) == 1
        assert 2 <= fits[0][1] <= 4
        assert 2 <= fits[0][2] <= 6
        moves.add(fits[0])
    assert {flips for flips, _, _ in moves} == {(), (0,), (1,), (0, 1)}


def test_equal_places_come_in_random_order_and_what_is_not_finite_last() -> None:
    wanted = importance(torch.tensor([[[1.0, 1.0, torch.nan], [1.0, 5.0, -7.0]]]), (2, 3))[0]
    orders = {tuple(ranks(wanted, torch.Generator().manual_seed(seed)).flatten().tolist()) for seed in range(40)}
    assert len(orders) == 6
    assert all((order[4], order[5], order[2]) == (0, 4, 5) for order in orders)
    done = insertion_deletion(nets.small(), nets.images(side=3), torch.full((1, 3, 3), 2.0), 0, steps=3)
    assert any("the same everywhere" in note for note in done.notes)
    broken = torch.tensor([[[1.0, torch.nan], [2.0, 0.0]]])
    assert "1 value of the map is" in insertion_deletion(nets.small(), nets.images(side=4), broken, 0).notes[0]


def test_a_coarse_map_is_stretched() -> None:
    expected = torch.nn.functional.interpolate(torch.tensor([[[[0.0, 4.0]]]]), (2, 4), mode="bilinear")[:, 0]
    assert torch.equal(importance(torch.tensor([[[0.0, 4.0]]]), (2, 4)), expected)
    lost = importance(torch.tensor([[[torch.nan, 4.0]]]), (2, 4))
    assert lost[0, 0].isinf().tolist() == [True, True, False, False]


class Hungry(nn.Module):
    """Has no memory for more than two images. What an instance notes is put back; the class is nobody's model."""

    largest = 0

    def __init__(self) -> None:
        super().__init__()
        self.inner = nets.small()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if len(x) > 2:
            raise torch.OutOfMemoryError("out of memory")
        Hungry.largest = max(self.largest, len(x))
        return self.inner(x)


def test_batches_are_halved_when_memory_runs_out() -> None:
    x, values = nets.images(), torch.rand(1, 8, 8)
    hungry = Hungry()
    done = insertion_deletion(hungry, x, values, 1, steps=4, batch=16)
    expected = insertion_deletion(hungry.inner, x, values, 1, steps=4)
    torch.testing.assert_close(done.deletion, expected.deletion)
    torch.testing.assert_close(done.random_insertion, expected.random_insertion)
    assert hungry.largest == 2


def test_scores_are_of_the_kind_that_was_asked_for() -> None:
    model, x, values = nets.small(), nets.images(), torch.rand(1, 8, 8)
    logit = insertion_deletion(model, x, values, 2, steps=2, score="logit")
    assert logit.score == "logit"
    assert logit.deletion[0, 0].item() == pytest.approx(model(x)[0, 2].item())
    own = insertion_deletion(model, x, values, lambda out: out[:, 0] - out[:, 1], steps=2)
    assert own.score == "score"
    assert own.insertion[0, -1].item() == pytest.approx((model(x)[0, 0] - model(x)[0, 1]).item())
    softmaxed = insertion_deletion(nn.Sequential(model, nn.Softmax(1)), x, values, 2, steps=2)
    assert softmaxed.score == "probability"
    assert softmaxed.scores.item() == pytest.approx(model(x).softmax(1)[0, 2].item())
    given = explainers.saliency(model, x, 3)
    assert insertion_deletion(model, x, given, steps=2).target == (3,)


def test_it_can_be_followed_and_stopped_and_leaves_nothing() -> None:
    model, x, values = nets.small().train(), nets.images(), torch.rand(1, 8, 8)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    generator = torch.get_rng_state()
    told: list[Step] = []

    def stop(step: Step) -> None:
        told.append(step)
        if step.done > step.total / 2:
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        insertion_deletion(model, x, values, 0, steps=6, batch=3, progress=stop)
    partial = told[-1].partial
    assert not partial.complete
    assert partial.deletion.isfinite().all()
    assert partial.random_deletion.isnan().any()
    assert told[0].partial.deletion.isnan().any(), "later answers must not change an earlier result"
    assert all(module.training for module in model.modules())
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), generator)
    told.clear()
    done = insertion_deletion(model, x, values, 0, steps=6, repeats=2, progress=told.append)
    assert told[-1].done == told[-1].total == 2 + 3 * 5 * 2
    assert told[-1].partial.complete
    assert done.complete


def test_the_model_is_asked_in_evaluation_mode() -> None:
    net = nn.Sequential(nn.Dropout(0.5), *nets.small(), nn.Dropout(0.5)).train()
    x, values = nets.images(), torch.rand(1, 8, 8)
    asleep = insertion_deletion(nets.small(), x, values, 0, steps=5)
    awake = insertion_deletion(net, x, values, 0, steps=5)
    torch.testing.assert_close(awake.deletion, asleep.deletion)
    assert all(module.training for module in net.modules() if isinstance(module, nn.Dropout))


def test_no_more_steps_than_pixels() -> None:
    done = insertion_deletion(nets.small(), nets.images(side=2), torch.rand(1, 2, 2), 0)
    assert done.fractions.tolist() == [0, 0.25, 0.5, 0.75, 1]


def test_what_cannot_be_done_is_said() -> None:
    model, x = nets.small(), nets.images(2)
    values = torch.rand(2, 8, 8)
    for options in ({"steps": 0}, {"steps": True}, {"repeats": -1}, {"baseline": "black"}, {"batch": 0}):
        with pytest.raises(InputError):
            insertion_deletion(model, x, values, **options)  # type: ignore[arg-type]
    for wrong in (values[:1], values[0], [[1.0]]):
        with pytest.raises(InputError, match="one map an image"):
            insertion_deletion(model, x, wrong)  # type: ignore[arg-type]
    with pytest.raises(TargetError):
        insertion_deletion(model, x, values, 9)
