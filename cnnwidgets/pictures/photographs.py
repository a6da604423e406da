"""The photographs under a figure's maps, from whatever a user has at hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cnnwidgets.core.errors import InputError
from cnnwidgets.core.plain import is_tensor, plain_tensor

from .decode import decoded

_TAKES = (
    "a tensor (N, C, H, W), what the network was given; or pictures as the network saw them: PIL images, paths, arrays "
    "(H, W, 3), load_picture(image, model)"
)
WHOLE = "the map is laid over the whole photograph, as if the network saw all of it"
Photograph = npt.NDArray[Any]


def pictures_under_maps(images: Any, shapes: list[tuple[int, int]]) -> list[Photograph]:
    """(H, W, 3), floats in [0, 1] or uint8, one for each map.

    Args:
        images: see ``_TAKES``; a single one where there is one map.
        shapes: (h, w) of the maps.

    Raises:
        InputError: not one image a map, no image, or a picture of other proportions than its map.
    """
    if is_tensor(images):
        images = plain_tensor(images, "The images tensor")
        images = images[None] if images.ndim == 3 else images
        if images.ndim != 4:
            raise InputError(f"The images tensor has shape {tuple(images.shape)}; expected {_TAKES}.")
    elif isinstance(images, np.ndarray) and images.ndim == 4:
        if images.shape[1] in (1, 3) and images.shape[3] not in (1, 3, 4):
            images = images.transpose(0, 2, 3, 1)
        images = list(images)
    elif not isinstance(images, list | tuple):
        images = [images]
    if len(images) != len(shapes):
        raise InputError(f"There are {len(shapes)} maps and {len(images)} images; pass one image a map.")
    return [_picture_under_map(image, shape) for image, shape in zip(images, shapes, strict=True)]


def as_seen(images: Any) -> bool:
    """Whether ``images`` are what the network was given, and not photographs of which it may have seen a part."""
    if isinstance(images, list | tuple):
        return all(as_seen(image) for image in images)
    return is_tensor(images) or hasattr(images, "pixels") or (isinstance(images, np.ndarray) and images.ndim == 4)


def _picture_under_map(image: Any, shape: tuple[int, int]) -> Photograph:
    if is_tensor(image):
        return _stretched(plain_tensor(image, "The image"))
    pixels = getattr(image, "pixels", None)
    if pixels is None:
        picture = decoded(image)
        if picture is None:
            raise InputError(f"Got a {type(image).__name__} to draw under the map; expected {_TAKES}.")
        pixels = np.asarray(picture[0])
    elif is_tensor(getattr(image, "tensor", None)):
        return np.asarray(pixels)  # a Picture is what the network sees
    _check_proportions(pixels.shape[:2], shape)
    return np.asarray(pixels)


def _check_proportions(picture: tuple[int, ...], cells: tuple[int, int]) -> None:
    """A network is often given a part of a photograph: a map laid over all of it would mark other places."""
    height, width = picture
    cell = max(height / cells[0], width / cells[1])
    if abs(height / cells[0] - width / cells[1]) * min(cells) >= cell:
        raise InputError(
            f"The picture has {height} x {width} pixels (height x width), the map {cells[0]} x {cells[1]} cells, of "
            "other proportions: the network saw another part of it. Pass load_picture(image, model)."
        )


def _stretched(image: Any) -> Photograph:
    """(C, H, W) in any range to (H, W, 3) in [0, 1]: stretched, for orientation only."""
    image = image.float().cpu().nan_to_num()
    if image.ndim != 3 or not image.numel():
        raise InputError(f"The image has shape {tuple(image.shape)}; expected (C, H, W).")
    image = image[:3] if len(image) >= 3 else image.mean(0, keepdim=True).expand(3, -1, -1)
    low, high = image.min(), image.max()
    return np.asarray(((image - low) / (high - low).clamp(min=1e-12)).permute(1, 2, 0).numpy())
