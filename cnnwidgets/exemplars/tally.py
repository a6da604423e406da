"""What a pass over a data set looks for, and what it has come to so far."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from cnnwidgets.core.arguments import is_whole
from cnnwidgets.core.errors import InputError
from cnnwidgets.explainers.engine.memory import Chunks

from .heaps import Heap, map_peaks
from .images import Images
from .map_layers import MapLayer, MapReader

Span = tuple[int, int | None]
"""From which image to before which; None: to the last."""


@dataclass(frozen=True)
class Query:
    """What is looked for.

    Attributes:
        k: how many exemplars of each channel.
        distinct: at most one place of an image.
        channels: these only; None: all.
        batch: images at a time.
    """

    k: int
    distinct: bool
    channels: tuple[int, ...] | None
    batch: int

    def check(self, layers: Iterable[MapLayer]) -> None:
        """Raise InputError where a layer has no channel of that number."""
        for layer in layers:
            for channel in self.channels or ():
                check_channel(layer, channel)


def check_channel(layer: MapLayer, channel: int) -> None:
    """Raise InputError unless ``layer`` has this channel."""
    if not is_whole(channel) or not 0 <= channel < layer.channels:
        raise InputError(
            f"channel is {channel!r}; layer {layer.name!r} has {layer.channels}: expected 0 to {layer.channels - 1}."
        )


@dataclass(frozen=True, eq=False)
class Tally:
    """What the images looked at have come to.

    Attributes:
        heaps: layer -> the largest values so far.
        holed: layer -> how many maps held NaN.
        spans: the images looked at, sorted and apart from each other: first, and the one behind the last.
        batch: how many at a time.
        notes: what the reader must know of how they were looked at.
    """

    heaps: Mapping[str, Heap]
    holed: Mapping[str, int]
    spans: tuple[tuple[int, int], ...] = ()
    notes: tuple[str, ...] = ()

    @classmethod
    def empty(cls, layers: Iterable[MapLayer], k: int) -> Tally:
        """Of no image."""
        heaps = {layer.name: Heap.empty(layer.channels, k) for layer in layers}
        return cls(heaps, dict.fromkeys(heaps, 0))

    @property
    def count(self) -> int:
        """How many images were looked at."""
        return sum(stop - start for start, stop in self.spans)

    @property
    def end(self) -> int:
        """The image behind the last."""
        return self.spans[-1][1] if self.spans else 0

    def joined(self, other: Tally) -> Tally:
        """This and what other images have come to."""
        return Tally(
            {name: heap.joined(other.heaps[name]) for name, heap in self.heaps.items()},
            {name: count + other.holed[name] for name, count in self.holed.items()},
            spans_joined([*self.spans, *other.spans]),
            tuple(dict.fromkeys([*self.notes, *other.notes])),
        )

    def missing(self, count: int | None) -> list[Span]:
        """The images of ``count`` that were not looked at; None: nobody knows how many there are."""
        gaps: list[Span] = []
        start = 0
        for first, stop in self.spans:
            if start < first:
                gaps.append((start, first))
            start = stop
        return gaps if count is not None and start >= count else [*gaps, (start, count)]


def spans_joined(spans: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Sorted, those that touch made one.

    Example:
        >>> spans_joined([(4, 6), (0, 2), (2, 3)])
        ((0, 3), (4, 6))
    """
    joined: list[tuple[int, int]] = []
    for start, stop in sorted(spans):
        if joined and joined[-1][1] == start:
            joined[-1] = joined[-1][0], stop
        else:
            joined.append((start, stop))
    return tuple(joined)


def tally_span(
    reader: MapReader,
    images: Images,
    query: Query,
    span: Span,
    tally: Tally,
    report: Callable[[Tally, int], None] | None = None,
) -> Tally:
    """``tally`` with the images of ``span``, which lie behind those in it.

    Args:
        report: is told after each batch: what it has come to, and how many images more that is.

    Raises:
        ItemError: an image cannot be used; those of the batches before have been reported.
        CnnWidgetsError: the network failed.
    """
    chunks = Chunks(query.batch)
    channels = None if query.channels is None else np.array(query.channels, np.int64)
    for start, batch in images.batches(*span, query.batch):
        heaps, holed = dict(tally.heaps), dict(tally.holed)

        def look(indices: list[int]) -> dict[str, tuple[Heap, int]]:
            first, part = start + indices[0], batch[indices[0] : indices[-1] + 1]  # noqa: B023 (called at once)

            def take(name: str, maps: torch.Tensor) -> tuple[Heap, int]:
                peaks, holes = map_peaks(maps)
                heap = heaps[name].grown(maps, peaks, first, distinct=query.distinct, channels=channels)  # noqa: B023
                return heap, holes

            return reader.read(part, take)

        for _, results in chunks.each(range(len(batch)), look):
            for name, (heap, holes) in results.items():
                heaps[name] = heap
                holed[name] += holes
        spans = spans_joined([*tally.spans, (start, start + len(batch))])
        tally = Tally(heaps, holed, spans, tuple(dict.fromkeys([*tally.notes, *chunks.notes])))
        if report is not None:
            report(tally, len(batch))
    return tally
