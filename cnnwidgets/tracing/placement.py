"""Where the cells of a map lie in the image: a network may crop, pad or resize before it makes its maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from .receptive.field import Field
from .receptive.interval import Reach

UNKNOWN = "where this layer's maps lie in the image is not known; stretched over all of it"
_OUTSIDE = "what lies outside has no place in them"


@dataclass(frozen=True)
class Placement:
    """The part of the image that a map's cells share among them, as a chessboard its squares.

    A cell lies at the centre of its receptive field, before the border cuts that, and is as wide as the fields are
    apart. Where all of the image, shared out evenly, puts every centre less than half a cell from there (padding that
    keeps the size, strides of even sizes), the map covers all of it. A map of a part of the image that would reach
    over the cut covers that part, if that, shared out evenly, puts every centre as close.

    Attributes:
        box: top, left, bottom and right of that part, in pixels of the image; may reach outside, into padding.
        image: height and width of the image.
    """

    box: tuple[float, float, float, float]
    image: tuple[int, int]

    @property
    def is_everywhere(self) -> bool:
        """Whether the map covers the image and nothing else."""
        return self.box == (0, 0, *self.image)

    def on(self, maps: torch.Tensor, size: tuple[int, int], outside: float | None = 0.0) -> torch.Tensor:
        """``maps`` (N, h, w) where they lie in the image, itself at ``size``: (N, H, W), bilinear between cells.

        Args:
            outside: what stands where the map has no cell; None: what its nearest cell says.

        Example:
            >>> Placement((0, 1, 1, 3), (1, 4)).on(torch.tensor([[[5.0, 7.0]]]), (1, 4)).tolist()
            [[[0.0, 5.0, 7.0, 0.0]]]
        """
        top, left, bottom, right = self.box
        for axis, low, high in ((0, top, bottom), (1, left, right)):
            maps = _along(maps, axis + 1, low, high, self.image[axis], size[axis], outside)
        return maps

    def notes(self) -> tuple[str, ...]:
        """What to say of maps that do not cover the image."""
        if self.is_everywhere:
            return ()
        (top, left, bottom, right), (height, width) = self.box, self.image
        shares = f"the maps lie on rows {_range(top, bottom)} and columns {_range(left, right)} of the image"
        is_cut = top > 0 or left > 0 or bottom < height or right < width
        reaches_out = top < 0 or left < 0 or bottom > height or right > width
        rest = [_OUTSIDE] if is_cut else []
        rest += ["their cells in the padding around it are not shown"] if reaches_out else []
        return (f"{shares} ({height} × {width}): {', and '.join(rest)}",)


def _range(low: float, high: float) -> str:
    return f"{low:.4g} to {high:.4g}"


def _along(
    maps: torch.Tensor, axis: int, low: float, high: float, side: int, size: int, outside: float | None
) -> torch.Tensor:
    """``maps`` with one axis laid between ``low`` and ``high`` of ``side``, at ``size`` pixels."""
    cells = maps.shape[axis]
    places = (torch.arange(size, dtype=torch.float64) + 0.5) * (side / size)
    centres = ((places - low) * (cells / (high - low)) - 0.5).clamp(0, cells - 1)
    before = centres.floor().long()
    share = (centres - before).to(maps.device, maps.dtype)
    after = (before + 1).clamp(max=cells - 1)
    shape = [1] * maps.ndim
    shape[axis] = size
    share = share.view(shape)
    first = maps.index_select(axis, before.to(maps.device))
    second = maps.index_select(axis, after.to(maps.device))
    # Where the second counts for nothing it must not matter either, if it is not finite.
    laid = torch.where(share == 0, first, first * (1 - share) + second * share)
    if outside is None:
        return laid
    inside = ((places >= low) & (places < high)).to(maps.device).view(shape)
    return torch.where(inside, laid, outside)


def placement_of(field: Field | None, grid: tuple[int, int], image: tuple[int, ...]) -> Placement | None:
    """Where maps of ``grid`` cells with this field lie in an image of shape (..., H, W); None if that is not known."""
    if field is None or len(image) < 3:
        return None
    sides = (int(image[-2]), int(image[-1]))
    rows, columns = (_edges(field.sole_reach(axis), grid[axis], sides[axis]) for axis in (0, 1))
    if rows is None or columns is None:
        return None
    return Placement((rows[0], columns[0], rows[1], columns[1]), sides)


def _edges(reach: Reach | None, cells: int, side: int) -> tuple[float, float] | None:
    """First and last edge of the cells along one axis."""
    if reach is None or not reach.is_placed:
        alone = cells == 1 and (reach is None or not reach.is_moved)
        return (0.0, float(side)) if alone else None
    centres = [(sum(reach.at(cell)) + 1) / 2 for cell in range(cells)]
    period = len(reach.lo)
    if period <= cells:
        pitch = reach.step / period
        first = sum(centre - pitch * cell for cell, centre in enumerate(centres[:period])) / period
    else:
        first, pitch = _even_grid(centres) if cells > 1 else (centres[0], reach.step / period)
    if pitch <= 0:
        return (0.0, float(side)) if cells == 1 else None
    half = max(pitch, _pitch_of_repeats(centres)) / 2
    if _farthest(centres, first, pitch) > half:
        return None
    if _is_shared_out(centres, 0, side, half):
        return 0.0, float(side)
    low, high = first - pitch / 2, first + (cells - 0.5) * pitch
    if reach.bounds is not None:
        uncut = reach.bounds[0], reach.bounds[1] + 1
        if (low < uncut[0] or high > uncut[1]) and _is_shared_out(centres, *uncut, half):
            return float(uncut[0]), float(uncut[1])
    return low, high


def _pitch_of_repeats(centres: list[float]) -> float:
    """How far apart cells are that lie on different places, where a map was enlarged by repeating; else 0."""
    places = sorted(set(centres))
    if len(places) == len(centres):
        return 0.0
    return max((after - before for before, after in zip(places, places[2:], strict=False)), default=0.0)


def _even_grid(centres: list[float]) -> tuple[float, float]:
    """First centre and pitch of the even grid closest to ``centres``, two at least."""
    middle, mean = (len(centres) - 1) / 2, sum(centres) / len(centres)
    spread = sum((cell - middle) ** 2 for cell in range(len(centres)))
    pitch = sum((cell - middle) * (centre - mean) for cell, centre in enumerate(centres)) / spread
    return mean - pitch * middle, pitch


def _is_shared_out(centres: list[float], low: float, high: float, half: float) -> bool:
    """Whether sharing out ``low`` to ``high`` evenly puts every cell less than half a cell from its centre."""
    even = (high - low) / len(centres)
    return _farthest(centres, low + even / 2, even) < half


def _farthest(centres: list[float], first: float, pitch: float) -> float:
    return max(abs(centre - first - pitch * cell) for cell, centre in enumerate(centres))


def enlarged(maps: torch.Tensor, size: Sequence[int], placement: Placement | None) -> torch.Tensor:
    """Maps (N, h, w) over an image of ``size``, bilinear: where they lie, else over all of it.

    Where a map has no cell its nearest one stands in: a margin that a network without padding sees, but gives no cell.
    """
    if placement is None or placement.is_everywhere:
        return functional.interpolate(maps[:, None], tuple(size), mode="bilinear", align_corners=False)[:, 0]
    return placement.on(maps, (size[0], size[1]), outside=None)
