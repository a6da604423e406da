"""The order of places, the estimates in between, and what is shown meanwhile, each against something plain."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cnnwidgets.core.progress import Step
from cnnwidgets.explainers.occlusion.cover import Covering, mask_of
from cnnwidgets.explainers.occlusion.display import filled_in, nearest_class
from cnnwidgets.explainers.occlusion.explainer import occlusion
from cnnwidgets.explainers.occlusion.kriging import Estimates, compared, fitting_lengths, kriging_weights
from cnnwidgets.explainers.occlusion.order import Order, coarse_step

torch.set_num_threads(2)


def grid(rows: int, cols: int) -> torch.Tensor:
    return torch.cartesian_prod(torch.arange(rows).double(), torch.arange(cols).double()).view(rows, cols, 2)


def matern(apart: float, length: float) -> float:
    scaled = math.sqrt(3) * abs(apart) / length
    return (1 + scaled) * math.exp(-scaled)


def smooth_fields(rows: int, cols: int, lengths: tuple[float, float], count: int) -> torch.Tensor:
    """(rows * cols, count) random fields with the covariance that the estimates assume."""
    at = grid(rows, cols).view(-1, 2).tolist()
    covariance = np.array([[matern(a - c, lengths[0]) * matern(b - d, lengths[1]) for c, d in at] for a, b in at])
    root = np.linalg.cholesky(covariance + 1e-9 * np.eye(len(at)))
    return torch.tensor(root @ np.random.default_rng(7).standard_normal((len(at), count)))


def test_kriging_against_the_textbook_system_in_loops() -> None:
    generator = torch.Generator().manual_seed(1)
    known = torch.rand(9, 2, generator=generator, dtype=torch.float64) * 5
    at = torch.rand(4, 2, generator=generator, dtype=torch.float64) * 5
    lengths = (1.5, 2.5)
    found = kriging_weights(at, known, lengths)

    def alike(one: Any, two: Any) -> float:
        return matern(one[0] - two[0], lengths[0]) * matern(one[1] - two[1], lengths[1])

    for q in range(4):
        system, right = np.zeros((10, 10)), np.ones(10)
        for i in range(9):
            for j in range(9):
                system[i, j] = alike(known[i].tolist(), known[j].tolist()) + (2e-3 if i == j else 0)
            system[i, 9] = system[9, i] = 1
            right[i] = alike(known[i].tolist(), at[q].tolist())
        solved = np.linalg.solve(system, right)
        shares = np.zeros(9)
        shares[found.sources[q].numpy()] = found.shares[q].numpy()
        np.testing.assert_allclose(shares, solved[:9], atol=1e-9)
        # E (estimate - truth)^2, both taken with the nugget
        truth = 1 + 2e-3 - 2 * solved[:9] @ right[:9] + solved[:9] @ system[:9, :9] @ solved[:9]
        assert float(found.variance[q]) == pytest.approx(truth, abs=1e-9)


def test_a_constant_stays_constant_and_a_measured_place_is_not_made_of_itself() -> None:
    at = grid(5, 4).view(-1, 2)
    known = at[::2]
    torch.testing.assert_close(
        kriging_weights(at, known, (2.0, 2.0)).of(torch.full((10, 1), 3.0)), torch.full((20, 1), 3.0).double()
    )
    left_out = kriging_weights(known, known, (2.0, 2.0), leave_out=True)
    assert not bool((left_out.sources == torch.arange(10)[:, None]).any())


@pytest.mark.parametrize("classes", [5, 500])
def test_errors_are_means_over_classes_of_equal_weight(classes: int) -> None:
    scale = torch.logspace(-3, 3, classes, dtype=torch.float64)
    measured = smooth_fields(6, 6, (2.0, 2.0), classes)[::3] * scale
    known = grid(6, 6).view(-1, 2)[::3]
    _, found = fitting_lengths(known, compared(measured), among=[(2.5, 1.5)])
    left_out = kriging_weights(known, known, (2.5, 1.5), leave_out=True).of(measured)
    plain = ((left_out - measured) ** 2 / measured.var(0, correction=0)).mean(1)
    torch.testing.assert_close(found, plain, rtol=1e-9 if classes == 5 else 0.6, atol=0)
    assert float(found.mean() / plain.mean()) == pytest.approx(1, abs=1e-9 if classes == 5 else 0.15)


@pytest.mark.parametrize("lengths", [(4.0, 1.5), (1.5, 4.0), (1.5, 1.5), (4.0, 4.0)])
def test_the_lengths_follow_the_scores(lengths: tuple[float, float]) -> None:
    at = grid(12, 12).view(-1, 2)
    some = torch.randperm(144, generator=torch.Generator().manual_seed(3))[:60]
    fields = smooth_fields(12, 12, lengths, 300)[some]
    assert fitting_lengths(at[some], compared(fields))[0] == lengths


@pytest.mark.parametrize("length", [1.5, 4.0])
def test_the_estimated_error_is_about_the_true_one(length: float) -> None:
    fields = smooth_fields(14, 14, (length, length), 40)
    known = sorted(torch.randperm(196, generator=torch.Generator().manual_seed(4))[:80].tolist())
    unknown = sorted(set(range(196)) - set(known))
    estimates = Estimates(grid(14, 14).view(-1, 2), known, fields)
    true = (estimates.of(unknown, fields) - fields[unknown]).pow(2).mean(0).sqrt()
    told = torch.tensor([estimates.error(fields[:, column]) for column in range(40)])
    assert bool(((told / true).log2().abs() < 1).all())
    assert 0.8 < float((told / true).mean()) < 1.25


def test_every_place_is_visited_once_in_any_grid() -> None:
    for rows, cols in [(1, 1), (1, 7), (3, 2), (8, 8), (27, 27), (5, 16)]:
        order = Order(grid(rows, cols))
        order.visited(order.coarse)
        seen = list(order.coarse)
        while found := order.next(10, seen, torch.rand(len(seen), generator=torch.Generator().manual_seed(0))):
            order.visited(found)
            seen += found
        assert sorted(seen) == list(range(rows * cols))


def test_distances_are_those_to_the_nearest_visited_place() -> None:
    generator = torch.Generator().manual_seed(8)
    at = torch.cartesian_prod(
        torch.tensor([*range(17), 16.1], dtype=torch.float64), torch.tensor([*range(22), 21.3], dtype=torch.float64)
    ).view(18, 23, 2)
    order, flat, seen = Order(at), at.view(-1, 2), list[int]()
    while len(seen) < 200:
        new = torch.randint(0, 414, (30,), generator=generator).tolist()
        order.visited(new)
        seen += new
        # without errors, the next is the one farthest from all that was seen, once the edges are done
        order.visited([row * 23 + 22 for row in range(18)] + [17 * 23 + col for col in range(23)])
        seen += [row * 23 + 22 for row in range(18)] + [17 * 23 + col for col in range(23)]
        nearest_seen = torch.cdist(flat, flat[seen]).amin(1)
        (place,) = order.next(1, seen, torch.zeros(len(seen)))
        assert float(nearest_seen[place]) == pytest.approx(float(nearest_seen.max()))


@given(st.integers(1, 200), st.integers(1, 200))
@settings(max_examples=50, deadline=None)
def test_the_first_look_is_cheap_and_has_no_large_holes(rows: int, cols: int) -> None:
    step = coarse_step(rows, cols)
    places = -(-rows // step) * -(-cols // step)
    assert places <= max(4, 0.085 * rows * cols)
    half = step // 2
    assert step == 1 or -(-rows // half) * -(-cols // half) > max(4, 0.085 * rows * cols)


def test_next_come_the_far_edges_then_what_is_far_and_hard() -> None:
    order = Order(grid(9, 9))
    assert order.coarse == [row * 9 + col for row in (0, 8) for col in (0, 8)]
    order = Order(grid(27, 27))
    order.visited(order.coarse)
    edges = [row * 27 + 26 for row in (*range(0, 27, 4), 26)] + [26 * 27 + col for col in range(0, 27, 4)]
    first = order.next(15, order.coarse, torch.zeros(49))
    assert sorted(first) == sorted(edges)
    order.visited(first)
    errors = torch.tensor([100.0 if place % 27 < 10 and place // 27 < 10 else 0.01 for place in order.coarse])
    found = order.next(6, order.coarse, errors)
    assert all(row < 12 and col < 12 for row, col in (divmod(place, 27) for place in found))
    assert {(row % 4, col % 4) for row, col in (divmod(place, 27) for place in found)} == {(2, 2)}
    # what is only chosen is not visited, so it is chosen again
    assert order.next(6, order.coarse, errors) == found


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_what_is_filled_in_lies_between_what_is_known(rows: int, cols: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    known = torch.rand(rows, cols, generator=generator) < 0.3
    values = torch.randn(2, rows, cols, generator=generator)
    found = filled_in(values.masked_fill(~known, 1e6), known)
    classes = nearest_class(torch.arange(rows * cols).view(rows, cols).masked_fill(~known, -1))
    if not bool(known.any()):
        assert bool(found.isnan().all())
        assert bool((classes == -1).all())
        return
    assert torch.equal(found[:, known], values[:, known])
    for channel in range(2):
        some = values[channel][known]
        assert float(found[channel].min()) >= float(some.min()) - 1e-5
        assert float(found[channel].max()) <= float(some.max()) + 1e-5
    places = known.nonzero()
    for row in range(rows):
        for col in range(cols):
            apart = (places - torch.tensor([row, col])).abs().sum(1)
            chosen = int(classes[row, col])
            assert abs(chosen // cols - row) + abs(chosen % cols - col) == int(apart.min())


def test_a_place_that_is_not_a_number_spoils_no_other() -> None:
    values = torch.tensor([[[1.0, 0.0, torch.nan, 0.0, 5.0]]])
    found = filled_in(values, torch.tensor([[True, False, True, False, True]]))
    assert found.isnan().tolist() == [[[False, False, True, False, False]]]


@pytest.mark.parametrize("shape", ["square", "disc"])
def test_covering_against_loops(shape: str) -> None:
    tops, lefts, patch, size = [0, 3, 5], [0, 2, 4, 6], (5, 3), (10, 9)
    scores = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(5))
    known = torch.rand(2, 3, 4, generator=torch.Generator().manual_seed(6)) < 0.7
    mask = mask_of(shape, patch)
    shown = np.ones(patch, bool) if mask is None else mask.numpy()
    found = Covering(tops, lefts, patch, mask, size).mean(scores, known)
    for n in range(2):
        for y in range(10):
            for x in range(9):
                over = [
                    float(scores[n, r, c])
                    for r, top in enumerate(tops)
                    for c, left in enumerate(lefts)
                    if known[n, r, c] and 0 <= y - top < 5 and 0 <= x - left < 3 and shown[y - top, x - left]
                ]
                expected = np.mean(over) if over else np.nan
                np.testing.assert_allclose(float(found[n, y, x]), expected, atol=1e-6)


def network() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(4)
        return nn.Sequential(
            nn.Conv2d(1, 6, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 6, 5),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(3),
            nn.Flatten(),
            nn.Linear(54, 4),
        ).eval()


def picture(side: int) -> torch.Tensor:
    coarse = torch.randn(1, 1, 6, 6, generator=torch.Generator().manual_seed(9))
    return nn.functional.interpolate(coarse, (side, side), mode="bicubic")


def test_approximate_measures_two_fifths_and_tells_its_error() -> None:
    image = picture(48)
    exact = occlusion(network(), image, 1, patch=8, stride=2)
    rough = occlusion(network(), image, 1, patch=8, stride=2, approximate=True)
    assert exact.grid.shape == (1, 21, 21)
    assert int(rough.known.sum()) == math.ceil(0.4 * 441)
    torch.testing.assert_close(rough.grid[rough.known], exact.grid[rough.known], atol=1e-6, rtol=0)
    largest = float((exact.grid - exact.baseline).abs().max())
    true = float((rough.grid - exact.grid)[~rough.known].pow(2).mean().sqrt())
    assert true < 0.05 * largest
    # as good as bilinear interpolation from every second place and better, with the last row and column in
    every = torch.nn.functional.interpolate(
        exact.grid[None, :, ::2, ::2], (21, 21), mode="bilinear", align_corners=True
    )
    assert true < float((every[0] - exact.grid)[0].pow(2).mean().sqrt()) * math.sqrt(441 / 320)
    (note,) = (note for note in rough.notes if note.startswith("approximate"))
    assert "177 of 441 places" in note
    told = float(note.split("estimated error ")[1].split(" %")[0]) / 100
    assert true / 3 < told * largest < 3 * true
    assert torch.equal(rough.predicted[rough.known], exact.predicted[rough.known])


def test_a_tolerance_is_kept_with_fewer_places_the_larger_it_is() -> None:
    image = picture(48)
    exact = occlusion(network(), image, 1, patch=8, stride=2)
    largest = float((exact.grid - exact.baseline).abs().max())
    counts = []
    for tolerance in (0.0, 0.03, 0.15):
        steps: list[Step] = []
        found = occlusion(network(), image, 1, patch=8, stride=2, tolerance=tolerance, progress=steps.append)
        error = float((found.grid - exact.grid).pow(2).mean().sqrt())
        assert error <= 2 * tolerance * largest + 1e-6
        counts.append(int(found.known.sum()))
        assert steps[-1].done == counts[-1]
    assert counts[0] == 441 > counts[1] > counts[2]


@pytest.mark.parametrize(("share", "places"), [(0.25, 111), (1.0, 441), (True, 177), (0.01, 36)])
def test_the_share_of_places_to_measure_can_be_chosen(share: float, places: int) -> None:
    found = occlusion(network(), picture(48), 1, patch=8, stride=2, approximate=share)
    assert int(found.known.sum()) == places
    assert any(note.startswith("approximate") for note in found.notes) == (places < 441)


def test_small_grids_are_measured() -> None:
    found = occlusion(network(), picture(16), 1, patch=4, stride=4, approximate=True)
    assert bool(found.known.all())
    assert found.notes == ()
