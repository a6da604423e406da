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
_FIRST = 1e9
"""How much more the far edges count than any other place."""


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
        rows, cols = self._shape = coordinates.shape[:2]
        self._at: Floats = coordinates.double().view(-1, 2).numpy()
        self._far: Floats = np.full(rows * cols, np.inf)
        self._down, self._across = (_likeness(axis) for axis in (coordinates[:, 0, 0], coordinates[0, :, 1]))
        self.coarse = coarse_places(rows, cols)
        # Next its continuation along the far edges, so that all else lies between known places.
        step = coarse_step(rows, cols)
        down_to, across_to = ([*range(0, end, step), end - 1] for end in (rows, cols))
        self._border = [row * cols + col for row in down_to for col in across_to if rows - 1 == row or cols - 1 == col]

    def visited(self, places: list[int]) -> None:
        """Note that these are done."""
        for index in places:
            self._come_closer(self._far, index)

    def next(self, count: int, measured: list[int], errors: torch.Tensor) -> list[int]:
        """The ``count`` places, or as many as there are, that are far from all that are known and hard to predict.

        Args:
            count: how many.
            measured: places whose errors are given.
            errors: (len(measured),) how badly each is predicted from the others, squared.
        """
        weight = self._difficulty(measured, errors.double().numpy()) ** _CAUTION
        weight[self._border] = _FIRST * weight.max()
        far, places = self._far.copy(), list[int]()
        for _ in range(min(count, int((far > 0).sum()))):
            places.append(int(np.argmax(weight * far)))
            self._come_closer(far, places[-1])
        return places

    def _come_closer(self, far: Floats, index: int) -> None:
        """Bring the distances ``far`` from all that is known down to those from this place."""
        np.minimum(far, np.hypot(*(self._at - self._at[index]).T), out=far)

    def _difficulty(self, measured: list[int], errors: Floats) -> Floats:
        """(places,): the mean of the errors around."""
        total, weight = np.zeros(self._shape), np.zeros(self._shape)
        total.flat[measured], weight.flat[measured] = errors, 1.0
        blurred: Floats = self._down @ total @ self._across
        mean: Floats = blurred / np.maximum(self._down @ weight @ self._across, np.finfo(float).tiny)
        highest = mean.max()
        return mean.ravel() + 1e-3 * highest if highest > 0 else np.ones(mean.size)


def _likeness(along: torch.Tensor) -> Floats:
    likeness: Floats = torch.exp(-0.5 * ((along[:, None] - along) / _REACH) ** 2).numpy()
    return likeness
