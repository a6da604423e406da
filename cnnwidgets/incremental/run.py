"""One forward pass of many edits."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeGuard

import torch
from torch.multiprocessing.reductions import StorageWeakRef

from cnnwidgets.core.nested import mapped
from cnnwidgets.tracing.macs import count

from .memo import Memo
from .values.recomputable import Kept, Step
from .work import Work

if TYPE_CHECKING:
    from .values.edits import Edits

WHOLE = 0.85
"""A window that covers more than this share of its map becomes whole."""


class ReadsValues(Exception):
    """The model's Python code reads numbers computed from several edits at once: run one edit at a time."""


@dataclass(frozen=True)
class Pending:
    """A convolution that waits: batch normalisation that follows can be folded into its kernels.

    Attributes:
        compute: (kernels, bias, rest) -> the result.
        weight, bias: the layer's own.
        source: what is convolved; nobody may write to it before.
        places: rows times columns of the result, of all edits together.
        rest: the result without edits, for what no edit reaches.
    """

    compute: Callable[[torch.Tensor, torch.Tensor | None, Kept | None], torch.Tensor]
    weight: torch.Tensor
    bias: torch.Tensor | None
    source: torch.Tensor
    places: int
    rest: Kept | None = None

    def plain(self) -> torch.Tensor:
        """The convolution alone."""
        return self.compute(self.weight, self.bias, self.rest)


@dataclass
class Run:
    """One forward pass of ``count`` edits.

    Attributes:
        memo: what is the same for every edit, kept from run to run.
        work: multiply-adds.
        threshold: a window that covers more than this share of its map becomes whole.
        reads: whether the model's Python code read numbers that depend on edits.
        meets: whether an operation may have let edits influence one another: one without a rule, on all of them.
        waiting: values that have not been computed yet.
        parted: memory that should be one, but lies in two places; nobody may write to it.
        largest: bytes of the largest value of all edits.
    """

    count: int
    memo: Memo
    work: Work = field(default_factory=Work)
    threshold: float = WHOLE
    reads: bool = False
    meets: bool = False
    waiting: list[weakref.ref[Edits]] = field(default_factory=list)
    parted: list[StorageWeakRef] = field(default_factory=list)
    largest: int = 0

    def made(self, value: torch.Tensor) -> torch.Tensor:
        """Note the size of a value of all edits; returns it."""
        self.largest = max(self.largest, value.nbytes)
        return value

    def settle(self, value: torch.Tensor | Edits) -> None:
        """Before ``value`` is written to: compute what waits and still needs it as it is."""
        if not self.waiting and not self.parted:
            return
        held = [value.kept, value.known, value.filled] if _is_edits(value) else [value]
        tensors = [tensor for tensor in held if tensor is not None]
        if any(_storage(tensor) in self.parted for tensor in tensors if self.parted):
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
        self.parted += map(_storage, tensors)

    def base(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        """``function`` on the unedited values, done the first time only: a :class:`Kept`, or a list of them."""
        args, kwargs = mapped((args, kwargs), _unedited)

        def done(real: Any, output: Any, again: bool) -> None:
            self.work.once(count(getattr(function, "overloadpacket", None), real, output), again=again)

        return self.memo.get(function, args, kwargs, lambda: Step(function, args, kwargs, done).first())


def _is_edits(value: Any) -> TypeGuard[Edits]:
    return hasattr(value, "unedited")  # the class imports this module


def _storage(tensor: torch.Tensor) -> StorageWeakRef:
    return StorageWeakRef(tensor.untyped_storage())  # type: ignore[no-untyped-call]


def _unedited(value: Any) -> Any:
    return value.unedited if _is_edits(value) else value
