"""Fel et al. 2023, MACO: the magnitudes of the spectrum are those of photographs, only the phases are sought."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional

from cnnwidgets.synthesis.ascent import Moments

from .fourier import frequencies
from .recipe import ImageRecipe

_SLOPES = ((0.03, 1.27), (0.1, 1.45), (0.25, 1.9), (1.0, 4.4))
"""How steeply magnitudes of photographs fall, up to each frequency in cycles a pixel."""


def natural_magnitudes(sides: tuple[int, int]) -> torch.Tensor:
    """Those of a photograph's spectrum, (H, W // 2 + 1), in proportion; 0 for the mean."""
    frequency = frequencies(sides)
    logarithm, start = torch.zeros_like(frequency), 1 / max(sides)
    for end, slope in _SLOPES:
        if end > start:
            logarithm -= slope * (frequency.clamp(start, end) / start).log()
            start = end
    magnitudes = logarithm.exp()
    magnitudes[0, 0] = 0
    return magnitudes


class Maco(ImageRecipe):
    """Phases from N(0, 1) over magnitudes of photographs, standardised at each step; NAdam, rate 1.

    The canvas is twice as wide as what the network is given; each step looks at crops of about half of it, centred by
    N(0.5, 0.15), with noise. Shown is the canvas without the 1 % of values at both ends, and the sum over the steps of
    the gradient's size as its transparency, full at the 95th percentile.
    """

    name = "maco"
    title = "Fel et al. 2023"
    steps, repeats = 256, 4
    least = 16
    rate, noise = 1.0, 0.05

    @property
    def _canvas(self) -> tuple[int, int]:
        return 2 * self.sides[0], 2 * self.sides[1]

    def start(self, rows: Sequence[int]) -> torch.Tensor:
        height, width = self._canvas
        self._magnitudes = natural_magnitudes(self._canvas).to(self.space.device)
        phases = self.draws.normal(rows, (self.space.channels, height, width // 2 + 1))
        self._moments = Moments(phases.to(self.space.device), self.rate, nesterov=True)
        self._attention = torch.zeros(len(rows), height, width, device=self.space.device)
        return phases

    def _pictures(self, phases: torch.Tensor) -> torch.Tensor:
        values = torch.fft.irfft2(torch.polar(self._magnitudes.expand_as(phases), phases), self._canvas)
        spread = values.flatten(1).std(1).clamp(min=1e-8).view(-1, 1, 1, 1)
        return self.space.from_any((values - values.mean((1, 2, 3), keepdim=True)) / spread)

    def inputs(self, parameters: torch.Tensor) -> torch.Tensor:
        return self.space.inputs(self._pictures(parameters))

    def views(self, inputs: torch.Tensor, rows: Sequence[int], step: int) -> torch.Tensor:  # noqa: ARG002
        if inputs.requires_grad:
            inputs.register_hook(lambda gradient: self._attend(rows, gradient))  # type: ignore[no-untyped-call]
        crops = [self._crops(inputs, rows) for _ in range(self.repeats)]
        return torch.stack(crops, 1).flatten(0, 1)

    def _crops(self, inputs: torch.Tensor, rows: Sequence[int]) -> torch.Tensor:
        share = 0.5 + 0.05 * (2 * self.draws.uniform(rows, (1,)) - 1)
        centres = (0.5 + 0.15 * self.draws.normal(rows, (2,))).clamp(share / 2, 1 - share / 2)
        theta = torch.zeros(len(inputs), 2, 3)
        theta[:, 0, 0] = theta[:, 1, 1] = share[:, 0]
        theta[:, 0, 2], theta[:, 1, 2] = 2 * centres[:, 1] - 1, 2 * centres[:, 0] - 1
        size = [len(inputs), inputs.shape[1], *self.sides]
        grid = functional.affine_grid(theta.to(inputs), size, align_corners=False)
        crops = functional.grid_sample(inputs, grid, "bilinear", "reflection", align_corners=False)
        noise = self.noise * self.draws.normal(rows, crops.shape[1:]).to(crops)
        return crops + noise * self.space.scale

    def _attend(self, rows: Sequence[int], gradient: torch.Tensor) -> None:
        self._attention[list(rows)] += gradient.detach().abs().mean(1)

    def plain_view(self, inputs: torch.Tensor) -> torch.Tensor:
        top, left = self.sides[0] // 2, self.sides[1] // 2
        return inputs[:, :, top : top + self.sides[0], left : left + self.sides[1]]

    def ascend(self, rows: torch.Tensor, gradients: torch.Tensor) -> None:
        self.parameters[rows] += self._moments.step(rows, gradients)

    def pictures(self, rows: torch.Tensor) -> torch.Tensor:
        pictures = self._pictures(self.parameters[rows])
        levels = torch.tensor([0.01, 0.99], device=pictures.device)
        low, high = pictures.flatten(1).quantile(levels, dim=1).view(2, -1, 1, 1, 1)
        return torch.clamp((pictures - low) / torch.clamp(high - low, min=1e-6), 0, 1)

    def transparency(self, rows: torch.Tensor) -> torch.Tensor:
        attention = self._attention[rows]
        full = attention.flatten(1).quantile(0.95, dim=1).clamp(min=1e-30).view(-1, 1, 1)
        return torch.clamp(attention / full, 0, 1)
