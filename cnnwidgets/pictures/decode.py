"""From whatever holds a picture to a Pillow image in RGB, 8 bits a channel."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from cnnwidgets.core.errors import InputError

from .files import LEAST_SIDE, UPPER_BITS, check_size, read_file, refuse_drawing
from .levels import of_array, of_deep


def decoded(image: Any) -> tuple[Image.Image, tuple[str, ...]] | None:
    """What :func:`rgb` makes of a Pillow image, a path, the bytes of a file or an array; None: it is none of these."""
    if isinstance(image, Image.Image):
        return rgb(image)
    if isinstance(image, str | os.PathLike | bytes | bytearray | memoryview):
        return rgb(read_file(image))
    return from_array(image) if isinstance(image, np.ndarray) else None


def rgb(image: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    """``image`` upright, in mode RGB, and notes on what had to be decided on the way."""
    check_size(*image.size)
    refuse_drawing(image)
    notes: list[str] = []
    try:
        frames = getattr(image, "n_frames", 1)
        if frames > 1:
            notes.append(f"The file holds {frames} frames; this is frame {image.tell() + 1}.")
        image.load()
        upright = _upright(image, notes)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(f"The image is too large to be safe: {error} Make it smaller first.") from error
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error, ...
        if _closed(image):
            raise InputError("The image has been closed. Open it again, or pass its path.") from error
        raise InputError(f"The image is damaged or cut short: {error}.") from error
    notes.extend(_few_levels(image))
    if upright.mode == "I" or upright.mode == "F" or upright.mode.startswith("I;16"):
        return _deep(upright, notes), tuple(notes)
    try:
        if upright.mode in ("LA", "La", "RGBA", "RGBa", "PA") or "transparency" in upright.info:
            layer = upright.convert("RGBA")
            if np.asarray(layer)[..., 3].min() < 255:
                notes.append("Transparent parts are shown, and given to the network, on white.")
            white = Image.new("RGBA", layer.size, "white")
            return Image.alpha_composite(white, layer).convert("RGB"), tuple(notes)
        if upright.mode == "CMYK":
            notes.append("The image is in CMYK, printing colours; they are turned into RGB without a colour profile.")
        return upright.convert("RGB"), tuple(notes)
    except ValueError as error:
        raise InputError(
            f"Cannot turn an image of mode {upright.mode!r} into RGB: {error}. Convert it to RGB first."
        ) from error


def _upright(image: Image.Image, notes: list[str]) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception as error:  # what a file says of itself may be anything
        notes.append(f"The image's EXIF data cannot be read ({type(error).__name__}): it is shown as it is stored.")
        return image


def _closed(image: Image.Image) -> bool:
    try:
        image.getpixel((0, 0))
    except Exception as error:
        return "closed" in str(error)
    return False


def _few_levels(image: Image.Image) -> tuple[str, ...]:
    """Of 16 bits a channel in colour Pillow keeps the upper 8; a camera's 12 leave 16 levels of those."""
    if not image.info.get(UPPER_BITS):
        return ()
    highest = int(np.asarray(image.convert("RGB")).max())
    if highest >= 128:
        return ()
    note = (
        f"The file has 16 bits a channel, of which Pillow reads the upper 8: the values reach only {highest} of 255. "
        "If it uses fewer bits, read it otherwise and pass an array of floats in [0, 1]."
    )
    return (note,)


def _deep(image: Image.Image, notes: list[str]) -> Image.Image:
    levels = of_deep(np.asarray(image).astype(np.float64), image.mode, notes)
    return Image.fromarray(levels).convert("RGB")


def from_array(array: npt.NDArray[Any]) -> tuple[Image.Image, tuple[str, ...]]:
    """A picture from (H, W) or (H, W, 1 | 3 | 4): uint8, uint16, bool, or float in [0, 1]."""
    shape = "x".join(map(str, array.shape)) or "scalar"
    if array.ndim == 4:
        raise InputError(f"Got an array of {array.shape[0]} images ({shape}); expected one. Pass array[0].")
    if array.ndim == 3 and array.shape[0] in (1, 3, 4) and array.shape[2] not in (1, 3, 4):
        raise InputError(
            f"The array is {shape}, channels first; expected height x width x channels. Pass array.transpose(1, 2, 0), "
            "or, if it is already preprocessed, a tensor of shape (1, C, H, W)."
        )
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise InputError(f"The array is {shape}; expected (H, W), (H, W, 1), (H, W, 3) or (H, W, 4).")
    if array.size == 0:
        raise InputError(
            f"The array is empty ({shape}); expected an image of at least {LEAST_SIDE}x{LEAST_SIDE} pixels."
        )
    check_size(array.shape[1], array.shape[0])
    levels, notes = of_array(array)
    if levels.ndim == 3 and levels.shape[2] == 1:
        levels = levels[:, :, 0]
    image, more = rgb(Image.fromarray(np.ascontiguousarray(levels)))
    return image, (*notes, *more)
