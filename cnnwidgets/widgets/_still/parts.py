"""What a still picture is put together from: text, rows of pictures, bars, colour bars and curves."""

from __future__ import annotations

import functools
import importlib.util
import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .maps import colour_table

WIDTH = 600
GAP = 8
INK, SOFT, ACCENT, TINT, LINE = (31, 35, 40), (89, 99, 110), (11, 107, 203), (222, 228, 235), (200, 206, 212)
WARN = (125, 82, 0)

Block = Image.Image
_scale: ContextVar[int] = ContextVar("scale", default=1)


@contextmanager
def enlarged_by(factor: int) -> Iterator[None]:
    """In this block everything is drawn ``factor`` times as large; lengths that are passed stay as they are."""
    token = _scale.set(factor)
    try:
        yield
    finally:
        _scale.reset(token)


def px(length: float) -> int:
    """A length in the picture's own pixels."""
    return round(length * _scale.get())


def drawn_width(block: Block) -> int:
    """The width of a block as lengths are passed."""
    return block.width // _scale.get()


def paragraph(text: str, *, colour: Any = INK, size: int = 13, width: int = WIDTH, most: int = 6) -> Block:
    """``text``, broken into at most ``most`` lines."""
    font, width = _font(size), px(width)
    lines = _broken(_drawable(text, font), width, font)
    if len(lines) > most:
        lines = [*lines[: most - 1], f"{lines[most - 1][:-1]}…"]
    height = px(size + 6)
    block = _empty(width, height * len(lines))
    draw = ImageDraw.Draw(block)
    for number, line in enumerate(lines):
        draw.text((0, number * height), line, fill=colour, font=font)
    return block


remark = functools.partial(paragraph, colour=SOFT, size=12)
"""A paragraph in small soft letters."""


def column(blocks: Sequence[Block], gap: int = GAP) -> Block:
    """One below another."""
    return _joined(blocks, gap, 1)


def row(blocks: Sequence[Block], gap: int = GAP) -> Block:
    """One beside another, the tops in line."""
    return _joined(blocks, gap, 0)


def _joined(blocks: Sequence[Block], gap: int, axis: int) -> Block:
    gap = px(gap)
    starts = [0, *itertools.accumulate(block.size[axis] + gap for block in blocks)]
    length, across = starts[-1] - gap, max((block.size[1 - axis] for block in blocks), default=1)
    page = _empty(*((across, length) if axis else (length, across)))
    for block, start in zip(blocks, starts, strict=False):
        page.paste(block, (0, start) if axis else (start, 0))
    return page


def sheet(pictures: Sequence[tuple[Block, str]], side: int = 52) -> Block:
    """Small pictures, no side longer than ``side`` px, each over its name, in as many rows as they need."""
    across = max(1, min(len(pictures), (WIDTH + 6) // (side + 6)))
    side, gap, under = px(side), px(6), px(18)
    block = _empty(across * (side + gap) - gap, -(-len(pictures) // across) * (side + under))
    draw, font = ImageDraw.Draw(block), _font(10)
    for number, (picture, name) in enumerate(pictures):
        left, top = number % across * (side + gap), number // across * (side + under)
        factor = side / max(picture.size)
        size = max(1, round(picture.width * factor)), max(1, round(picture.height * factor))
        block.paste(picture.resize(size, Image.Resampling.NEAREST), (left, top))
        draw.text((left, top + size[1] + 1), _drawable(name, font), fill=SOFT, font=font)
    return block


def bar_chart(entries: Sequence[tuple[str, float, str, bool]], width: int = WIDTH) -> Block:
    """A bar each: its label, its share of the longest (0 to 1), its number as text, and whether it is selected."""
    width, height = px(width), px(22)
    room = width * 2 // 5
    font = _font(12)
    block = _empty(width, max(1, height * len(entries)))
    draw = ImageDraw.Draw(block)
    longest = width - room - px(70)
    for number, (label, share, value, selected) in enumerate(entries):
        top = number * height
        name = _broken(_drawable(label, font), room - px(GAP), font)
        draw.text((0, top + px(3)), name[0] + ("…" if len(name) > 1 else ""), fill=INK, font=font)
        end = room + max(1, round(longest * min(max(share, 0.0), 1.0)))
        draw.rectangle((room, top + px(4), end, top + height - px(6)), fill=ACCENT if selected else LINE)
        draw.text((end + px(6), top + px(3)), _drawable(value, font), fill=SOFT, font=font)
    return block


def colour_bar(name: str, ends: tuple[str, str, str], unit: str, width: int) -> Block:
    """The colours from the lowest to the highest value, with their numbers."""
    font = _font(12)
    block = _empty(px(width), px(28))
    ramp = colour_table(name)[np.linspace(0, 255, block.width).astype(int)]
    block.paste(Image.fromarray(np.repeat(ramp[None], px(9), 0)), (0, 0))
    draw = ImageDraw.Draw(block)
    for number, label in enumerate(ends):
        drawable = _drawable(label, font)
        left = (block.width - font.getlength(drawable)) * number / 2
        draw.text((left, px(11)), drawable, fill=INK, font=font)
    return column([block, remark(unit, width=width, most=2)], 0) if unit else block


def curve(title: str, x: Sequence[float], y: Sequence[float], others: Any, size: tuple[int, int]) -> Block:
    """A line from 0 to the largest ``x``, grey lines (m, n) to compare it with, and its title above."""
    height, width = size
    block = _empty(width, height)
    draw = ImageDraw.Draw(block)
    finite = [value for line in (y, *others) for value in line if np.isfinite(value)]
    low, high = min(0.0, *finite) if finite else 0.0, max(finite, default=1.0)
    end, span = max(x, default=0.0) or 1.0, (high - low) or 1.0

    def points(values: Sequence[float]) -> list[tuple[float, float]]:
        return [
            (2 + (width - 4) * at / end, height - 3 - (height - 6) * (value - low) / span)
            for at, value in zip(x, values, strict=False)
            if np.isfinite(value)
        ]

    draw.rectangle((0, 0, width - 1, height - 1), outline=LINE)
    for line, colour, thickness in [*((other, LINE, 1) for other in others), (y, ACCENT, 2)]:
        if len(points(line)) > 1:
            draw.line(points(line), fill=colour, width=thickness)
    span_text = f"{low:.3g} to {high:.3g}"
    return column([paragraph(title, size=12, width=width), block, remark(span_text, width=width)], 2)


def framed(block: Block, margin: int = 12) -> Block:
    """``block`` on a white page with a thin border."""
    margin = px(margin)
    page = Image.new("RGB", (block.width + 2 * margin, block.height + 2 * margin), "white")
    page.paste(block, (margin, margin))
    ImageDraw.Draw(page).rectangle((0, 0, page.width - 1, page.height - 1), outline=LINE)
    return page


def _empty(width: int, height: int) -> Block:
    return Image.new("RGB", (max(1, width), max(1, height)), "white")


def _font(size: int) -> Any:
    return _font_of(px(size))


@functools.cache
def _font_of(size: int) -> Any:
    """DejaVu Sans, of the system or of matplotlib, which has most scripts; else what Pillow brings."""
    spec = importlib.util.find_spec("matplotlib")
    own = [
        Path(folder) / "mpl-data/fonts/ttf/DejaVuSans.ttf"
        for folder in (spec and spec.submodule_search_locations) or ()
    ]
    for file in ("DejaVuSans.ttf", *map(str, own)):
        try:
            return ImageFont.truetype(file, size)
        except (OSError, ImportError):
            continue
    return ImageFont.load_default(size)


_UNDRAWN = {ord(mark): None for mark in "\N{FIRST STRONG ISOLATE}\N{POP DIRECTIONAL ISOLATE}"}
_PLAIN = str.maketrans(
    {"→": "->", "−": "-", "×": "x", "…": "...", "·": "-", "≤": "<=", "≥": ">=", "∞": "inf", "⚠": "!"}
)


def _drawable(text: str, font: Any) -> str:
    """``text`` without what breaks a line, and with signs that the font has."""
    line = " ".join(text.translate(_UNDRAWN).split())
    if "DejaVu" in str(getattr(font, "path", "")):
        return line
    return line.translate(_PLAIN).encode("latin-1", "replace").decode("latin-1")


def _broken(text: str, width: float, font: Any) -> list[str]:
    """Lines no wider than ``width``, broken inside words where there is no other way."""
    lines, line = [], ""
    for word in text[:2000].split(" "):
        longer = f"{line} {word}" if line else word
        if font.getlength(longer) <= width:
            line = longer
            continue
        lines += [line] if line else []
        line = word
        while font.getlength(line) > width and len(line) > 1:
            cut = max(1, int(len(line) * width / font.getlength(line)))
            while cut > 1 and font.getlength(line[:cut]) > width:
                cut -= 1
            lines.append(line[:cut])
            line = line[cut:]
    return [*lines, line]
