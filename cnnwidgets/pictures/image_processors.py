"""What the configuration and the image processor of a Hugging Face model say, read without importing transformers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from PIL import Image
from torch import nn

from .transform import IMAGENET_MEAN, IMAGENET_STD, Preprocess

_PLAIN = 1 / 255
_SQUASHED_FROM = 384
"""Pixels: from this size on, processors with ``crop_pct`` squash the picture and crop nothing."""


def is_image_processor(value: Any) -> bool:
    """Whether ``value`` is shaped like an image processor of transformers, or like a processor that holds one."""
    processor = getattr(value, "image_processor", value)
    return not isinstance(value, type | nn.Module) and hasattr(processor, "do_normalize") and hasattr(processor, "size")


def processor_transform(value: Any) -> Preprocess | Callable[[Image.Image], Any]:
    """The same steps as a :class:`Preprocess`, or a call of the processor where one of its steps is none of those.

    Example:
        >>> from types import SimpleNamespace
        >>> size = {"height": 8, "width": 8}
        >>> processor = SimpleNamespace(do_normalize=True, size=size, image_mean=[0.5] * 3, image_std=[0.5] * 3)
        >>> processor_transform(processor).mode, processor_transform(processor).mean
        ('squash', (0.5, 0.5, 0.5))
    """
    processor = getattr(value, "image_processor", value)
    steps = _steps(processor)
    if steps is None:
        return lambda picture: processor(images=picture.convert("RGB"), return_tensors="pt")["pixel_values"]
    mean, std = getattr(processor, "image_mean", None), getattr(processor, "image_std", None)
    mean, std = mean or IMAGENET_MEAN, std or IMAGENET_STD
    if not processor.do_normalize:
        mean, std = (0.0,) * len(mean), (1.0,) * len(mean)
    factor = getattr(processor, "rescale_factor", _PLAIN) if getattr(processor, "do_rescale", True) else 1.0
    offset = 1.0 if getattr(processor, "rescale_offset", False) else 0.0
    # (value * factor - offset - mean) / std, of values from 0 to 255; ours begin as values / 255.
    scale = 255.0 * factor
    return Preprocess(
        **steps,
        mean=tuple((float(level) + offset) / scale for level in mean),
        std=tuple(float(level) / scale for level in std),
        channels=len(mean),
        interpolation=Image.Resampling(int(getattr(processor, "resample", None) or 2)).name.lower(),
        source=type(processor).__name__,
        floors=True,
    )


def _steps(processor: Any) -> dict[str, Any] | None:
    """Resize and crop as :class:`Preprocess` takes them; None: it does something else."""
    size, crop = processor.size, None
    if getattr(processor, "include_top", False) or getattr(processor, "do_pad", False):
        return None
    if getattr(processor, "do_center_crop", False):
        crop = _height_width(getattr(processor, "crop_size", None) or size)
    if not getattr(processor, "do_resize", True):
        return {"size": crop, "resize": None}
    sides = _height_width(size)
    if sides is not None:
        return {"size": crop, "resize": sides, "mode": "squash"}
    short = size.get("shortest_edge") if isinstance(size, Mapping) and "longest_edge" not in size else None
    if short is None:
        return None
    crop_pct = getattr(processor, "crop_pct", None)
    if crop_pct is None:
        return {"size": crop, "resize": (short, short)}
    if short >= _SQUASHED_FROM:
        return {"size": None, "resize": (short, short), "mode": "squash"}
    return {"size": (short, short), "resize": (int(short / crop_pct),) * 2}


def _height_width(size: Any) -> tuple[int, int] | None:
    """(height, width), where both are said."""
    if isinstance(size, Mapping):
        return (int(size["height"]), int(size["width"])) if {"height", "width"} <= set(size) else None
    if isinstance(size, int):
        return size, size
    return (int(size[0]), int(size[1])) if isinstance(size, list | tuple) and len(size) == 2 else None


def configured_labels(model: nn.Module) -> tuple[str, ...] | None:
    """The class names in ``model.config.id2label``, whose keys are numbers or, from a file, their text."""
    names = getattr(getattr(model, "config", None), "id2label", None)
    if not isinstance(names, Mapping) or not names:
        return None
    by_class = {int(key): str(name) for key, name in names.items() if str(key).isdecimal()}
    return tuple(by_class[index] for index in range(len(names))) if set(by_class) == set(range(len(names))) else None


def configured_size(model: nn.Module | None) -> tuple[int, int] | None:
    """(height, width) in ``model.config.image_size``; None: it does not say."""
    return _height_width(getattr(getattr(model, "config", None), "image_size", None))
