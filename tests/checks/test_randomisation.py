"""Cascading randomisation: against a plain loop, on networks with a known answer, and without a trace."""

from __future__ import annotations

import copy
import random
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from skimage.metrics import structural_similarity
from torch import nn

from cnnwidgets import demo, explainers
from cnnwidgets.checks import randomised, read
from cnnwidgets.core.errors import Cancelled, CnnWidgetsError, InputError, LayerNotFound
from cnnwidgets.core.progress import Step
from cnnwidgets.pictures.picture import load_picture
from tests.checks import nets


@pytest.fixture
def registered() -> Iterator[Callable[[str, Callable[..., Any]], None]]:
    names: list[str] = []

    def register(name: str, function: Callable[..., Any]) -> None:
        explainers.register(name, family="test")(function)
        names.append(name)

    yield register
    for name in names:
        explainers.unregister(name)


def plain_cascade(model: nn.Sequential, x: torch.Tensor, target: int, seed: int) -> list[torch.Tensor]:
    """The same by hand: saliency after each of the layers 6, 2, 0 has been redrawn."""
    net, generator = copy.deepcopy(model), torch.Generator().manual_seed(seed)
    maps = []
    for name in ("6", "2", "0"):
        layer: Any = net.get_submodule(name)
        filters = layer.weight.data
        for index, noise in enumerate(torch.randn(filters.shape, generator=generator)):
            filters[index] = noise * filters[index].pow(2).mean().sqrt()
        bias = layer.bias.data
        layer.bias.data = torch.randn(bias.shape, generator=generator) * bias.std(unbiased=False) + bias.mean()
        given = x.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(net(given)[:, target].sum(), given)
        maps.append(gradient)
    return maps


def test_the_stages_are_those_of_a_plain_loop() -> None:
    model, x = nets.small(), nets.images(2)
    done = randomised(model, x, "saliency", 1, seed=7)
    expected = plain_cascade(model, x, 1, 7)
    assert [stage.layer for stage in done.stages] == ["6", "2", "0"]
    original = explainers.saliency(model, x, 1).values
    assert torch.equal(done.original.values, original)
    for stage, gradient in zip(done.stages, expected, strict=True):
        torch.testing.assert_close(stage.values, gradient, rtol=1e-5, atol=1e-7)
        for index in range(2):
            before, now = (values[index].abs().amax(0).numpy() for values in (original, stage.values))
            assert stage.magnitude[index].item() == pytest.approx(
                spearmanr(before.ravel(), now.ravel()).statistic, abs=1e-9
            )
            likeness = structural_similarity(before / before.max(), now / now.max(), data_range=1.0, win_size=7)
            assert stage.structure[index].item() == pytest.approx(likeness, abs=1e-5)
            totals = (values[index].sum(0).numpy().ravel() for values in (original, stage.values))
            assert stage.signed[index].item() == pytest.approx(spearmanr(*totals).statistic, abs=1e-9)


def test_the_class_stays_the_one_that_was_explained() -> None:
    model, x = nets.small(classes=50), nets.images(3)
    given = explainers.grad_cam(model, x, layer="2")
    seen: list[Any] = []

    def watched(model: nn.Module, images: torch.Tensor, target: Any = None) -> Any:
        seen.append(target)
        return explainers.saliency(model, images, target)

    explainers.register("watched")(watched)
    try:
        done = randomised(model, x, "watched")
    finally:
        explainers.unregister("watched")
    assert seen == [None, *[given.target] * 3]
    assert randomised(model, x, given).original.target == given.target == done.original.target
    assert randomised(model, x, given, 3).original.target == (3, 3, 3)


def test_layer_and_options_reach_the_explainer() -> None:
    model, x = nets.small(), nets.images()
    given = explainers.grad_cam(model, x, 2, layer=model[0])
    for layer in (None, "0", model[0]):
        assert randomised(model, x, given, layer=layer).original.layer == "0"
    done = randomised(model, x, "occlusion", patch=4, stride=4)
    torch.testing.assert_close(done.original.values, explainers.occlusion(model, x, patch=4, stride=4).values)
    with pytest.raises(LayerNotFound):
        randomised(model, x, "grad_cam", layer="nine")


def everything(model: nn.Module) -> dict[str, Any]:
    return {
        "state": {name: value.clone() for name, value in model.state_dict().items()},
        "grad": [(parameter.requires_grad, parameter.grad) for parameter in model.parameters()],
        "training": [module.training for module in model.modules()],
        "hooks": [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()],
        "torch": torch.get_rng_state(),
        "numpy": np.random.get_state()[1].copy(),  # type: ignore[index]
        "python": random.getstate(),
    }


def same(a: dict[str, Any], b: dict[str, Any]) -> bool:
    tensors = all(torch.equal(a["state"][name], b["state"][name]) for name in a["state"])
    generators = torch.equal(a["torch"], b["torch"]) and (a["numpy"] == b["numpy"]).all() and a["python"] == b["python"]
    return tensors and bool(generators) and all(a[key] == b[key] for key in ("grad", "training", "hooks"))


@pytest.mark.parametrize("end", ["success", "cancel", "error"])
@pytest.mark.parametrize("in_thread", [False, True])
def test_the_model_is_never_touched(end: str, in_thread: bool) -> None:
    model, x = nets.small().train(), nets.images()
    model[0].weight.requires_grad_(False)
    before, during, caught = everything(model), list[bool](), list[BaseException]()

    def watch(step: Step) -> None:
        during.append(same(before, everything(model)))
        if step.done > step.total // 2 and end != "success":
            raise Cancelled("Stopped.") if end == "cancel" else ValueError("no")

    def work() -> None:
        try:
            randomised(model, x, "smooth_grad", progress=watch)
        except Exception as error:
            caught.append(error)

    if in_thread:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    else:
        work()
    assert [type(error) for error in caught] == {"success": [], "cancel": [Cancelled], "error": [ValueError]}[end]
    assert len(during) > 2
    assert all(during)
    assert same(before, everything(model))


def test_progress_counts_the_maps_and_hands_over_what_is_done() -> None:
    told: list[Step] = []
    done = randomised(nets.small(), nets.images(), "saliency", progress=told.append)
    assert [step.done / step.total for step in told] == [0.25, 0.5, 0.75, 1.0]
    assert [len(step.partial.stages) for step in told] == [0, 1, 2, 3]
    assert [step.partial.complete for step in told] == [False, False, False, True]
    assert told[1].partial.stages[0] is done.stages[0]
    finer: list[Step] = []
    randomised(nets.small(), nets.images(), "occlusion", patch=2, stride=1, batch=5, progress=finer.append)
    shares = [step.done for step in finer]
    assert len(shares) > 20
    assert shares == sorted(shares)
    assert shares[-1] == finer[-1].total


def test_guided_backprop_hardly_reacts_and_grad_cam_does() -> None:
    """The effect that Adebayo et al. 2018 show in figures 2 and 4, on real ImageNet weights."""
    given = demo.load()
    x = load_picture(given.images["coffee"], given.model, given.preprocess).tensor
    guided = randomised(given.model, x, "guided_backprop")
    cam = randomised(given.model, x, "grad_cam")
    for stage in guided.stages[:5]:
        assert stage.similarity.item() > 0.85
    assert guided.halfway is guided.stages[4]
    assert read(guided).level == "warn"
    assert "hardly changes until the first layers" in read(guided).sentence
    assert max(abs(stage.similarity.item()) for stage in cam.stages[1:]) < 0.6
    assert read(cam).level == "ok"
    assert len(cam.stages) == 8
    assert (cam.stages[0].layers, cam.stages[-1].layer) == (("classifier",), "conv_stem")


def test_a_map_that_ignores_the_weights_is_found_out(registered: Callable[..., None]) -> None:
    def edges(model: nn.Module, images: torch.Tensor, target: Any = None) -> torch.Tensor:
        return images.diff(dim=-1, append=images[..., -1:])

    registered("edges", edges)
    done = randomised(nets.small(), nets.images(), "edges")
    assert done.unmoved
    assert done.similarity == pytest.approx(1)
    assert any("does not depend on the weights" in note for note in done.notes)
    reading = read(done)
    assert reading.level == "warn"
    assert "exactly the same with random weights" in reading.sentence


class FirstOnly(nn.Module):
    """Fails to give numbers, or to react, as soon as its weight is another."""

    def __init__(self, dead: float) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Conv2d(2, 3, 1)
        self.register_buffer("known", self.layer.weight.detach().clone())
        self.dead = dead

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        alive = torch.equal(self.layer.weight, self.known)
        return self.layer(x).square().mean((2, 3)) * (1.0 if alive else self.dead)


@pytest.mark.parametrize(("dead", "said"), [(float("nan"), "score is not a finite"), (0.0, "the same everywhere")])
def test_a_network_that_dies_is_no_evidence(dead: float, said: str) -> None:
    done = randomised(FirstOnly(dead), nets.images(), "saliency", 0)
    assert said in done.stages[0].problem
    assert any("signal has died" in note for note in done.notes)
    assert np.isnan(done.similarity)
    assert read(done).level == "info"
    assert "says nothing" in read(done).sentence


def test_a_constant_map_is_said_to_be_one() -> None:
    model = nets.small()
    nn.init.zeros_(model[6].weight)
    done = randomised(model, nets.images(), "saliency", 0)
    assert done.notes == (
        "the map is the same everywhere, before any weight was randomised: there is nothing to compare with",
    )
    assert [stage.problem for stage in done.stages] == ["", "", ""]
    assert "says nothing" in read(done).sentence


def test_a_forward_bound_to_the_original_is_found_out() -> None:
    model = nets.small()
    forward = type(model).forward
    model.forward = lambda x: forward(model, x)  # type: ignore[method-assign]
    done = randomised(model, nets.images(), "input_x_gradient")
    assert any("score does not change" in note for note in done.notes)
    assert "says nothing" in read(done).sentence
    assert read(done).level == "info"


def test_another_map_than_the_one_given_is_said() -> None:
    model, x = nets.small(), nets.images()
    assert randomised(model, x, explainers.saliency(model, x)).notes == ()
    other = explainers.integrated_gradients(model, x, steps=3)
    done = randomised(model, x, other)
    assert any("differs from the one given" in note for note in done.notes)
    assert not any("differs" in note for note in randomised(model, x, other, steps=3).notes)


class Answers(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"logits": self.inner(x)}


@pytest.mark.parametrize(
    "model",
    [
        Answers(nets.small()),
        nn.DataParallel(nets.small()),
        nets.small().requires_grad_(False),
        nets.small().to(torch.bfloat16),
        nets.small().double(),
    ],
    ids=["dict", "wrapped", "frozen", "bfloat16", "double"],
)
def test_models_of_every_kind(model: nn.Module) -> None:
    done = randomised(model, nets.images(), "saliency", stages=2)
    assert [bool(stage.similarity.isfinite()) for stage in done.stages] == [True, True]
    assert done.stages[-1].layers[-1].endswith("0")


def test_what_cannot_be_done_is_said() -> None:
    model, x = nets.small(), nets.images()
    for stages in (0, True, 2.0):
        with pytest.raises(InputError, match="stages is"):
            randomised(model, x, "saliency", stages=stages)  # type: ignore[arg-type]
    with pytest.raises(CnnWidgetsError, match="No explainer"):
        randomised(model, x, "salience")
    with pytest.raises(CnnWidgetsError, match="no floating-point parameters"):
        randomised(nn.Flatten(), x, "saliency")
    with pytest.raises(InputError, match="1 maps for 2 images"):
        randomised(model, nets.images(2), explainers.saliency(model, x))
