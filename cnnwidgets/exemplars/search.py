"""Find the places of a data set that excite each channel of a network's layers most, in one pass."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import Executor
from typing import Any

import torch
from torch import nn

from cnnwidgets.core.arguments import checked_batch, checked_count, is_whole
from cnnwidgets.core.errors import InputError
from cnnwidgets.core.interrupts import Deferral
from cnnwidgets.core.progress import Meter, ProgressCallback
from cnnwidgets.explainers.engine.memory import estimated_batch
from cnnwidgets.pictures.preprocess import preprocess_for

from .checkpoint import Checkpoint, identity_of
from .demo_crops import demo_crops
from .exemplars import Exemplars, layer_notes
from .images import Images
from .map_layers import MapReader
from .stored import stored_header
from .tally import Query, Tally, tally_span
from .workers import SearchTask, shards, tally_by_workers

_MOST_AT_A_TIME = 256


def find(
    model: nn.Module,
    layers: str | nn.Module | Iterable[str | nn.Module],
    dataset: Any = None,
    *,
    k: int = 9,
    channels: Iterable[int] | None = None,
    distinct_images: bool = True,
    batch: int | None = None,
    executor: Executor | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: ProgressCallback | bool | None = None,
) -> Exemplars:
    """The ``k`` places of a data set that excite each channel of each layer most (Zeiler and Fergus, 2014).

    One pass over the data set for all of them, in memory that does not grow with it. Of equal activations the first
    image comes first, then the first cell of a map, row by row; NaN counts as nothing, and is said in the notes.

    Args:
        model: the network; left as it was.
        layers: names or modules whose outputs are maps (N, C, H, W), or hold maps channels last or as tokens.
        dataset: what :class:`Images` reads, or an :class:`Images`; None: crops of the demo's photographs, see
            :func:`demo_crops`.
        k: how many a channel.
        channels: look at these only, in every layer; the others have no exemplars.
        distinct_images: at most one place of an image; else any ``k`` places.
        batch: images at a time; None: as many as are fast.
        executor: lets its workers look at parts of the data set: a ``ThreadPoolExecutor``, a ``ProcessPoolExecutor``,
            or ``client.get_executor()`` of a Dask cluster. The network and the data set are pickled for it.
        checkpoint: path of a file that holds what has been found so far, written every ten seconds and when the pass
            ends, in whatever way; if it is there, the pass goes on from it, with the same result to the bit.
        progress: told after each batch, with the exemplars so far; True for a bar.

    Raises:
        LayerNotFound: there is no such layer.
        NotSpatial: a layer returns no maps.
        ItemError: an image cannot be used; says which. It is an InputError.
        InputError: the data set is empty, a channel out of range, or the checkpoint another's.
        CnnWidgetsError: the network failed.
            Whatever ends the pass, ``KeyboardInterrupt`` too, carries what was found by then as ``error.partial``.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False))
        >>> with torch.no_grad():
        ...     _ = net[0].weight.copy_(torch.tensor([1.0, 2.0]).view(2, 1, 1, 1))
        >>> images = torch.zeros(3, 1, 4, 4)
        >>> images[1, 0, 2, 3] = 5.0
        >>> exemplars = find(net, "0", images, k=2)
        >>> exemplars.values["0"].tolist(), exemplars.images["0"].tolist(), exemplars.places["0"][0, 0].tolist()
        ([[5.0, 0.0], [10.0, 0.0]], [[1, 0], [1, 0]], [2, 3])
    """
    names = [layers] if isinstance(layers, str | nn.Module) else list(layers)
    if not names:
        raise InputError("layers is empty; pass the name of at least one layer.")
    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise InputError(
            f"executor is a {type(executor).__name__}; expected a concurrent.futures.Executor, such as "
            "ProcessPoolExecutor(), or client.get_executor() of a Dask client."
        )
    checked_count(k, "k")
    images = dataset if isinstance(dataset, Images) else None
    if images is None:
        images = demo_crops(preprocess_for(model)) if dataset is None else Images(dataset, model)
    with Deferral(), torch.inference_mode(False):
        example = images.first()
        reader = MapReader(model, example, names)
        size = checked_batch(batch) or estimated_batch(example[0], _MOST_AT_A_TIME)
        query = Query(k, bool(distinct_images), _numbers(channels), size)
        query.check(reader.layers.values())
        return _Pass(model, reader, images, query, checkpoint, example).run(executor, progress)


def _numbers(channels: Iterable[int] | None) -> tuple[int, ...] | None:
    if channels is None:
        return None
    numbers = [int(channel) if hasattr(channel, "__index__") else channel for channel in channels]
    if not numbers or not all(map(is_whole, numbers)):
        raise InputError(f"channels is {channels!r}; expected numbers of channels, from 0, or None for all.")
    return tuple(sorted(set(numbers)))


class _Pass:
    """One pass over a data set, from a checkpoint on if there is one."""

    def __init__(
        self,
        model: nn.Module,
        reader: MapReader,
        images: Images,
        query: Query,
        path: str | os.PathLike[str] | None,
        example: torch.Tensor,
    ) -> None:
        self._model, self._reader, self._images = model, reader, images
        identity = {} if path is None else identity_of(model, list(reader.layers), query, example, images.count)
        self._checkpoint = Checkpoint(path, identity)
        before = self._checkpoint.read()
        self._tally = Tally.empty(reader.layers.values(), query.k)
        if before is not None:
            self._tally, size = before
            query = Query(query.k, query.distinct, query.channels, size)  # other batches round otherwise
        self._query = query
        self._notes = tuple(dict.fromkeys([*images.notes, *reader.notes, *layer_notes(list(reader.layers.values()))]))

    def run(self, executor: Executor | None, progress: ProgressCallback | bool | None) -> Exemplars:
        total = self._images.count
        try:
            with Meter(progress, 0 if total is None else total - self._tally.count) as meter:
                if executor is None:
                    self._alone(meter)
                else:
                    self._with(executor, meter)
            if not self._tally.count:
                raise InputError("The data set is empty: it gave no image.")
        except BaseException as error:
            error.partial = self._exemplars()  # type: ignore[attr-defined]
            self._write()
            raise
        self._write()
        return self._exemplars()

    def _alone(self, meter: Meter) -> None:
        def report(tally: Tally, count: int) -> None:
            self._tally = tally
            self._report(meter, count)

        with self._reader.ready():
            for start, stop in self._tally.missing(self._images.count):
                if start >= self._tally.end:
                    tally_span(self._reader, self._images, self._query, (start, stop), self._tally, report)
                    continue
                for piece in shards([(start, stop)], stop or 0, self._query.batch):
                    empty = Tally.empty(self._reader.layers.values(), self._query.k)
                    part = tally_span(self._reader, self._images, self._query, piece, empty)
                    report(self._tally.joined(part), part.count)

    def _with(self, executor: Executor, meter: Meter) -> None:
        count = self._images.count
        if count is None:
            raise InputError(
                "executor= needs a data set that gives its images by index, and knows how many there are; got an "
                "iterable. Pass a list, a folder or a Dataset, or leave executor out."
            )

        def report(tally: Tally, count: int) -> None:
            if count:
                self._tally = self._tally.joined(tally)
            self._report(meter, count)

        task = SearchTask(self._model, self._images, tuple(self._reader.layers), self._query)
        pieces = list(shards(self._tally.missing(count), count, self._query.batch))
        if pieces:
            tally_by_workers(executor, task, pieces, report)

    def _report(self, meter: Meter, count: int) -> None:
        if self._checkpoint.is_due:
            self._write()
        meter.advance(count, self._exemplars())

    def _write(self) -> None:
        layers, tally = self._reader.layers, self._tally
        header = stored_header(layers, tally, k=self._query.k, count=self._total(), notes=self._notes)
        self._checkpoint.write(header, layers, tally, self._query.batch)

    def _total(self) -> int | None:
        return self._images.count

    def _exemplars(self) -> Exemplars:
        return Exemplars(
            self._reader.layers,
            self._tally,
            k=self._query.k,
            count=self._total(),
            notes=self._notes,
            reader=self._reader,
            dataset=self._images,
        )
