"""What of a method can be set beside the picture: the numbers among its parameters."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from cnnwidgets import explainers

_USUAL_PATCH = 16  # pixels that an occlusion covers, for images of 128 pixels and more
# Not for the page: which run of a layer, how the work is cut up, and colours in the network's own units.
_NOT_OFFERED = {"call", "batch", "seed", "fill", "baseline"}
Number = int | float


@dataclass(frozen=True)
class Setting:
    """One number that a method takes.

    Attributes:
        name: of the parameter.
        label: the same for a reader.
        help: what its docstring says of it; empty where it says nothing.
        value: what it is, to begin with the method's default.
        whole: whether it is a whole number.
    """

    name: str
    label: str
    help: str
    value: Number
    whole: bool


def settings_of(method: str, images: torch.Tensor) -> list[Setting]:
    """What of ``method`` can be set, with what it begins with for ``images`` (1, C, H, W)."""
    function = explainers.get(method)
    helps = _helps(inspect.getdoc(function) or "")
    own = start_values(method, images)
    settings = []
    for name, parameter in list(inspect.signature(function).parameters.items())[3:]:
        value = own.get(name, parameter.default)
        if name in _NOT_OFFERED or isinstance(value, bool) or not isinstance(value, int | float):
            continue
        label = name.replace("_", " ").capitalize()
        settings.append(Setting(name, label, helps.get(name, ""), value, isinstance(value, int)))
    return settings


def start_values(method: str, images: torch.Tensor) -> Mapping[str, Number]:
    """Where the Explorer begins with other numbers than the method itself: so that a small image too gets places."""
    if method != "occlusion":
        return {}
    patch = min(_USUAL_PATCH, max(2, min(images.shape[2:]) // 8))
    return {"patch": patch, "stride": patch // 2}


def _helps(docstring: str) -> dict[str, str]:
    """Parameter -> its first sentence, out of a docstring's ``Args``."""
    entries = re.findall(r"^ {4}(\w+): (.+(?:\n {5,}.+)*)", docstring, re.MULTILINE)
    sentences = {name: " ".join(text.split()).replace("``", "") for name, text in entries}
    return {name: re.split(r"(?<=[.;]) ", text)[0].rstrip(".;") for name, text in sentences.items()}
