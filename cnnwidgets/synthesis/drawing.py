"""Synthetic images as a sheet with labels, and as a PNG that says what is on it."""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

from cnnwidgets.core.arguments import checked_count

_INK, _SOFT, _LINE = (31, 35, 40), (89, 99, 110), (200, 206, 212)
_GAP, _TEXT, _LINE_HEIGHT = 6, 13, 17
_LEAST_SIDE = 84


@dataclass(frozen=True, eq=False)
class ContactSheet:
    """Images on a page, each over its label.

    Attributes:
        images: (n, C, H, W) in [0, 1].
        transparency: (n, H, W) in [0, 1], or None.
        crossed: (n,) bool, tiles that are left empty.
        labels: of each image.
        title, notes: above and below.
        scale: what black and white stand for.
        entries: what is written into the file, beside title, scale and notes.
    """

    images: torch.Tensor
    transparency: torch.Tensor | None
    crossed: torch.Tensor
    labels: Sequence[str]
    title: str
    notes: Sequence[str]
    scale: str
    entries: Mapping[str, str]

    def drawn(self, columns: int | None = None) -> Image.Image:
        """The page, with so many tiles in a row."""
        if columns is not None:
            checked_count(columns, "columns")
        across = columns or max(1, math.ceil(math.sqrt(len(self.images))))
        levels = [self._tile(index) for index in range(len(self.images))]
        factor = max(1, -(-_LEAST_SIDE // levels[0].shape[1])) if levels else 1
        tiles = [_enlarged(level, factor) for level in levels]
        width, height = tiles[0].size if tiles else (1, 1)
        full, label_height = max(across * (width + _GAP) - _GAP, 360), _TEXT + 5
        enlarged = f"; a pixel is drawn {factor} × {factor}" if factor > 1 else ""
        head, foot = _lines([self.title, f"{self.scale}{enlarged}"], full), _lines(self.notes, full)
        top = 2 * _GAP + len(head) * _LINE_HEIGHT
        bottom = top + -(-len(tiles) // across) * (height + label_height)
        page = Image.new("RGB", (full + 2 * _GAP, bottom + len(foot) * _LINE_HEIGHT + _GAP), "white")
        draw = ImageDraw.Draw(page)
        for number, line in enumerate(head):
            draw.text((_GAP, _GAP + number * _LINE_HEIGHT), line, fill=_SOFT if number else _INK, font=_letters(12))
        for number, tile in enumerate(tiles):
            left, upper = _GAP + number % across * (width + _GAP), top + number // across * (height + label_height)
            page.paste(tile, (left, upper))
            if bool(self.crossed[number]):
                right, lower = left + width - 1, upper + height - 1
                draw.rectangle((left, upper, right, lower), outline=_LINE)
                draw.line((left, upper, right, lower), fill=_LINE)
                draw.line((left, lower, right, upper), fill=_LINE)
            draw.text((left, upper + height + 1), _latin(self.labels[number]), fill=_INK, font=_letters(11))
        for number, line in enumerate(foot):
            draw.text((_GAP, bottom + number * _LINE_HEIGHT), line, fill=_SOFT, font=_letters(11))
        return page

    def png(self) -> bytes:
        """The page as PNG, with what is on it as text."""
        texts = {"Title": self.title, **self.entries, "scale": self.scale, "notes": "\n".join(self.notes)}
        metadata = PngImagePlugin.PngInfo()
        for name, text in {**texts, "Software": "cnnwidgets"}.items():
            metadata.add_itxt(name, text)
        stream = io.BytesIO()
        self.drawn().save(stream, "png", pnginfo=metadata)
        return stream.getvalue()

    def _tile(self, index: int) -> npt.NDArray[np.uint8]:
        """(H, W, 3) levels of one image; white of one that is crossed out."""
        image = self.images[index].clamp(0, 1)
        if self.transparency is not None:
            image = 1 - (1 - image) * self.transparency[index]
        levels = image.mul(255).round().byte().numpy()
        if len(levels) not in (1, 3):
            levels = _mosaic(levels)[None]
        colours = np.repeat(levels, 3, 0) if len(levels) == 1 else levels
        if bool(self.crossed[index]):
            colours = np.full_like(colours, 255)
        return np.ascontiguousarray(colours.transpose(1, 2, 0))


def _mosaic(levels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Channels (C, H, W) as one grey picture, white between them."""
    across = math.ceil(math.sqrt(len(levels)))
    height, width = levels.shape[1] + 1, levels.shape[2] + 1
    board = np.full((-(-len(levels) // across) * height - 1, across * width - 1), 255, np.uint8)
    for number, channel in enumerate(levels):
        top, left = number // across * height, number % across * width
        board[top : top + height - 1, left : left + width - 1] = channel
    return board


def _enlarged(levels: npt.NDArray[np.uint8], factor: int) -> Image.Image:
    image = Image.fromarray(levels)
    return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)


def _lines(texts: Sequence[str], width: int) -> list[str]:
    characters = max(20, width * 10 // (6 * _TEXT))
    return [line for text in texts for line in textwrap.wrap(_latin(text), characters)]


def _letters(size: int) -> Any:
    try:
        return ImageFont.truetype("DejaVuSans.ttf", size)
    except (OSError, ImportError):
        return ImageFont.load_default(size)


def _latin(text: str) -> str:
    """``text`` in letters that Pillow's own font has."""
    return text.replace("×", "x").replace("·", "-").replace("−", "-").encode("latin-1", "replace").decode("latin-1")
