"""Occlusion maps beside captum's: time, exactness, work, memory and growth.

Captum runs every edit in full, so its time is the number of places times what one takes: that is timed on a share of
the places (larger patches, of which fewer fit), right before and after each of ours, and scaled.
"""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

import numpy as np
import torch
from captum.attr import Occlusion
from skimage.metrics import structural_similarity
from torch import nn
from torchvision import models

import cnnwidgets as cw
from cnnwidgets.core.progress import Step
from cnnwidgets.incremental import Edited

from . import occlusion_memory
from .table import Row

BATCHES = (8, 16, 32, 64)
PHOTOGRAPHS = ("chelsea", "coffee", "rocket")
PATCH = 16


@dataclass(frozen=True)
class Aim:
    """How many times as fast as captum: exact at both strides, and approximate, with this share of the places."""

    exact: float
    approximate: float
    share: float = 0.4


AIMS = {
    "VGG-16": Aim(10, 35, 0.25),
    "ResNet-18": Aim(2.5, 8, 0.3),
    "ResNet-50": Aim(2.5, 8, 0.3),
    "MobileNetV2": Aim(3, 9, 0.3),
    "EfficientNet-Lite0": Aim(3, 9),
}
REAL = "EfficientNet-Lite0"
LOOKED_AT = ("ResNet-18", REAL)
"""The networks whose sweep is run once more, to see when its first map appears."""


@functools.cache
def network(name: str, side: int = 224) -> tuple[nn.Module, dict[str, torch.Tensor]]:
    """A network, real weights where they are at hand, and photographs for it."""
    demo = cw.demo.load()
    pictures = {key: demo.preprocess.apply(demo.images[key]) for key in PHOTOGRAPHS}
    if side != 224:
        pictures = {key: nn.functional.interpolate(x, (side, side), mode="bilinear") for key, x in pictures.items()}
    if name == REAL:
        return demo.model, pictures
    make = {"VGG-16": "vgg16", "ResNet-18": "resnet18", "ResNet-50": "resnet50", "MobileNetV2": "mobilenet_v2"}
    torch.manual_seed(0)
    model: nn.Module = getattr(models, make[name])(weights=None).train()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # their averages over this one batch
        if isinstance(module, nn.Dropout):
            module.eval()
    with torch.no_grad():
        model(torch.cat(list(pictures.values())))  # with statistics of 0 and 1, deep networks hardly react at all
    return model.eval(), pictures


def captum(model: nn.Module, x: torch.Tensor, batch: int) -> None:
    """Captum's map with ``batch`` places, all of them one batch; plus its run of the image itself."""
    height, width = x.shape[2] // (batch // 8), x.shape[3] // 8
    window = (x.shape[1], height, width)
    with torch.no_grad():
        Occlusion(model).attribute(x, window, window, 0, 0, perturbations_per_eval=batch)


def seconds(task: Callable[[], object]) -> float:
    """Of one run."""
    start = time.perf_counter()
    task()
    return time.perf_counter() - start


class Peer:
    """Captum on one network: seconds a place at its best batch size."""

    def __init__(self, model: nn.Module, x: torch.Tensor, batches: Sequence[int]) -> None:
        self._model, self._x = model, x
        captum(model, x, batches[0])
        with torch.no_grad():
            self._single = min(seconds(lambda: model(x)) for _ in range(3))
        self.batch = batches[0]
        found = {batch: min(self._of(batch) for _ in range(4)) for batch in batches}
        self.batch = min(found, key=lambda batch: found[batch])

    def __call__(self) -> float:
        """Seconds a place, now."""
        return self._of(self.batch)

    def _of(self, batch: int) -> float:
        return max(1e-9, seconds(lambda: captum(self._model, self._x, batch)) - self._single) / batch


def measure(
    names: Sequence[str] = tuple(AIMS),
    side: int = 224,
    batches: Sequence[int] = BATCHES,
    rounds: int = 3,
    memory: bool = True,
    growth: bool = True,
) -> list[Row]:
    """Five minutes on two idle cores, sixteen on slow ones; less with other arguments."""
    best: dict[str, int] = {}
    rows = list[Row]()
    # What was allocated before decides how fast memory is to be had, which is much of the peer's time on small
    # networks: each of them gets a new process.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        for name in names:
            best[name], found = pool.submit(_of_network, name, side, batches, rounds).result()
            rows += found
    torch.set_num_threads(2)
    if memory:
        rows += occlusion_memory.measure(best, side)
    if growth:
        rows += _growth(names[0] if "ResNet-18" not in names else "ResNet-18", side)
    return rows


def _of_network(name: str, side: int, batches: Sequence[int], rounds: int) -> tuple[int, list[Row]]:
    torch.set_num_threads(2)
    model, pictures = network(name, side)
    x, aim = pictures[PHOTOGRAPHS[0]], AIMS[name]
    peer, rows = Peer(model, x, batches), list[Row]()
    kinds: dict[str, tuple[dict[str, Any], float]] = {
        "exact, stride 16": ({"stride": 16}, aim.exact),
        "exact, stride 8": ({"stride": 8}, aim.exact),
        "approximate, stride 8": ({"stride": 8, "approximate": aim.share}, aim.approximate),
    }
    maps: dict[str, cw.explainers.Occlusion] = {}
    for kind, (options, least) in kinds.items():
        run = functools.partial(cw.explainers.occlusion, model, x, patch=PATCH, **options)
        ratios, times, before = [], [], peer()
        for _ in range(rounds):
            start = time.perf_counter()
            maps[kind] = run()
            times.append(time.perf_counter() - start)
            after = peer()
            ratios.append((before + after) / 2 * maps[kind].grid[0].numel() / times[-1])
            before = after
        ratio, taken = statistics.median(ratios), statistics.median(times)
        against = f"captum (batch {peer.batch}, timed on {peer.batch} places)"
        said = f"{taken:.2f} s: {ratio:.1f}x {against}, {maps[kind].engine}"
        rows.append(Row(f"{name}, {kind}", said, f"{least:g}x", ratio >= least))
    exact, rough = maps["exact, stride 8"], maps["approximate, stride 8"]
    rows.append(_similar(name, model, pictures, exact, rough))
    rows.append(_exactness(name, model, x, exact))
    work = exact.work
    share = work.done / max(1, work.least)
    said = (
        f"{work.done / 1e9:.1f} G done, {work.least / 1e9:.1f} G needed, {work.full / 1e9:.1f} G in full: {share:.2f}x"
    )
    rows.append(Row(f"{name}, multiply-adds, stride 8", said, "1.3x the least", share <= 1.3))
    if name in LOOKED_AT:
        rows.append(_first_look(name, model, x))
    return peer.batch, rows


def similarity(rough: torch.Tensor, exact: torch.Tensor) -> float:
    """Structural similarity of two maps (h, w), on the exact one's range."""
    one, two = exact.double().numpy(), rough.double().numpy()
    return float(structural_similarity(one, two, data_range=float(np.ptp(one))))  # type: ignore[no-untyped-call]


def _similar(
    name: str,
    model: nn.Module,
    pictures: dict[str, torch.Tensor],
    exact: cw.explainers.Occlusion,
    rough: cw.explainers.Occlusion,
) -> Row:
    pairs = {PHOTOGRAPHS[0]: (exact, rough)}
    if name == REAL:
        for key in PHOTOGRAPHS[1:]:
            run = functools.partial(cw.explainers.occlusion, model, pictures[key], patch=PATCH, stride=8)
            pairs[key] = run(), run(approximate=AIMS[name].share)
    of_grid = {key: similarity(two.grid[0], one.grid[0]) for key, (one, two) in pairs.items()}
    of_pixels = {key: similarity(two.values[0], one.values[0]) for key, (one, two) in pairs.items()}
    said = ", ".join(f"{key} {of_grid[key]:.3f} (per pixel {of_pixels[key]:.3f})" for key in pairs)
    measured = f"{int(rough.known.sum())} of {rough.grid[0].numel()} places; {said}"
    row = f"{name}, approximate: SSIM of the grid of scores to the exact one"
    return Row(row, measured, "0.9", min(of_grid.values()) >= 0.9) if name == REAL else Row(row, measured)


def _exactness(name: str, model: nn.Module, x: torch.Tensor, exact: cw.explainers.Occlusion, count: int = 16) -> Row:
    chosen = torch.randperm(len(exact.positions), generator=torch.Generator().manual_seed(0))[:count].tolist()
    worst = moved = 0.0
    base = exact.baseline[0]
    scores = exact.scores_at[0].flatten(0, 1)
    with torch.no_grad():
        for place in chosen:
            top, left = exact.positions[place]
            edited = x.clone()
            edited[..., top : top + PATCH, left : left + PATCH] = 0
            full = model(edited).softmax(1)[0]
            worst = max(worst, float((scores[place] - full).abs().max()))
            moved = max(moved, float((full[exact.target[0]] - base).abs()))  # type: ignore[index]
    said = f"{worst:.1e} on {count} places x all classes (the target moves by up to {moved:.1e})"
    return Row(f"{name}, largest difference of a probability from the full forward", said, "1e-5", worst <= 1e-5)


def _first_look(name: str, model: nn.Module, x: torch.Tensor) -> Row:
    steps: list[Step] = []
    first: list[float] = []

    def look(step: Step) -> None:
        steps.append(step)
        if not first and bool(step.partial.values.isfinite().all()):
            first.append(time.perf_counter() - start)

    start = time.perf_counter()
    cw.explainers.occlusion(model, x, patch=PATCH, stride=8, progress=look)
    share = first[0] / (time.perf_counter() - start)
    said = f"{1000 * first[0]:.0f} ms, {100 * share:.1f} % of the sweep ({steps[0].done} of {steps[0].total} places)"
    return Row(f"{name}, first coarse map", said, "10 %", share <= 0.1)


def _growth(name: str, side: int) -> list[Row]:
    model, pictures = network(name)
    photograph = pictures[PHOTOGRAPHS[0]]

    def timed(size: int, patch: int, stride: int) -> str:
        x = nn.functional.interpolate(photograph, (size, size), mode="bilinear")
        count = 0

        def run() -> None:
            nonlocal count
            count = cw.explainers.occlusion(model, x, 0, patch=patch, stride=stride).grid.numel()

        taken = seconds(run)
        return f"{taken:.2f} s ({count} places, {1000 * taken / count:.1f} ms each)"

    sides = [side // 2, side, 2 * side]
    strides = [side // 7, side // 14, side // 28]
    rows = [
        Row(f"{name}, by image side", "; ".join(f"{size}: {timed(size, PATCH, size // 14)}" for size in sides)),
        Row(f"{name}, by stride at {side}", "; ".join(f"{step}: {timed(side, PATCH, step)}" for step in strides)),
    ]
    x = nn.functional.interpolate(photograph, (side, side), mode="bilinear")
    patch, parts = torch.zeros(3, PATCH, PATCH), []
    generator = torch.Generator().manual_seed(1)
    with Edited(model, x) as edited:
        for count in (1, 2, 4, 8):
            corners = torch.randint(0, side - PATCH, (32, count, 2), generator=generator).tolist()
            edits = [[(patch, top, left) for top, left in corner] for corner in corners]
            taken = seconds(functools.partial(edited.scores_of, edits))
            parts.append(f"{count}: {1000 * taken / 32:.1f} ms an edit")
    rows.append(Row(f"{name}, by number of patches in one picture", "; ".join(parts)))
    return rows
