"""Explainers beside captum's, in one process, in turns, on ResNets with seeded random weights."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from captum.attr import LayerGradCam, Occlusion, Saliency
from torch import nn
from torchvision.models import resnet18, resnet50

import cnnwidgets as cw

from .table import Row

_BATCHES = (8, 16, 32, 64)
_LAYERS_TIMED = 6


def interleaved(tasks: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds of each task; they take turns, so that a busy minute slows all of them."""
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for round_ in range(rounds + 1):
        for name, task in tasks.items():
            start = time.perf_counter()
            task()
            if round_:  # the first warms up
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def measure() -> list[Row]:
    """Ratios to the peer, and what a trace costs."""
    torch.set_num_threads(2)
    torch.manual_seed(0)
    model, x = resnet50(weights=None).eval(), torch.randn(1, 3, 224, 224)
    small = resnet18(weights=None).eval()
    return [*_gradients(model, x), *_every_layer(model, x), *_occlusion(small, x), *_trace(model, x)]


def _gradients(model: nn.Module, x: torch.Tensor) -> list[Row]:
    leaf = x.clone().requires_grad_()
    found = interleaved(
        {
            "saliency": lambda: cw.explainers.saliency(model, x, 1),
            "captum's saliency": lambda: Saliency(model).attribute(leaf, target=1, abs=False),
            "grad_cam": lambda: cw.explainers.grad_cam(model, x, 1, layer="layer4"),
            "captum's grad_cam": lambda: LayerGradCam(model, model.layer4).attribute(x, target=1),
        },
        rounds=9,
    )
    return [
        _beside("saliency, ResNet-50", found["saliency"], found["captum's saliency"]),
        _beside("Grad-CAM of layer4, ResNet-50", found["grad_cam"], found["captum's grad_cam"]),
    ]


def _every_layer(model: nn.Module, x: torch.Tensor) -> list[Row]:
    names = list(cw.explainers.every_layer("grad_cam", model, x, 1))
    modules = dict(model.named_modules())
    step = len(names) // _LAYERS_TIMED
    some = [name for name in names if name in modules][step // 2 :: step][:_LAYERS_TIMED]

    def one_by_one() -> None:
        for name in some:
            LayerGradCam(model, modules[name]).attribute(x, target=1)

    ours, theirs = "ours", "theirs"
    found = interleaved(
        {ours: lambda: cw.explainers.every_layer("grad_cam", model, x, 1), theirs: one_by_one}, rounds=5
    )
    about = f"Grad-CAM of all {len(names)} layers, ResNet-50 (captum timed on {len(some)} layers, scaled)"
    return [_beside(about, found[ours], found[theirs] * len(names) / len(some), promised=True)]


def _occlusion(model: nn.Module, x: torch.Tensor) -> list[Row]:
    def peer(batch: int) -> Callable[[], object]:
        def run() -> object:
            with torch.no_grad():
                return Occlusion(model).attribute(x, (3, 32, 32), (3, 32, 32), 0, 1, perturbations_per_eval=batch)

        return run

    found = interleaved(
        {
            "ours": lambda: cw.explainers.occlusion(model, x, 1, patch=32, stride=32),
            **{str(batch): peer(batch) for batch in _BATCHES},
        },
        rounds=5,
    )
    best = min(_BATCHES, key=lambda batch: found[str(batch)])
    about = f"occlusion 32/32, ResNet-18, every patch run in full (captum's best batch: {best})"
    return [_beside(about, found["ours"], found[str(best)])]


def _trace(model: nn.Module, x: torch.Tensor) -> list[Row]:
    def forward() -> None:
        with torch.no_grad():
            model(x)

    found = interleaved({"trace": lambda: cw.trace(model, x), "forward": forward}, rounds=9)
    beyond = found["trace"] - found["forward"]
    return [Row("trace(resnet50) beyond the forward", f"{_time(beyond)} (the forward: {_time(found['forward'])})")]


def _beside(name: str, ours: float, peer: float, promised: bool = False) -> Row:
    """Where both run the same forward and backward, no ratio is promised: ours also checks, and restores the model."""
    ratio = peer / ours
    measured = f"{_time(ours)}, captum {_time(peer)}: {ratio:.{1 if ratio < 10 else 0}f}× as fast"
    return Row(name, measured, "faster", ratio > 1) if promised else Row(name, measured)


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"
