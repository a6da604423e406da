"""A pass over a data set by the workers of an executor: threads, processes, or machines."""

from __future__ import annotations

import importlib.util
import pickle
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass

from torch import nn

from cnnwidgets.core.errors import CnnWidgetsError, InputError, message_of

from .images import Images
from .map_layers import MapReader
from .tally import Query, Span, Tally, tally_span

_SHARDS = 32
_PATIENCE = 0.5  # seconds between two times that the caller may cancel


@dataclass(frozen=True)
class SearchTask:
    """All that a worker needs.

    Attributes:
        model: the network.
        images: the data set.
        layers: names.
        query: what is looked for.
    """

    model: nn.Module
    images: Images
    layers: tuple[str, ...]
    query: Query

    def pickled(self) -> bytes:
        """To be sent to a worker; by cloudpickle where it is installed, which takes classes of a notebook too.

        Raises:
            InputError: the network or the data set cannot be sent.
        """
        pickler = importlib.import_module("cloudpickle") if importlib.util.find_spec("cloudpickle") else pickle
        try:
            content: bytes = pickler.dumps(self)
        except InputError:
            raise
        except Exception as error:
            raise InputError(
                "The network and the data set must be picklable to be sent to the executor's workers: "
                f"{type(error).__name__}: {message_of(error)}."
            ) from error
        return content


class _Opened(threading.local):
    """The task that was sent last; one a thread, since two threads cannot watch the layers of one network."""

    content = b""
    task: tuple[SearchTask, MapReader]


_opened = _Opened()


def opened_task(content: bytes) -> tuple[SearchTask, MapReader]:
    """The task that ``content`` holds, and what reads its network's maps."""
    if _opened.content != content:
        task: SearchTask = pickle.loads(content)  # noqa: S301 (what the caller's own process has sent)
        _opened.task, _opened.content = (task, MapReader(task.model, task.images.first(), task.layers)), content
    return _opened.task


def tally_shard(content: bytes, span: Span) -> tuple[Tally, Exception | None]:
    """What the images of ``span`` come to; and the error that cut it short."""
    task, reader = opened_task(content)
    tally = Tally.empty(reader.layers.values(), task.query.k)

    def report(so_far: Tally, _: int) -> None:
        nonlocal tally
        tally = so_far

    try:
        with reader.ready():
            tally_span(reader, task.images, task.query, span, tally, report)
    except Exception as error:
        return tally, error
    return tally, None


def shards(gaps: Sequence[Span], count: int, batch: int) -> Iterator[tuple[int, int]]:
    """``gaps`` in a few dozen pieces that end where batches end.

    Example:
        >>> list(shards([(0, 100)], 100, 30))
        [(0, 30), (30, 60), (60, 90), (90, 100)]
    """
    size = max(1, -(-count // (_SHARDS * batch))) * batch
    for start, stop in gaps:
        end = count if stop is None else stop
        yield from ((at, min(at + size, end)) for at in range(start, end, size))


def tally_by_workers(
    executor: Executor, task: SearchTask, pieces: Sequence[tuple[int, int]], report: Callable[[Tally, int], None]
) -> None:
    """Let the workers of ``executor`` look at ``pieces`` of the data set.

    Args:
        report: is given what each piece has come to, in any order, and how many images that is; now and then nothing.

    Raises:
        ItemError: an image cannot be used; what the other images have come to was reported.
        CnnWidgetsError: a worker failed.
    """
    content = task.pickled()
    nothing = Tally.empty((), task.query.k)
    pending: set[Future[tuple[Tally, Exception | None]]] = set()
    try:
        pending |= {executor.submit(tally_shard, content, piece) for piece in pieces}
        while pending:
            ended, pending = wait(pending, _PATIENCE, FIRST_COMPLETED)
            results = [_shard_result(future) for future in ended]
            for tally, _ in results:
                if tally is not None:
                    report(tally, tally.count)
            errors = [error for _, error in results if error is not None]
            if errors:
                raise min(errors, key=lambda error: getattr(error, "item", -1))
            if not ended:
                report(nothing, 0)
    finally:
        for future in pending:
            future.cancel()


def _shard_result(future: Future[tuple[Tally, Exception | None]]) -> tuple[Tally | None, Exception | None]:
    try:
        return future.result()
    except CnnWidgetsError as error:
        return None, error
    except Exception as error:
        failure = CnnWidgetsError(
            f"A worker of the executor failed: {type(error).__name__}: {message_of(error)}. If it ended abruptly, its "
            "memory may not have been enough: pass a smaller batch=."
        )
        failure.__cause__ = error
        return None, failure
