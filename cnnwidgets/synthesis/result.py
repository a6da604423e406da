"""Images that maximise units of a network, with what each is worth."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from cnnwidgets.core.arguments import is_whole
from cnnwidgets.core.errors import InputError

from .drawing import ContactSheet

_WHOLE_RANGE = "black to white is the lowest to the highest value that the network is given"
_SCALES = {
    "keras": "grey is the mean of the pixels, black and white are 3.3 standard deviations from it",
    "maco": "black to white is the 1st to the 99th percentile of the pixels",
}


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
        return self._sheet(range(len(self))).drawn(columns)

    def save(self, path: str | os.PathLike[str], index: int | None = None) -> None:
        """Write the sheet, or the image ``index`` alone, as PNG, with layer, channels, scale and seed in it.

        They are written into the picture and, as text, into the file (``PIL.Image.open(path).text``).

        Raises:
            InputError: there is no such image, or the file cannot be written.
        """
        if index is not None and (not is_whole(index) or not 0 <= index < len(self)):
            raise InputError(f"index is {index!r}; expected 0 to {len(self) - 1}, or None for all.")
        content = self._sheet(range(len(self)) if index is None else [index]).png()
        try:
            Path(path).write_bytes(content)
        except (OSError, TypeError) as error:
            raise InputError(f"Cannot write {path!r}: {error}. Pass a file's path, in a folder that exists.") from error

    def _repr_png_(self) -> bytes:
        return self._sheet(range(len(self))).png()

    def _sheet(self, indices: Sequence[int]) -> ContactSheet:
        rows, labels = list(indices), [self.label(index) for index in indices]
        nouns = "channel" if self.layer else "class"
        ratio = ", × largest natural activation" if bool(self.ratios.isfinite().any()) else ""
        return ContactSheet(
            images=self.images[rows],
            transparency=None if self.transparency is None else self.transparency[rows],
            crossed=self.dead[rows],
            labels=labels,
            title=self.title,
            notes=self.notes,
            scale=f"labels: {nouns}{ratio}; {_SCALES.get(self.recipe, _WHOLE_RANGE)}",
            entries={
                "layer": self.layer or "class scores",
                "channels": ", ".join(labels),
                "recipe": self.recipe,
                "size": f"{self.size[0]} x {self.size[1]}",
                "seed": str(self.seed),
            },
        )
