"""How much was multiplied, and how much had to be."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .boxes import Box


@dataclass
class Work:
    """Multiply-adds of convolutions and matrix products.

    Attributes:
        done: what the engine computed.
        least: the image once, and for each edit the places that it can reach, exactly.
        full: what running every edited image through the whole model takes.
    """

    done: int = 0
    least: int = 0
    full: int = 0

    def once(self, products: int) -> None:
        """The image's own value."""
        self.done += products
        self.least += products

    def edits(self, done: int, per_place: int, places: int, box: Box | None, count: int) -> None:
        """``count`` edits of a value with ``places`` places, each worth ``per_place``, of which ``done`` were done."""
        self.done += done
        self.full += count * places * per_place
        self.least += per_place * (box.places if box is not None else count * places)


def per_place(output: torch.Tensor, products: int) -> int:
    """Products for each row and column of a map (N, C, H, W)."""
    return products // max(1, output.shape[0] * output.shape[2] * output.shape[3])
