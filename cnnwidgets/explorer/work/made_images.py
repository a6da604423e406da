"""How images that maximise are made for a network, and what they are beside photographs."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from cnnwidgets.exemplars import Exemplars, Images
from cnnwidgets.synthesis import Synthesis, alikeness

from .scene import Scene

_LEAST_SIDE, _MOST_SIDE = 64, 256
"""Pixels that an image of frequencies needs, and that an image of single pixels may have."""
_PHOTOGRAPHS, _OTHERS = 4, 5
"""Of the filter and of so many others, spread over the layer, that a made image is compared with."""


def recipe_for(scene: Scene) -> dict[str, Any]:
    """How an image is made for a network of such photographs: of small and of grey ones pixel by pixel."""
    channels, *sides = scene.picture.tensor.shape[1:]
    if channels == 3 and min(sides) >= _LEAST_SIDE:
        return {}
    return {"recipe": "pixels", "size": tuple(sides)} if max(sides) < _MOST_SIDE else {"recipe": "pixels"}


def alike_to_photographs(model: nn.Module, synthesis: Synthesis, exemplars: Exemplars, images: Images) -> float:
    """How the layer processes an image that was made: 0 as photographs of other filters, 1 as those of its own.

    NaN where that cannot be told: too few photographs, or those of one filter are no more alike than of others.
    """
    layer, own = synthesis.layer, synthesis.channels[0]
    count = len(exemplars.images[layer])
    apart = max(1, count // (_OTHERS + 1))
    others = dict.fromkeys((own + apart * step) % count for step in range(1, _OTHERS + 1))
    groups = []
    for channel in (own, *(other for other in others if other != own and exemplars.largest(layer)[other] > 0)):
        indices = [index for index in exemplars.indices(layer, channel)[:_PHOTOGRAPHS] if index >= 0]
        if len(indices) > 1:
            groups.append(torch.cat([images.picture(index).tensor for index in indices]))
    if len(groups) < 2 or sum(index >= 0 for index in exemplars.indices(layer, own)) < 2:
        return float("nan")
    return float(alikeness(model, synthesis, groups[:1], others=groups[1:])[0])
