"""Explainers beside captum's and pytorch-grad-cam's, in one process, in turns, with seeded random weights."""

from __future__ import annotations

import contextlib
import copy
import io
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytorch_grad_cam
import torch
from captum.attr import GuidedBackprop, LayerGradCam, Occlusion, Saliency
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn
from torchvision.models import resnet18, resnet50, vgg16

import cnnwidgets as cw

from .peak import peaks
from .table import Row

Tasks = dict[str, Callable[[], object]]
OURS, CAPTUM, OTHER = "ours", "captum", "pytorch-grad-cam"
_BATCHES = (8, 16, 32, 64)
_LAYERS_TIMED = 6
_MOST_MEMORY = 1.2


@dataclass(frozen=True)
class Setting:
    """How much is measured.

    Attributes:
        size: side of the image in pixels.
        rounds: of the short tasks, after one that warms up.
        maps: how many maps Score-CAM and Ablation-CAM look at, both theirs and ours; all would take minutes.
        networks: name -> how it is built and its last layer.
    """

    size: int = 224
    rounds: int = 9
    maps: int = 32
    networks: tuple[tuple[str, Callable[..., nn.Module], str], ...] = (
        ("ResNet-50", resnet50, "layer4"),
        ("VGG-16", vgg16, "features.29"),
    )


TINY = Setting(32, 1, 4, (("ResNet-18", resnet18, "layer4"),))


def interleaved(tasks: Tasks, rounds: int) -> dict[str, float]:
    """Median seconds of each task; they take turns, so that a busy minute slows all of them."""
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for round_ in range(rounds + 1):
        for name, task in tasks.items():
            start = time.perf_counter()
            task()
            if round_:  # the first warms up
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def measure(setting: Setting | None = None) -> list[Row]:
    """Ratios to the peers in time and in peak memory, and what a trace costs."""
    setting = setting or Setting()
    torch.set_num_threads(2)
    torch.manual_seed(0)
    x = torch.randn(1, 3, setting.size, setting.size)
    rows: list[Row] = []
    with _quiet():
        for name, build, layer in setting.networks:
            model = build(weights=None).eval()
            rows += [*_gradients(name, model, x, layer, setting), *_every_layer(name, model, x, setting)]
            rows += _many_runs(name, model, x, layer, setting)
        rows += _occlusion(resnet18(weights=None).eval(), x, setting)
        name, build, _ = setting.networks[0]
        rows += _trace(name, build(weights=None).eval(), x, setting)
    return rows


def _gradients(name: str, model: nn.Module, x: torch.Tensor, layer: str, setting: Setting) -> Iterator[Row]:
    leaf = x.clone().requires_grad_()
    guided = GuidedBackprop(copy.deepcopy(model))  # it changes in-place ReLUs for good
    module = model.get_submodule(layer)
    pairs: dict[str, Tasks] = {
        "saliency": {
            OURS: lambda: cw.explainers.saliency(model, x, 1),
            CAPTUM: lambda: Saliency(model).attribute(leaf, target=1, abs=False),
        },
        f"Grad-CAM of {layer}": {
            OURS: lambda: cw.explainers.grad_cam(model, x, 1, layer=layer),
            CAPTUM: lambda: LayerGradCam(model, module).attribute(x, target=1),
        },
        "guided backprop": {
            OURS: lambda: cw.explainers.guided_backprop(model, x, 1),
            CAPTUM: lambda: guided.attribute(leaf, target=1),
        },
    }
    for what, tasks in pairs.items():
        yield from _beside(f"{what}, {name}", tasks, setting.rounds, None if what == "saliency" else 1)


def _every_layer(name: str, model: nn.Module, x: torch.Tensor, setting: Setting) -> Iterator[Row]:
    names = list(cw.explainers.every_layer("grad_cam", model, x, 1))
    modules = {layer: module for layer, module in model.named_modules() if layer in names}
    step = max(1, len(modules) // _LAYERS_TIMED)
    some = list(modules)[step // 2 :: step][:_LAYERS_TIMED]

    def one_by_one() -> None:
        for layer in some:
            LayerGradCam(model, modules[layer]).attribute(x, target=1)

    def together() -> None:
        with pytorch_grad_cam.GradCAM(model, list(modules.values())) as method:
            method(x, [ClassifierOutputTarget(1)])

    tasks: Tasks = {OURS: lambda: cw.explainers.every_layer("grad_cam", model, x, 1)}
    rounds = max(1, setting.rounds // 2)
    about = f"Grad-CAM of all {len(names)} layers, {name}"
    yield from _beside(
        f"{about} (captum, layer by layer, timed on {len(some)}, scaled)",
        {**tasks, CAPTUM: one_by_one},
        rounds,
        40,
        scale=len(names) / len(some),
        memory=False,  # one layer at a time takes little
    )
    yield from _beside(about, {**tasks, OTHER: together}, rounds, 1)


def _many_runs(name: str, model: nn.Module, x: torch.Tensor, layer: str, setting: Setting) -> Iterator[Row]:
    theirs = copy.deepcopy(model)  # one of them replaces modules
    module, targets = theirs.get_submodule(layer), [ClassifierOutputTarget(1)]
    few = setting.maps

    class Few(pytorch_grad_cam.ScoreCAM):  # type: ignore[misc]
        def get_cam_image(self, image: Any, at: Any, goals: Any, maps: Any, *rest: Any) -> Any:
            return super().get_cam_image(image, at, goals, maps[:, :few], *rest)

    class FewAblated(pytorch_grad_cam.ablation_layer.AblationLayer):  # type: ignore[misc]
        def activations_to_be_ablated(self, *_: Any, **__: Any) -> Any:
            self.indices = np.arange(few)
            return self.indices

    def score_cam() -> None:
        with Few(theirs, [module]) as method:
            method(x, targets)

    def ablation_cam() -> None:
        with pytorch_grad_cam.AblationCAM(theirs, [module], ablation_layer=FewAblated()) as method:
            method(x, targets)

    options: dict[str, Any] = {"layer": layer, "score": "logit"}
    there = _maps(model, x, layer)
    rounds = min(2, setting.rounds)
    tasks: Tasks = {OURS: lambda: cw.explainers.score_cam(model, x, 1, channels=few, **options), OTHER: score_cam}
    yield from _beside(f"Score-CAM of {layer}, {few} of {there} maps, {name}", tasks, rounds, 5)
    tasks = {OURS: lambda: cw.explainers.ablation_cam(model, x, 1, **options), OTHER: ablation_cam}
    about = f"Ablation-CAM of {layer}, {name}"
    timed = f"{about} ({OTHER} timed on {few} of {there} maps, scaled)"
    yield from _beside(timed, tasks, rounds, 5, scale=there / few, memory=False)
    tasks[OURS] = lambda: cw.explainers.ablation_cam(model, x, 1, channels=few, **options)
    yield _memory(f"{about}, {few} maps", tasks, OTHER, rounds)


def _maps(model: nn.Module, x: torch.Tensor, layer: str) -> int:
    with torch.no_grad(), cw.capture(model, layer) as outputs:
        model(x)
    return int(outputs[layer][0].shape[1])


def _occlusion(model: nn.Module, x: torch.Tensor, setting: Setting) -> Iterator[Row]:
    side = setting.size // 7

    def peer(batch: int) -> Callable[[], object]:
        def run() -> object:
            with torch.no_grad():
                window = (3, side, side)
                return Occlusion(model).attribute(x, window, window, 0, 1, perturbations_per_eval=batch)

        return run

    tasks: Tasks = {
        OURS: lambda: cw.explainers.occlusion(model, x, 1, patch=side, stride=side),
        **{str(batch): peer(batch) for batch in _BATCHES},
    }
    found = interleaved(tasks, max(1, setting.rounds // 2))
    best = min(_BATCHES, key=lambda batch: found[str(batch)])
    about = f"occlusion {side}/{side}, ResNet-18 (captum's best batch: {best})"
    yield Row(about, _compared(found[OURS], CAPTUM, found[str(best)]))


def _trace(name: str, model: nn.Module, x: torch.Tensor, setting: Setting) -> Iterator[Row]:
    def forward() -> None:
        with torch.no_grad():
            model(x)

    found = interleaved({"trace": lambda: cw.trace(model, x), "forward": forward}, setting.rounds)
    beyond = found["trace"] - found["forward"]
    yield Row(f"trace of {name} beyond the forward", f"{_time(beyond)} (the forward: {_time(found['forward'])})")


def _beside(
    name: str, tasks: Tasks, rounds: int, promised: float | None, *, scale: float = 1.0, memory: bool = True
) -> Iterator[Row]:
    """How many times as fast as the peer, and how much of its peak memory.

    Args:
        tasks: ours, and one peer's.
        promised: how many times as fast at least; None: nothing was promised.
        scale: what the peer's time is to be multiplied by.
    """
    peer = next(key for key in tasks if key != OURS)
    found = interleaved(tasks, rounds)
    theirs = found[peer] * scale
    target = {None: "–", 1: f"no slower than {peer}"}.get(
        promised, f"{promised:g}× as fast as {peer}" if promised else ""
    )
    met = None if promised is None else theirs / found[OURS] >= promised
    yield Row(name, _compared(found[OURS], peer, theirs), target, met)
    if memory:
        yield _memory(name, tasks, peer, rounds)


def _memory(name: str, tasks: Tasks, peer: str, rounds: int) -> Row:
    most = peaks(tasks, min(3, rounds))
    share = most[OURS] / max(most[peer], 1)
    measured = f"{most[OURS] / 1e6:.0f} MB, {peer} {most[peer] / 1e6:.0f} MB: {share:.2f}×"
    return Row(f"{name}, peak memory", measured, f"≤ {_MOST_MEMORY}× the peer's", share <= _MOST_MEMORY)


def _compared(ours: float, peer: str, theirs: float) -> str:
    ratio = theirs / ours
    return f"{_time(ours)}, {peer} {_time(theirs)}: {ratio:.{2 if ratio < 2 else 1 if ratio < 10 else 0}f}× as fast"


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the peers' warnings and progress bars."""
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
