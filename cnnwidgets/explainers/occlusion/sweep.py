"""Put the patch at the places of an occlusion map, and keep what the model says."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from cnnwidgets.core.errors import TargetError
from cnnwidgets.explainers.engine.notes import reading_notes
from cnnwidgets.explainers.engine.patches import Pair, starts
from cnnwidgets.incremental import Edited
from cnnwidgets.incremental.work import Work
from cnnwidgets.outputs.kinds import Kind, probabilities
from cnnwidgets.outputs.readout import current
from cnnwidgets.outputs.targets import Target, class_scores, kind_of, resolve
from cnnwidgets.running.forward import run

from .cover import Covering
from .estimates import Estimates
from .order import Order, coarse_places
from .result import Occlusion, Setting, Table, occlusion_of

APPROXIMATE_SHARE = 0.4
_WORTH_ESTIMATING = 25
"""Of fewer places than this, all are measured."""
_MOST_KEPT = 1 << 26
"""Scores; beyond, only those of the target are kept."""
_ROUND = 64


@dataclass(frozen=True)
class Plan:
    """What the caller asked for, checked.

    Attributes:
        size: (H, W) of the images.
        patch, stride: (height, width) in pixels.
        mask: (h, w) bool, or None for the whole patch.
        score: "probability" or "logit".
        engine: "auto", "incremental" or "full".
        batch: edits at a time, or None.
        share: how many of the places to measure at most, 0 to 1.
        tolerance: the estimated error at which to stop, as a share of the largest change, or None.
        by_rows: row by row, not coarse to fine.
    """

    size: Pair
    patch: Pair
    stride: Pair
    mask: torch.Tensor | None
    score: str
    engine: str
    batch: int | None
    share: float = 1.0
    tolerance: float | None = None
    by_rows: bool = False
    tops: tuple[int, ...] = field(init=False)
    lefts: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        for name, axis in (("tops", 0), ("lefts", 1)):
            positions = starts(self.size[axis], self.patch[axis], self.stride[axis])
            object.__setattr__(self, name, tuple(positions))

    @property
    def shape(self) -> Pair:
        """Rows and columns of places."""
        return len(self.tops), len(self.lefts)

    @property
    def most(self) -> int:
        """How many places of an image are measured at most."""
        places = len(self.tops) * len(self.lefts)
        least = coarse_places(*self.shape)
        return places if places < _WORTH_ESTIMATING else max(len(least), math.ceil(self.share * places))


class Sweep:
    """What is asked of the model, and what it has answered so far."""

    def __init__(self, model: nn.Module, images: torch.Tensor, target: Target, fillings: torch.Tensor, plan: Plan):
        self._model, self._images, self._fillings, self._plan = model, images, fillings, plan
        self._places = [(top, left) for top in plan.tops for left in plan.lefts]
        down, across = (
            torch.tensor(begins, dtype=torch.float64) / stride
            for begins, stride in zip((plan.tops, plan.lefts), plan.stride, strict=True)
        )
        self._coordinates = torch.cartesian_prod(down, across).view(*plan.shape, 2)
        self._covering = Covering(plan.tops, plan.lefts, plan.patch, plan.mask, plan.size)
        self._engine, self._notes = "", dict[str, None]()
        self._batch, self._work = plan.batch, Work()
        self._kind: Kind | None = None
        with torch.no_grad():
            outputs = run(model, images.clone())
        self._base = self._of_whole(outputs, target)
        self._begun: Edited | None = None
        if len(images) == 1:  # run once more by the engine: edits that change nothing then differ by nothing
            self._begun = self._edited_of(images, whole=outputs)
            self._base = self._of_whole(self._begun.outputs, self._target)
        if missed := self._covering.missed():
            self._notes[f"{missed} pixels are never covered and have no value (NaN)"] = None
        count = len(images), len(self._places)
        self._scores = torch.full((*count, self._base.shape[1]), torch.nan, dtype=torch.float32)
        self._predicted = torch.full(count, -1)
        self._measured = torch.zeros(count, dtype=torch.bool)
        self._filled = torch.zeros(count, dtype=torch.bool)
        self._estimates: list[Estimates | None] = [None] * len(images)

    def _of_whole(self, outputs: Any, target: Target) -> torch.Tensor:
        """The scores (N, K) of the images as they are, by what the model returned for them."""
        images = len(self._images)
        with torch.no_grad():
            baseline, self._target = resolve(target, outputs, score=self._plan.score, batch=images)
        try:
            table = class_scores(outputs, batch=images)
        except TargetError:  # a segmentation map, say, explained by a callable
            self._classes = 0
            self._notes["the model returns no class scores, so no predicted classes are given"] = None
        else:
            self._classes = table.shape[1]
            self._kind = kind_of(outputs, batch=images) if self._plan.score == "probability" else None
            reading = [current().choice, *reading_notes(current(), self._plan.score)]  # they hold for other classes too
            self._notes.update(dict.fromkeys(filter(None, reading)))
        scores = images * len(self._places) * self._classes
        self._keeps_classes = not callable(self._target) and scores <= _MOST_KEPT
        return self._scores_kept(table, 0) if self._keeps_classes else baseline.float().cpu()[:, None]

    def of_image(self, index: int) -> Iterator[int]:
        """Measure one image; yields how many more places are known, after each batch."""
        with closing(self._edited(index)) as edited:
            yield from self._visits(index, edited)
            self._notes.update(dict.fromkeys(edited.notes))
            self._engine = "full" if "full" in (self._engine, edited.engine) else "incremental"
            past, new = self._work, edited.work
            self._work = Work(past.done + new.done, past.least + new.least, past.full + new.full)
        if not bool(self._measured[index].all()):
            self._estimate(index)

    def _edited(self, index: int) -> Edited:
        if self._begun is not None:
            return self._begun
        return self._edited_of(self._images[index : index + 1])

    def _edited_of(self, image: torch.Tensor, whole: Any = None) -> Edited:
        read = self._read if callable(self._target) else None
        return Edited(self._model, image, engine=self._plan.engine, read=read, whole=whole)

    def result(self) -> Occlusion:
        """The map of what is known by now; later answers do not change it."""
        table = Table(
            self._scores,
            self._predicted.clone(),
            self._base,
            self._measured.clone(),
            self._filled.clone(),
            tuple(self._estimates),
            self._keeps_classes,
        )
        plan = self._plan
        engine = self._engine or ("full" if plan.engine == "full" else "incremental")
        positions, notes = tuple(self._places), tuple(self._notes)
        setting = Setting(self._covering, positions, plan.patch, plan.shape, engine, self._work, notes)
        return occlusion_of(table, self._target, setting)

    def _visits(self, index: int, edited: Edited) -> Iterator[int]:
        everything = list(range(len(self._places)))
        if self._plan.by_rows:
            yield from self._measure(index, edited, everything)
            return
        order, most = Order(self._coordinates), self._plan.most
        now, measured, estimates = order.coarse, 0, None
        while now:
            order.visited(now)
            yield from self._measure(index, edited, now)
            measured += len(now)
            if measured >= most:
                return
            if 2 * measured > len(everything) and self._plan.tolerance is None:
                now = order.next(most - measured, [], torch.zeros(0))
                continue
            estimates = self._estimates_of(index, estimates)
            if self._accurate(index, estimates):
                return
            # Larger rounds choose as well, but overshoot a tolerance.
            more = measured if self._plan.tolerance is None else measured // 8
            now = order.next(min(max(_ROUND, more), most - measured), estimates.known, estimates.errors)

    def _measure(self, index: int, edited: Edited, places: list[int]) -> Iterator[int]:
        patches, tops, lefts = self._patches(index, places)
        batch, engine = self._batch, edited.engine
        earlier = self._measured[index].nonzero().flatten().tolist() if engine == "incremental" else []
        for part, answers in edited.batches(patches, tops, lefts, self._plan.mask, batch=batch):
            if edited.engine != engine and self._begun is edited:
                self._base = self._of_whole(edited.outputs, self._target)
            learned = places[part]
            again = bool(self._measured[index, learned].all())
            self._learn(index, learned, answers)
            if not again and batch is not None and len(learned) < min(batch, len(places) - part.start):
                self._batch = batch = len(learned)  # memory ran out
            yield 0 if again else len(learned)
        if edited.engine != engine:  # what it said before it failed does not count
            yield from self._measure(index, edited, earlier)

    def _patches(self, index: int, places: list[int]) -> tuple[torch.Tensor, list[int], list[int]]:
        filling, (height, width) = self._fillings[index], self._plan.patch
        tops, lefts = [self._places[at][0] for at in places], [self._places[at][1] for at in places]
        if filling.stride()[1:] == (0, 0):  # the same everywhere
            return filling[:, :height, :width], tops, lefts
        windows = filling.unfold(1, height, 1).unfold(2, width, 1)
        return windows[:, tops, lefts].transpose(0, 1), tops, lefts

    def _read(self, outputs: Any) -> torch.Tensor:
        """(B, 1 + K), the score of the target, a function, first."""
        if not self._classes:
            return resolve(self._target, outputs)[0][:, None]
        table = class_scores(outputs)
        scores, _ = resolve(self._target, outputs, batch=len(table))
        return torch.cat([scores[:, None].to(table), table], 1)

    def _learn(self, index: int, places: list[int], answers: torch.Tensor) -> None:
        scores, table = (answers[:, :1], answers[:, 1:]) if callable(self._target) else (None, answers)
        if self._classes:
            self._predicted[index, places] = table.argmax(1).cpu()
        self._scores[index, places] = self._scores_kept(table, index) if scores is None else scores.float().cpu()
        self._measured[index, places] = self._filled[index, places] = True

    def _scores_kept(self, table: torch.Tensor, index: int) -> torch.Tensor:
        """The scores to keep, (B, K), of class scores (B, classes)."""
        if self._kind is not None:
            table = probabilities(table, self._kind)
        if not self._keeps_classes and not callable(self._target):
            table = table[:, self._target[index], None]
        return table.detach().float().cpu()

    def _estimates_of(self, index: int, before: Estimates | None = None) -> Estimates:
        usable = self._measured[index] & self._scores[index].isfinite().all(1)
        sites = usable.nonzero().flatten().tolist()
        return Estimates(self._coordinates.view(-1, 2), sites, self._scores[index], before)

    def _accurate(self, index: int, estimates: Estimates) -> bool:
        if self._plan.tolerance is None or not estimates.possible:
            return False
        columns = [0] if not self._keeps_classes or callable(self._target) else [self._target[index]]
        measured = self._scores[index, :, columns[0]]
        largest = float((measured[estimates.known] - self._base[index, columns[0]]).abs().max())
        return estimates.error(measured) <= self._plan.tolerance * largest

    def _estimate(self, index: int) -> None:
        estimates = self._estimates_of(index)
        if not estimates.possible:
            return
        unknown = (~self._measured[index]).nonzero().flatten().tolist()
        self._scores[index, unknown] = estimated = estimates.of(unknown, self._scores[index])
        if self._keeps_classes:
            self._predicted[index, unknown] = estimated.argmax(1)
        self._filled[index] = True
        self._estimates[index] = estimates
