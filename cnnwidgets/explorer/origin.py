"""What a scene was computed from, to notice when it has changed."""

from __future__ import annotations

import os
import zlib
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from cnnwidgets.core.fingerprint import Fingerprint

_STEP = 64  # of the numbers of an image, one in so many is looked at, beyond the first few thousand
_ALL = 1 << 20


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
    """Changes when an array, a tensor or a file does; of a PIL image only its identity is looked at."""
    if isinstance(image, torch.Tensor):
        image = image.detach()
        if image.layout != torch.strided or image.is_meta or image.is_quantized:
            return id(image)
        image = image.reshape(-1)
        sample = image if len(image) <= _ALL else image[::_STEP]
        return zlib.crc32(sample.cpu().contiguous().view(torch.uint8).numpy().tobytes()) if len(image) else 0
    if isinstance(image, np.ndarray):
        flat = image.reshape(-1)
        return zlib.crc32((flat if flat.size <= _ALL else flat[::_STEP]).tobytes())
    if isinstance(image, str | os.PathLike):
        try:
            found = os.stat(image)
        except (OSError, ValueError):
            return str(image)
        return found.st_mtime_ns, found.st_size
    return id(image)
