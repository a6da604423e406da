"""Work through a list a batch at a time, in the memory that there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import torch

from cnnwidgets.core.arguments import checked_batch
from cnnwidgets.running.batches_of_one import ONE_BY_ONE, may_be_the_batch

T = TypeVar("T")
_MOST = 64


class Chunks:
    """Batches that get smaller when memory runs out, or when the model takes one image at a time.

    Attributes:
        size: items a batch; halved each time the memory was not enough, and kept for the next list.
        notes: what the reader must know.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.notes: tuple[str, ...] = ()

    def each(self, items: Sequence[int], work: Callable[[list[int]], T]) -> Iterator[tuple[list[int], T]]:
        """``work`` on slices of ``items``: yields each slice and what ``work`` returned for it.

        Raises:
            RuntimeError, MemoryError: out of memory with a batch of 1.
            Exception: what ``work`` raised, also for one item.

        Example:
            >>> list(Chunks(2).each([5, 6, 7], sum))
            [([5, 6], 11), ([7], 7)]
        """
        done = 0
        while done < len(items):
            now = list(items[done : done + self.size])
            enough = True
            try:
                result = work(now)
            except Exception as error:
                if len(now) == 1:
                    raise
                if may_be_the_batch(error):
                    now, result = now[:1], _alone(work, now[0], error)
                    self.size, self.notes = 1, (ONE_BY_ONE,)
                else:
                    enough = False
            if not enough:  # outside of the except block, which keeps the failed forward's tensors alive
                self.size = len(now) // 2
                if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
                    torch.cuda.empty_cache()
                continue
            yield now, result
            done += len(now)


def _alone(work: Callable[[list[int]], T], item: int, error: Exception) -> T:
    """``work`` on one item; what a batch raised, if that fails too."""
    try:
        return work([item])
    except Exception as again:
        if may_be_the_batch(again):
            raise error from error.__cause__
        raise


def batch_size(batch: Any, estimate: int) -> int:
    """``batch`` as the caller gave it, in bounds that memory sets, or ``estimate`` for None.

    Raises:
        InputError: no int of at least 1.
    """
    count = checked_batch(batch)
    # An operating system that promises any memory ends the process later.
    return estimate if count is None else min(count, _MOST * estimate)
