"""Synthetic images as a sheet with labels, and as a PNG that says what is on it."""

from __future__ import annotations

import io
import math
import os
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

from cnnwidgets.core.arguments import checked_count, is_whole
from cnnwidgets.core.errors import InputError

from .result import Synthesis

_INK, _SOFT, _LINE = (31, 35, 40), (89, 99, 110), (200, 206, 212)
_GAP, _TEXT = 6, 13
_LEAST_SIDE = 84


def sheet(synthesis: Synthesis, indices: Sequence[int], columns: int | None = None) -> Any:
    """The images ``indices`` in a grid, under a title and over the notes."""
    if columns is not None:
        checked_count(columns, "columns")
    across = columns or max(1, math.ceil(math.sqrt(len(indices))))
    levels = [_tile(synthesis, index) for index in indices]
    factor = max(1, -(-_LEAST_SIDE // levels[0].shape[1])) if levels else 1
    tiles = [_enlarged(level, factor) for level in levels]
    width, height = tiles[0].size if tiles else (1, 1)
    label_height, font = _TEXT + 5, _font(_TEXT - 2)
    full = max(across * (width + _GAP) - _GAP, 360)
    head = _lines([synthesis.title, _scale(synthesis, factor)], full)
    foot = _lines(synthesis.notes, full)
    rows = -(-len(tiles) // across)
    top = _GAP + len(head) * (_TEXT + 4) + _GAP
    bottom = top + rows * (height + label_height)
    page = Image.new("RGB", (full + 2 * _GAP, bottom + len(foot) * (_TEXT + 4) + _GAP), "white")
    draw = ImageDraw.Draw(page)
    for number, line in enumerate(head):
        draw.text((_GAP, _GAP + number * (_TEXT + 4)), line, fill=_SOFT if number else _INK, font=_font(_TEXT - 1))
    for number, (index, tile) in enumerate(zip(indices, tiles, strict=True)):
        left, upper = _GAP + number % across * (width + _GAP), top + number // across * (height + label_height)
        page.paste(tile, (left, upper))
        if bool(synthesis.dead[index]):
            draw.rectangle((left, upper, left + width - 1, upper + height - 1), outline=_LINE)
            draw.line((left, upper, left + width - 1, upper + height - 1), fill=_LINE)
            draw.line((left, upper + height - 1, left + width - 1, upper), fill=_LINE)
        draw.text((left, upper + height + 1), _plain(synthesis.label(index)), fill=_INK, font=font)
    for number, line in enumerate(foot):
        draw.text((_GAP, bottom + number * (_TEXT + 4)), line, fill=_SOFT, font=_font(_TEXT - 2))
    return page


def png(synthesis: Synthesis) -> bytes:
    """The sheet as PNG."""
    stream = io.BytesIO()
    sheet(synthesis, range(len(synthesis))).save(stream, "png", pnginfo=_metadata(synthesis, range(len(synthesis))))
    return stream.getvalue()


def write(synthesis: Synthesis, path: str | os.PathLike[str], index: int | None) -> None:
    """See :meth:`~.result.Synthesis.save`."""
    if index is not None and (not is_whole(index) or not 0 <= index < len(synthesis)):
        raise InputError(f"index is {index!r}; expected 0 to {len(synthesis) - 1}, or None for all.")
    indices = range(len(synthesis)) if index is None else [index]
    page = sheet(synthesis, indices)
    try:
        page.save(Path(path), "png", pnginfo=_metadata(synthesis, indices))
    except (OSError, TypeError) as error:
        raise InputError(f"Cannot write {path!r}: {error}. Pass the path of a file in a folder that exists.") from error


def _metadata(synthesis: Synthesis, indices: Sequence[int]) -> PngImagePlugin.PngInfo:
    entries = {
        "Title": synthesis.title,
        "layer": synthesis.layer or "class scores",
        "channels": ", ".join(synthesis.label(index) for index in indices),
        "recipe": synthesis.recipe,
        "size": f"{synthesis.size[0]} x {synthesis.size[1]}",
        "scale": _range_sentence(synthesis),
        "seed": str(synthesis.seed),
        "notes": "\n".join(synthesis.notes),
        "Software": "cnnwidgets",
    }
    metadata = PngImagePlugin.PngInfo()
    for name, text in entries.items():
        metadata.add_itxt(name, text)
    return metadata


def _range_sentence(synthesis: Synthesis) -> str:
    if synthesis.recipe == "keras":
        return "grey is the mean, 0.5 is 3.3 standard deviations of the pixels"
    if synthesis.recipe == "maco":
        return "0 to 1 is the 1st to the 99th percentile of the pixels"
    return "0 to 1 is the lowest to the highest value that the network is given"


def _scale(synthesis: Synthesis, factor: int) -> str:
    enlarged = f"; a pixel is drawn {factor} × {factor}" if factor > 1 else ""
    labels = "channel" if synthesis.layer else "class"
    ratio = ", × largest natural activation" if bool(synthesis.ratios.isfinite().any()) else ""
    return f"labels: {labels}{ratio}; {_range_sentence(synthesis)}{enlarged}"


def _tile(synthesis: Synthesis, index: int) -> npt.NDArray[np.uint8]:
    """(H, W, 3) levels of one image; white of a dead unit."""
    image = synthesis.images[index].clamp(0, 1)
    if synthesis.transparency is not None:
        image = 1 - (1 - image) * synthesis.transparency[index]
    levels = image.mul(255).round().byte().numpy()
    if len(levels) not in (1, 3):
        levels = _side_by_side(levels)[None]
    colours = np.repeat(levels, 3, 0) if len(levels) == 1 else levels
    if bool(synthesis.dead[index]):
        colours = np.full_like(colours, 255)
    return np.ascontiguousarray(colours.transpose(1, 2, 0))


def _side_by_side(levels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
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
    return [line for text in texts for line in textwrap.wrap(_plain(text), characters)]


def _font(size: int) -> Any:
    try:
        return ImageFont.truetype("DejaVuSans.ttf", size)
    except (OSError, ImportError):
        return ImageFont.load_default(size)


def _plain(text: str) -> str:
    """``text`` in letters that Pillow's own font has."""
    return text.replace("×", "x").replace("·", "-").replace("−", "-").encode("latin-1", "replace").decode("latin-1")
