"""Networks of timm and torchvision, recognised without importing what is not there and without a connection."""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Mapping
from typing import Any

from torch import nn

from .transform import IMAGENET_MEAN, IMAGENET_STD, Preprocess, Resize


def known_in_timm(module: nn.Module) -> Preprocess | None:
    """From the configuration that timm attaches to its networks, by the rules of its ``create_transform``."""
    config = getattr(module, "pretrained_cfg", None) or getattr(module, "default_cfg", None)
    if config is not None and not isinstance(config, Mapping):
        config = getattr(config, "to_dict", dict)()
    if not config or "input_size" not in config or len(config["input_size"]) != 3:
        return None
    size = (int(config["input_size"][1]), int(config["input_size"][2]))
    crop_pct = config.get("crop_pct") or 0.875
    resize = (math.floor(size[0] / crop_pct), math.floor(size[1] / crop_pct))
    mode: Resize = config["crop_mode"] if config.get("crop_mode") in ("squash", "border") else "keep_ratio"
    if mode == "keep_ratio" and resize[0] == resize[1]:
        mode = "shorter"
    interpolation = config.get("interpolation") or "bicubic"
    return Preprocess(
        size=size,
        resize=resize,
        mean=tuple(map(float, config.get("mean") or IMAGENET_MEAN)),
        std=tuple(map(float, config.get("std") or IMAGENET_STD)),
        interpolation="bilinear" if interpolation == "random" else interpolation,
        source=f"timm {config.get('architecture') or type(module).__name__}",
        mode=mode,
    )


def known_in_torchvision(module: nn.Module, whole: bool = True) -> Preprocess | None:
    """From the weights that fit this network, told by its number of parameters.

    A classifier with another number of classes than the weights' is counted as if it had theirs. ``whole=False``:
    the module is a part of something else, perhaps one block only, so nothing is assumed where nothing fits.
    """
    home = next((c.__module__ for c in type(module).__mro__ if c.__module__.startswith("torchvision.models.")), None)
    if home is None or (weights := _weights_in(home)) == ():
        return None
    counts = _parameter_counts(module)
    exact = [w for w in weights if w.meta.get("num_params") in counts]
    if not exact and not whole:
        return None
    fitting = exact or list(weights)
    transforms = {_transform_key(w.transforms()): w for w in fitting}
    if len(transforms) > 1 and not exact:
        kind = type(module).__name__
        usual = "assumed ImageNet's usual preprocessing (256, centre 224)"
        note = f"No published weights fit this {kind}: {usual}; pass preprocess= to change it."
        return Preprocess(source=f"torchvision {kind}, no weights known for it", notes=(note,))
    weights_member = next((w for w in fitting if w is type(w).DEFAULT), fitting[0])
    transform = weights_member.transforms()
    others = ", ".join(str(w) for key, w in transforms.items() if key != _transform_key(transform))
    note = f"Preprocessing of {weights_member} was assumed; {others} fit this network too. Pass preprocess= to be sure."
    crop = getattr(transform, "crop_size", None)
    resize = transform.resize_size
    return Preprocess(
        size=None if crop is None else (crop[0], crop[-1]),
        resize=None if resize is None else (resize[0], resize[-1]),
        mean=tuple(transform.mean),
        std=tuple(transform.std),
        interpolation=str(transform.interpolation.value),
        source=f"torchvision {weights_member}",
        notes=(note,) if others else (),
    )


def _transform_key(transform: Any) -> str:
    return repr(
        [getattr(transform, name, None) for name in ("crop_size", "resize_size", "mean", "std", "interpolation")]
    )


@functools.cache
def _weights_in(home: str) -> tuple[Any, ...]:
    from torchvision.models import WeightsEnum
    from torchvision.transforms._presets import ImageClassification, SemanticSegmentation

    enums: list[Any] = [
        c
        for c in vars(sys.modules[home]).values()
        if isinstance(c, type) and issubclass(c, WeightsEnum) and c.__module__ == home
    ]
    members: list[Any] = [weights for enum in enums for weights in enum]
    return tuple(w for w in members if isinstance(w.transforms(), ImageClassification | SemanticSegmentation))


def _parameter_counts(module: nn.Module) -> set[int]:
    total = sum(parameter.numel() for parameter in module.parameters())
    last, outputs = last_layer(module)
    own = 0 if last is None else sum(parameter.numel() for parameter in last.parameters())
    return {total, total - own + own // (outputs or 1) * 1000}


def last_layer(module: nn.Module) -> tuple[nn.Module | None, int]:
    """The last linear or convolutional layer in ``module``, and how many numbers or channels it returns."""
    last = next(reversed([m for m in module.modules() if isinstance(m, nn.Linear | nn.Conv2d)]), None)
    return last, 0 if last is None else last.out_features if isinstance(last, nn.Linear) else last.out_channels


def categories() -> tuple[str, ...] | None:
    """ImageNet's 1000 class names, from torchvision; None without it."""
    try:
        from torchvision.models import AlexNet_Weights
    except ImportError:
        return None
    return tuple(AlexNet_Weights.IMAGENET1K_V1.meta["categories"])
