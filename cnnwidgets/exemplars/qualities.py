"""Is it colour, shape or texture that a channel looks for? What it keeps when its exemplars lose one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from cnnwidgets.core.errors import InputError
from cnnwidgets.core.network import Network

from .crops import channel_maps
from .exemplars import Exemplars
from .map_layers import MapReader

Change = Literal["grey", "hue", "shuffled", "blurred"]
Word = Literal["colour", "shape", "texture", "mixed"]
BLOCK = 8
"""Pixels: within so many, arrangement is left when blocks are shuffled."""
BLUR = 2.0
"""Pixels: the standard deviation of the Gaussian that takes the fine detail away."""
_LOST = 0.5
_LUMA = (0.299, 0.587, 0.114)
_WORDS: dict[Change, str] = {
    "grey": "without colour",
    "hue": "with its hue turned round",
    "shuffled": f"with its {BLOCK}-pixel blocks shuffled",
    "blurred": "without fine detail",
}


@dataclass(frozen=True)
class Qualities:
    """What a channel keeps of its activation when its exemplars are changed.

    Attributes:
        kept: change -> the share of the activation that is left, 1 for all of it: "grey" (brightness only), "hue"
            (turned by 180 degrees, brightness as it was), "shuffled" (blocks of 8 pixels in random order), "blurred"
            (Gaussian of 2 pixels). NaN where it cannot be asked: images without colours, a channel that plain grey
            excites as much.
        word: "colour" where the channel loses more than half with the colours alone, "shape" with the arrangement and
            not the colours, "texture" with fine detail alone; else "mixed".
        sentence: the same for a reader.
    """

    kept: Mapping[Change, float]
    word: Word
    sentence: str


def qualities(model: nn.Module, layer: str, channel: int, exemplars: Exemplars) -> Qualities:
    """What a channel keeps when the images of its exemplars lose colour, arrangement or fine detail.

    The activation is the largest in an image's map, less what the channel says of a plain grey image, as bright as the
    exemplars are; of all exemplars the mean.

    Args:
        model: the network that the exemplars were found with; left as it was.
        layer: one of ``exemplars.layers``.
        channel: from 0.
        exemplars: with their data set.

    Raises:
        LayerNotFound, InputError: there is no such layer or channel, or the images are not at hand.
    """
    images = exemplars.dataset
    if images is None:
        raise InputError("These exemplars were loaded without their images: Exemplars.load(path, dataset=...).")
    indices = sorted({crop for crop in exemplars.indices(layer, channel) if crop >= 0})
    if not indices:
        raise InputError(f"Channel {channel} of layer {layer!r} has no exemplar.")
    originals = torch.cat([images.picture(index).tensor for index in indices])
    reader = exemplars.reader
    if reader is None or Network.of(reader.model).base is not Network.of(model).base:
        reader = MapReader(model, originals[:1], [layer])
    mean, std = images.scale(originals)
    versions = {"": originals} | {
        name: ((change((originals * std + mean)) - mean) / std)
        for name, change in _CHANGES.items()
        if originals.shape[1] == len(_LUMA) or name not in ("grey", "hue")
    }
    plain = _greyed(originals * std + mean) if originals.shape[1] == len(_LUMA) else originals * std + mean
    versions["plain"] = ((plain.mean((0, 2, 3), keepdim=True) - mean) / std).expand_as(originals[:1])
    numbered = {(name, at): tensor[None] for name, batch in versions.items() for at, tensor in enumerate(batch)}
    maps = channel_maps(reader, layer, channel, numbered)
    level = float(np.median(maps["plain", 0]))
    heights = {
        name: float(np.mean([maps[name, at].max() for at in range(len(batch))])) - level
        for name, batch in versions.items()
    }
    whole = heights[""]
    kept = {name: max(0.0, heights[name] / whole) if whole > 0 and name in heights else np.nan for name in _CHANGES}
    return _of_kept(kept, reacts=whole > 0)


def _of_kept(kept: dict[Change, float], *, reacts: bool) -> Qualities:
    lost = {name for name, share in kept.items() if share < _LOST}
    word: Word = "mixed"
    if lost and lost <= {"grey", "hue"}:
        word = "colour"
    elif "shuffled" in lost and lost <= {"shuffled", "blurred"}:
        word = "shape"
    elif lost == {"blurred"}:
        word = "texture"
    if not reacts:
        return Qualities(kept, word, "Plain grey excites the channel as much as its exemplars do: nothing can be said.")
    parts = [f"{100 * share:.0f} % {_WORDS[name]}" for name, share in kept.items() if share == share]
    return Qualities(kept, word, f"Of its activation the channel keeps {', '.join(parts)}: {word}.")


def _greyed(colours: torch.Tensor) -> torch.Tensor:
    """(N, 3, H, W) with each pixel's brightness in all channels."""
    weights = torch.tensor(_LUMA, dtype=colours.dtype).view(1, 3, 1, 1)
    return (colours * weights).sum(1, keepdim=True).expand_as(colours)


def _hue_turned(colours: torch.Tensor) -> torch.Tensor:
    grey = _greyed(colours)
    return (2 * grey - colours).clamp(float(colours.min()), float(colours.max()))


def _shuffled(colours: torch.Tensor) -> torch.Tensor:
    """Blocks in random order; what is left over at the right and below stays."""
    side = max(1, min(BLOCK, colours.shape[2] // 2, colours.shape[3] // 2))
    rows, columns = colours.shape[2] // side, colours.shape[3] // side
    part = colours[:, :, : rows * side, : columns * side]
    blocks = functional.unfold(part, side, stride=side)
    generator = torch.Generator().manual_seed(0)
    orders = [torch.randperm(blocks.shape[2], generator=generator) for _ in blocks]
    mixed = torch.stack([image[:, order] for image, order in zip(blocks, orders, strict=True)])
    result = colours.clone()
    result[:, :, : rows * side, : columns * side] = functional.fold(mixed, part.shape[2:], side, stride=side)
    return result


def _blurred(colours: torch.Tensor) -> torch.Tensor:
    radius = int(3 * BLUR)
    weights = torch.exp(-0.5 * (torch.arange(-radius, radius + 1, dtype=colours.dtype) / BLUR) ** 2)
    weights /= weights.sum()
    channels = colours.shape[1]
    padded = functional.pad(colours, (radius,) * 4, mode="replicate")
    along = functional.conv2d(padded, weights.view(1, 1, 1, -1).repeat(channels, 1, 1, 1), groups=channels)
    return functional.conv2d(along, weights.view(1, 1, -1, 1).repeat(channels, 1, 1, 1), groups=channels)


_CHANGES: dict[Change, Callable[[torch.Tensor], torch.Tensor]] = {
    "grey": _greyed,
    "hue": _hue_turned,
    "shuffled": _shuffled,
    "blurred": _blurred,
}
