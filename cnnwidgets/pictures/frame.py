"""Which part of a photograph a network sees, after resizing and cropping."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from cnnwidgets.core.errors import CnnWidgetsError

from .decode import decoded
from .preprocess import Preprocess

Frame = tuple[float, float, float, float]
"""Top, left, bottom and right, in shares of the photograph's height and width."""
_LONGEST_SHOWN, _LONGEST_MEASURED = 560, 1000
_NEARLY_ALL = 0.98


@dataclass(frozen=True)
class WholePhotograph:
    """A photograph of which a network sees a part.

    Attributes:
        pixels: (H, W, 3) uint8, all of it, no side over 560 pixels.
        frame: the part that the network sees.
    """

    pixels: npt.NDArray[np.uint8] = field(repr=False)
    frame: Frame

    @property
    def share(self) -> float:
        """How much of the photograph the network sees, 0 to 1."""
        top, left, bottom, right = self.frame
        return (bottom - top) * (right - left)


def whole_photograph(image: Any, transform: Any) -> WholePhotograph | None:
    """All of ``image``, and the part of it that ``transform`` leaves.

    Args:
        image: as for :func:`~cnnwidgets.pictures.picture.load_picture`.
        transform: a :class:`Preprocess`, or transforms of torchvision or timm.

    Returns:
        None where nearly all is left, the image is a tensor, or what the transform does cannot be told.
    """
    picture = None if isinstance(image, torch.Tensor) else decoded(image)
    if picture is None:
        return None
    photograph = picture[0]
    frame = frame_of(transform, *photograph.size)
    if frame is None:
        return None
    photograph.thumbnail((_LONGEST_SHOWN, _LONGEST_SHOWN))
    whole = WholePhotograph(np.asarray(photograph.convert("RGB")), frame)
    return whole if whole.share < _NEARLY_ALL else None


def frame_of(transform: Any, width: int, height: int) -> Frame | None:
    """What is left of a photograph of this size; None where that cannot be told.

    Measured, not worked out: a ramp from left to right, and one from top to bottom, are passed through.

    Example:
        >>> frame_of(Preprocess(size=(8, 8), resize=None), 16, 8)
        (0.0, 0.251, 1.0, 0.749)
    """
    if isinstance(transform, Preprocess):
        if transform.mode == "border":
            return None
    elif not _is_of_a_library(transform):
        return None
    shrinking = min(1.0, _LONGEST_MEASURED / max(width, height))
    size = max(1, round(width * shrinking)), max(1, round(height * shrinking))
    try:
        left, right = _ends(transform, size, axis=1)
        top, bottom = _ends(transform, size, axis=0)
    except (CnnWidgetsError, RuntimeError, ValueError, TypeError):
        return None
    return (top, left, bottom, right) if top < bottom and left < right else None


def _ends(transform: Any, size: tuple[int, int], axis: int) -> tuple[float, float]:
    """Where the first and the last row (``axis`` 0) or column of what is left lie, in shares of the photograph."""
    cells = size[1 - axis]
    ramp = (np.arange(cells) + 0.5) / cells * 255
    grey = np.broadcast_to(ramp[:, None] if axis == 0 else ramp, size[::-1]).round().astype(np.uint8)
    levels = _applied(transform, Image.fromarray(grey).convert("RGB"))
    middle = levels.mean(1 - axis)
    # Normalisation is one factor and one offset: undone with the ramp's own ends, all of it passed through.
    low, high = (float(_applied(transform, Image.new("RGB", (64, 64), colour)).mean()) for colour in ("black", "white"))
    shares = (middle - low) / (high - low)
    half = float(shares[-1] - shares[0]) / max(len(shares) - 1, 1) / 2
    ends = float(shares[0]) - half, float(shares[-1]) + half
    return tuple(round(min(1.0, max(0.0, end)), 3) for end in ends)  # type: ignore[return-value]


def _applied(transform: Any, image: Image.Image) -> npt.NDArray[np.float64]:
    """(H, W): the mean of the channels."""
    tensor = transform.apply(image) if isinstance(transform, Preprocess) else transform(image)
    numbers = torch.as_tensor(tensor).double()
    return np.asarray(numbers.reshape(-1, *numbers.shape[-2:]).mean(0))


def _is_of_a_library(transform: Any) -> bool:
    """Whether all of its steps come from torchvision or timm, and none draws random numbers."""
    kind = type(transform)
    steps = getattr(transform, "transforms", None)
    if not kind.__module__.startswith(("torchvision.", "timm.")) or kind.__name__.startswith("Random"):
        return False
    return not isinstance(steps, list | tuple) or all(_is_of_a_library(step) for step in steps)
