"""The recipe of Keras' example "Visualizing what convnets learn" (Chollet 2020)."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from .recipe import ImageRecipe

_CROP, _STD = 25, 0.15


class Keras(ImageRecipe):
    """What the network is given is itself what is changed, from grey noise on, with no bounds and no random changes.

    180 × 180 pixels; noise, uniform from -0.125 to 0.125; 30 steps of rate 10 along the gradient scaled to length 1;
    the mean activation without a border of 2 cells. Shown are the inner 130 × 130 pixels, centred on grey, with a
    standard deviation of 0.15, clipped.
    """

    name = "keras"
    title = "Chollet 2020"
    side, steps, border, patience = 180, 30, 2, None
    least = 2 * _CROP + 2
    rate = 10.0

    def start(self, rows: Sequence[int]) -> torch.Tensor:
        return (self.draws.uniform(rows, (self.space.channels, *self.sides)) - 0.5) * 0.25

    def inputs(self, parameters: torch.Tensor) -> torch.Tensor:
        return parameters

    def ascend(self, rows: torch.Tensor, gradients: torch.Tensor) -> None:
        length = gradients.flatten(1).norm(dim=1).clamp(min=1e-6).view(-1, 1, 1, 1)
        self.parameters[rows] += self.rate * gradients / length

    def pictures(self, rows: torch.Tensor) -> torch.Tensor:
        inner = self.parameters[rows][:, :, _CROP:-_CROP, _CROP:-_CROP]
        inner = inner - inner.mean((1, 2, 3), keepdim=True)
        spread = inner.flatten(1).std(1, correction=0).view(-1, 1, 1, 1)
        return (inner / (spread + 1e-5) * _STD + 0.5).clamp(0, 1)
