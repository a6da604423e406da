"""What a filter slides over, and the filter, from whatever a caller has: (C, H, W) and (C, kh, kw) in float64."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from cnnwidgets.core.arguments import is_whole
from cnnwidgets.core.arrays import as_array, real
from cnnwidgets.core.errors import InputError
from cnnwidgets.core.plain import is_tensor
from cnnwidgets.pictures.decode import decoded
from cnnwidgets.widgets._maps.arrays import Doubles, area_shares
from cnnwidgets.widgets._maps.pictures import is_attribution

LONGEST_SIDE = 32
"""Cells: of a larger input no number could be read."""
MOST_CELLS = 2**20
MOST_WEIGHTS = 60_000
_EXPECTED = "(H, W), (C, H, W) or (1, C, H, W)"
_PICTURE_NAMES = {1: ("grey",), 3: ("red", "green", "blue")}


class StepperInput(NamedTuple):
    """The numbers (C, H, W), a name for each channel, and what the reader must know of them."""

    values: Doubles
    names: tuple[str, ...]
    notes: tuple[str, ...]


def read_input(image: Any, channels: int | None) -> StepperInput:
    """``image`` as numbers.

    Pictures (PIL, paths, uint8 arrays) become grey, or red, green and blue where the kernel has three input channels,
    from 0 to 1; other arrays and tensors are numbers as they are.

    Args:
        image: what is read.
        channels: that the kernel has; None: it takes as many as there are.

    Raises:
        InputError: it is neither, has NaN, or other channels than the kernel.
    """
    image = getattr(image, "pixels", image)  # what load_picture gives
    if is_attribution(image):
        raise InputError("The input is an Attribution; pass one of its maps, attribution.values[0].")
    picture = decoded(_uint8_channels_last(image)) if _is_picture(image, channels) else None
    if picture is not None:
        return _of_picture(*picture, channels)
    array = as_array(image, "The input", f"a picture, or numbers {_EXPECTED}")
    values = real(array, "The input", _EXPECTED).astype(np.float64)
    if values.ndim == 4 and len(values) == 1:
        values = values[0]
    if values.ndim == 2:
        values = values[None]
    if values.ndim != 3 or not values.size:
        raise InputError(f"The input has shape {array.shape}; expected {_EXPECTED}, no side 0.")
    broken = int((~np.isfinite(values)).sum())
    if broken:
        raise InputError(f"{broken:,} of the input's {values.size:,} numbers are NaN or infinite; expected none.")
    if channels is not None and len(values) != channels:
        raise InputError(_other_channels(len(values), channels))
    values, note = _shrunk(values)
    if values.size > MOST_CELLS:
        raise InputError(
            f"The input has {values.size:,} numbers; at most {MOST_CELLS:,} can be shown. Pass fewer channels."
        )
    return StepperInput(values, tuple(str(number) for number in range(len(values))), note)


def read_kernel(kernel: Any, channels: int, operation: str) -> Doubles:
    """``kernel`` as (channels, kh, kw); a pooling takes the sides of its window alone.

    Raises:
        InputError: another shape, NaN, or too many weights.
    """
    expected = "(kh, kw), (C, kh, kw) or (1, C, kh, kw)"
    sides = (kernel, kernel) if is_whole(kernel) else kernel
    if isinstance(sides, tuple | list) and len(sides) == 2 and all(is_whole(side) for side in sides):
        if operation == "conv":
            raise InputError(
                f"The kernel is {kernel!r}, the sides of a window; a convolution needs weights {expected}."
            )
        if min(sides) < 1 or sides[0] * sides[1] * channels > MOST_WEIGHTS:
            raise InputError(f"The window is {sides[0]} × {sides[1]}; expected sides of at least 1, and not so many.")
        return np.full((channels, *sides), 1 / (sides[0] * sides[1]))
    weights = real(as_array(kernel, "The kernel", f"weights {expected}"), "The kernel", expected).astype(np.float64)
    shape = weights.shape
    if weights.ndim == 4 and len(weights) == 1:
        weights = weights[0]
    if weights.ndim == 2:
        weights = weights[None]
    if weights.ndim == 4:
        raise InputError(f"The kernel has shape {shape}, {len(weights)} filters; expected one: pass kernel[0].")
    if weights.ndim != 3 or not weights.size:
        raise InputError(f"The kernel has shape {shape}; expected {expected}, no side 0.")
    if len(weights) != channels and operation == "conv":
        raise InputError(_other_channels(channels, len(weights)))
    if weights.size > MOST_WEIGHTS:
        raise InputError(f"The kernel has {weights.size:,} weights; at most {MOST_WEIGHTS:,} can be shown.")
    broken = int((~np.isfinite(weights)).sum())
    if broken:
        raise InputError(f"{broken:,} of the kernel's {weights.size:,} weights are NaN or infinite; expected none.")
    return weights if len(weights) == channels else np.repeat(weights[:1], channels, 0)


def kernel_channels(kernel: Any, operation: str) -> int | None:
    """How many input channels a kernel asks for; None: any number."""
    if operation != "conv" or kernel is None or is_whole(kernel):
        return None
    shape = as_array(kernel, "The kernel").shape
    return {2: 1, 3: shape[0], 4: shape[1]}.get(len(shape)) if len(shape) in (2, 3, 4) else None


def _is_picture(image: Any, channels: int | None) -> bool:
    if is_tensor(image) or isinstance(image, np.ndarray):
        shape = tuple(image.shape)
        if str(image.dtype).endswith("uint8"):
            return True
        last = len(shape) == 3 and shape[2] in (3, 4) and shape[0] not in (1, 3, channels)
        return last and not is_tensor(image)
    return not isinstance(image, list | tuple)


def _uint8_channels_last(image: Any) -> Any:
    """A tensor of 8-bit levels as an array with its channels last."""
    if not is_tensor(image):
        return image
    array = as_array(image, "The input")
    if array.ndim == 4 and len(array) == 1:
        array = array[0]
    return array.transpose(1, 2, 0) if array.ndim == 3 else array


def _of_picture(image: Image.Image, notes: tuple[str, ...], channels: int | None) -> StepperInput:
    if channels not in (None, 1, 3):
        raise InputError(
            f"The kernel has {channels} input channels; a picture has 1 (grey) or 3 (red, green, blue). Pass the "
            f"layer's input instead, numbers ({channels}, H, W)."
        )
    width, height = image.size
    image = image.convert("RGB" if channels == 3 else "L")
    factor = LONGEST_SIDE / max(width, height)
    texts = [*notes, "The picture's levels, 0 to 255, are shown as 0 to 1."]
    if factor < 1:
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        image = image.resize(size, Image.Resampling.BOX)
        texts.append(_made_smaller((height, width), size[::-1]))
    levels = np.asarray(image, np.float64) / 255
    values = levels[None] if levels.ndim == 2 else levels.transpose(2, 0, 1)
    return StepperInput(np.ascontiguousarray(values), _PICTURE_NAMES[len(values)], tuple(texts))


def _shrunk(values: Doubles) -> tuple[Doubles, tuple[str, ...]]:
    """``values`` with no side longer than can be read, each cell the mean of what it covers; and a note if so."""
    height, width = values.shape[1:]
    factor = LONGEST_SIDE / max(height, width)
    if factor >= 1:
        return values, ()
    sides = (max(1, round(height * factor)), max(1, round(width * factor)))
    down, across = area_shares(height, sides[0]), area_shares(width, sides[1])
    return down @ values @ across.T, (_made_smaller((height, width), sides),)


def _made_smaller(before: tuple[int, int], after: tuple[int, int]) -> str:
    return (
        f"The input of {before[0]} × {before[1]} is shown, and computed with, at {after[0]} × {after[1]}: each cell is "
        "the mean of what it covers. Pass a part of it to have its own numbers."
    )


def _other_channels(image: int, kernel: int) -> str:
    hint = " For the same weights in each, pass np.repeat(kernel, C, 0)." if kernel == 1 else ""
    return f"The input has {image} channels and the kernel {kernel}; expected as many.{hint}"
