"""Resize, crop and normalise as torchvision and timm do, bit for bit, with Pillow alone; and back to pixels."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

Resize = Literal["shorter", "keep_ratio", "squash", "border"]


@dataclass(frozen=True)
class Preprocess:
    """Resize, centre crop, scale to [0, 1], subtract the mean, divide by the standard deviation.

    Attributes:
        size: (height, width) in pixels of the crop that the network sees; None keeps all that is left by ``resize``.
        resize: (height, width) in pixels to which the picture is resized before the crop, read as ``mode`` says;
            None leaves the picture as large as it is.
        mean: per channel, in [0, 1] units.
        std: per channel, in [0, 1] units.
        channels: 3 for RGB, 1 for grey.
        interpolation: Pillow's name: "bilinear", "bicubic", "nearest", "box", "hamming", "lanczos".
        source: where this was found, for example "torchvision ResNet50_Weights.IMAGENET1K_V2",
            "timm tf_efficientnet_lite0", or "assumed".
        mode: "shorter" brings the shorter side to ``resize[0]``, torchvision's way; "keep_ratio" does so for crops
            that are not square, "squash" forgets the ratio and "border" pads to it, all three timm's.
        enlarge: False leaves a picture smaller than ``size`` as it is, and crops a square of its shorter side.
        floors: where an odd number of pixels is cropped away, the smaller half goes from above and from the left, as
            in transformers; False: as Python's ``round`` says, which is torchvision's way.
        notes: what a reader should know about this choice.

    Example:
        >>> from PIL import Image
        >>> Preprocess(size=(2, 2), resize=(2, 2), mean=(0.5,), std=(0.5,), channels=1).apply(
        ...     Image.new("L", (6, 4), 255)).tolist()
        [[[[1.0, 1.0], [1.0, 1.0]]]]
    """

    size: tuple[int, int] | None = (224, 224)
    resize: tuple[int, int] | None = (256, 256)
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    channels: int = 3
    interpolation: str = "bilinear"
    source: str = "assumed"
    mode: Resize = "shorter"
    enlarge: bool = True
    floors: bool = False
    notes: tuple[str, ...] = field(default=(), repr=False)

    def apply(self, image: Image.Image) -> torch.Tensor:
        """The (1, C, H, W) float32 tensor for ``image``, ready for the network."""
        mode = "L" if self.channels == 1 else "RGB"
        cut = self._geometry(image if image.mode == mode else image.convert(mode))
        levels = torch.from_numpy(np.array(cut, dtype=np.uint8)).reshape(cut.height, cut.width, -1)
        values = levels.permute(2, 0, 1).contiguous().float() / 255
        mean, std = (torch.tensor(numbers, dtype=torch.float32).view(-1, 1, 1) for numbers in (self.mean, self.std))
        return ((values - mean) / std).unsqueeze(0)

    def colours(self, tensor: torch.Tensor) -> torch.Tensor:
        """(C, H, W) in [0, 1]: a preprocessed (1, C, H, W) or (C, H, W) tensor, normalisation undone."""
        mean, std = (torch.tensor(numbers, dtype=torch.float32).view(-1, 1, 1) for numbers in (self.mean, self.std))
        return tensor.detach().float().cpu().reshape(tensor.shape[-3:]) * std + mean

    def pixels(self, tensor: torch.Tensor) -> npt.NDArray[np.uint8]:
        """The (H, W, 3) picture behind a preprocessed (1, C, H, W) or (C, H, W) tensor."""
        levels = torch.nan_to_num(self.colours(tensor), nan=0.0).clamp(0, 1).mul(255).round().byte()
        rows: npt.NDArray[np.uint8] = levels.expand(3, -1, -1).permute(1, 2, 0).contiguous().numpy()
        return rows

    def _geometry(self, image: Image.Image) -> Image.Image:
        size, resize = self.size, self.resize
        if not self.enlarge and size is not None and resize is not None:
            side = min(image.size)
            size, resize = ((min(a, side), min(b, side)) for a, b in (size, resize))
        if resize is not None:
            width, height = self._resized(image.width, image.height, resize)
            if (width, height) != image.size:
                image = image.resize((width, height), Image.Resampling[self.interpolation.upper()])
        if size is None:
            return image
        fill = tuple(round(255 * level) for level in self.mean) if self.mode == "border" else (0,) * self.channels
        return _centre(image, size, fill, math.floor if self.floors else round)

    def _resized(self, width: int, height: int, to: tuple[int, int]) -> tuple[int, int]:
        if self.mode == "squash":
            return to[1], to[0]
        if self.mode == "shorter":  # rounded down, as torchvision does; timm rounds
            short, long = to[0], int(to[0] * max(width, height) / min(width, height))
            return (short, long) if width <= height else (long, short)
        ratios = height / to[0], width / to[1]
        ratio = max(ratios) if self.mode == "border" else min(ratios)
        return max(1, round(width / ratio)), max(1, round(height / ratio))


def _centre(
    image: Image.Image, size: tuple[int, int], fill: tuple[int, ...], whole: Callable[[float], int]
) -> Image.Image:
    height, width = size
    if width > image.width or height > image.height:
        board = (max(width, image.width), max(height, image.height))
        padded = Image.new(image.mode, board, fill[0] if len(fill) == 1 else fill)
        padded.paste(image, ((board[0] - image.width) // 2, (board[1] - image.height) // 2))
        image = padded
    top, left = whole((image.height - height) / 2), whole((image.width - width) / 2)
    return image.crop((left, top, left + width, top + height))
