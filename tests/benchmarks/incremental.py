"""Occlusion by recomputing what changes, beside captum (``python -m tests.benchmarks.incremental``)."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torchvision
from captum.attr import Occlusion
from torch import nn

import cnnwidgets as cw
from cnnwidgets.incremental import Edited

from .table import Row, table

_BATCHES = (8, 16, 32, 64)
_PATCH, _PEER, _SIDE = 16, 28, 224


@dataclass(frozen=True)
class Promise:
    """How much faster than the peer a network's sweep is to be."""

    name: str
    factor: float | None


PROMISES = [
    Promise("vgg16", 10),
    Promise("resnet18", 2.5),
    Promise("resnet50", 2.5),
    Promise("mobilenet_v2", 3),
    Promise("tf_efficientnet_lite0", 3),
    Promise("convnext_tiny", 1),
]


def network(name: str) -> nn.Module:
    """Seeded random weights; the demo's own for EfficientNet-Lite0."""
    if name == "tf_efficientnet_lite0":
        return cw.demo.load().model
    torch.manual_seed(0)
    model: nn.Module = torchvision.models.get_model(name, weights=None).eval()
    return model


def places(stride: int, side: int = _SIDE) -> tuple[list[int], list[int]]:
    """Tops and lefts of a sweep, row by row."""
    along = range(0, side - _PATCH + 1, stride)
    return [top for top in along for _ in along], [left for _ in along for left in along]


def measure(names: list[str] | None = None, strides: tuple[int, ...] = (16, 8), rounds: int = 3) -> list[Row]:
    """Ratios of time, multiply-adds and the largest difference, for each network and stride."""
    torch.set_num_threads(2)
    rows: list[Row] = []
    for promise in PROMISES:
        if names is None or promise.name in names:
            model = network(promise.name)
            image = torch.randn(1, 3, _SIDE, _SIDE, generator=torch.Generator().manual_seed(0))
            best = _best_batch(model, image)
            for stride in strides:
                rows += _beside(promise, model, image, stride, best, rounds)
            if promise.name == "resnet18":
                rows += [*_drag(model, image), *_growth(model)]
    return rows


def _best_batch(model: nn.Module, image: torch.Tensor) -> int:
    seconds = {batch: _seconds(_peer(model, image, batch)) for batch in _BATCHES}
    return min(seconds, key=lambda batch: seconds[batch])


def _peer(model: nn.Module, image: torch.Tensor, batch: int) -> Callable[[], object]:
    def run() -> object:
        with torch.no_grad():
            shape = (3, _PEER, _PEER)  # its time goes with the number of places, not with the size of the patch
            return Occlusion(model).attribute(image, shape, shape, 0, 1, perturbations_per_eval=batch)

    return run


def _seconds(task: Callable[[], object]) -> float:
    start = time.perf_counter()
    task()
    return time.perf_counter() - start


def _beside(promise: Promise, model: nn.Module, image: torch.Tensor, stride: int, batch: int, rounds: int) -> list[Row]:
    tops, lefts = places(stride)
    patch = torch.zeros(3, _PATCH, _PATCH)
    kept: list[Edited] = []
    scores: list[torch.Tensor] = []

    def ours() -> None:
        with Edited(model, image) as edited:
            scores[:] = [edited.scores(patch, tops, lefts)]
            kept[:] = [edited]

    # The peer's time grows in proportion to the places: fewer of them, in turns with ours, are enough.
    fraction = (_SIDE // _PEER) ** 2 / len(tops)
    peer = _peer(model, image, batch)
    ours()
    pairs = [(_seconds(peer) / fraction, _seconds(ours)) for _ in range(rounds)]
    ratio = statistics.median(theirs / own for theirs, own in pairs)
    own, theirs = statistics.median(own for _, own in pairs), statistics.median(theirs for theirs, _ in pairs)
    edited = kept[0]
    some = [0, len(tops) // 2, len(tops) - 1]
    with torch.no_grad():
        full = model(edited.edits(patch, [tops[i] for i in some], [lefts[i] for i in some]))
    apart = float((scores[0][some].softmax(1) - full.softmax(1)).abs().max())
    work = edited.work
    name = f"{promise.name}, exact, patch {_PATCH}, stride {stride} ({len(tops)} places)"
    measured = f"{own:.1f} s, captum {theirs:.1f} s (batch {batch}): {ratio:.1f}× as fast"
    target = f"{promise.factor:g}×" if promise.factor else "–"
    share = work.done / work.least
    return [
        Row(name, measured, target, promise.factor is None or ratio >= promise.factor),
        Row(
            f"{promise.name}, stride {stride}: multiply-adds",
            f"{work.done / 1e9:.1f} G done, {work.least / 1e9:.1f} G needed: {share:.2f}×; all {work.full / 1e9:.1f} G",
            "1.3×",
            share <= 1.3,
        ),
        Row(
            f"{promise.name}, stride {stride}: largest difference of a probability",
            f"{apart:.1g}",
            "1e-5",
            apart < 1e-5,
        ),
    ]


def _drag(model: nn.Module, image: torch.Tensor) -> list[Row]:
    patch = torch.zeros(3, _PATCH, _PATCH)
    with Edited(model, image) as edited, torch.no_grad():
        edited.scores(patch, [8], [8])
        steps = [_seconds(lambda at=at: edited.scores(patch, [at], [at])) for at in range(8, 200, 8)]  # type: ignore[misc]
        full = [_seconds(lambda: model(image)) for _ in steps]
    one, other = statistics.median(steps), statistics.median(full)
    return [
        Row(
            "resnet18: one drag step",
            f"{1000 * one:.0f} ms (a full forward: {1000 * other:.0f} ms)",
            "60 ms",
            one < 0.06,
        )
    ]


def _growth(model: nn.Module) -> list[Row]:
    patch, found = torch.zeros(3, _PATCH, _PATCH), []
    for side in (112, 224, 448):
        image = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(0))
        tops, lefts = places(side // 7, side)
        with Edited(model, image) as edited:
            edited.scores(patch, tops[:2], lefts[:2])
            found.append(f"{side}: {1000 * _seconds(lambda: edited.scores(patch, tops, lefts)) / len(tops):.0f} ms")  # noqa: B023
    image = torch.randn(1, 3, _SIDE, _SIDE, generator=torch.Generator().manual_seed(0))
    several = []
    with Edited(model, image) as edited:
        for number in (1, 2, 4):
            edits = [
                [(patch, (at * 32 + 40 * k) % 208, (at * 48 + 16 * k) % 208) for k in range(number)] for at in range(16)
            ]
            edited.scores_of(edits[:1])
            several.append(f"{number}: {1000 * _seconds(lambda: edited.scores_of(edits)) / 16:.0f} ms")  # noqa: B023
    return [
        Row("resnet18: time an edit by image side", ", ".join(found)),
        Row("resnet18: time an edit by number of patches", ", ".join(several)),
    ]


if __name__ == "__main__":
    print(table(measure(sys.argv[1:] or None)))
