"""How alike a layer treats synthetic and natural images, against scipy's Spearman correlation."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from cnnwidgets.core.errors import InputError
from cnnwidgets.synthesis import alikeness, maximize


def test_the_scale_is_that_of_natural_images() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 20, 3), nn.ReLU()).eval()
    result = maximize(net, "1", [2, 7, 9], size=16, steps=5, value_range=(0.0, 1.0))
    # Exciters of a unit share a picture.
    natural = [torch.rand(1, 3, 16, 16) * torch.rand(1, 3, 1, 1) + 0.1 * torch.rand(4, 3, 16, 16) for _ in range(3)]
    ours = alikeness(net, result, natural, value_range=(0.0, 1.0))

    def means(images: torch.Tensor) -> np.ndarray:
        return net(images).mean((2, 3)).detach().numpy()

    groups, synthetic = [means(images) for images in natural], means(result.images)
    for row in range(3):
        own = groups[row]
        same = np.mean([spearmanr(own[i], own[j])[0] for i in range(4) for j in range(4) if i != j])
        other = np.mean([spearmanr(a, b)[0] for a in own for k in range(3) if k != row for b in groups[k]])
        raw = np.mean([spearmanr(synthetic[row], a)[0] for a in own])
        expected = (raw - other) / (same - other) if same > other and not bool(result.dead[row]) else np.nan
        assert float(ours[row]) == pytest.approx(expected, abs=1e-4, nan_ok=True)
    assert bool(ours.isfinite().any())


def test_of_one_image_the_exciters_of_other_units_serve() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 20, 3), nn.ReLU()).eval()
    together = maximize(net, "1", [2, 7, 9], size=16, steps=5, value_range=(0.0, 1.0))
    alone = dataclasses.replace(
        together,
        **{name: getattr(together, name)[:1] for name in ("images", "values", "peaks", "ratios", "dead")},
        channels=(2,),
    )
    natural = [torch.rand(1, 3, 16, 16) * torch.rand(1, 3, 1, 1) + 0.1 * torch.rand(4, 3, 16, 16) for _ in range(3)]
    expected = alikeness(net, together, natural, value_range=(0.0, 1.0))[0]
    ours = alikeness(net, alone, natural[:1], others=natural[1:], value_range=(0.0, 1.0))
    torch.testing.assert_close(ours, expected[None], equal_nan=True)


def test_bad_groups() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3))
    result = maximize(net, "0", [0, 1], size=16, steps=1)
    with pytest.raises(InputError, match="at least two"):
        alikeness(net, result, [torch.rand(1, 3, 16, 16)] * 2)
    with pytest.raises(InputError, match="one for each of 2 images"):
        alikeness(net, result, [torch.rand(2, 3, 16, 16)])
    with pytest.raises(InputError, match="one unit"):
        alikeness(net, maximize(net, "0", 0, size=16, steps=1), [torch.rand(2, 3, 16, 16)])
