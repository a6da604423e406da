"""Images that maximise units of a network, with what each is worth."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import torch


@dataclass(frozen=True, eq=False)
class Synthesis:
    """K images, each made to excite one channel, class or direction as much as it gets.

    Such an image shows one way to excite a unit, not what excites it in photographs: look at it beside exemplars, with
    its ratio to the largest natural activation.

    Attributes:
        images: (K, C, H, W) float32 in [0, 1]; grey all over where ``dead``. With several variants those of one
            channel lie side by side.
        activations: (K, steps) float32, what was maximised, at each step, of the image with its random changes; NaN
            where no step was made because the image had converged.
        values: (K,) float32, the same of the images as they are, without random changes.
        peaks: (K,) float32, the activation of the most active cell for the images as they are; of the least active
            where ``sign`` is -1.
        ratios: (K,) float32, ``peaks`` as a multiple of the largest activation of any cell on natural images; NaN
            where no exemplars were passed, or that is not positive.
        dead: (K,) bool, units that no step could wake: their activation does not react to the image.
        channels: K indices into the layer's channels, or classes; -1 for a direction.
        layer: its dotted name; "" for the scores of classes.
        recipe, objective, sign, seed, variants: as passed.
        size: (height, width) in pixels of what the network was given.
        transparency: (K, H, W) in [0, 1], how much each pixel mattered; None but for "maco".
        unit: the cell that was maximised, or None.
        notes: what to know before believing the images.
    """

    images: torch.Tensor = field(repr=False)
    activations: torch.Tensor = field(repr=False)
    values: torch.Tensor = field(repr=False)
    peaks: torch.Tensor = field(repr=False)
    ratios: torch.Tensor = field(repr=False)
    dead: torch.Tensor = field(repr=False)
    channels: tuple[int, ...]
    layer: str
    recipe: str
    size: tuple[int, int]
    seed: int = 0
    sign: int = 1
    objective: str = "mean"
    variants: int = 1
    unit: tuple[int, int] | None = None
    transparency: torch.Tensor | None = field(default=None, repr=False)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.images)

    @property
    def title(self) -> str:
        """Layer, recipe, size and seed: "layer2 · fourier · 128 × 128 px · seed 0"."""
        goal = "lowest " if self.sign < 0 else ""
        where = f" at {self.unit}" if self.unit else " at its centre" if self.objective == "center" else ""
        subject = self.layer or "class scores"
        sides = f"{self.size[0]} × {self.size[1]} px"
        return " · ".join([f"{goal}{subject}{where}", self.recipe, sides, f"seed {self.seed}"])

    def label(self, index: int) -> str:
        """Of one image: its channel, variant, and ratio: "17 · ×1.8"."""
        channel = self.channels[index]
        parts = [f"direction {index // self.variants}" if channel < 0 else str(channel)]
        parts += [f"variant {index % self.variants}"] if self.variants > 1 else []
        ratio = float(self.ratios[index])
        parts += ["dead"] if bool(self.dead[index]) else [f"×{ratio:.2g}"] if ratio == ratio else []
        return " · ".join(parts)

    def grid(self, columns: int | None = None) -> Any:
        """All images on one sheet with their labels, as a PIL image; of dead units an empty, crossed tile.

        Input channels that are no colours are laid side by side in grey.

        Args:
            columns: tiles in a row; None: about as many as rows.
        """
        from .drawing import sheet

        return sheet(self, range(len(self)), columns)

    def save(self, path: str | os.PathLike[str], index: int | None = None) -> None:
        """Write the sheet, or the image ``index`` alone, as PNG, with layer, channels, scale and seed in it.

        They are written into the picture and, as text, into the file (``PIL.Image.open(path).text``).

        Raises:
            InputError: there is no such image, or the file cannot be written.
        """
        from .drawing import write

        write(self, path, index)

    def _repr_png_(self) -> bytes:
        from .drawing import png

        return png(self)
