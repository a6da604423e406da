"""Put the patch at the places of an occlusion map, and keep what the model says."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from cnnwidgets.core.errors import TargetError
from cnnwidgets.explainers.engine.notes import reading_notes
from cnnwidgets.explainers.engine.patches import Pair
from cnnwidgets.incremental import Edited
from cnnwidgets.incremental.work import Work
from cnnwidgets.outputs.kinds import probabilities
from cnnwidgets.outputs.readout import current
from cnnwidgets.outputs.targets import Target, class_scores, kind_of, resolve
from cnnwidgets.running.forward import run

from .cover import Covering
from .kriging import Estimates
from .order import Order, coarse_places
from .result import Occlusion, Table, occlusion_of

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
        covering: the places, and what the patch covers there.
        stride: (height, width) in pixels.
        score: "probability" or "logit".
        engine: "auto", "incremental" or "full".
        batch: edits at a time, or None.
        share: how many of the places to measure at most, 0 to 1.
        tolerance: the estimated error at which to stop, as a share of the largest change, or None.
        by_rows: row by row, not coarse to fine.
    """

    covering: Covering
    stride: Pair
    score: str
    engine: str
    batch: int | None
    share: float
    tolerance: float | None
    by_rows: bool

    @property
    def most(self) -> int:
        """How many places of an image are measured at most."""
        places, least = len(self.covering.positions), len(coarse_places(*self.covering.shape))
        return places if places < _WORTH_ESTIMATING else max(least, math.ceil(self.share * places))


class Sweep:
    """What is asked of the model, and what it has answered so far."""

    def __init__(self, model: nn.Module, images: torch.Tensor, target: Target, fillings: torch.Tensor, plan: Plan):
        self._model, self._images, self._fillings, self._plan = model, images, fillings, plan
        self._places, self._batch = plan.covering.positions, plan.batch
        self._coordinates = plan.covering.in_strides(plan.stride)
        count, notes = (len(images), len(self._places)), list[str]()
        with torch.no_grad():
            outputs = run(model, images.clone())
            baseline, self._target = resolve(target, outputs, score=plan.score, batch=len(images))
        self._whole = outputs if len(images) == 1 else None
        self._classes, self._kind = 0, None
        try:
            scores = class_scores(outputs, batch=len(images))
        except TargetError:  # a segmentation map, say, explained by a callable
            notes.append("the model returns no class scores, so no predicted classes are given")
        else:
            self._classes = scores.shape[1]
            self._kind = kind_of(outputs, batch=len(images)) if plan.score == "probability" else None
            notes += [current().choice, *reading_notes(current(), plan.score)]  # they hold for other classes too
        if missed := plan.covering.missed():
            notes.append(f"{missed} pixels are never covered and have no value (NaN)")
        has_classes = not callable(self._target) and math.prod(count) * self._classes <= _MOST_KEPT
        self._table = Table(
            covering=plan.covering,
            scores=torch.full((*count, self._classes if has_classes else 1), torch.nan, dtype=torch.float32),
            predicted=torch.full(count, -1),
            base=torch.empty(0),
            known=torch.zeros(count, dtype=torch.bool),
            filled=torch.zeros(count, dtype=torch.bool),
            estimates=[None] * len(images),
            has_classes=has_classes,
            engine="full" if plan.engine == "full" else "incremental",
            work=Work(),
            notes=(),
        )
        self._table.base = self._stored(0, scores).clone() if has_classes else baseline.float().cpu()[:, None]
        self._note(notes)

    def _note(self, notes: Sequence[str]) -> None:
        self._table.notes = tuple(dict.fromkeys(note for note in (*self._table.notes, *notes) if note))

    def of_image(self, index: int) -> Iterator[int]:
        """Measure one image; yields how many more places are known, after each batch."""
        image, read = self._images[index : index + 1], self._read if callable(self._target) else None
        table = self._table
        with closing(Edited(self._model, image, engine=self._plan.engine, read=read, whole=self._whole)) as edited:
            if edited.engine == "incremental":  # edits that change nothing then differ by nothing
                table.base[index] = self._stored(index, edited.base)
            yield from self._visits(index, edited)
            self._note(edited.notes)
            table.engine = "full" if edited.engine == "full" else table.engine
            past, new = table.work, edited.work
            table.work = Work(past.done + new.done, past.least + new.least, past.full + new.full)
        if not bool(table.known[index].all()):
            self._estimate(index)

    def result(self) -> Occlusion:
        """The map of what is known by now; later answers do not change it."""
        return occlusion_of(self._table.now(), self._target)

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
        batch, engine, measured = self._batch, edited.engine, self._table.known[index]
        earlier = measured.nonzero().flatten().tolist() if engine == "incremental" else []
        for part, answers in edited.batches(patches, tops, lefts, self._plan.covering.mask, batch=batch):
            if edited.engine != engine:
                self._table.base[index] = self._stored(index, edited.base)
            learned = places[part]
            again = bool(measured[learned].all())
            self._learn(index, learned, answers)
            if not again and batch is not None and len(learned) < min(batch, len(places) - part.start):
                self._batch = batch = len(learned)  # memory ran out
            yield 0 if again else len(learned)
        if edited.engine != engine:  # what it said before it failed does not count
            yield from self._measure(index, edited, earlier)

    def _patches(self, index: int, places: list[int]) -> tuple[torch.Tensor, list[int], list[int]]:
        filling, (height, width) = self._fillings[index], self._plan.covering.patch
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
        table = self._table
        if self._classes:
            table.predicted[index, places] = answers[:, -self._classes :].argmax(1).cpu()
        table.scores[index, places] = self._stored(index, answers)
        table.known[index, places] = table.filled[index, places] = True

    def _stored(self, index: int, answers: torch.Tensor) -> torch.Tensor:
        """What to keep (B, K) of the scores of an image and edits of it: those of all classes, or the target's."""
        if callable(self._target):
            answers = answers[:, :1]
        elif self._kind is not None:
            answers = probabilities(answers, self._kind)
        if not callable(self._target) and not self._table.has_classes:
            answers = answers[:, self._target[index], None]
        return answers.detach().float().cpu()

    def _estimates_of(self, index: int, before: Estimates | None = None) -> Estimates:
        scores = self._table.scores[index]
        usable = self._table.known[index] & scores.isfinite().all(1)
        return Estimates(self._coordinates.view(-1, 2), usable.nonzero().flatten().tolist(), scores, before)

    def _accurate(self, index: int, estimates: Estimates) -> bool:
        if self._plan.tolerance is None or not estimates.possible:
            return False
        column = self._table.columns(self._target)[index]
        measured = self._table.scores[index, :, column]
        largest = float((measured[estimates.known] - self._table.base[index, column]).abs().max())
        return estimates.error(measured) <= self._plan.tolerance * largest

    def _estimate(self, index: int) -> None:
        table, estimates = self._table, self._estimates_of(index)
        if not estimates.possible:
            return
        unknown = (~table.known[index]).nonzero().flatten().tolist()
        table.scores[index, unknown] = estimated = estimates.of(unknown, table.scores[index])
        if table.has_classes:
            table.predicted[index, unknown] = estimated.argmax(1)
        table.filled[index] = True
        table.estimates[index] = estimates
