"""Patches of any size, anywhere: only what can be seen of them costs anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import nn

import cnnwidgets as cw
from cnnwidgets.checks import insertion_deletion
from cnnwidgets.core.errors import InputError
from cnnwidgets.explorer.panels.filling import Filling
from cnnwidgets.incremental import Edited
from tests.bounds import bounded

SIDE = 12


@pytest.fixture(autouse=True)
def _bounded() -> Iterator[None]:
    with bounded(500_000, seconds=20):
        yield


@pytest.fixture(scope="module")
def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 100, 3)).eval()


@pytest.fixture(scope="module")
def image() -> torch.Tensor:
    return torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


def by_hand(net: nn.Module, image: torch.Tensor, patch: Callable[[int, int, int], float], box: Any) -> torch.Tensor:
    """Pixel by pixel: ``patch(channel, row, column)`` wherever the box lies on the image."""
    top, left, height, width = box
    edited = image.clone()
    for row in range(SIDE):
        for column in range(SIDE):
            if top <= row < top + height and left <= column < left + width:
                for channel in range(3):
                    edited[0, channel, row, column] = patch(channel, row - top, column - left)
    with torch.no_grad():
        return net(edited)[0]


@pytest.mark.parametrize("engine", ["full", "incremental"])
@pytest.mark.parametrize(
    ("tops", "lefts"),
    [([-15_000, -3, 5], [-7, -12_345, 4]), ([-19_995], [0]), ([10**9, -(10**9)], [0, 0]), ([0, 10**9], [-(10**9), 3])],
)
def test_patches_larger_than_the_image(net: nn.Module, image: torch.Tensor, engine: str, tops: Any, lefts: Any) -> None:
    # Every row of this patch is its number: no memory is taken for it.
    rows = torch.arange(20_000.0).remainder(7).view(1, -1, 1).expand(3, 20_000, 20_000)
    with Edited(net, image, engine=engine) as edited:
        scores = edited.scores(rows, tops, lefts)
        several = edited.scores_of([[(rows, top, left)] for top, left in zip(tops, lefts, strict=True)])
    for index, (top, left) in enumerate(zip(tops, lefts, strict=True)):
        expected = by_hand(net, image, lambda _, row, __: row % 7, (top, left, 20_000, 20_000))
        torch.testing.assert_close(scores[index], expected, atol=1e-4, rtol=1e-5)
        torch.testing.assert_close(several[index], expected, atol=1e-4, rtol=1e-5)


def test_masks_are_cut_with_their_patch(net: nn.Module, image: torch.Tensor) -> None:
    mask = torch.zeros(30, 30, dtype=torch.bool)
    mask[::2] = True
    patch = torch.arange(30.0).view(1, -1, 1).expand(3, 30, 30)
    with Edited(net, image) as edited:
        scores = edited.scores(patch, [-5, -13], [-2, 3], mask)
    for index, (top, left) in enumerate([(-5, -2), (-13, 3)]):
        by = image.clone()
        for row in range(SIDE):
            if (row - top) % 2 == 0:
                by[0, :, row, max(left, 0) :] = row - top
        with torch.no_grad():
            torch.testing.assert_close(scores[index], net(by)[0], atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("places", [[10**30], [2**63 - 1], [-(2**62)], [0.5], [float("nan")], [True], ["0"], [None]])
def test_places_that_are_none(net: nn.Module, image: torch.Tensor, places: Any) -> None:
    with Edited(net, image) as edited, pytest.raises(InputError):
        edited.scores(torch.zeros(3, 2, 2), places, [0])


def test_a_patch_that_cannot_be_in_memory_is_refused_by_the_filling() -> None:
    filling = Filling(torch.rand(1, 3, 8, 8), torch.zeros(8, 8, 3, dtype=torch.uint8).numpy())
    for fill in ("blur", "copy", "grey"):
        with pytest.raises(InputError, match="Make the patch smaller"):
            filling.of({"top": 0, "left": 0, "height": 20_000, "width": 20_000, "fill": fill, "source": [0, 0]})


def test_what_an_occluder_keeps_of_a_patch_shows_the_same() -> None:
    """A copy, too: what it shows moves with what is cut off."""
    import numpy as np

    occluder = cw.Occluder(np.zeros((20, 30, 3), np.uint8))
    occluder.patches = [[0, 0, 20_000, 20_000], [-50, 4, 60, 5], [5, -(10**6), 3, 10**6], [-7, 25, 3, 900_000]]
    boxes = [tuple(patch[name] for name in ("top", "left", "height", "width")) for patch in occluder.patches]
    assert boxes == [(0, 0, 20, 30), (0, 4, 10, 5), (5, -30, 3, 30), (-7, 25, 3, 5)]
    occluder.patches = [{"top": -10, "left": 2, "height": 40, "width": 2, "fill": "copy", "source": [-4, 9]}]
    assert occluder.patches[0]["source"] == [6, 9]
    for wrong in ([10**9, 0, 1, 1], [0, 0, 10**9, 1], [0, float("inf"), 1, 1], [0, float("nan"), 1, 1]):
        with pytest.raises(InputError):
            occluder.patches = [wrong]
    with pytest.raises(InputError, match="at most 1000"):
        occluder.patches = [[0, 0, 1, 1]] * 1001


ABSURD: list[tuple[Any, dict[str, Any]]] = [
    (cw.explainers.integrated_gradients, {"steps": 10**9}),
    (cw.explainers.smooth_grad, {"samples": 10**9}),
    (cw.explainers.occlusion, {"patch": 10**9}),
    (cw.explainers.occlusion, {"patch": (4, 20_000)}),
    (cw.explainers.occlusion, {"patch": 10**30}),
]


@pytest.mark.parametrize(("explainer", "options"), ABSURD)
def test_absurd_numbers_are_refused(net: nn.Module, image: torch.Tensor, explainer: Any, options: Any) -> None:
    with pytest.raises(InputError):
        explainer(net, image, **options)


@pytest.mark.parametrize(
    ("explainer", "options"),
    [
        (cw.explainers.occlusion, {"patch": 4, "stride": 10**9}),
        (cw.explainers.occlusion, {"patch": 4, "stride": 4, "batch": 10**9}),
        (cw.explainers.smooth_grad, {"samples": 3, "batch": 10**9}),
        (cw.explainers.score_cam, {"batch": 10**9}),
        (cw.explainers.ablation_cam, {"batch": 10**9, "channels": 10**9}),
    ],
)
def test_large_numbers_that_mean_all_at_once(net: nn.Module, image: torch.Tensor, explainer: Any, options: Any) -> None:
    usual = {name: value for name, value in options.items() if name not in ("batch", "channels")}
    values = [explainer(net, image, **each).values for each in (options, usual)]
    torch.testing.assert_close(*values, equal_nan=True)


def test_absurd_repeats_of_a_check(net: nn.Module, image: torch.Tensor) -> None:
    attribution = cw.explainers.saliency(net, image)
    with pytest.raises(InputError, match="at most 1,000"):
        insertion_deletion(net, image, attribution, repeats=10**9)
