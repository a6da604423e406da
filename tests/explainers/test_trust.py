"""What is said beside a map about the model and its output, by every explainer."""

from __future__ import annotations

import random
import threading
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from cnnwidgets import explainers
from cnnwidgets.core.errors import CnnWidgetsError
from cnnwidgets.explainers import names, register, unregister

SOFTMAX = "the model's output is already a softmax"
SAME = "every class has the same score"
RANDOM = "the model draws random numbers while it runs"
BATCH = "normalises by the statistics of the batch"
WRITES = "the model writes to its buffer"
SATURATED = "scores are saturated"


def net(*more: nn.Module) -> nn.Sequential:
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5), *more
    ).eval()


IMAGES = torch.rand(2, 3, 20, 20, generator=torch.Generator().manual_seed(4))


def told(result: Any, start: str) -> list[str]:
    return [note for note in result.notes if note.startswith(start)]


@pytest.mark.parametrize("name", names())
def test_nothing_is_said_about_an_ordinary_model(name: str) -> None:
    result = explainers.get(name)(net(), IMAGES, 1)
    for start in (SOFTMAX, SAME, RANDOM, WRITES, SATURATED, "model was"):
        assert not told(result, start)
    assert not any(BATCH in note for note in result.notes)


@pytest.mark.parametrize("name", [name for name in names() if name != "cam"])
def test_a_softmax_inside_the_model(name: str) -> None:
    result = explainers.get(name)(net(nn.Softmax(1)), IMAGES, 1)
    assert len(told(result, SOFTMAX)) == 1
    assert not told(result, SATURATED)


@pytest.mark.parametrize("name", names())
def test_a_model_that_tells_no_classes_apart(name: str) -> None:
    model = net()
    with torch.no_grad():
        model[4].weight.copy_(model[4].weight[:1].expand(5, 4))
        model[4].bias.fill_(0.1)
    result = explainers.get(name)(model, IMAGES, 1)
    assert f"{SAME} for image 0, 1: the model does not tell the classes apart" in result.notes


def test_only_the_images_are_named_whose_scores_are_equal() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3, bias=False))
    images = torch.stack([torch.ones(1, 2, 2), torch.zeros(1, 2, 2)])
    assert told(explainers.saliency(model, images, 0), SAME) == [
        f"{SAME} for image 1: the model does not tell the classes apart"
    ]


class Forest(nn.Module):
    """Draws random numbers where evaluation mode should have stopped it."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.inner, self.way = net(), way

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.inner[1](self.inner[0](x))
        if self.way == "dropout":
            x = functional.dropout(x, 0.5)
        elif self.way == "noise":
            x = x + torch.randn_like(x)
        elif self.way == "python":
            x = x * random.random()  # noqa: S311
        elif self.way == "unused":
            torch.rand(3)
        elif self.way == "own generator":
            x = x + torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
        return self.inner[2:](x)


@pytest.mark.parametrize("name", [name for name in names() if name != "cam"])
@pytest.mark.parametrize("way", ["dropout", "noise", "python"])
def test_a_model_that_is_another_in_each_run(name: str, way: str) -> None:
    torch.manual_seed(0)
    (note,) = told(explainers.get(name)(Forest(way), IMAGES, 1), RANDOM)
    assert "two runs on one image gave outputs up to 0." in note


def test_drawing_what_does_not_matter() -> None:
    (note,) = told(explainers.saliency(Forest("unused"), IMAGES, 1), RANDOM)
    assert note == f"{RANDOM}: this map may be one of many"


def test_a_generator_of_its_own_always_draws_the_same() -> None:
    assert not told(explainers.saliency(Forest("own generator"), IMAGES, 1), RANDOM)


def test_without_random_numbers_the_model_runs_no_more_often_than_needed() -> None:
    model, runs = net(), []
    model.register_forward_hook(lambda *_: runs.append(1))
    explainers.saliency(model, IMAGES, 1)
    explainers.grad_cam(model, IMAGES, 1)
    assert len(runs) == 2


def test_on_another_thread_what_the_main_thread_draws_is_not_the_models() -> None:
    results: dict[str, Any] = {}

    class Waits(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            running.set()
            drawn.wait(10)
            return x

    for way in ("nothing", "noise"):
        running, drawn = threading.Event(), threading.Event()
        model = nn.Sequential(Waits(), Forest(way))

        def work(model=model, way=way) -> None:
            results[way] = explainers.saliency(model, IMAGES, 1)

        thread = threading.Thread(target=work)
        thread.start()
        running.wait(10)
        torch.rand(3)
        drawn.set()
        thread.join(30)
    assert not told(results["nothing"], RANDOM)
    assert told(results["noise"], RANDOM)


@pytest.mark.parametrize("part", [nn.Dropout(0.5), nn.BatchNorm2d(4)])
def test_each_part_left_in_training_mode_is_told(part: nn.Module) -> None:
    model = net()
    model.insert(1, part.train())
    assert told(explainers.saliency(model, IMAGES, 1), "model was in training mode; explained in evaluation mode")


@pytest.mark.parametrize("name", names())
def test_batch_norm_without_running_statistics(name: str) -> None:
    model = net()
    model.insert(1, nn.BatchNorm2d(4, track_running_stats=False))
    if name == "occlusion":  # it compares images of one batch with one another
        with pytest.raises(CnnWidgetsError, match="influence one another"):
            explainers.occlusion(model.eval(), IMAGES, 1)
        return
    notes = explainers.get(name)(model.eval(), IMAGES, 1).notes
    assert len([note for note in notes if note.startswith("layer '1' ") and BATCH in note]) == 1


def test_instance_norm_looks_at_one_image() -> None:
    model = net()
    model.insert(1, nn.InstanceNorm2d(4))
    assert not any(BATCH in note for note in explainers.saliency(model.eval(), IMAGES, 1).notes)


class AlwaysTraining(nn.BatchNorm2d):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.batch_norm(x, self.running_mean, self.running_var, training=True)


def test_statistics_that_are_updated_in_evaluation_mode_are_told_and_put_back() -> None:
    model = net()
    model.insert(1, AlwaysTraining(4))
    (note,) = told(explainers.saliency(model.eval(), IMAGES, 1), WRITES)
    assert note.startswith(f"{WRITES} '1.running_mean' and 1 more while it runs, in evaluation mode too")
    assert model[1].running_mean.tolist() == [0.0] * 4


def test_a_probability_next_to_one_has_no_gradient() -> None:
    model = net()
    with torch.no_grad():
        model[4].bias[2] = 50.0
    result = explainers.saliency(model, IMAGES, 2, score="probability")
    assert told(result, SATURATED)[0].startswith(f"{SATURATED}: use logits (highest probability 1.0000")
    assert not told(explainers.saliency(model, IMAGES, 2), SATURATED)
    assert told(explainers.occlusion(model, IMAGES, 2), SATURATED), "its score is the probability by default"


@pytest.fixture
def brightness():
    @register("brightness")
    def brightness(model, images, target=None, *, score="logit"):
        return images

    yield brightness
    unregister("brightness")


def test_an_explainer_of_the_users_own_is_told_the_same(brightness) -> None:
    assert told(brightness(net(nn.Softmax(1)), IMAGES, 1), SOFTMAX)
    assert told(brightness(Forest("noise"), IMAGES, 1), RANDOM)


class TestWeights:
    """Not-a-number in the weights is found however it got there."""

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda weight: weight.data.fill_(torch.nan),
            lambda weight: weight.data.view(-1)[3].fill_(torch.nan),
            lambda weight: setattr(weight, "data", torch.full_like(weight, torch.nan)),
        ],
    )
    def test_after_a_first_look(self, spoil) -> None:
        model = net()
        assert not told(explainers.saliency(model, IMAGES, 1), "the weights contain")
        spoil(model[0].weight)
        assert told(explainers.saliency(model, IMAGES, 1), "the weights contain")

    def test_where_it_changes_nothing(self) -> None:
        model = net()
        model.unused = nn.Linear(2, 2)
        model.forward = lambda x: nn.Sequential(*list(model)[:5])(x)
        explainers.saliency(model, IMAGES, 1)
        with torch.no_grad():
            model.unused.weight[0, 0] = torch.nan
        for _ in range(2):
            assert explainers.saliency(model, IMAGES, 1).notes == (
                "the weights contain 1 NaN value in 'unused.weight'",
            )
        model.unused = nn.Linear(2, 2)
        assert explainers.saliency(model, IMAGES, 1).notes == ()

    def test_a_sum_that_overflows_is_no_infinite_value(self) -> None:
        model = net()
        model.register_buffer("large", torch.full((4,), 3e38))
        assert explainers.saliency(model, IMAGES, 1).notes == ()


def test_errors_of_ones_own_explainer_say_where_they_come_from() -> None:
    @register("broken")
    def broken(model, images, target=None):
        raise ZeroDivisionError("mine")

    try:
        with pytest.raises(ZeroDivisionError, match="mine") as caught:
            explainers.broken(net(), IMAGES)
        assert caught.value.__notes__ == ["It was raised in the explainer 'broken'."]
    finally:
        unregister("broken")


class Narrow(nn.Module):
    """Has memory for two images."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = net()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if len(x) > 2:
            raise torch.OutOfMemoryError("full")
        return self.inner(x)


EACH = [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("name", "target"),
    [(name, EACH) for name in names() if name != "cam"]
    + [("saliency", target) for target in (None, 3, torch.tensor(EACH), np.array(EACH), lambda out: out[:, 1])],
)
def test_more_images_than_memory(name: str, target: Any) -> None:
    images = torch.rand(5, 3, 20, 20, generator=torch.Generator().manual_seed(4))
    expected = explainers.get(name)(net(), images, target)
    result = explainers.get(name)(Narrow(), images, target)
    assert result.notes[0] == "memory was not enough for 5 images at once: they were explained in parts"
    assert torch.equal(result.scores, expected.scores)
    torch.testing.assert_close(result.values, expected.values, atol=1e-6, rtol=1e-5)
    assert result.target == expected.target
    assert type(result) is type(expected)
    if name == "occlusion":
        assert torch.equal(result.predicted, expected.predicted)
        assert result.positions == expected.positions


def test_notes_of_a_part_say_which_images_they_count() -> None:
    images = torch.rand(4, 3, 20, 20)
    images[3, 0, 0, 0] = torch.nan
    notes = explainers.saliency(Narrow(), images, 1).notes
    assert "in images[2:4]: the input contains 1 NaN value" in notes
    assert "in images[2:4]: the score is not a finite number for image 1" in notes


def test_a_baseline_for_each_image_is_parted_too() -> None:
    images = torch.rand(4, 3, 20, 20)
    expected = explainers.integrated_gradients(net(), images, 1, baseline=images / 2, steps=2)
    result = explainers.integrated_gradients(Narrow(), images, 1, baseline=images / 2, steps=2)
    torch.testing.assert_close(result.values, expected.values)


def test_one_image_that_is_too_large_says_so_as_torch_does() -> None:
    class Full(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise torch.OutOfMemoryError("full")

    model = Full()
    with pytest.raises(torch.OutOfMemoryError):
        explainers.saliency(model, IMAGES)


def test_a_layer_that_is_not_reached_is_refused() -> None:
    model = net()
    model.unused = nn.Conv2d(3, 3, 1)
    model.forward = lambda x: nn.Sequential(*list(model)[:5])(x)
    with pytest.raises(CnnWidgetsError, match="'unused' did not run"):
        explainers.grad_cam(model, IMAGES, 1, layer="unused")
