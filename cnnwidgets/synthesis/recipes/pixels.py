"""Pixels with a price on differences between neighbours and on size, for small and grey networks."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from cnnwidgets.synthesis.ascent import Moments
from cnnwidgets.synthesis.transforms import jittered

from .recipe import ImageRecipe


def total_variation(inputs: torch.Tensor) -> torch.Tensor:
    """(n,), the mean difference between neighbouring pixels of (n, C, H, W), rounded off at 0."""
    down = (inputs[..., 1:, :] - inputs[..., :-1, :])[..., :, :-1]
    right = (inputs[..., :, 1:] - inputs[..., :, :-1])[..., :-1, :]
    return (down**2 + right**2 + 1e-6).sqrt().flatten(1).mean(1)


class Pixels(ImageRecipe):
    """Pixels in their range, from the network's own grey with noise; Adam, rate 0.02, with total variation and L2.

    The price on total variation (Mahendran and Vedaldi 2015) and on the mean square of what the network is given is
    in shares of the activation's own gradient, so that it fits any layer.
    """

    name = "pixels"
    title = "Mahendran and Vedaldi 2015"
    side, steps = 64, 256
    least = 4
    rate, variation, size = 0.02, 0.5, 0.1

    def start(self, rows: Sequence[int]) -> torch.Tensor:
        grey = self.space.pictures(torch.zeros_like(self.space.offset)).clamp(0, 1).cpu()
        noise = self.draws.uniform(rows, (self.space.channels, *self.sides)) - 0.5
        pictures = (grey + 0.1 * noise).clamp(0, 1)
        self._moments = Moments(pictures.to(self.space.device), self.rate)
        return pictures

    def inputs(self, parameters: torch.Tensor) -> torch.Tensor:
        return self.space.inputs(parameters)

    def views(self, inputs: torch.Tensor, rows: Sequence[int], step: int) -> torch.Tensor:  # noqa: ARG002
        return jittered(inputs, rows, self.draws)

    def ascend(self, rows: torch.Tensor, gradients: torch.Tensor) -> None:
        leaf = self.parameters[rows].requires_grad_()
        inputs = self.inputs(leaf)
        for price, amount in ((self.variation, total_variation(inputs)), (self.size, (inputs**2).flatten(1).mean(1))):
            (slope,) = torch.autograd.grad(amount.sum(), leaf, retain_graph=True)
            gradients = gradients - price * _size(gradients) / _size(slope) * slope
        leaf = leaf.detach()
        self.parameters[rows] = (leaf + self._moments.step(rows, gradients)).clamp(0, 1)

    def pictures(self, rows: torch.Tensor) -> torch.Tensor:
        return self.parameters[rows]


def _size(gradients: torch.Tensor) -> torch.Tensor:
    size: torch.Tensor = gradients.flatten(1).norm(dim=1).clamp(min=1e-12).view(-1, 1, 1, 1)
    return size
