"""One forward pass of many edits."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch.multiprocessing.reductions import StorageWeakRef

from cnnwidgets.core.nested import mapped
from cnnwidgets.tracing.macs import count

from .memo import Memo
from .values.recomputable import Recipe
from .work import Work

WHOLE = 0.85
"""A window that covers more than this share of its map becomes whole."""


class ReadsValues(Exception):
    """The model's Python code reads numbers computed from several edits at once: run one edit at a time."""


@dataclass(frozen=True)
class Pending:
    """What a value that waits is computed by.

    Attributes:
        compute: gives the window, or the whole.
        source: what it is computed of; nobody may write to it before.
    """

    compute: Callable[[], torch.Tensor]
    source: torch.Tensor


@dataclass(frozen=True)
class PendingConvolution(Pending):
    """A convolution that waits: batch normalisation that follows can be folded into its kernels.

    Attributes:
        convolve: (kernels, bias) -> the result.
        weight, bias: the layer's own.
        places: rows times columns of the result, of all edits together.
    """

    convolve: Callable[[torch.Tensor, torch.Tensor | None], torch.Tensor]
    weight: torch.Tensor
    bias: torch.Tensor | None
    places: int


class Waiting(Protocol):
    """A value that is computed when it is looked at."""

    pending: Pending | None

    def settle(self) -> None:
        """Compute it."""


@dataclass
class EditRun:
    """One forward pass of ``count`` edits.

    Attributes:
        memo: what is the same for every edit, kept from run to run.
        work: multiply-adds.
        threshold: a window that covers more than this share of its map becomes whole.
        reads: whether the model's Python code read numbers that depend on edits.
        mixes_batch: whether an operation may have let edits influence one another: one without a rule, on all of them.
        waiting: values that have not been computed yet.
        parted: memory that should be one, but lies in two places; nobody may write to it.
        largest: bytes of the largest value of all edits.
    """

    count: int
    memo: Memo
    work: Work = field(default_factory=Work)
    threshold: float = WHOLE
    reads: bool = False
    mixes_batch: bool = False
    waiting: list[weakref.ref[Waiting]] = field(default_factory=list)
    parted: list[StorageWeakRef] = field(default_factory=list)
    largest: int = 0

    def noted_size(self, value: torch.Tensor) -> torch.Tensor:
        """Note the size of a value of all edits; returns it."""
        self.largest = max(self.largest, value.nbytes)
        return value

    def settle(self, tensors: Sequence[torch.Tensor]) -> None:
        """Before ``tensors`` are written to: compute what waits and still needs them as they are."""
        if any(_storage_of(tensor) in self.parted for tensor in tensors if self.parted):
            raise RuntimeError("the model writes to memory that had to be laid out in two ways")
        memory = {tensor.untyped_storage().data_ptr() for tensor in tensors}
        left = []
        for reference in self.waiting:
            other = reference()
            if other is None or other.pending is None:
                continue
            if other.pending.source.untyped_storage().data_ptr() in memory:
                other.settle()
            else:
                left.append(reference)
        self.waiting = left

    def part(self, *tensors: torch.Tensor) -> None:
        """Note memory that nobody may write to."""
        self.parted += map(_storage_of, tensors)

    def base(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        """``function`` on the unedited values, done the first time only: a :class:`Recomputable`, or a list of them."""
        args, kwargs = mapped((args, kwargs), _unedited)

        def count_work(real: Any, output: Any, again: bool) -> None:
            self.work.once(count(getattr(function, "overloadpacket", None), real, output), again=again)

        return self.memo.get(function, args, kwargs, lambda: Recipe(function, args, kwargs, count_work).first())


def _storage_of(tensor: torch.Tensor) -> StorageWeakRef:
    return StorageWeakRef(tensor.untyped_storage())  # type: ignore[no-untyped-call]


def _unedited(value: Any) -> Any:
    """What stands for edits knows what it is without them; anything else is the same for all."""
    return getattr(value, "unedited", value)
