"""Each recipe against its formula, written out once more and more plainly."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from cnnwidgets.synthesis import maximize
from cnnwidgets.synthesis.ascent import Moments
from cnnwidgets.synthesis.draws import Draws
from cnnwidgets.synthesis.recipes.fourier import Fourier
from cnnwidgets.synthesis.recipes.maco import Maco, natural_magnitudes
from cnnwidgets.synthesis.recipes.pixels import total_variation
from cnnwidgets.synthesis.space import InputSpace
from cnnwidgets.synthesis.transforms import jittered, moved


def space(channels: int = 3) -> InputSpace:
    return InputSpace.of(nn.Conv2d(channels, 1, 1), (0.0, 1.0))


@pytest.mark.parametrize("nesterov", [False, True])
def test_steps_are_those_of_torch(nesterov: bool) -> None:
    torch.manual_seed(0)
    ours, theirs = torch.randn(2, 3, 4), None
    theirs = nn.Parameter(ours[1].clone())
    kind = torch.optim.NAdam if nesterov else torch.optim.Adam
    optimizer, moments = kind([theirs], lr=0.1, maximize=True), Moments(ours, 0.1, nesterov=nesterov)
    for step in range(20):
        gradients = torch.randn(2, 3, 4) * 10 ** (step / 10)
        theirs.grad = gradients[1].clone()
        optimizer.step()
        rows = torch.tensor([1]) if step % 3 else torch.tensor([0, 1])  # the other leaves at times
        ours[rows] += moments.step(rows, gradients[rows])
    torch.testing.assert_close(ours[1], theirs.data)


def test_fourier_spectrum() -> None:
    recipe = Fourier(space(), (12, 10), Draws(0, [7]), 1)
    spectrum = recipe.parameters[0].numpy()
    assert 0.007 < spectrum.std() < 0.013
    image = np.zeros((3, 12, 10))
    for channel in range(3):
        scaled = np.zeros((12, 6), complex)
        for row in range(12):
            for column in range(6):
                cycles = math.hypot((row if row < 6 else row - 12) / 12, column / 10)
                scaled[row, column] = complex(*spectrum[channel, row, column]) / max(cycles, 1 / 12)
        image[channel] = np.fft.irfft2(scaled, (12, 10)) * math.sqrt(120) / 4
    matrix = np.array([[0.26, 0.09, 0.02], [0.27, 0.0, -0.05], [0.27, -0.09, 0.03]])
    matrix /= np.linalg.norm(matrix, axis=0).max()
    expected = 1 / (1 + np.exp(-np.einsum("dc,chw->dhw", matrix, image)))
    np.testing.assert_allclose(recipe.pictures(torch.tensor([0]))[0].numpy(), expected, atol=1e-4)


def test_a_doubled_fourier_image_is_four_of_the_smaller() -> None:
    small, large = (Fourier(space(), (side, side), Draws(0, [1]), 1) for side in (16, 32))
    small.parameters *= 20
    large.parameters *= 0
    before = large.parameters.clone()
    large.enlarged_from(small)
    tiles = small.pictures(torch.tensor([0])).tile(1, 1, 2, 2)
    torch.testing.assert_close(large.pictures(torch.tensor([0])), tiles, atol=2e-3, rtol=0)
    assert not bool(before.any())


def test_maco_keeps_the_magnitudes_of_photographs() -> None:
    recipe = Maco(space(1), (32, 32), Draws(0, [1]), 1)
    values = recipe._pictures(recipe.parameters)[0, 0].logit()  # grey: no recorrelation
    assert abs(float(values.std()) - 1) < 0.01
    magnitudes, expected = torch.fft.rfft2(values).abs(), natural_magnitudes((64, 64))
    inside = magnitudes[1:, 1:-1] / expected[1:, 1:-1]
    torch.testing.assert_close(inside, inside.median().expand_as(inside), rtol=1e-2, atol=1e-3)
    line = natural_magnitudes((1000, 1000))[0]
    for low, high, slope in ((5, 25, 1.27), (40, 90, 1.45), (120, 240, 1.9), (300, 450, 4.4)):
        assert float((line[low] / line[high]).log() / math.log(high / low)) == pytest.approx(slope, abs=0.01)


def test_total_variation_of_a_step() -> None:
    image = torch.zeros(1, 1, 3, 3)
    image[..., 2] = 1
    assert float(total_variation(image)) == pytest.approx(0.5, abs=2e-3)


def test_moved_is_a_plain_shift_and_turn() -> None:
    image = torch.rand(2, 1, 9, 13)
    still = moved(image, torch.ones(2), torch.zeros(2), torch.tensor([[0.0, 0.0], [2.0, -3.0]]))
    torch.testing.assert_close(still[0], image[0])
    torch.testing.assert_close(still[1, :, 2:, :-3], image[1, :, :-2, 3:])
    square = torch.rand(1, 1, 8, 8)
    turned = moved(square, torch.ones(1), torch.tensor([math.pi / 2]), torch.zeros(1, 2))
    assert min(float((turned - square.rot90(k, (2, 3))).abs().max()) for k in (1, 3)) < 1e-5
    dot = torch.zeros(1, 1, 64, 64)
    dot[..., 28:36, 28:36] = 1
    assert float(moved(dot, torch.tensor([2.0]), torch.zeros(1), torch.zeros(1, 2)).sum()) == pytest.approx(
        256, rel=0.05
    )


def test_each_image_has_its_own_changes() -> None:
    image = torch.rand(1, 1, 32, 32).expand(2, -1, -1, -1)
    draws = Draws(0, [3, 4])
    first, second = jittered(image, [0, 1], draws)
    assert float((first - second).abs().max()) > 0.05
    alone = jittered(image[:1], [0], Draws(0, [4]))[0]
    torch.testing.assert_close(alone, second)
    assert float(jittered(torch.ones(1, 1, 32, 32), [0], draws).min()) == pytest.approx(1, abs=1e-5)  # no black corners


def test_keras_is_the_published_recipe() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 5, stride=2), nn.ReLU(), nn.Conv2d(8, 6, 3), nn.ReLU(), nn.Conv2d(6, 2, 1)
    ).eval()
    result = maximize(net, "3", [4, 1], recipe="keras", size=70, steps=5, seed=3)
    assert result.images.shape == (2, 3, 20, 20)
    for row, channel in enumerate((4, 1)):
        image = (Draws(3, [channel * 1000]).uniform([0], (3, 70, 70)) - 0.5) * 0.25
        for step in range(5):
            image.requires_grad_()
            loss = net[:4](image)[0, channel, 2:-2, 2:-2].mean()
            assert float(result.activations[row, step]) == pytest.approx(float(loss), rel=1e-4, abs=1e-6)
            loss.backward()
            image = (image + 10 * functional.normalize(image.grad.flatten(), dim=0).view_as(image)).detach()
        inner = image[0, :, 25:-25, 25:-25].numpy()
        inner = (inner - inner.mean()) / (inner.std() + 1e-5) * 0.15 + 0.5
        np.testing.assert_allclose(result.images[row].numpy(), inner.clip(0, 1), atol=1e-4)
        assert float(result.values[row]) == pytest.approx(
            float(net[:4](image)[0, channel, 2:-2, 2:-2].mean()), rel=1e-4
        )


def test_maco_says_where_it_mattered() -> None:
    class Corner(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 1, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.conv(x)

    result = maximize(Corner(), "conv", 0, recipe="maco", size=16, steps=6)
    assert result.images.shape == (1, 1, 32, 32)
    assert result.transparency is not None
    assert result.transparency.shape == (1, 32, 32)
    centre, rim = result.transparency[0, 12:20, 12:20].mean(), result.transparency[0, :3].mean()
    assert float(centre) > 2 * float(rim)  # crops lie about the centre
    assert float(result.images.min()) == 0
    assert float(result.images.max()) == 1
