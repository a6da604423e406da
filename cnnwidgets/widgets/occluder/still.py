"""The picture with its patches, and the scores before and after, as a still picture."""

from __future__ import annotations

from typing import Any

from PIL import Image, ImageDraw, ImageFilter, ImageStat

from cnnwidgets.widgets._still import maps, parts
from cnnwidgets.widgets._still.publish import newest_push

_SIDE = 260


def occluder_still(widget: Any) -> parts.Block | None:
    """What ``widget``, an :class:`Occluder`, shows: outlines of the patches; None: there is no photograph."""
    photo = newest_push(widget, "picture").arrays.get("pixels")
    if photo is None:
        return None
    picture = maps.photograph(photo, parts.px(_SIDE))
    whole, factor = picture.copy(), picture.width / photo.shape[1]
    for patch in widget.patches:
        _cover(picture, whole, patch, factor)
    blocks = [picture, _scores(widget)]
    sweep = newest_push(widget, "sweep").arrays
    if "drop" in sweep:
        scale = maps.map_scale(sweep["drop"], None, "signed")
        heat = maps.overlay(None, scale, _SIGNED, parts.px(_SIDE // 2), partial=True)
        bar = parts.colour_bar("blue-red", scale.ends, "drop of the score when hidden there", parts.drawn_width(heat))
        blocks.append(parts.column([heat, bar], 4))
    return parts.row([block for block in blocks if block is not None], 16)


def _cover(picture: Image.Image, whole: Image.Image, patch: Any, factor: float) -> None:
    """Draw a patch with its fill; ``factor`` px stand for a pixel of the photograph."""
    left, top = round(patch["left"] * factor), round(patch["top"] * factor)
    width, height = (max(1, round(patch[side] * factor)) for side in ("width", "height"))
    box = (left, top, left + width, top + height)
    match patch["fill"]:
        case "blur":
            filling = whole.filter(ImageFilter.GaussianBlur(8)).crop(box)
        case "copy":
            row, column = (round(pixel * factor) for pixel in patch.get("source", (patch["top"], patch["left"])))
            filling = whole.crop((column, row, column + width, row + height))
        case fill:
            mean = tuple(int(value) for value in ImageStat.Stat(whole).mean)
            colours: Any = {"mean": mean, "black": (0, 0, 0), "color": patch.get("color", "#808080")}
            filling = Image.new("RGB", (width, height), colours.get(fill, (128, 128, 128)))
    picture.paste(filling, (left, top))
    ImageDraw.Draw(picture).rectangle(box, outline=(255, 255, 255), width=2)


class _SIGNED:
    opacity, smooth, colormap, diverging = 1.0, False, "inferno", "blue-red"


def _scores(widget: Any) -> parts.Block | None:
    scores = newest_push(widget, "scores").content
    if not scores.get("rows"):
        return None
    width = parts.WIDTH - _SIDE - 16
    probable = scores["unit"] == "probability"
    entries = []
    for index, name, before, after in scores["rows"]:
        values = [value for value in (before, after) if value is not None]
        share = after if probable and after is not None else 0.0
        entries.append((name, share, " → ".join(_told_apart(values, probable)) or "NaN", index == scores["target"]))
    return parts.bar_chart(entries, width)


def _told_apart(values: list[float], probable: bool) -> list[str]:
    """The numbers as texts, with as many digits, up to six, as it takes to tell them apart."""
    texts = [f"{100 * value:.1f} %" if probable else maps.number(value) for value in values]
    for digits in range(2, 7):
        if len(set(texts)) == len(set(values)):
            break
        texts = [f"{100 * value:.{digits}f} %" if probable else f"{value:.{digits}f}" for value in values]
    return texts
