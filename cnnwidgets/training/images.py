"""The images whose maps are watched, in whatever form a training loop has them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from cnnwidgets.core.errors import InputError
from cnnwidgets.pictures.files import name_of
from cnnwidgets.pictures.picture import Picture, load_picture
from cnnwidgets.pictures.preprocess import input_channels

MOST_IMAGES = 8


def watched_pictures(images: Any, model: nn.Module, preprocess: Any = None) -> tuple[dict[str, Picture], int]:
    """Name -> picture of the first :data:`MOST_IMAGES` of ``images``, and how many there are.

    Args:
        images: as for :class:`~.view.TrainingView`.

    Raises:
        InputError: there is none, or it cannot be read.
    """
    named = list(_named(images, input_channels(model)))
    if not named:
        raise InputError("There is no image to watch: images is empty. Pass at least one.")
    pictures: dict[str, Picture] = {}
    for number, (name, image) in enumerate(named[:MOST_IMAGES], 1):
        picture = load_picture(image, model, preprocess)
        own = name or (picture.name if picture.name != "image" or len(named) == 1 else f"image {number}")
        pictures[own if own not in pictures else f"{own} ({number})"] = picture
    return pictures, len(named)


def _named(images: Any, channels: int | None) -> list[tuple[str, Any]]:
    """(name, one image) each."""
    if isinstance(images, Mapping):
        return [(str(name), _as_network_takes(image, channels)) for name, image in images.items()]
    if not isinstance(images, list | tuple) and hasattr(images, "images") and hasattr(images, "labels"):
        images = images.images
    if _with_labels(images):
        images = images[0]
    if isinstance(images, list | tuple):
        return [(_file_name(image), _as_network_takes(image, channels)) for image in images]
    if isinstance(images, torch.Tensor | np.ndarray) and images.ndim == 4:
        return [("", _as_network_takes(image, channels)) for image in images]
    return [(_file_name(images), _as_network_takes(images, channels))]


def _with_labels(images: Any) -> bool:
    """Whether it is what a data set or its loader gives: an image or a batch, and its class or classes."""
    if not isinstance(images, list | tuple) or len(images) != 2:
        return False
    labels = images[1]
    return isinstance(labels, int | np.integer) or (
        isinstance(labels, torch.Tensor | np.ndarray) and labels.ndim <= 1 and not isinstance(images[0], int)
    )


def _as_network_takes(image: Any, channels: int | None) -> Any:
    """One image; channels that come first, of numbers with a point, are as the network takes them: a tensor."""
    if _with_labels(image):
        image = image[0]
    if not isinstance(image, np.ndarray) or image.dtype.kind != "f" or image.ndim not in (3, 4):
        return image
    first, last = image.shape[-3], image.shape[-1]
    return torch.from_numpy(np.array(image, np.float32)) if first == channels or last not in (1, 3, 4) else image


def _file_name(image: Any) -> str:
    path = image if isinstance(image, str | os.PathLike) else getattr(image, "filename", "")
    return name_of(path) if isinstance(path, str | os.PathLike) and os.fspath(path) else ""
