"""Steps uphill: Adam (Kingma and Ba 2015) and NAdam (Dozat 2016), a row an image, so that images may leave."""

from __future__ import annotations

import torch

_FIRST, _SECOND, _TINY = 0.9, 0.999, 1e-8
_DECAY = 4e-3


class Moments:
    """The running moments of the gradients of R images.

    Args:
        parameters: (R, ...), of the images.
        rate: step size.
        nesterov: NAdam in place of Adam.
    """

    def __init__(self, parameters: torch.Tensor, rate: float, *, nesterov: bool = False) -> None:
        self._mean, self._square = torch.zeros_like(parameters), torch.zeros_like(parameters)
        self._rate, self._nesterov = rate, nesterov
        self._count = torch.zeros(len(parameters), *[1] * (parameters.ndim - 1), device=parameters.device)
        self._product = torch.ones_like(self._count)

    def step(self, rows: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
        """What to add to the parameters of images ``rows`` (n,), given their gradients (n, ...)."""
        self._count[rows] += 1
        count = self._count[rows]
        self._mean[rows] = mean = _FIRST * self._mean[rows] + (1 - _FIRST) * gradients
        self._square[rows] = square = _SECOND * self._square[rows] + (1 - _SECOND) * gradients**2
        spread = (square / (1 - _SECOND**count)).sqrt() + _TINY
        if not self._nesterov:
            return self._rate * mean / (1 - _FIRST**count) / spread
        now, later = (_FIRST * (1 - 0.5 * 0.96 ** (number * _DECAY)) for number in (count, count + 1))
        self._product[rows] = product = self._product[rows] * now
        blended = gradients * (1 - now) / (1 - product) + mean * later / (1 - product * later)
        return self._rate * blended / spread
