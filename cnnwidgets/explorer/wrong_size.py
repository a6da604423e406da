"""What to do when a network fails on an image, perhaps because it takes another size."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import nn

from cnnwidgets.core.errors import CnnWidgetsError, InputError
from cnnwidgets.core.forward import fitted, run
from cnnwidgets.core.images import load_picture
from cnnwidgets.core.own_gradients import again
from cnnwidgets.core.state import preserved

_USUAL = (28, 32, 64, 96, 128, 160, 192, 224, 256, 299)
_NOTHING = torch.zeros(1, 3, 16, 16)


def advised(error: CnnWidgetsError, model: nn.Module, image: Any, preprocess: Any, tensor: torch.Tensor) -> InputError:
    """``error`` of the model's own, with the size of what it was given and how to give it another.

    Args:
        error: what :func:`~cnnwidgets.core.forward.run` raised.
        model: it raised it.
        image: what was to be explored, as it came; it can be read.
        preprocess: as it came, or None.
        tensor: (1, C, H, W), what the model was given.
    """
    height, width = tensor.shape[2:]
    given = f"{height} × {width} pixels (height × width)"
    side = only_size(model, tensor)
    want = f"It runs on {side} × {side} pixels, and on no other usual size" if side else "If it takes another size"
    if isinstance(image, torch.Tensor):
        do = f"pass a tensor (1, {tensor.shape[1]}, {side or 'H'}, {side or 'W'})"
        return InputError(f"{error} The tensor has {given}. {want}: {do}.")
    who = "the Explorer" if preprocess is None else "preprocess="
    made = f"The picture has {_size_of(image)} pixels, of which {who} made {given}."
    size = f"Resize({side}), CenterCrop({side})" if side else "Resize((H, W))"
    grey = "Grayscale(), " if tensor.shape[1] == 1 else ""
    how = f"torchvision.transforms.Compose([{grey}{size}, ToTensor()])"
    return InputError(
        f"{error} {made} {want}: pass preprocess={how}, with the normalisation it was trained with, "
        f"or a tensor (1, {tensor.shape[1]}, {side or 'H'}, {side or 'W'})."
    )


def only_size(model: nn.Module, tensor: torch.Tensor) -> int | None:
    """The side of the only usual square that ``model`` takes; None: it takes several, or none."""
    found = None
    for side in _USUAL:
        try:
            with preserved(model, evaluate=True), torch.no_grad():
                example = fitted(model, tensor.new_zeros(1, tensor.shape[1], side, side))
                again(partial(run, model, example))
        except Exception:  # noqa: S112 - whatever is wrong with this size
            continue
        if found is not None:
            return None
        found = side
    return found


def _size_of(image: Any) -> str:
    sizes: list[tuple[int, int]] = []

    def look(picture: Any) -> torch.Tensor:
        sizes.append((picture.height, picture.width))
        return _NOTHING

    load_picture(image, preprocess=look)
    return " × ".join(map(str, sizes[0]))
