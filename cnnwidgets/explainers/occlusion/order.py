"""In which order the places of an occlusion map are visited: all over first, then where neighbours disagree."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

Floats = npt.NDArray[np.float64]

_COARSE_SHARE = 0.085
_LEAST_COARSE = 4
_REACH = 2.5
"""Over how many strides a place's error tells about its surroundings."""
_CAUTION = 0.125
"""How much squared errors count beside distance; chosen on occlusion maps of an EfficientNet-Lite0, where from 0.06 to
0.25 made little difference."""


def coarse_step(rows: int, cols: int) -> int:
    """The smallest power of two that leaves few enough of a grid's places for a first look.

    Example:
        >>> coarse_step(27, 27), coarse_step(2, 2)
        (4, 1)
    """
    step = 1
    while -(-rows // step) * -(-cols // step) > max(_LEAST_COARSE, _COARSE_SHARE * rows * cols):
        step *= 2
    return step


def coarse_places(rows: int, cols: int) -> list[int]:
    """Row-major indices of a grid's sparse part, for a first look.

    Example:
        >>> coarse_places(2, 7)
        [0, 2, 4, 6]
    """
    step = coarse_step(rows, cols)
    return [row * cols + col for row in range(0, rows, step) for col in range(0, cols, step)]


class Order:
    """Chooses the places to visit next.

    Args:
        coordinates: (rows, cols, 2), where each place is, in strides: its distance from the others.

    Attributes:
        coarse: row-major indices of a sparse grid, to visit first.
    """

    def __init__(self, coordinates: torch.Tensor) -> None:
        self._at: Floats = coordinates.double().numpy()
        rows, cols = self._at.shape[:2]
        step = coarse_step(rows, cols)
        self.coarse = coarse_places(rows, cols)
        # Next its continuation along the far edges, so that all else lies between known places.
        down_to, across_to = ([*range(0, end, step), end - 1] for end in (rows, cols))
        self._border = [row * cols + col for row in down_to for col in across_to if rows - 1 == row or cols - 1 == col]
        self._far: Floats = np.full((rows, cols), np.inf)
        self._radius = max(rows, cols)
        down, across = self._at[:, 0, 0], self._at[0, :, 1]
        self._down, self._across = _likeness(down), _likeness(across)

    def visited(self, places: list[int]) -> None:
        """Note that these are done."""
        for index in places:
            self._see(*divmod(index, self._far.shape[1]))
        # A place changes no distance farther away than the largest; the last in a row may be closer than a stride.
        self._radius = int(min(self._far.max(), self._radius)) + 2

    def next(self, count: int, measured: list[int], errors: torch.Tensor) -> list[int]:
        """The ``count`` places, or as many as there are, that are far from all that are known and hard to predict.

        Args:
            count: how many.
            measured: places whose errors are given.
            errors: (len(measured),) how badly each is predicted from the others, squared.
        """
        weight = self._difficulty(measured, errors.double().numpy()) ** _CAUTION
        # Choosing spoils the distances; what is chosen need not be visited.
        far, places = self._far.copy(), list[int]()
        for _ in range(min(count, int((far > 0).sum()))):
            farthest = next((index for index in self._border if self._far.flat[index] > 0), None)
            if farthest is None:
                farthest = int(np.argmax(weight * self._far))
            places.append(farthest)
            self._see(*divmod(farthest, far.shape[1]))
        self._far = far
        return places

    def _see(self, row: int, col: int) -> None:
        rows, cols = (slice(max(0, at - self._radius), at + self._radius + 1) for at in (row, col))
        apart = self._at[rows, cols] - self._at[row, col]
        far = self._far[rows, cols]
        np.minimum(far, np.hypot(apart[..., 0], apart[..., 1]), out=far)

    def _difficulty(self, measured: list[int], errors: Floats) -> Floats:
        """(rows, cols): the mean of the errors around."""
        total, weight = np.zeros(self._far.shape), np.zeros(self._far.shape)
        total.flat[measured], weight.flat[measured] = errors, 1.0
        blurred: Floats = self._down @ total @ self._across
        mean: Floats = blurred / np.maximum(self._down @ weight @ self._across, np.finfo(float).tiny)
        highest = mean.max()
        return mean + 1e-3 * highest if highest > 0 else np.ones_like(mean)


def _likeness(along: Floats) -> Floats:
    likeness: Floats = np.exp(-0.5 * ((along[:, None] - along) / _REACH) ** 2)
    return likeness
