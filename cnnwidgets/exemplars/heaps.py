"""The k largest values of each channel, and where they are: kept in memory that does not grow with the data."""

from __future__ import annotations

from dataclasses import dataclass

import torch

_NONE = -torch.inf


@dataclass(frozen=True, eq=False)
class Heap:
    """The largest values of K channels, from the largest on; of equal ones the first image, then the first cell.

    Attributes:
        values: (K, k) float32; -infinity where there is none.
        images: (K, k) int64, index of the image; -1 where there is none.
        cells: (K, k) int64, which cell of its map, row by row.
    """

    values: torch.Tensor
    images: torch.Tensor
    cells: torch.Tensor

    @classmethod
    def empty(cls, channels: int, k: int) -> Heap:
        """Without any value."""
        none = torch.full((channels, k), -1)
        return cls(torch.full((channels, k), _NONE), none, none.clone())

    def joined(self, other: Heap) -> Heap:
        """The largest of both, which are of different images."""
        values, images, cells = (
            torch.cat(pair, 1)
            for pair in zip(
                (self.values, self.images, self.cells), (other.values, other.images, other.cells), strict=True
            )
        )
        order = torch.arange(values.shape[1]).expand_as(values)
        for key, descending in ((cells, False), (images, False), (values, True)):  # the last key counts most
            order = order.gather(1, key.gather(1, order).sort(dim=1, descending=descending, stable=True).indices)
        return Heap(*(part.gather(1, order)[:, : self.values.shape[1]] for part in (values, images, cells)))

    def grown(
        self,
        maps: torch.Tensor,
        peaks: torch.Tensor,
        first: int,
        *,
        distinct: bool,
        channels: torch.Tensor | None = None,
    ) -> Heap:
        """With the maps of more images, all of them behind those that are in it.

        Args:
            maps: (n, K, h, w) of any real type, on any device; NaN counts as nothing.
            peaks: (n, K), the largest value of each, see :func:`map_peaks`.
            first: index of the first image.
            distinct: only the largest cell of a map, the first of equal ones.
            channels: look at these only.
        """
        count, k = len(maps), self.values.shape[1]
        entering = (peaks > self.values[:, -1]).any(0)
        if channels is not None:
            entering &= torch.zeros_like(entering).index_fill_(0, channels, value=True)
        hot = entering.nonzero()[:, 0]
        if not len(hot):
            return self
        # Of the new images, only those whose peak is among the k largest can have a cell among the k largest.
        both = torch.cat([self.values[hot], peaks[:, hot].T], 1)
        fresh = both.sort(dim=1, descending=True, stable=True).indices[:, :k] - k
        fresh = torch.where(fresh >= 0, fresh, count).sort(1).values
        is_fresh = (fresh < count) & (both.gather(1, (fresh + k).clamp(max=both.shape[1] - 1)) > _NONE)
        rows = maps[fresh[is_fresh].to(maps.device), hot[:, None].expand_as(fresh)[is_fresh].to(maps.device)]
        values, cells = _largest_cells(rows.flatten(1).float(), 1 if distinct else k)
        shape = (len(hot), k, values.shape[1])
        new = torch.full(shape, _NONE), torch.full(shape, -1), torch.full(shape, -1)
        new[0][is_fresh], new[2][is_fresh] = values, cells
        new[1][is_fresh] = (fresh[is_fresh] + first)[:, None].expand_as(cells)
        # Equal values stand in the order of their images and cells by now, which a stable sort keeps.
        parts = [
            torch.cat([old[hot], part.flatten(1)], 1)
            for old, part in zip((self.values, self.images, self.cells), new, strict=True)
        ]
        order = parts[0].sort(dim=1, descending=True, stable=True).indices[:, :k]
        grown = [old.clone() for old in (self.values, self.images, self.cells)]
        for whole, part in zip(grown, parts, strict=True):
            whole[hot] = part.gather(1, order)
        nothing = grown[0] == _NONE
        return Heap(grown[0], grown[1].masked_fill(nothing, -1), grown[2].masked_fill(nothing, -1))


def map_peaks(maps: torch.Tensor) -> tuple[torch.Tensor, int]:
    """(n, K) float32 on the CPU, the largest value of each of maps (n, K, h, w); and how many of these hold NaN."""
    peaks = maps.amax((2, 3)).float()
    holed = int(peaks.isnan().sum()) if maps.is_floating_point() else 0
    if holed:
        peaks = _nan_last(maps).amax((2, 3)).float()
    return peaks.cpu(), holed


def _nan_last(maps: torch.Tensor) -> torch.Tensor:
    return torch.where(maps.isnan(), _NONE, maps)


def _largest_cells(rows: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Values and cells, (M, count) at most, of maps (M, h·w), the first of equal ones first; on the CPU."""
    rows = _nan_last(rows)
    if count == 1:
        cells = rows.argmax(1, keepdim=True)
        return rows.gather(1, cells).cpu(), cells.cpu()
    values, cells = rows.sort(dim=1, descending=True, stable=True)
    return values[:, :count].cpu(), cells[:, :count].cpu()
