"""What to do when a network fails on an image, perhaps because it takes another size."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from cnnwidgets.core.errors import CnnWidgetsError, InputError
from cnnwidgets.pictures.picture import Picture, load_picture
from cnnwidgets.pictures.preprocess import Preprocess, preprocess_for
from cnnwidgets.pictures.transform import IMAGENET_MEAN, IMAGENET_STD, Resize

from .input_size import InputSize, input_sizes

_NOTHING = torch.zeros(1, 3, 16, 16)


@dataclass(frozen=True)
class Fitting:
    """The usual preprocessing at the size that a network takes."""

    size: InputSize
    preprocess: Preprocess

    def picture(self, image: Any, model: nn.Module) -> Picture:
        """``image`` at that size, with a note on what was done to it; a tensor as it is."""
        picture = load_picture(image, model, self.preprocess)
        if isinstance(image, torch.Tensor):
            return picture
        notes = (_how(self.size, _sides_of(image)), *self.preprocess.notes, *picture.notes)
        return replace(picture, notes=notes)


def fitting(model: nn.Module, image: Any, preprocess: Any, tensor: torch.Tensor) -> Fitting | None:
    """What brings photographs to the size that ``model`` takes.

    None where the size is not what is wrong, where it cannot be told, or is the reader's to say: with a tensor or a
    ``preprocess`` of their own.

    Args:
        model: it failed on ``tensor``, or gave several results for it.
        image: what is to be explored, as it came.
        preprocess: as it came, or None.
        tensor: (1, C, H, W), what the model was given.
    """
    if preprocess is not None or isinstance(image, torch.Tensor):
        return None
    sizes = input_sizes(model, tensor)
    if len(sizes) != 1:
        return None
    size, own = sizes[0], preprocess_for(model)
    pixels = (size.height, size.width)
    mode: Resize = own.mode if size.height == size.width else "keep_ratio"
    adapted = replace(own, size=pixels, resize=pixels, mode=mode, enlarge=True)
    if size.channels != own.channels:
        mean, std = (IMAGENET_MEAN, IMAGENET_STD) if size.channels == 3 else ((0.0,), (1.0,))
        adapted = replace(adapted, channels=size.channels, mean=mean, std=std)
    if own.source == "assumed":
        how = "divided by 255" if size.channels == 1 else "normalised with ImageNet's mean and standard deviation"
        note = f"Preprocessing is not known for this network: assumed {how}; pass preprocess= to change it."
        adapted = replace(adapted, notes=(note,))
    return Fitting(size, adapted)


def _how(size: InputSize, sides: tuple[int, int]) -> str:
    """What the network takes, and what was done to the photograph of ``sides`` for it."""
    side = _sides_text((size.height, size.width))
    least = min(sides)
    change = "shrunk" if least > size.height else "enlarged" if least < size.height else "cut"
    centre = "" if sides[0] == sides[1] else "'s centre"
    change_text = f"the photograph{centre} was {change} to that."
    if size.any_larger:
        return f"This network needs larger images than this one: {change_text.replace('that', f'{side} pixels')}"
    also = f" ({size.least} to {size.most} run)" if size.least < size.most else ""
    grey = " in grey" if size.channels == 1 else ""
    return f"This network takes {side} pixels{grey}{also}: {change_text}"


def advised(error: CnnWidgetsError, model: nn.Module, image: Any, preprocess: Any, tensor: torch.Tensor) -> InputError:
    """``error`` of the model's own, with the size of what it was given and how to give it another.

    Args:
        error: what :func:`~cnnwidgets.running.forward.run` raised.
        model: it raised it.
        image: what was to be explored, as it came; it can be read.
        preprocess: as it came, or None.
        tensor: (1, C, H, W), what the model was given.
    """
    height, width = tensor.shape[2:]
    size_text = f"{height} × {width} pixels (height × width)"
    sizes = [size for size in input_sizes(model, tensor) if not size.any_larger]
    only = sizes[0] if len(sizes) == 1 else None
    side = None if only is None else only.height
    want = "If it takes another size"
    if only is not None:
        also = f"; {only.least} to {only.most} run" if only.least < only.most else ", and on no other usual size"
        want = f"It runs on {side} × {side} pixels{also}"
    elif sizes:
        sides = " or ".join(_sides_text((size.height, size.width)) for size in sizes)
        want = f"It runs on {sides} pixels (height × width)"
    if isinstance(image, torch.Tensor):
        do = f"pass a tensor (1, {tensor.shape[1]}, {side or 'H'}, {side or 'W'})"
        return InputError(f"{error} The tensor has {size_text}. {want}: {do}.")
    who = "the Explorer" if preprocess is None else "preprocess="
    origin = f"The picture has {_sides_text(_sides_of(image))} pixels, of which {who} made {size_text}."
    size = f"Resize({side}), CenterCrop({side})" if side else "Resize((H, W))"
    grey = "Grayscale(), " if tensor.shape[1] == 1 else ""
    how = f"torchvision.transforms.Compose([{grey}{size}, ToTensor()])"
    return InputError(
        f"{error} {origin} {want}: pass preprocess={how}, with the normalisation it was trained with, "
        f"or a tensor (1, {tensor.shape[1]}, {side or 'H'}, {side or 'W'})."
    )


def _sides_text(sides: tuple[int, int]) -> str:
    return f"{sides[0]} × {sides[1]}"


def _sides_of(image: Any) -> tuple[int, int]:
    """(height, width) of what was to be explored."""
    sizes: list[tuple[int, int]] = []

    def look(picture: Any) -> torch.Tensor:
        sizes.append((picture.height, picture.width))
        return _NOTHING

    load_picture(image, preprocess=look)
    return sizes[0]
