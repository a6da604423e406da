"""One forward pass of many edits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef

from cnnwidgets.core.nested import mapped
from cnnwidgets.tracing.macs import count

from .memo import Memo
from .values.recomputable import recomputables
from .work import Work


class ReadsValues(Exception):
    """The model's Python code reads numbers computed from several edits at once: run one edit at a time."""


@dataclass
class EditRun:
    """One forward pass of ``count`` edits.

    Attributes:
        memo: what is the same for every edit, kept from run to run.
        work: multiply-adds.
        reads: whether the model's Python code read numbers that depend on edits.
        mixes_batch: whether an operation may have let edits influence one another: one without a rule, on all of them.
        parted: memory that should be one, but lies in two places; nobody may write to it.
        largest: bytes of the largest value of all edits.
    """

    count: int
    memo: Memo
    work: Work = field(default_factory=Work)
    reads: bool = False
    mixes_batch: bool = False
    parted: list[StorageWeakRef] = field(default_factory=list)
    largest: int = 0

    def note_size(self, value: torch.Tensor) -> None:
        """Note the size of a value of all edits."""
        self.largest = max(self.largest, value.nbytes)

    def refuse_parted(self, tensors: Sequence[torch.Tensor]) -> None:
        """Before ``tensors`` are written to: none of them may lie in two places."""
        if any(_storage_of(tensor) in self.parted for tensor in tensors if self.parted):
            raise RuntimeError("the model writes to memory that had to be laid out in two ways")

    def part(self, *tensors: torch.Tensor) -> None:
        """Note memory that nobody may write to."""
        self.parted += map(_storage_of, tensors)

    def base(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        """``function`` on the unedited values, done the first time only: a :class:`Recomputable`, or a list of them."""
        # What stands for edits knows what it is without them; anything else is the same for all.
        args, kwargs = mapped((args, kwargs), lambda value: getattr(value, "unedited", value))

        def count_work(real: Any, output: Any, again: bool) -> None:
            self.work.once(count(getattr(function, "overloadpacket", None), real, output), again=again)

        return self.memo.get(function, args, kwargs, lambda: recomputables(function, args, kwargs, count_work))


def _storage_of(tensor: torch.Tensor) -> StorageWeakRef:
    return StorageWeakRef(tensor.untyped_storage())  # type: ignore[no-untyped-call]
