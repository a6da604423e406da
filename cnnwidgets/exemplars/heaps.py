"""The k largest values of each channel, and where they are: kept in memory that does not grow with the data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

_NONE = np.float32(-np.inf)
Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Heap:
    """The largest values of K channels, from the largest on; of equal ones the first image, then the first cell.

    Attributes:
        values: (K, k) float32; -infinity where there is none.
        images: (K, k) int64, index of the image; -1 where there is none.
        cells: (K, k) int64, which cell of its map, row by row; -1 where there is none.
    """

    values: Floats
    images: Integers
    cells: Integers

    @classmethod
    def empty(cls, channels: int, k: int) -> Heap:
        """Without any value."""
        return cls(np.full((channels, k), _NONE), *(np.full((channels, k), -1) for _ in range(2)))

    def joined(self, other: Heap) -> Heap:
        """The largest of both, which are of different images."""
        values = np.concatenate([self.values, other.values], 1)
        images = np.concatenate([self.images, other.images], 1)
        cells = np.concatenate([self.cells, other.cells], 1)
        order = np.lexsort((cells, images, -values), axis=1)[:, : self.values.shape[1]]
        line = np.arange(len(values))[:, None]
        return Heap(values[line, order], images[line, order], cells[line, order])

    def grown(
        self, maps: torch.Tensor, peaks: Floats, first: int, *, distinct: bool, channels: Integers | None = None
    ) -> Heap:
        """With the maps of more images, all of them behind those that are in it.

        Args:
            maps: (n, K, h, w) of any real type, on any device; NaN counts as nothing.
            peaks: (n, K), the largest value of each, see :func:`map_peaks`.
            first: index of the first image.
            distinct: only the largest cell of a map, the first of equal ones.
            channels: look at these only.
        """
        k = self.values.shape[1]
        hot = np.flatnonzero((peaks > self.values[:, -1]).any(0))
        if channels is not None:
            hot = np.intersect1d(hot, channels)
        if not len(hot):
            return self
        # A stable sort keeps equal values in the order of their images.
        both, line = np.concatenate([self.values[hot], peaks.T[hot]], 1), np.arange(len(hot))[:, None]
        order = _largest_first(both)[:, :k]
        values = both[line, order]
        fresh = (order >= k) & (values > _NONE)
        if distinct:
            before = np.where(order < k, order, 0)
            images = np.where(fresh, first + order - k, self.images[hot][line, before])
            cells = self.cells[hot][line, before]
            channel, slot = np.nonzero(fresh)
            cells[channel, slot] = _largest_cell(_rows(maps, order[channel, slot] - k, hot[channel]))
        else:
            # Only images whose peak is among the k largest can have a cell among the k largest.
            entering = np.sort(np.where(fresh, order - k, len(peaks)), 1)
            values, images, cells = self._with_cells(maps, entering, hot, first)
        nothing = values == _NONE
        grown = Heap(self.values.copy(), self.images.copy(), self.cells.copy())
        grown.values[hot] = values
        grown.images[hot] = np.where(nothing, -1, images)
        grown.cells[hot] = np.where(nothing, -1, cells)
        return grown

    def _with_cells(
        self, maps: torch.Tensor, entering: Integers, hot: Integers, first: int
    ) -> tuple[Floats, Integers, Integers]:
        """The largest of the channels ``hot``, with any cells of images (channels, k) in ``entering``, in order."""
        k = self.values.shape[1]
        channel, slot = np.nonzero(entering < len(maps))
        image = entering[channel, slot]
        values, cells = _largest_cells(_rows(maps, image, hot[channel]), k)
        new = Heap.empty(len(hot), k * values.shape[1])
        for part, entries in ((new.values, values), (new.images, (image + first)[:, None]), (new.cells, cells)):
            part.reshape(len(hot), k, -1)[channel, slot] = entries
        parts = [
            np.concatenate([old[hot], part], 1)
            for old, part in ((self.values, new.values), (self.images, new.images), (self.cells, new.cells))
        ]
        order, line = _largest_first(parts[0])[:, :k], np.arange(len(hot))[:, None]
        return parts[0][line, order], parts[1][line, order], parts[2][line, order]


def map_peaks(maps: torch.Tensor) -> tuple[Floats, int]:
    """(n, K) float32, the largest value of each of maps (n, K, h, w); and how many of these hold NaN."""
    peaks: Floats = maps.amax((2, 3)).float().cpu().numpy()
    holed = int(np.isnan(peaks).sum())
    if holed:
        peaks = torch.where(maps.isnan(), -torch.inf, maps).amax((2, 3)).float().cpu().numpy()
    return peaks, holed


def _largest_first(values: Floats) -> npt.NDArray[np.intp]:
    return np.argsort(-values, axis=1, kind="stable")


def _rows(maps: torch.Tensor, images: Integers, channels: Integers) -> torch.Tensor:
    """(M, h·w): some of maps (n, K, h, w)."""
    if maps.is_contiguous():
        rows = torch.from_numpy(images * maps.shape[1] + channels).to(maps.device)
        return maps.view(-1, maps.shape[2] * maps.shape[3]).index_select(0, rows)
    rows, columns = (torch.from_numpy(part).to(maps.device) for part in (images, channels))
    return maps[rows, columns].flatten(1)


def _largest_cell(rows: torch.Tensor) -> Integers:
    """The cell, (M,), of maps (M, h·w), the first of equal ones."""
    numbers = rows.float().cpu().numpy()  # which finds it in a fifth of torch's time
    cells: Integers = numbers.argmax(1)
    if np.isnan(numbers[np.arange(len(cells)), cells]).any():  # which argmax takes for the largest
        cells = np.where(np.isnan(numbers), _NONE, numbers).argmax(1)
    return cells


def _largest_cells(rows: torch.Tensor, count: int) -> tuple[Floats, Integers]:
    """Values and cells, (M, count) at most, of maps (M, h·w), the first of equal ones first."""
    rows = rows.float()
    rows = torch.where(rows.isnan(), -torch.inf, rows)  # a sort takes NaN for the largest
    values, cells = (part[:, :count] for part in rows.sort(dim=1, descending=True, stable=True))
    return values.cpu().numpy(), cells.cpu().numpy()
