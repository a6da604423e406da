from __future__ import annotations

import random
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from cnnwidgets.core.errors import Cancelled, CnnWidgetsError, InputError, TargetError
from cnnwidgets.core.progress import Step
from cnnwidgets.explainers.engine.memory import estimated_batch
from cnnwidgets.explainers.engine.patches import blurred, starts
from cnnwidgets.explainers.occlusion import sweep
from cnnwidgets.explainers.occlusion.explainer import Occlusion, occlusion

torch.set_num_threads(2)


class Linear(nn.Module):
    """Scores that a pencil can compute: sums of pixels times weights, one set a class."""

    def __init__(self, *weights: torch.Tensor) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.stack(weights))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.einsum("nchw,khw->nk", x, self.weights)


def small_net(channels: int = 3, classes: int = 5) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(11)
        return nn.Sequential(
            nn.Conv2d(channels, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 8, 3),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(32, classes),
        ).eval()


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(5))


ONES = torch.ones(1, 1, 4, 4)
FOURTHS = torch.tensor([[1.0, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]])


def test_quarters_by_hand() -> None:
    result = occlusion(Linear(FOURTHS, torch.ones(4, 4)), ONES, 0, patch=2, stride=2, score="logit")
    assert result.baseline.tolist() == [40.0]
    assert result.grid.tolist() == [[[36.0, 32.0], [28.0, 24.0]]]  # each covers 4 pixels of weight 1, 2, 3, 4
    assert result.values.tolist() == (4 * FOURTHS)[None].tolist()
    assert result.positions == ((0, 0), (0, 2), (2, 0), (2, 2))
    assert result.scores is result.baseline
    assert (result.method, result.target, result.layer, result.patch) == ("occlusion", (0,), None, (2, 2))
    assert result.notes == ()


def test_overlaps_are_means_by_hand() -> None:
    row = torch.zeros(4, 4)
    row[0] = torch.tensor([1.0, 0, 0, 6])
    result = occlusion(Linear(row), ONES, patch=(4, 2), stride=1, score="logit")
    assert result.grid.tolist() == [[[6.0, 7.0, 1.0]]]
    # covered by the drops 1; 1 and 0; 0 and 6; 6
    assert result.values[0].tolist() == [[1.0, 0.5, 3.0, 6.0]] * 4


def test_classes_that_take_over_are_counted() -> None:
    left, right = torch.zeros(4, 4), torch.zeros(4, 4)
    left[:, :2], right[:, 2:] = 1.0, 0.9
    result = occlusion(Linear(left, right), torch.cat([ONES, -ONES]), patch=2, stride=2)
    # Left wins 8 to 7.2. Covering its side leaves 4 to 7.2, the other 8 to 3.6; the negative says the opposite.
    assert result.predicted.tolist() == [[[1, 0], [1, 0]], [[0, 1], [0, 1]]]
    assert {index: n.tolist() for index, n in result.counts.items()} == {1: [2, 2], 0: [2, 2]}
    assert result.target == (0, 1)
    even, odd = torch.tensor([8.0, 7.2]).softmax(0), torch.tensor([4.0, 7.2]).softmax(0)
    torch.testing.assert_close(result.baseline[0], even[0])
    torch.testing.assert_close(result.grid[0, 0, 0], odd[0])


@pytest.mark.parametrize(("side", "patch", "stride"), [(10, 4, 4), (7, 3, 2), (9, 9, 1), (224, 16, 8), (5, 2, 2)])
def test_places_cover_every_pixel_to_the_edge(side: int, patch: int, stride: int) -> None:
    places = starts(side, patch, stride)
    covered = {pixel for place in places for pixel in range(place, place + patch)}
    assert covered == set(range(side))
    assert places[:-1] == list(range(0, side, stride))[: len(places) - 1]


def slowly(model: nn.Module, images: torch.Tensor, target: int, patch: Any, stride: Any, fill: Any) -> Any:
    """The definition in plain loops, float64, one image and one patch at a time."""
    model, images = model.double(), images.double()
    count, _, height, width = images.shape

    def along(side: int, size: int, step: int) -> list[int]:
        out = []
        at = 0
        while at + size <= side:
            out.append(at)
            at += step
        if out[-1] + size < side:
            out.append(side - size)
        return out

    tops, lefts = along(height, patch[0], stride[0]), along(width, patch[1], stride[1])
    values = np.zeros((count, height, width))
    grid = np.zeros((count, len(tops), len(lefts)))
    with torch.no_grad():
        for n in range(count):
            whole = float(model(images[n : n + 1]).softmax(1)[0, target])
            seen: list[list[list[float]]] = [[[] for _ in range(width)] for _ in range(height)]
            for r, top in enumerate(tops):
                for c, left in enumerate(lefts):
                    edit = images[n : n + 1].clone()
                    for channel in range(edit.shape[1]):
                        level = images[n, channel].mean() if fill == "mean" else fill[channel]
                        edit[0, channel, top : top + patch[0], left : left + patch[1]] = level
                    grid[n, r, c] = float(model(edit).softmax(1)[0, target])
                    for y in range(top, top + patch[0]):
                        for x in range(left, left + patch[1]):
                            seen[y][x].append(grid[n, r, c])
            values[n] = [[whole - np.mean(scores) for scores in line] for line in seen]
    return values, grid


@pytest.mark.parametrize(
    ("patch", "stride", "fill", "batch"),
    [((5, 3), (2, 3), (0.5, -1.0, 2.0), None), ((4, 4), (4, 4), "mean", 7), ((16, 14), (1, 1), (0, 0, 0), 1)],
)
def test_against_a_plain_version_in_float64(patch: Any, stride: Any, fill: Any, batch: int | None) -> None:
    images = noise(2, 3, 16, 14)
    values, grid = slowly(small_net(), images, 2, patch, stride, fill)
    result = occlusion(small_net(), images, 2, patch=patch, stride=stride, fill=fill, batch=batch)
    largest = np.abs(values).max()
    assert largest > 1e-4
    np.testing.assert_allclose(result.grid, grid, atol=1e-6)
    np.testing.assert_allclose(result.values, values, atol=1e-3 * largest)


def test_blur_is_a_gaussian() -> None:
    dot = torch.zeros(1, 1, 41, 41)
    dot[0, 0, 20, 20] = 1
    soft = blurred(dot, 4.0)[0, 0]
    assert float(soft.sum()) == pytest.approx(1, abs=1e-5)
    assert float(soft[20, 24] / soft[20, 20]) == pytest.approx(np.exp(-0.5), abs=1e-5)
    assert float(soft[28, 20] / soft[20, 20]) == pytest.approx(np.exp(-2), abs=1e-5)
    flat = torch.full((1, 2, 5, 5), 3.0)
    torch.testing.assert_close(blurred(flat, 8.0), flat)
    result = occlusion(small_net(), torch.full((1, 3, 12, 12), 3.0), fill="blur", patch=4)
    torch.testing.assert_close(result.grid, result.baseline.expand_as(result.grid))
    assert any("hardly changes the score" in note for note in result.notes)


class Greedy(nn.Module):
    """Runs out of memory above ``most`` images. What an instance notes is put back; the class is nobody's model."""

    batches: ClassVar[list[int]] = []

    def __init__(self, most: int, error: Exception) -> None:
        super().__init__()
        self.net, self.most, self.error = small_net(), most, error
        self.batches.clear()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.batches.append(len(x))
        if len(x) > self.most:
            raise self.error
        out: torch.Tensor = self.net(x)
        return out


ERRORS = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: not enough memory: you tried ..."),
    MemoryError(),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_batches_are_halved_when_memory_runs_out(error: Exception) -> None:
    images = noise(2, 3, 12, 12)
    model = Greedy(3, error)
    result = occlusion(model.eval(), images, patch=4, stride=2, batch=16, engine="full")
    tried = [size for size in model.batches if size > 3]
    assert tried[:3] == [16, 8, 4]
    # once for each image at most, and never more than the 16 asked for
    assert len(tried) <= 3 + 1
    expected = occlusion(small_net(), images, patch=4, stride=2)
    torch.testing.assert_close(result.grid, expected.grid, atol=1e-6, rtol=0)


def test_out_of_memory_with_one_image_is_told() -> None:
    class Never(Greedy):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.most = 1 if not self.batches else 0
            return super().forward(x)

    with pytest.raises(torch.OutOfMemoryError, match="Tried to allocate"):
        occlusion(Never(1, ERRORS[0]).eval(), noise(1, 3, 12, 12), patch=4, stride=4, batch=8)


def test_another_error_names_the_layer_and_is_not_retried() -> None:
    class Fragile(nn.Module):
        calls = 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            Fragile.calls += 1  # what an instance notes is put back
            if self.calls > 2:
                raise ValueError("no")
            return x.mean((2, 3))

    model = nn.Sequential(Fragile())
    with pytest.raises(CnnWidgetsError, match=r"ValueError: no.*layer '0' \(Fragile\)"):
        occlusion(model, noise(1, 3, 8, 8), patch=4)
    # The image in both engines; the edits and one of them alone, by the engine, in full, and in full with gradients, as
    # some models need them: the error is the model's own.
    assert Fragile.calls == 8


@pytest.mark.parametrize(("asked", "largest"), [(None, 4), (50, 4), (3, 3), (1, 1)])
def test_no_batch_is_larger_than_it_needs_to_be(asked: int | None, largest: int) -> None:
    model = Greedy(1000, ERRORS[0]).eval()
    occlusion(model, noise(1, 3, 8, 8), patch=4, stride=4, batch=asked, engine="full")
    assert max(model.batches) == largest


def test_the_batch_is_made_to_the_size_of_the_image() -> None:
    assert [estimated_batch(torch.empty(3, side, side), 10_000) for side in (32, 224, 448, 2000)] == [256, 8, 2, 1]
    assert estimated_batch(torch.empty(3, 32, 32), 9) == 9


def test_a_model_that_overwrites_its_input_is_measured_right() -> None:
    class Overwrites(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = small_net()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = self.net(x.mul_(2.0).add_(1.0))
            return out

    images = noise(2, 3, 12, 12)
    kept = images.clone()
    fill = 0.25
    result = occlusion(Overwrites(), images, 1, patch=4, stride=2, batch=4, fill=fill)
    assert torch.equal(images, kept)
    expected = occlusion(small_net(), images * 2 + 1, 1, patch=4, stride=2, fill=fill * 2 + 1)
    torch.testing.assert_close(result.grid, expected.grid, atol=1e-6, rtol=0)


def test_the_map_fills_in_from_coarse_to_fine_and_partial_results_do_not_change() -> None:
    images = noise(1, 3, 16, 16)
    steps: list[Step] = []
    early: list[torch.Tensor] = []

    def look(step: Step) -> None:
        steps.append(step)
        early.append(step.partial.scores_at.clone())

    result = occlusion(small_net(), images, 2, patch=4, stride=2, batch=5, progress=look)
    plain = occlusion(small_net(), images, 2, patch=4, stride=2, order="rows", progress=list[Step]().append)
    torch.testing.assert_close(result.grid, plain.grid, atol=1e-6, rtol=0)
    torch.testing.assert_close(result.values, plain.values, atol=1e-6, rtol=0)
    assert (steps[-1].done, {step.total for step in steps}) == (49, {49})
    first = steps[0].partial
    assert isinstance(first, Occlusion)
    # of a 7x7 grid, a sparse one with every fourth place
    assert first.known[0].nonzero().tolist() == [[0, 0], [0, 4], [4, 0], [4, 4]]
    torch.testing.assert_close(first.grid[first.known], plain.grid[first.known], atol=1e-6, rtol=0)
    low, high = first.grid[first.known].min(), first.grid[first.known].max()
    assert bool(((first.grid >= low - 1e-6) & (first.grid <= high + 1e-6)).all())
    assert sum(int(n) for n in first.counts.values()) == 49
    assert first.predicted[0, 4, 6] == first.predicted[0, 4, 4]
    assert "partial: 4 of 49 places; the others are interpolated" in first.notes
    for step, scores in zip(steps, early, strict=True):
        assert torch.equal(step.partial.scores_at, scores)
        assert int(step.partial.known.sum()) == step.done
    assert torch.equal(steps[-1].partial.grid, result.grid)
    assert not any("partial" in note for note in steps[-1].partial.notes)


def test_images_that_are_not_begun_have_no_values_yet() -> None:
    steps: list[Step] = []
    occlusion(small_net(), noise(2, 3, 12, 12), 1, patch=4, stride=4, progress=steps.append)
    first = steps[0].partial
    assert bool(first.grid[0].isfinite().all())
    assert bool(first.grid[1].isnan().all())
    assert bool(first.values[1].isnan().all())
    assert first.predicted[1].unique().tolist() == [-1]


def snapshot(model: nn.Module) -> Any:
    return (
        [module.training for module in model.modules()],
        [sum(map(len, (m._forward_hooks, m._forward_pre_hooks))) for m in model.modules()],
        [(p.requires_grad, p.grad) for p in model.parameters()],
        {name: value.clone() for name, value in model.state_dict().items()},
        torch.get_rng_state(),
        random.getstate(),
    )


def assert_same(before: Any, after: Any) -> None:
    assert before[:3] == after[:3]
    assert before[3].keys() == after[3].keys()
    assert all(torch.equal(before[3][name], after[3][name]) for name in before[3])
    assert torch.equal(before[4], after[4])
    assert before[5] == after[5]


def test_cancelling_stops_at_once_and_leaves_the_model_as_it_was() -> None:
    model = small_net().train()
    model[3].eval()
    model[0].weight.requires_grad_(False)
    before, done = snapshot(model), []

    def stop(step: Step) -> None:
        done.append(step.done)
        torch.rand(3)
        if len(done) == 2:
            raise Cancelled("enough")

    with pytest.raises(Cancelled, match="enough"):
        occlusion(model, noise(1, 3, 16, 16), patch=4, stride=2, batch=4, progress=stop)
    assert done == [4, 8]
    assert_same(before, snapshot(model))
    result = occlusion(model, noise(1, 3, 16, 16), patch=4, stride=2)
    assert_same(before, snapshot(model))
    assert any("training mode" in note for note in result.notes)
    with pytest.raises(InputError):
        occlusion(model, noise(1, 3, 16, 16), patch=17)
    assert_same(before, snapshot(model))


def test_twice_is_the_same() -> None:
    first, second = (occlusion(small_net(), noise(1, 3, 16, 16), patch=5, stride=3) for _ in range(2))
    assert torch.equal(first.grid, second.grid)
    assert torch.equal(first.values, second.values)


def test_pixels_between_distant_patches_have_no_value_and_it_says_so() -> None:
    result = occlusion(Linear(torch.ones(7, 7)), torch.ones(1, 1, 7, 7), patch=2, stride=5, score="logit")
    expected = torch.full((7, 7), torch.nan)
    for rows in (slice(0, 2), slice(5, 7)):
        expected[rows, 0:2] = expected[rows, 5:7] = 4.0
    torch.testing.assert_close(result.values[0], expected, equal_nan=True)
    assert any("33 pixels are never covered" in note for note in result.notes)


def test_a_callable_target_on_a_segmentation_model() -> None:
    class Segments(nn.Module):
        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"out": torch.cat([x, 2 * x], 1)}

    def upper_left(outputs: Any) -> torch.Tensor:
        corner: torch.Tensor = outputs["out"][:, 1, :2, :2].sum((1, 2))
        return corner

    result = occlusion(Segments(), ONES, upper_left, patch=2, stride=2)
    assert result.values[0].tolist() == [[8.0, 8, 0, 0], [8, 8, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert result.target is upper_left
    assert bool((result.predicted == -1).all())
    assert result.counts == {}
    assert any("no class scores" in note for note in result.notes)


def test_a_callable_target_on_a_classifier_still_gets_predictions() -> None:
    result = occlusion(Linear(FOURTHS, torch.ones(4, 4)), ONES, lambda out: out[:, 1] - out[:, 0], patch=2, stride=2)
    assert result.predicted.tolist() == [[[0, 0], [0, 0]]]
    assert result.grid.tolist() == [[[-24.0, -20.0], [-16.0, -12.0]]]


def test_probabilities_are_not_made_twice() -> None:
    soft = nn.Sequential(small_net(), nn.Softmax(1))
    images = noise(1, 3, 12, 12)
    torch.testing.assert_close(
        occlusion(soft, images, 1, patch=4, stride=4).grid, occlusion(small_net(), images, 1, patch=4, stride=4).grid
    )


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_other_precisions(dtype: torch.dtype) -> None:
    images = noise(1, 3, 12, 12)
    result = occlusion(small_net().to(dtype), images, 1, patch=4, stride=4)
    expected = occlusion(small_net(), images, 1, patch=4, stride=4)
    assert result.values.dtype == torch.float32
    torch.testing.assert_close(result.grid, expected.grid, atol=2e-2 if dtype == torch.bfloat16 else 1e-6, rtol=0)


def test_numbers_that_are_not_finite_stay_where_they_are() -> None:
    class Breaks(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            total = x.sum((1, 2, 3))
            return torch.stack([torch.where(x[:, 0, 0, 0] == 0, torch.nan, total), -total], 1)

    result = occlusion(Breaks(), ONES, 0, patch=2, stride=2, score="logit")
    assert result.grid.isnan().tolist() == [[[True, False], [False, False]]]
    assert result.values.isnan().sum() == 4
    assert float(result.values[0, 3, 3]) == 4.0
    assert any("NaN" in note for note in result.notes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patch": 9}, r"patch is 9x9 pixels .* larger than the image, 8x8"),
        ({"patch": (2, 9)}, "2x9"),
        ({"patch": 0}, "patch is 0; expected at least 1"),
        ({"patch": 2.5}, "patch is 2.5; expected pixels"),
        ({"patch": (1, 2, 3)}, "patch is"),
        ({"patch": "16"}, "patch is '16'"),
        ({"patch": True}, "patch is True"),
        ({"stride": 0}, "stride is 0"),
        ({"stride": (4, -1)}, "stride is"),
        ({"stride": None}, "stride is None"),
        ({"fill": (0.0, 1.0)}, r"fill has shape \(2,\); the images have 3 channels"),
        ({"fill": "black"}, "fill is 'black'"),
        ({"fill": float("nan")}, "expected finite numbers"),
        ({"fill": None}, "fill is None"),
        ({"fill": torch.zeros(3, 8, 7)}, r"fill has shape \(3, 8, 7\).* 8x8 pixels"),
        ({"fill": torch.full((3, 8, 8), torch.inf)}, "expected finite numbers"),
        ({"shape": "circle"}, "shape is 'circle'"),
        ({"shape": None}, "shape is None"),
        ({"shape": torch.ones(4, 4)}, "is torch.float32; expected booleans"),
        ({"shape": np.ones((4, 5), bool)}, r"shape \(4, 5\); the patch is 4x4"),
        ({"shape": torch.zeros(4, 4, dtype=torch.bool)}, "holds no True"),
        ({"order": "random"}, "order is 'random'"),
        ({"approximate": 1.5}, "approximate is 1.5"),
        ({"approximate": 0}, "approximate is 0"),
        ({"approximate": "yes"}, "approximate is 'yes'"),
        ({"tolerance": -0.1}, "tolerance is -0.1"),
        ({"tolerance": True}, "tolerance is True"),
        ({"tolerance": float("nan")}, "tolerance is nan"),
        ({"batch": 0}, "batch is 0"),
        ({"batch": 2.0}, "batch is 2.0"),
    ],
)
def test_options_out_of_range_say_so(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        occlusion(small_net(), noise(1, 3, 8, 8), **{"patch": 4, **options})


def test_engines_and_scores_that_do_not_exist() -> None:
    images = noise(1, 3, 8, 8)
    with pytest.raises(CnnWidgetsError, match="engine is 'fast'; expected \"auto\""):
        occlusion(small_net(), images, patch=4, engine="fast")
    with pytest.raises(TargetError, match="score must be"):
        occlusion(small_net(), images, patch=4, score="loss")  # type: ignore[arg-type]
    with pytest.raises(TargetError, match="target 5 is out of range"):
        occlusion(small_net(), images, 5, patch=4)


@pytest.mark.parametrize("approximate", [False, True])
@pytest.mark.parametrize("score", ["probability", "logit"])
def test_another_target_needs_no_other_sweep(score: Any, approximate: bool) -> None:
    images, options = noise(2, 3, 16, 16), {"patch": 3, "stride": 2, "score": score, "approximate": approximate}
    swept = occlusion(small_net(), images, **options)
    for target in (3, [0, 4], None):
        other, again = swept.for_target(target), occlusion(small_net(), images, target, **options)
        for name in ("values", "grid", "baseline", "predicted", "known"):
            torch.testing.assert_close(getattr(other, name), getattr(again, name), atol=1e-6, rtol=0)
        assert other.target == again.target
        assert other.notes == again.notes
    torch.testing.assert_close(swept.scores_at[1, :, :, 4], swept.for_target(4).grid[1])
    if score == "probability":
        torch.testing.assert_close(swept.scores_at.sum(3), torch.ones(swept.grid.shape), atol=1e-5, rtol=0)
    with pytest.raises(TargetError, match="target 5 is out of range"):
        swept.for_target(5)
    with pytest.raises(CnnWidgetsError, match="A function as target"):
        swept.for_target(lambda out: out[:, 0])


def test_of_a_function_only_its_own_score_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    result = occlusion(small_net(), noise(1, 3, 8, 8), lambda out: out[:, 0], patch=4)
    with pytest.raises(CnnWidgetsError, match="since the target is a function"):
        result.for_target(1)
    monkeypatch.setattr(sweep, "_MOST_KEPT", 8)
    few = occlusion(small_net(), noise(1, 3, 8, 8), 2, patch=4)
    with pytest.raises(CnnWidgetsError, match="too many places"):
        _ = few.scores_at
    monkeypatch.undo()
    assert torch.equal(few.values, occlusion(small_net(), noise(1, 3, 8, 8), 2, patch=4).values)


MASK = np.array([[1, 0, 0], [1, 1, 0]], bool)


@pytest.mark.parametrize("engine", ["full", "incremental"])
@pytest.mark.parametrize("shape", [MASK, torch.from_numpy(MASK)])
def test_a_mask_by_hand(shape: Any, engine: str) -> None:
    weights = torch.arange(12.0).view(3, 4)
    result = occlusion(
        Linear(weights), torch.ones(1, 1, 3, 4), patch=(2, 3), stride=1, shape=shape, score="logit", engine=engine
    )
    # tops 0, 1; lefts 0, 1; e.g. at (0, 0) it hides the weights 0, 4 and 5 of a total of 66
    assert result.grid.tolist() == [[[57.0, 54.0], [45.0, 42.0]]]
    drops = [[9.0, 12.0, torch.nan, torch.nan], [15.0, 15.0, 12.0, torch.nan], [21.0, 22.5, 24.0, torch.nan]]
    torch.testing.assert_close(result.values[0], torch.tensor(drops), equal_nan=True)
    assert any("4 pixels are never covered" in note for note in result.notes)


def test_a_disc_spares_the_corners() -> None:
    result = occlusion(Linear(torch.ones(4, 4)), ONES, patch=4, shape="disc", score="logit")
    assert result.grid.tolist() == [[[4.0]]]  # of 16 pixels, the corners are left
    assert result.values[0].isnan().nonzero().tolist() == [[0, 0], [0, 3], [3, 0], [3, 3]]


@pytest.mark.parametrize("engine", ["full", "incremental"])
def test_a_picture_is_seen_through_the_patch(engine: str) -> None:
    picture = torch.arange(16.0).view(1, 4, 4)
    result = occlusion(Linear(torch.ones(4, 4)), ONES, patch=2, stride=2, fill=picture, score="logit", engine=engine)
    # 12 ones stay, and four numbers of the picture come in: 0+1+4+5, 2+3+6+7, ...
    assert result.grid.tolist() == [[[22.0, 30.0], [54.0, 62.0]]]


class Noisy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = small_net()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.net(nn.functional.dropout(x, 0.3, training=True))
        return out


@pytest.mark.parametrize("engine", ["full", "auto"])
def test_a_model_that_is_not_deterministic_is_told(engine: str) -> None:
    result = occlusion(Noisy(), noise(1, 3, 12, 12), 1, patch=4, engine=engine)
    assert any("not deterministic" in note for note in result.notes)


class Together(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = small_net()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.net(nn.functional.batch_norm(x, None, None, training=True))
        return out


@pytest.mark.parametrize("engine", ["full", "auto", "incremental"])
def test_a_model_whose_images_influence_one_another_is_refused(engine: str) -> None:
    with pytest.raises(CnnWidgetsError, match="influence one another"):
        occlusion(Together(), noise(1, 3, 12, 12), 1, patch=4, engine=engine)


def test_what_was_known_at_a_cancel_is_kept() -> None:
    kept: list[Occlusion] = []

    def stop(step: Step) -> None:
        kept.append(step.partial)
        if step.done >= 8:
            raise Cancelled("enough")

    images = noise(1, 3, 16, 16)
    with pytest.raises(Cancelled):
        occlusion(small_net(), images, 1, patch=4, stride=2, batch=4, progress=stop)
    exact = occlusion(small_net(), images, 1, patch=4, stride=2)
    known = kept[-1].known
    assert int(known.sum()) == 8
    torch.testing.assert_close(kept[-1].grid[known], exact.grid[known], atol=1e-6, rtol=0)
    other = kept[-1].for_target(3)
    torch.testing.assert_close(other.grid[known], exact.for_target(3).grid[known], atol=1e-6, rtol=0)
