"""What patches show, in the units of the network's input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from cnnwidgets.core.errors import InputError
from cnnwidgets.explainers.engine.patches import blurred

MID_GREY = (127.5, 127.5, 127.5)
_MOST = 4  # times the picture's side
_STEP = 0.75  # of a level of the pixels: rounding to 8 bits takes half of one, and tilts the line a little


class Filling:
    """Colours of the picture as values of the tensor, by the affine map from one to the other that preprocessing is.

    Args:
        tensor: (1, C, H, W), what the network is given.
        pixels: (H, W, 3) uint8, the same for the reader.

    Attributes:
        note: what to know; empty where the map fits.

    Example:
        >>> pixels = np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8)
        >>> Filling(torch.tensor([[[[-2.0, 2.0]]]]), pixels).level((255, 255, 255))
        tensor([2.])
    """

    def __init__(self, tensor: torch.Tensor, pixels: npt.NDArray[np.uint8]) -> None:
        self._image = tensor[0]
        self._pixels = torch.from_numpy(np.ascontiguousarray(pixels)).double().permute(2, 0, 1)
        self._blurred: dict[int, torch.Tensor] = {}
        self._affine = self._fit()
        self.note = ""
        if self._affine is None:
            self.note = (
                "How this image was preprocessed cannot be told from its pixels: a colour stands for the values at the "
                "most similar pixel."
            )

    def level(self, color: Sequence[float]) -> torch.Tensor:
        """(C,): a colour, (red, green, blue) from 0 to 255."""
        rgb = torch.tensor(list(color), dtype=torch.float64)
        if self._affine is None:
            apart = (self._pixels - rgb[:, None, None]).square().sum(0).flatten()
            return self._image.flatten(1)[:, int(apart.argmin())]
        slope, offset = self._affine
        values = rgb if len(self._image) == len(rgb) else rgb.mean()
        return (slope * values + offset).to(self._image)

    def of(self, patch: Mapping[str, Any]) -> torch.Tensor:
        """(C, h, w): what ``patch``, as in ``Occluder.patches``, shows.

        Raises:
            InputError: it is larger than the picture, four times along a side.
        """
        height, width, fill = patch["height"], patch["width"], patch["fill"]
        if height > _MOST * self._image.shape[1] or width > _MOST * self._image.shape[2]:
            raise InputError(
                f"The patch is {height:,}x{width:,} pixels (height x width), the picture {self._image.shape[1]}x"
                f"{self._image.shape[2]}. Make the patch smaller."
            )
        if fill in ("blur", "copy"):
            image = self._blur(max(height, width)) if fill == "blur" else self._image
            top, left = (patch["top"], patch["left"]) if fill == "blur" else patch["source"]
            rows = _indices(top, height, image.shape[1], moved=fill == "copy")
            columns = _indices(left, width, image.shape[2], moved=fill == "copy")
            return image[:, rows][:, :, columns]
        return self.constant(fill, patch.get("color", ""))[:, None, None].expand(-1, height, width)

    def constant(self, fill: str, color: str) -> torch.Tensor:
        """(C,): what a patch of one colour shows."""
        if fill == "mean":
            return self._image.mean((1, 2))
        if fill == "color":
            return self.level([int(color[start : start + 2], 16) for start in (1, 3, 5)])
        return self.level(MID_GREY if fill == "grey" else (0.0, 0.0, 0.0))

    def for_sweep(self, fill: str, color: str) -> Any:
        """The same as the option ``fill`` of :func:`~cnnwidgets.explainers.occlusion.explainer.occlusion`."""
        return fill if fill in ("mean", "blur") else self.constant(fill, color).tolist()

    def edited(self, patches: Sequence[Mapping[str, Any]]) -> torch.Tensor:
        """(1, C, H, W): the image with ``patches`` on it, the later on top."""
        image = self._image.clone()
        for patch in patches:
            rows = slice(max(patch["top"], 0), max(patch["top"] + patch["height"], 0))
            columns = slice(max(patch["left"], 0), max(patch["left"] + patch["width"], 0))
            below, right = max(-patch["top"], 0), max(-patch["left"], 0)
            covered = image[:, rows, columns]
            covered.copy_(self.of(patch)[:, below : below + covered.shape[1], right : right + covered.shape[2]])
        return image[None]

    def _blur(self, side: int) -> torch.Tensor:
        if side not in self._blurred:
            self._blurred.clear()  # a wheel passes through many sizes
            self._blurred[side] = blurred(self._image[None], side / 2)[0]
        return self._blurred[side]

    def _fit(self) -> tuple[torch.Tensor, torch.Tensor] | None:
        """Slope and offset of each channel, by least squares; None unless they explain every pixel."""
        channels = len(self._image)
        if channels not in (1, 3):
            return None
        pixels = (self._pixels if channels == 3 else self._pixels.mean(0, keepdim=True)).flatten(1)
        values = self._image.double().cpu().flatten(1)
        centred = pixels - pixels.mean(1, keepdim=True)
        spread = centred.square().sum(1)
        if not bool((spread > 0).all()) or not bool(values.isfinite().all()):
            return None
        slope = (centred * values).sum(1) / spread
        offset = values.mean(1) - slope * pixels.mean(1)
        apart = (values - slope[:, None] * pixels - offset[:, None]).abs().amax(1)
        if bool((apart > _STEP * slope.abs()).any()):
            return None
        return slope, offset


def _indices(start: int, count: int, side: int, *, moved: bool) -> torch.Tensor:
    """``count`` places from ``start`` on, inside 0 to ``side``: moved as a whole, or each to the nearest edge."""
    if moved:
        start = min(max(start, 0), max(side - count, 0))
    return torch.arange(start, start + count).clamp(0, side - 1)
