"""From whatever holds a picture to a Pillow image in RGB, 8 bits a channel."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from cnnwidgets.core.errors import InputError

from .files import LEAST_SIDE, UPPER_BITS, check_size, read_file, refuse_drawing


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
    _note_few_levels(image, notes)
    if upright.mode == "I" or upright.mode == "F" or upright.mode.startswith("I;16"):
        levels = of_deep(np.asarray(upright).astype(np.float64), upright.mode, notes)
        return Image.fromarray(levels).convert("RGB"), tuple(notes)
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


def _note_few_levels(image: Image.Image, notes: list[str]) -> None:
    """Of 16 bits a channel in colour Pillow keeps the upper 8; a camera's 12 leave 16 levels of those."""
    highest = int(np.asarray(image.convert("RGB")).max()) if image.info.get(UPPER_BITS) else 255
    if highest < 128:
        notes.append(
            f"The file has 16 bits a channel, of which Pillow reads the upper 8: the values reach only {highest} of "
            "255. If it uses fewer bits, read it otherwise and pass an array of floats in [0, 1]."
        )


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
    notes: list[str] = []
    levels = of_array(array, notes)
    if levels.ndim == 3 and levels.shape[2] == 1:
        levels = levels[:, :, 0]
    image, more = rgb(Image.fromarray(np.ascontiguousarray(levels)))
    return image, (*notes, *more)


Levels = npt.NDArray[np.uint8]
_WHITES = (1, 255, 1023, 4095, 16_383, 65_535)  # of 1, 8, 10, 12, 14 and 16 bits


def full_scale(highest: float) -> int:
    """What white is in a picture of 16 bits whose values reach ``highest``: of the depths of cameras and scanners.

    >>> full_scale(4000), full_scale(255), full_scale(20_000)
    (4095, 255, 65535)
    """
    return next((white for white in _WHITES if highest <= white), _WHITES[-1])


def of_uint16(values: npt.NDArray[Any], notes: list[str]) -> Levels:
    """Levels of 16-bit values, white at the full scale of the bits that they use; a note where those are fewer."""
    highest = int(values.max())
    white = full_scale(highest)
    if white == 65535 or highest == 0:
        return np.rint(values / 257.0).astype(np.uint8)
    bits = white.bit_length()
    notes.append(
        f"The picture's values reach {highest:,} of 65,535: they are read as {bits} bit{'s' if bits > 1 else ''} "
        f"(white is {white:,}), here and for the network; pass an array of floats in [0, 1] to have it otherwise."
    )
    return np.rint(values * (255.0 / white)).astype(np.uint8)


def of_array(array: npt.NDArray[Any], notes: list[str]) -> Levels:
    """Levels of an array of uint8, uint16, bool, or float in [0, 1]; adds to ``notes``.

    Raises:
        InputError: of any other type, or floats out of range.
    """
    if isinstance(array, np.ma.MaskedArray) and array.mask is not np.ma.nomask and array.mask.any():
        raise InputError(
            f"The array has {int(array.mask.sum()):,} masked values; a picture has none. Pass array.filled(0), say."
        )
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype == np.uint16:
        return of_uint16(array, notes)
    if not np.issubdtype(array.dtype, np.floating):
        raise InputError(_another_type(array))
    values = _without_nan(array, notes)
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > 1:
        raise InputError(
            f"The array is {array.dtype} with values {low:g} to {high:g}; a float image is expected in [0, 1]. "
            "Divide by 255 if it is 0 to 255; if it is already normalised for the network, pass a (1, C, H, W) tensor."
        )
    return np.rint(values * 255).astype(np.uint8)


def of_deep(values: npt.NDArray[np.float64], mode: str, notes: list[str]) -> Levels:
    """Levels of a Pillow image of mode I, F or I;16 (grey, more than 8 bits); adds to ``notes``."""
    values = _without_nan(values, notes)
    low, high = float(values.min()), float(values.max())
    if mode.startswith("I;16"):
        return of_uint16(values, notes)
    if mode == "F" and low >= 0 and high <= 1:
        scale = 1.0
    elif low >= 0 and high <= 65535:
        scale = float(full_scale(high))
        notes.append(f"The image has mode {mode!r} and values {low:g} to {high:g}; they were divided by {scale:g}.")
    else:
        notes.append(f"The image has mode {mode!r} and values {low:g} to {high:g}, stretched to black and white.")
        values, scale = values / 2 - low / 2, (high / 2 - low / 2) or 1.0  # halves: the span may be beyond float64
    return np.rint(values / scale * 255).astype(np.uint8)


def _without_nan(values: npt.NDArray[Any], notes: list[str]) -> npt.NDArray[np.float64]:
    finite = np.isfinite(values)
    if bad := values.size - int(finite.sum()):
        notes.append(f"{bad:,} of {values.size:,} values are NaN or infinite; they were read as 0 (black).")
    return np.where(finite, values, 0.0).astype(np.float64)


def _another_type(array: npt.NDArray[Any]) -> str:
    text = f"The array's dtype is {array.dtype}; expected uint8, uint16, bool, or float in [0, 1]. "
    if array.dtype.kind not in "iu" or not array.size:
        return text + "Pass an array of real numbers."
    low, high = int(array.min()), int(array.max())
    if low >= 0 and high <= 255:
        return text + f"Its values are {low} to {high}: pass array.astype(np.uint8)."
    return text + (
        f"Its values are {low:,} to {high:,}: say which are black and white, such as "
        "((array - black) / (white - black)).clip(0, 1)."
    )
