"""Captum averages the differences over overlaps, as we do; its last patch may hang over the edge, ours never does."""

from __future__ import annotations

from typing import Any

import captum.attr
import pytest
import torch
from torch import nn

from cnnwidgets.explainers.occlusion.explainer import occlusion


def net() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        return nn.Sequential(
            nn.Conv2d(3, 6, 5, stride=2),
            nn.ReLU(),
            nn.Conv2d(6, 6, 3),
            nn.ReLU(),
            nn.AdaptiveMaxPool2d(2),
            nn.Flatten(),
            nn.Linear(24, 4),
        ).eval()


@pytest.mark.parametrize(
    ("patch", "stride", "fill"),
    [((8, 8), (8, 8), 0.0), ((8, 4), (4, 4), 0.5), ((6, 6), (2, 6), -1.0), ((3, 5), (1, 1), 0.0)],
)
@pytest.mark.parametrize("score", ["logit", "probability"])
@pytest.mark.parametrize("engine", ["full", "incremental"])
def test_values_equal_captums(
    patch: tuple[int, int], stride: tuple[int, int], fill: float, score: Any, engine: str
) -> None:
    torch.set_num_threads(2)
    images = torch.randn(2, 3, 24, 24, generator=torch.Generator().manual_seed(8))
    model, targets = net(), torch.tensor([1, 3])
    (height, width), (down, across) = patch, stride
    assert (24 - height) % down == 0 or (down, across) == (1, 1)

    def explained(x: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = model(x)
        return scores.softmax(1) if score == "probability" else scores

    theirs = captum.attr.Occlusion(explained).attribute(
        images,
        sliding_window_shapes=(3, height, width),
        strides=(3, down, across),
        baselines=fill,
        target=targets,
        perturbations_per_eval=8,
    )
    ours = occlusion(model, images, targets.tolist(), patch=patch, stride=stride, fill=fill, score=score, engine=engine)
    assert ours.engine == engine
    largest = float(theirs.abs().max())
    assert largest > 1e-3
    for channel in range(3):
        torch.testing.assert_close(ours.values, theirs[:, channel].float(), atol=1e-5 * max(1.0, largest), rtol=1e-4)
