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
class Version:
    """The network and the image at one moment."""

    network: Fingerprint
    image: Hashable

    def same(self, other: Version) -> bool:
        """Whether both are as they were."""
        return self.image == other.image and self.network.same(other.network)

    def change_to(self, other: Version) -> str:
        """A note on what is different now."""
        subject = "The network's weights have"
        if self.image != other.image:
            subject = "The image has"
        elif self.network.structure != other.network.structure:
            subject = "The network's modules, hooks or attributes have"
        return f"{subject} changed since this picture was made: everything was computed again."


def image_mark(image: Any) -> Hashable:
    """Changes when an array, a tensor or a file does; of anything else only its identity is looked at.

    Raises nothing: what is no image is refused by who reads it.
    """
    try:
        if isinstance(image, torch.Tensor) and image.layout == torch.strided:
            numbers = _sampled_values(image.detach(), image.numel(), image.is_contiguous())
            return zlib.crc32(numbers.cpu().contiguous().view(torch.uint8).numpy().tobytes())
        if isinstance(image, np.ndarray):
            return zlib.crc32(_sampled_values(image, image.size, image.flags.c_contiguous).tobytes())
        if isinstance(image, str | os.PathLike):
            file = Path(image).stat()
            return file.st_mtime_ns, file.st_size
    except Exception:
        return id(image)
    return id(image)


def _sampled_values(image: Any, count: int, contiguous: bool) -> Any:
    if count <= _ALL:
        return image.reshape(-1)
    if not contiguous:
        raise ValueError("Looking at it would copy it.")
    return image.reshape(-1)[::_STEP]
