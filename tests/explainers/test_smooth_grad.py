from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from cnnwidgets.core.errors import Cancelled, InputError
from cnnwidgets.core.progress import Step
from cnnwidgets.explainers import saliency, smooth_grad


class Halves(nn.Module):
    """The sum of x^2 / 2, whose gradient is x."""

    def forward(self, x):
        return (x * x).flatten(1).sum(1, keepdim=True) / 2


def images(n: int = 1) -> torch.Tensor:
    drawn = torch.rand(n, 3, 20, 20, generator=torch.Generator().manual_seed(6))
    drawn[:, 0, 0, 0], drawn[:, 0, 0, 1] = -1.0, 3.0  # a range of 4
    return drawn


def test_what_is_left_of_the_noise_is_as_large_as_told() -> None:
    for noise, samples in ((0.15, 25), (0.3, 100)):
        left = smooth_grad(Halves(), images(), noise=noise, samples=samples).values - images()
        assert float(left.std()) == pytest.approx(4 * noise / samples**0.5, rel=0.08)
        assert abs(float(left.mean())) < 4 * 4 * noise / (samples * left.numel()) ** 0.5


def test_each_image_has_noise_of_its_own_range() -> None:
    wide = torch.cat([images(), 10 * images()])
    left = smooth_grad(Halves(), wide).values - wide
    torch.testing.assert_close(left[1], 10 * left[0], rtol=1e-3, atol=1e-4)


def test_without_noise_it_is_the_gradient() -> None:
    torch.manual_seed(1)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 18 * 18, 3))
    torch.testing.assert_close(smooth_grad(net, images(2), noise=0).values, saliency(net, images(2)).values)


def test_the_seed_alone_decides() -> None:
    first = smooth_grad(Halves(), images(2)).values
    torch.manual_seed(77)
    generator = torch.get_rng_state()
    assert torch.equal(smooth_grad(Halves(), images(2)).values, first)
    assert torch.equal(torch.get_rng_state(), generator)
    torch.testing.assert_close(smooth_grad(Halves(), images(2), batch=2).values, first)
    torch.testing.assert_close(smooth_grad(Halves(), images(2)[1:]).values, first[1:])
    assert not torch.allclose(smooth_grad(Halves(), images(2), seed=1).values, first, atol=0.01)


def test_the_class_is_that_of_the_image_without_noise() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False))
    net[1].weight.data = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    result = smooth_grad(net, torch.tensor([[[[1.0, 1.01]]]]), noise=100.0)
    assert (result.target, result.values.flatten().tolist()) == ((1,), [0.0, 1.0])


def test_progress_shows_the_mean_so_far() -> None:
    steps: list[Step] = []
    result = smooth_grad(Halves(), images(2), samples=6, batch=4, progress=steps.append)
    assert [step.done for step in steps] == [4, 6, 10, 12]
    first = steps[0].partial
    assert first.notes == ("partial: 4 of 12 gradients are known",)
    assert first.values[1].isnan().all()
    left = first.values[0] - images(2)[0]
    assert float(left.std()) == pytest.approx(4 * 0.15 / 2, rel=0.08)
    torch.testing.assert_close(steps[1].partial.values[0], result.values[0])


@pytest.mark.parametrize("error", [Cancelled("stop"), KeyboardInterrupt()])
def test_it_can_be_stopped(error: BaseException) -> None:
    def stop(step: Step) -> None:
        raise error

    generator = torch.get_rng_state()
    with pytest.raises(type(error)):
        smooth_grad(Halves(), images(), progress=stop)
    assert torch.equal(torch.get_rng_state(), generator)


def test_memory_that_is_not_enough_changes_nothing_but_the_batches() -> None:
    sizes: list[int] = []

    class Small(Halves):
        def forward(self, x):
            sizes.append(len(x))
            if len(x) > 3:
                raise torch.OutOfMemoryError("not enough")
            return super().forward(x)

    result = smooth_grad(Small(), images(2), samples=5, batch=5)
    assert sizes == [2, 5, 2, 2, 1, 2, 2, 1]
    torch.testing.assert_close(result.values, smooth_grad(Halves(), images(2), samples=5).values)

    class Full(Halves):
        calls = 0

        def forward(self, x):
            self.calls += 1
            if self.calls > 1:
                raise torch.OutOfMemoryError("not enough")
            return super().forward(x)

    with pytest.raises(torch.OutOfMemoryError):
        smooth_grad(Full(), images())


@pytest.mark.parametrize(
    "options", [{"samples": 0}, {"samples": 2.5}, {"noise": -1}, {"noise": "much"}, {"seed": 1.5}, {"batch": 0}]
)
def test_options_that_are_refused(options: dict[str, Any]) -> None:
    (name,) = options
    with pytest.raises(InputError, match=f"{name} is"):
        smooth_grad(Halves(), images(), **options)
