from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from cnnwidgets.core.errors import Cancelled, InputError
from cnnwidgets.core.progress import Step
from cnnwidgets.explainers import integrated_gradients


class Cubes(nn.Module):
    """The sum of x^3, and minus that."""

    def forward(self, x):
        total = x.pow(3).flatten(1).sum(1)
        return torch.stack([total, -total], 1)


X = torch.tensor([[[[1.0, -2.0, 3.0]]]], dtype=torch.float64)


def test_a_polynomial_is_integrated_exactly() -> None:
    # (x - b) * integral of 3 (b + a (x - b))^2 = x^3 - b^3; the rule of two points is exact up to degree 3.
    for steps in (2, 50):
        values = integrated_gradients(Cubes(), X, 0, steps=steps).values
        torch.testing.assert_close(values.flatten(), torch.tensor([1.0, -8.0, 27.0]))
    values = integrated_gradients(Cubes(), X, 0, baseline=2.0).values
    torch.testing.assert_close(values.flatten(), torch.tensor([1.0 - 8, -8.0 - 8, 27.0 - 8]))


def test_one_step_is_the_midpoint_and_the_gap_is_told() -> None:
    result = integrated_gradients(Cubes(), X[..., :1], 0, steps=1)
    assert result.values.flatten().tolist() == [0.75]  # 3 * (1/2)^2; the score differs by 1
    assert result.notes == (
        "sum of attributions differs from the score difference by 25 %; more steps would bring them closer",
    )
    exact = integrated_gradients(Cubes(), X, 0).notes
    assert exact == ("sum of attributions differs from the score difference by 0 %",)


def test_the_gap_of_several_images_is_the_largest() -> None:
    class Steep(nn.Module):
        def forward(self, x):
            return x.flatten(1).sum(1).pow(2)  # exact from one step on

    images = torch.tensor([[[[1.0]]], [[[2.0]]]])
    assert integrated_gradients(Steep(), images, 0, steps=1).notes == (
        "sum of attributions differs from the score difference by 0 % for image 0, the most",
    )
    net = nn.Sequential(nn.Flatten(), nn.Linear(1, 1), nn.Tanh())
    net[1].weight.data.fill_(2.0)
    net[1].bias.data.zero_()
    (note,) = integrated_gradients(net, images, 0, steps=1).notes
    # 2 x (1 - tanh(x)^2) against tanh(2 x): 0.8400 and 0.9640 for x = 1, 0.2826 and 0.9993 for x = 2.
    assert note.startswith("sum of attributions differs from the score difference by 72 % for image 1, the most; more")


def test_a_baseline_with_the_images_own_score() -> None:
    difference = nn.Sequential(nn.Flatten(), nn.Linear(2, 1, bias=False))
    difference[1].weight.data = torch.tensor([[1.0, -1.0]])
    result = integrated_gradients(difference, torch.ones(1, 1, 1, 2))
    assert result.notes == (
        "the baseline has the same score as the image; the sum of attributions differs from 0 by 0",
    )


def test_it_agrees_with_a_fine_riemann_sum() -> None:
    torch.manual_seed(4)
    net = nn.Sequential(nn.Conv2d(2, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(64, 3)).double()
    images, steps = torch.randn(2, 2, 6, 6, dtype=torch.float64), 2000
    shares = (torch.arange(steps, dtype=torch.float64) + 0.5) / steps
    x = (images * shares.view(-1, 1, 1, 1, 1)).requires_grad_()  # (steps, images, channels, rows, columns)
    gradients = torch.autograd.grad(net(x.flatten(0, 1))[:, 1].sum(), x)[0]
    torch.testing.assert_close(integrated_gradients(net, images, 1).values, (images * gradients.mean(0)).float())


@pytest.mark.parametrize(
    ("baseline", "expected"),
    [
        (1, [1.0, 1.0, 1.0, 1.0]),
        ([1.0, 2.0], [1.0, 1.0, 2.0, 2.0]),
        (torch.tensor([[[1.0, 2.0]], [[3.0, 4.0]]]), [1.0, 2.0, 3.0, 4.0]),
        (torch.tensor([[[[1.0, 2.0]], [[3.0, 4.0]]]]), [1.0, 2.0, 3.0, 4.0]),
        ("mean", [6.0, 6.0, 7.5, 7.5]),
    ],
)
def test_baselines(baseline: Any, expected: list[float]) -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 1, bias=False))
    net[1].weight.data.fill_(1.0)
    images = torch.tensor([[[[5.0, 7.0]], [[7.0, 8.0]]]])
    values = integrated_gradients(net, images, baseline=baseline).values
    torch.testing.assert_close(values, images - torch.tensor(expected).reshape(1, 2, 1, 2))


def test_a_blurred_baseline_keeps_what_is_flat() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(256, 1, bias=False))
    net[1].weight.data.fill_(1.0)
    image = torch.full((1, 1, 16, 16), 3.0)
    image[0, 0, 8, 8] = 10.0
    values = integrated_gradients(net, image, baseline="blur").values[0, 0]
    assert float(values[0, 0].abs()) < 1e-5
    # What the Gaussian of 2 pixels takes away at its centre is all but 1 / (2 pi 2^2) of the 7.
    assert float(values[8, 8]) == pytest.approx(7 * (1 - 1 / (8 * torch.pi)), rel=0.01)
    assert float(values.sum()) == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"steps": 0}, "steps is 0"),
        ({"steps": 2.0}, r"steps is 2\.0"),
        ({"batch": 0}, "batch is 0"),
        ({"baseline": "black"}, '\'black\'.*"mean", "blur"'),
        ({"baseline": None}, "None"),
        ({"baseline": [1.0, 2.0]}, r"shape \(2,\)"),
        ({"baseline": torch.zeros(1, 1, 3, 3)}, r"\(1, 1, 3, 3\)"),
        ({"baseline": torch.nan}, "NaN"),
    ],
)
def test_options_that_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        integrated_gradients(Cubes(), X, 0, **options)


def test_progress_shows_the_estimate_so_far() -> None:
    steps: list[Step] = []
    images = torch.cat([X, X])
    result = integrated_gradients(Cubes(), images, 0, steps=8, batch=4, progress=steps.append)
    assert [(step.done, step.total) for step in steps] == [(4, 16), (8, 16), (12, 16), (16, 16)]
    first, second = steps[0].partial, steps[1].partial
    assert first.values[1].isnan().all()
    assert first.notes == ("partial: 4 of 16 gradients are known",)
    torch.testing.assert_close(first.values[0], result.values[0], rtol=0.35, atol=0)
    torch.testing.assert_close(second.values[0], result.values[0])
    assert torch.equal(steps[-1].partial.values, result.values)


def test_it_is_cancelled_between_batches() -> None:
    def stop(step: Step) -> None:
        raise Cancelled(str(step.done))

    with pytest.raises(Cancelled, match="3"):
        integrated_gradients(Cubes(), X, 0, batch=3, progress=stop)


def test_memory_that_is_not_enough_halves_the_batch() -> None:
    sizes: list[int] = []

    class Small(nn.Module):
        def forward(self, x):
            sizes.append(len(x))
            if len(x) > 3:
                raise torch.OutOfMemoryError("not enough")
            return Cubes()(x)

    result = integrated_gradients(Small(), X, 0, steps=10, batch=8)
    assert sizes == [1, 1, 8, 4, 2, 2, 2, 2, 2]
    torch.testing.assert_close(result.values.flatten(), torch.tensor([1.0, -8.0, 27.0]))


def test_the_class_is_that_of_the_image_all_the_way() -> None:
    class Switches(nn.Module):
        def forward(self, x):
            total = x.flatten(1).sum(1)
            return torch.stack([1 - total, 2 * total], 1)  # class 0 at the baseline, class 1 at the image

    result = integrated_gradients(Switches(), torch.ones(1, 1, 1, 1))
    assert result.target == (1,)
    torch.testing.assert_close(result.values.flatten(), torch.tensor([2.0]))
