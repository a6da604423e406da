"""A photograph for a widget, from whatever a user has at hand; and what the map over it is called."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnwidgets.core.arrays import as_array
from cnnwidgets.core.errors import InputError, as_sentence
from cnnwidgets.core.plain import is_tensor
from cnnwidgets.pictures.centre import centre_part

_EXPECTED = (
    "expected uint8 of shape (H, W, 3): an (H, W, 3) uint8 array, a PIL image, a path, or what "
    "pictures.picture.load_picture(image, model) gives"
)
WHOLE = "The map is laid over the whole photograph; load_picture(image, model) gives the part that a network sees."


def picture_pixels(picture: Any) -> npt.NDArray[np.uint8]:
    """``picture`` as (H, W, 3) uint8, a copy: an array, a PIL image, a path, the bytes of a file, or a ``Picture``.

    Raises:
        InputError: it is something else; says what to pass.
    """
    picture = getattr(picture, "pixels", picture)
    if is_attribution(picture):
        raise InputError(
            "The picture is an Attribution. The picture comes first, then the map: (picture, attribution)."
        )
    pixels = _photograph_pixels(picture) if is_whole_photograph(picture) else as_array(picture, "The picture")
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0:
        tensor = " Of a preprocessed tensor, load_picture(tensor, model).pixels are its colours." * is_tensor(picture)
        raise InputError(f"The picture is {pixels.dtype} of shape {pixels.shape}; {_EXPECTED}.{tensor}")
    return np.array(pixels)


def is_whole_photograph(picture: Any) -> bool:
    """Whether ``picture`` is a photograph as taken, of which a network is often given a part."""
    return isinstance(picture, str | os.PathLike | bytes | bytearray) or type(picture).__module__.startswith("PIL.")


def part_under(picture: Any, attribution: Any) -> tuple[Any, str]:
    """Of a photograph as taken the part that goes under ``attribution``, and a sentence if that is not all of it."""
    if not (is_whole_photograph(picture) and is_attribution(attribution)):
        return picture, ""
    placement = getattr(attribution, "placement", None)
    shape = np.shape(attribution.values)[-2:] if placement is None else placement.image
    part, note = centre_part(_photograph_pixels(picture), shape)
    return (part, as_sentence(note)) if note else (picture, "")


def is_attribution(value: Any) -> bool:
    """Whether ``value`` is what an explainer returns, or anything with its attributes."""
    return all(hasattr(value, name) for name in ("values", "method", "notes"))


def _photograph_pixels(photograph: Any) -> npt.NDArray[np.uint8]:
    """Of a PIL image or a file."""
    from cnnwidgets.pictures.decode import decoded  # a widget that is given arrays does without Pillow

    image = decoded(photograph)
    assert image is not None  # noqa: S101 (is_whole_photograph asks for one of its kinds)
    return np.asarray(image[0])


def map_label(attribution: Any) -> str:
    """The name of the method that made ``attribution``, as menus and headings show it.

    >>> from types import SimpleNamespace
    >>> map_label(SimpleNamespace(method="grad_cam", label="Grad-CAM")), map_label(SimpleNamespace(method="my_method"))
    ('Grad-CAM', 'My method')
    """
    label: str = getattr(attribution, "label", "")
    return label or str(attribution.method).replace("_", " ").capitalize()


def map_unit(attribution: Any) -> str:
    """What the numbers of ``attribution`` measure; empty for an explainer of the reader's own."""
    unit: str = getattr(attribution, "unit", "")
    return unit
