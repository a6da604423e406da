"""Olah et al. 2017: an image held as its spectrum, with colours decorrelated, made robust by small random changes."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from cnnwidgets.synthesis.ascent import Moments
from cnnwidgets.synthesis.transforms import jittered

from .recipe import ImageRecipe


def frequencies(sides: tuple[int, int]) -> torch.Tensor:
    """Cycles a pixel of each number in the spectrum of a real image, (H, W // 2 + 1)."""
    rows, columns = torch.fft.fftfreq(sides[0]), torch.fft.rfftfreq(sides[1])
    return torch.hypot(rows[:, None], columns[None])


class Fourier(ImageRecipe):
    """Spectrum from N(0, 0.01), scaled by 1 / max(f, 1 / max(w, h)), inverse FFT, divided by 4; Adam, rate 0.05."""

    name = "fourier"
    title = "Olah, Mordvintsev and Schubert 2017"
    doubles = True
    spread, rate = 0.01, 0.05

    def start(self, rows: Sequence[int]) -> torch.Tensor:
        height, width = self.sides
        spectrum = self.spread * self.draws.normal(rows, (self.space.channels, height, width // 2 + 1, 2))
        scale = 1 / frequencies(self.sides).clamp(min=1 / max(self.sides))
        self._scale = scale[None, :, :, None].to(self.space.device)
        self._moments = Moments(spectrum.to(self.space.device), self.rate)
        return spectrum

    def _pictures(self, parameters: torch.Tensor) -> torch.Tensor:
        spectrum = torch.view_as_complex((parameters * self._scale).contiguous())
        return self.space.from_any(torch.fft.irfft2(spectrum, self.sides, norm="ortho") / 4)

    def inputs(self, parameters: torch.Tensor) -> torch.Tensor:
        return self.space.inputs(self._pictures(parameters))

    def views(self, inputs: torch.Tensor, rows: Sequence[int], step: int) -> torch.Tensor:  # noqa: ARG002
        return jittered(inputs, rows, self.draws)

    def ascend(self, rows: torch.Tensor, gradients: torch.Tensor) -> None:
        self.parameters[rows] += self._moments.step(rows, gradients)

    def pictures(self, rows: torch.Tensor) -> torch.Tensor:
        return self._pictures(self.parameters[rows])

    def enlarged_from(self, smaller: ImageRecipe) -> None:
        """Two by two of the smaller images, whose edges fit, so that nothing in them changes its size; and noise."""
        doubled = 2 * smaller.parameters
        doubled[:, :, 0, 0] /= 2  # the mean, whose factor depends on the size
        self.parameters[:, :, ::2, ::2] = doubled
