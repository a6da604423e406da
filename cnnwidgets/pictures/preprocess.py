"""How a picture becomes the tensor a network was trained on, as far as that can be found out."""

from __future__ import annotations

import math
from dataclasses import replace

from torch import nn

from cnnwidgets.core.network import Network

from .image_processors import configured_labels, configured_size
from .presets import categories, known_in_timm, known_in_torchvision, last_layer
from .transform import IMAGENET_MEAN, IMAGENET_STD, Preprocess

__all__ = ["Preprocess", "input_channels", "labels_for", "preprocess_for"]


def input_channels(model: nn.Module | None) -> int | None:
    """What the first convolution registered in ``model`` takes, None if there is none to be seen."""
    modules = [] if model is None else [module for _, module in Network.of(model).layers]
    return next((m.in_channels for m in modules if isinstance(m, nn.Conv2d) and m.in_channels > 0), None)


def preprocess_for(model: nn.Module | None) -> Preprocess:
    """The preprocessing ``model`` was trained with, as far as it can be known without a network connection.

    timm's networks carry it; torchvision's are recognised by their number of parameters; the same holds for such a
    network inside a module of your own. Else it is assumed: a square of at most 224 pixels, or of the
    ``config.image_size`` that transformers' networks carry, ImageNet's mean and standard deviation for three channels,
    values in [0, 1] for one; ``notes`` then says so.

    Example:
        >>> preprocess_for(nn.Conv2d(1, 4, 3)).mean
        (0.0,)
    """
    grey = input_channels(model) == 1
    if model is not None:
        for name, module in Network.of(model).layers:
            preprocess = known_in_timm(module) or known_in_torchvision(module, whole=not name)
            if preprocess is not None:
                return _adapted_to(preprocess, name, grey)
    how = "divided by 255" if grey else "normalised with ImageNet's mean and standard deviation"
    size = configured_size(None if model is None else Network.of(model).base)
    square = "of at most 224" if size is None else f"of {size[0]} × {size[1]}"
    changed = "change it" if size is None else "change it, such as the network's image processor"
    note = (
        f"Preprocessing is not known for this network: assumed a centre square {square} pixels, {how}; "
        f"pass preprocess= to {changed}."
    )
    return Preprocess(
        size=size or (224, 224),
        resize=size or (224, 224),
        mean=(0.0,) if grey else IMAGENET_MEAN,
        std=(1.0,) if grey else IMAGENET_STD,
        channels=1 if grey else 3,
        enlarge=size is not None,
        notes=(note,),
    )


def _adapted_to(preprocess: Preprocess, part: str, grey: bool) -> Preprocess:
    notes = list(preprocess.notes)
    if part:
        notes.append(f"Preprocessing taken from the part {part!r} of the network ({preprocess.source}).")
    mean, std = preprocess.mean, preprocess.std
    if grey and len(mean) != 1:
        mean, std = (math.fsum(mean) / len(mean),), (math.fsum(std) / len(std),)
        notes.append("The network takes one channel: the picture is grey, the mean and deviation those of the colours.")
    return replace(preprocess, mean=mean, std=std, channels=1 if grey else 3, notes=tuple(notes))


def labels_for(model: nn.Module) -> tuple[str, ...] | None:
    """The names in ``config.id2label``, ImageNet's of a torchvision or timm network with 1000 outputs, else None."""
    base = Network.of(model).base
    own = configured_labels(base)
    if own is not None:
        return own
    if known_in_timm(base) is None and known_in_torchvision(base) is None:
        return None
    outputs = getattr(base, "num_classes", None)
    if not isinstance(outputs, int):
        _, outputs = last_layer(base)
    return categories() if outputs == 1000 else None
