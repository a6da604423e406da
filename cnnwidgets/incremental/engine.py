"""A model on edits of one image: what no edit changes is computed once, and the whole model stands by."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch

from cnnwidgets.core.network import walked_once
from cnnwidgets.running.batches_of_one import ONE_BY_ONE, may_be_the_batch
from cnnwidgets.state.preserved import preserved

from .edited_model import EditedModel, ordinary
from .memo import Memo
from .run import EditRun, ReadsValues
from .values.boxes import Ints
from .work import Work

READS_VALUES = "the model's code decides by values computed from the image: edits are run one at a time"
ReadScores = Callable[[Any, int], torch.Tensor]
"""``(outputs, B) -> (B, ...)``: the scores in what the model returned for B edits."""


@dataclass(frozen=True, eq=False)
class EditBatch:
    """Edits of the same value of a model, and how it is run on them.

    Attributes:
        numbers: which edits.
        by_engine: (run, numbers) -> what the model returns, computed only where the edits change it.
        in_full: numbers -> what the whole model returns.
    """

    numbers: Ints
    by_engine: Callable[[EditRun, Ints], Any]
    in_full: Callable[[Ints], Any]

    def __len__(self) -> int:
        return len(self.numbers)

    def some(self, indices: Any) -> EditBatch:
        """Those with these places among the numbers."""
        return replace(self, numbers=self.numbers[indices])


class EngineFailed(Exception):
    """The engine cannot run the model; the cause says why."""


class Engine:
    """The values of one image that edits are computed from, and the runs that use them.

    Args:
        model: the network, and what is edited in it.
        read: takes the scores out of what the model returns.

    Attributes:
        memo: what is the same for every edit.
        work: multiply-adds done, and how many there had to be.
        one_by_one: why edits are run one at a time, or None.
    """

    def __init__(self, model: EditedModel, read: ReadScores) -> None:
        self.model, self._read = model, read
        self.memo, self.work = Memo(), Work()
        self.one_by_one: str | None = None
        self._stamp: Any = None

    @contextmanager
    def entered(self) -> Iterator[None]:
        """The model in evaluation mode, without gradients."""
        model = self.model.module
        with torch.inference_mode(False), torch.no_grad(), walked_once(), preserved(model, evaluate=True):
            yield

    @property
    def is_stale(self) -> bool:
        """Whether the model has changed since :meth:`renew`."""
        return bool(self.model.stamp() != self._stamp)

    def renew(self) -> None:
        """The image's values are from now on those of the model as it is."""
        self._stamp = self.model.stamp()

    def give_up(self) -> None:
        """Forget all that was computed."""
        self.memo.clear()
        self.work = Work()

    def run(self, count: int) -> EditRun:
        """A forward pass of ``count`` edits."""
        return EditRun(count, self.memo, self.work)

    def scores(self, edits: EditBatch) -> tuple[torch.Tensor, EditRun]:
        """The scores (B, ...), out of the graph that a forward may make by itself, and the last run they are from.

        Raises:
            EngineFailed: the model cannot be run so, not even one edit at a time.
        """
        if self.one_by_one and len(edits) > 1:
            rows = [self.scores(edit) for edit in _singly(edits)]
            return torch.cat([scores for scores, _ in rows]), rows[-1][1]
        try:
            return self._incremental(edits)
        except ReadsValues:
            self.one_by_one = READS_VALUES
        except Exception as error:
            if not may_be_the_batch(error):
                raise
            if len(edits) == 1 or not self._takes_one(edits):
                raise EngineFailed(str(error)) from error
            self.one_by_one = ONE_BY_ONE
        return self.scores(edits)

    def in_full(self, edits: EditBatch) -> torch.Tensor:
        """The scores (B, ...) by the whole model, together if it allows that."""
        if self.one_by_one and len(edits) > 1:
            return torch.cat([self.in_full(edit) for edit in _singly(edits)])
        try:
            return self._whole(edits)
        except Exception as error:
            first = edits.some([0])
            if len(edits) == 1 or not may_be_the_batch(error) or not _succeeds(lambda: self._whole(first)):
                raise
        self.one_by_one = ONE_BY_ONE
        return self.in_full(edits)

    def _incremental(self, edits: EditBatch) -> tuple[torch.Tensor, EditRun]:
        run = self.run(len(edits))
        try:
            return self._read(ordinary(edits.by_engine(run, edits.numbers)), len(edits)).detach(), run
        finally:
            self.memo.end_of_run()

    def _whole(self, edits: EditBatch) -> torch.Tensor:
        return self._read(edits.in_full(edits.numbers), len(edits)).detach()

    def _takes_one(self, edits: EditBatch) -> bool:
        """Whether one edit can be run, and the whole model fails for two together."""
        first, pair = edits.some([0]), edits.some([0, 1])
        alone = _succeeds(lambda: self._incremental(first)) and _succeeds(lambda: self._whole(first))
        return alone and not _succeeds(lambda: self._whole(pair))


def _singly(edits: EditBatch) -> Iterator[EditBatch]:
    return (edits.some([index]) for index in range(len(edits)))


def _succeeds(call: Callable[[], Any]) -> bool:
    try:
        call()
    except Exception as error:
        if not may_be_the_batch(error):
            raise
        return False
    return True
