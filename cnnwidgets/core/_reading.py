"""From whatever holds a picture to a Pillow image in RGB, 8 bits a channel."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from .errors import InputError

LEAST_SIDE = 4
MOST_SIDE = 20_000


def read_file(source: str | os.PathLike[str] | bytes | bytearray | memoryview) -> Image.Image:
    """Open and decode a path, or the bytes of an image file."""
    if isinstance(source, bytes | bytearray | memoryview):
        shown, opened = f"{len(source):,} bytes", io.BytesIO(bytes(source))
        empty = len(source) == 0
    else:
        path = _path(source)
        shown, opened = repr(str(source)), io.BytesIO(b"")
        try:
            empty = path.stat().st_size == 0
            if not empty:
                opened = io.BytesIO(path.read_bytes())
        except (OSError, ValueError) as error:
            raise InputError(f"Cannot read the image {shown}: {error}.") from error
    if empty:
        raise InputError(f"The image {shown} is empty (0 bytes). Save or download it again.")
    try:
        image = Image.open(opened)
        check_size(*image.size)
        image.load()
    except InputError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(f"The image {shown} is too large to be safe: {error} Make it smaller first.") from error
    except UnidentifiedImageError as error:
        raise InputError(f"{shown} is not an image that Pillow can read. Expected PNG, JPEG or the like.") from error
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error, ...
        raise InputError(f"The image {shown} is damaged or cut short: {error}. Save or download it again.") from error
    return image


def _path(source: str | os.PathLike[str]) -> Path:
    text = os.fspath(source)
    if "://" in text[:12]:
        raise InputError(
            f"{text!r} is a web address; cnnwidgets asks the network for nothing. Download it, pass the file."
        )
    try:
        path = Path(text).expanduser()
        if path.is_dir():
            raise InputError(f"{text!r} is a folder; expected one image file. Choose a file in it.")
        if not path.exists():
            raise InputError(f"No image file {text!r} (looked in {Path.cwd()}). Check the path.")
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(f"{text[:200]!r} is not a path to an image file: {error}.") from error
    return path


def check_size(width: int, height: int) -> None:
    """Raise InputError unless a picture of this size can be used."""
    most = Image.MAX_IMAGE_PIXELS
    if min(width, height) < LEAST_SIDE:
        raise InputError(f"The image is {width}x{height} pixels; expected at least {LEAST_SIDE}x{LEAST_SIDE}.")
    if max(width, height) > MOST_SIDE:
        raise InputError(
            f"The image is {width:,}x{height:,} pixels; a side may be {MOST_SIDE:,} at most. Crop or shrink it first."
        )
    if most is not None and width * height > most:
        raise InputError(
            f"The image is {width:,}x{height:,} pixels, more than the {most:,} that Pillow holds to be safe "
            "(a decompression bomb?). Crop or shrink it first."
        )


def rgb(image: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    """``image`` upright, in mode RGB, and notes on what had to be decided on the way."""
    check_size(*image.size)
    notes: list[str] = []
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        notes.append(f"The file holds {frames} frames; this is frame {image.tell() + 1}.")
    try:
        image.load()
        upright = ImageOps.exif_transpose(image)
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f"The image is damaged or cut short: {error}.") from error
    if upright.mode == "I" or upright.mode == "F" or upright.mode.startswith("I;16"):
        return _deep(upright, notes), tuple(notes)
    try:
        if upright.mode in ("LA", "La", "RGBA", "RGBa", "PA") or "transparency" in upright.info:
            layer = upright.convert("RGBA")
            if np.asarray(layer)[..., 3].min() < 255:
                notes.append("Transparent parts are shown, and given to the network, on white.")
            white = Image.new("RGBA", layer.size, "white")
            return Image.alpha_composite(white, layer).convert("RGB"), tuple(notes)
        return upright.convert("RGB"), tuple(notes)
    except ValueError as error:
        raise InputError(
            f"Cannot turn an image of mode {upright.mode!r} into RGB: {error}. Convert it to RGB first."
        ) from error


def _deep(image: Image.Image, notes: list[str]) -> Image.Image:
    values = np.asarray(image).astype(np.float64)
    finite = np.isfinite(values)
    if not finite.all():
        notes.append(_not_finite(values.size - int(finite.sum()), values.size))
        values = np.where(finite, values, 0.0)
    low, high = float(values.min()), float(values.max())
    if image.mode.startswith("I;16"):
        scale = 65535.0
    elif image.mode == "F" and low >= 0 and high <= 1:
        scale = 1.0
    elif low >= 0 and high <= 65535:
        scale = 255.0 if high <= 255 else 65535.0
        notes.append(
            f"The image has mode {image.mode!r} and values {low:g} to {high:g}; they were divided by {scale:g}."
        )
    else:
        notes.append(f"The image has mode {image.mode!r} and values {low:g} to {high:g}, stretched to black and white.")
        values, scale = values - low, (high - low) or 1.0
    grey = np.rint(values / scale * 255).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")


def _not_finite(bad: int, total: int) -> str:
    return f"{bad:,} of {total:,} values are NaN or infinite; they were read as 0 (black)."


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
    levels, notes = _levels(array)
    if levels.ndim == 3 and levels.shape[2] == 1:
        levels = levels[:, :, 0]
    image, more = rgb(Image.fromarray(np.ascontiguousarray(levels)))
    return image, (*notes, *more)


def _levels(array: npt.NDArray[Any]) -> tuple[npt.NDArray[np.uint8], tuple[str, ...]]:
    if array.dtype == np.uint8:
        return array, ()
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255), ()
    if array.dtype == np.uint16:
        return np.rint(array / 257.0).astype(np.uint8), ()
    if not np.issubdtype(array.dtype, np.floating):
        raise InputError(
            f"The array's dtype is {array.dtype}; expected uint8, uint16, bool, or float in [0, 1]. "
            "Pass array.astype(np.uint8) if its values are 0 to 255."
        )
    finite = np.isfinite(array)
    values = np.where(finite, array, 0.0).astype(np.float64)
    notes = () if finite.all() else (_not_finite(array.size - int(finite.sum()), array.size),)
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > 1:
        raise InputError(
            f"The array is {array.dtype} with values {low:g} to {high:g}; a float image is expected in [0, 1]. "
            "Divide by 255 if it is 0 to 255; if it is already normalised for the network, pass a (1, C, H, W) tensor."
        )
    return np.rint(values * 255).astype(np.uint8), notes
