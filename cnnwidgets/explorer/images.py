"""The images to choose from, by name, from whatever holds them."""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from cnnwidgets.core.errors import InputError
from cnnwidgets.pictures.files import SUFFIXES


def images_by_name(image: Any) -> dict[str, Any]:
    """Name -> image: of one image, a mapping, a list, or the image files in a folder.

    Raises:
        InputError: there is none in the list or the folder.
    """
    if isinstance(image, Mapping):
        return {str(name): entry for name, entry in image.items()}
    if isinstance(image, str | os.PathLike) and _is_folder(image):
        files = sorted(file for file in Path(image).iterdir() if file.suffix.lower() in SUFFIXES and file.is_file())
        if not files:
            raise InputError(f"The folder {str(Path(image))!r} holds no image file ({', '.join(sorted(SUFFIXES))}).")
        return _numbered((file.name, file) for file in files)
    if isinstance(image, list | tuple):
        if not image:
            raise InputError(f"The {type(image).__name__} of images is empty. Pass at least one.")
        return _numbered([(_name(entry) or f"image {number}", entry) for number, entry in enumerate(image, 1)])
    return {_name(image) or ("tensor" if isinstance(image, torch.Tensor) else "image"): image}


def _is_folder(path: str | os.PathLike[str]) -> bool:
    try:
        return Path(path).is_dir()
    except (OSError, ValueError):  # too long for a path, say: who reads the image tells
        return False


def _name(image: Any) -> str:
    """The file's; empty where it has none."""
    path = image if isinstance(image, str | os.PathLike) else getattr(image, "filename", "")
    return Path(path).name or str(path) if isinstance(path, str | os.PathLike) and str(path) else ""


def _numbered(images: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Two of one name are told apart."""
    by_name: dict[str, Any] = {}
    for name, image in images:
        by_name[numbered_name(name, by_name)] = image
    return by_name


def numbered_name(name: str, names: Container[str]) -> str:
    """``name``, with a number where it is among ``names``.

    >>> numbered_name("cat", ["cat", "cat (2)"])
    'cat (3)'
    """
    free, number = name, 2
    while free in names:
        free, number = f"{name} ({number})", number + 1
    return free
