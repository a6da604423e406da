"""What a scene was computed from, to notice when it has changed."""

from __future__ import annotations

import os
import zlib
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cnnwidgets.state.fingerprint import Fingerprint

_ALL = 1 << 20  # numbers of an image that are all looked at
_STEP = 64  # and of more, one in so many


@dataclass(frozen=True)
class Origin:
    """The network and the image at one moment."""

    network: Fingerprint
    image: Hashable

    def same(self, other: Origin) -> bool:
        """Whether both are as they were."""
        return self.image == other.image and self.network.same(other.network)

    def change_to(self, other: Origin) -> str:
        """A note on what is different now."""
        what = "The network's weights have"
        if self.image != other.image:
            what = "The image has"
        elif self.network.structure != other.network.structure:
            what = "The network's modules, hooks or attributes have"
        return f"{what} changed since this picture was made: everything was computed again."


def image_mark(image: Any) -> Hashable:
    """Changes when an array, a tensor or a file does; of anything else only its identity is looked at.

    Raises nothing: what is no image is refused by who reads it.
    """
    try:
        if isinstance(image, torch.Tensor):
            return _tensor_mark(image)
        if isinstance(image, np.ndarray):
            return _array_mark(image)
        if isinstance(image, str | os.PathLike):
            file = Path(image).stat()
            return file.st_mtime_ns, file.st_size
    except Exception:
        return id(image)
    return id(image)


def _tensor_mark(image: torch.Tensor) -> Hashable:
    small = image.numel() <= _ALL
    if image.layout != torch.strided or not (small or image.is_contiguous()):  # or looking at it would copy it
        return id(image)
    flat = image.detach().reshape(-1)
    return zlib.crc32((flat if small else flat[::_STEP]).cpu().contiguous().view(torch.uint8).numpy().tobytes())


def _array_mark(image: Any) -> Hashable:
    small = image.size <= _ALL
    if not (small or image.flags.c_contiguous):
        return id(image)
    flat = image.reshape(-1)
    return zlib.crc32((flat if small else flat[::_STEP]).tobytes())
