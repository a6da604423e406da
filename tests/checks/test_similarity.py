"""Rank correlation against scipy, SSIM against scikit-image, both by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from skimage.metrics import structural_similarity as peer

from cnnwidgets.checks._similarity import merged, over_largest, rank_correlation, structural_similarity


def test_rank_correlation_by_hand() -> None:
    a = torch.tensor([1.0, 2.0, 3.0, 4.0])
    assert rank_correlation(a, a.exp()).item() == pytest.approx(1)
    assert rank_correlation(a, -a).item() == pytest.approx(-1)
    # ranks 1 2 3 4 and 2 1 4 3: 1 - 6 * (1 + 1 + 1 + 1) / (4 * 15)
    assert rank_correlation(a, torch.tensor([5.0, 0.0, 9.0, 7.0])).item() == pytest.approx(0.6)


@pytest.mark.parametrize("seed", range(4))
def test_rank_correlation_with_ties_equals_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 6, (9, 11)).astype(np.float32), rng.integers(-3, 3, (9, 11)).astype(np.float32)
    expected = spearmanr(a.ravel(), b.ravel()).statistic
    assert rank_correlation(torch.tensor(a), torch.tensor(b)).item() == pytest.approx(expected, abs=1e-12)


def test_places_that_are_not_finite_take_no_part() -> None:
    a = torch.tensor([1.0, torch.nan, 3.0, 4.0, 2.0])
    b = torch.tensor([2.0, 0.0, 1.0, torch.inf, 5.0])
    assert rank_correlation(a, b).item() == pytest.approx(spearmanr([1, 3, 2], [2, 1, 5]).statistic)


def test_a_constant_map_has_no_rank_correlation() -> None:
    assert rank_correlation(torch.zeros(4, 4), torch.rand(4, 4)).isnan()
    assert rank_correlation(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.0])).isnan()


@pytest.mark.parametrize(("shape", "window"), [((7, 7), 7), ((9, 14), 7), ((32, 32), 7), ((6, 9), 5), ((4, 3), 3)])
def test_ssim_equals_scikit_image(shape: tuple[int, int], window: int) -> None:
    rng = np.random.default_rng(3)
    a = rng.random(shape)
    b = np.clip(a + 0.3 * rng.normal(size=shape), 0, 1)
    expected = peer(a, b, data_range=1.0, win_size=window)
    assert structural_similarity(torch.tensor(a), torch.tensor(b)).item() == pytest.approx(expected, abs=1e-9)


def test_ssim_of_what_cannot_be_compared_is_nan() -> None:
    assert structural_similarity(torch.zeros(2, 9), torch.zeros(2, 9)).isnan()
    assert structural_similarity(torch.full((5, 5), torch.nan), torch.zeros(5, 5)).isnan()


def test_channels_are_merged_as_they_are_shown() -> None:
    values = torch.tensor([[[[1.0, -2.0]], [[-3.0, 0.5]]]])
    magnitude, signed = merged(values)
    assert magnitude.tolist() == [[[3.0, 2.0]]]
    assert signed.tolist() == [[[-2.0, -1.5]]]
    magnitude, signed = merged(torch.tensor([[[1.0, -2.0]]]))
    assert (magnitude.tolist(), signed.tolist()) == ([[[1.0, 2.0]]], [[[1.0, -2.0]]])


def test_scaled_leaves_zeros_and_nan() -> None:
    assert over_largest(torch.zeros(2, 2)).tolist() == [[0, 0], [0, 0]]
    assert over_largest(torch.tensor([[4.0, torch.nan, 2.0]]))[0, [0, 2]].tolist() == [1.0, 0.5]
