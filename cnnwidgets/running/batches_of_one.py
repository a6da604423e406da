"""Networks whose maths allow one image only, such as ``x.view(1, -1)``: found out by running them."""

from __future__ import annotations

import re

import torch
from torch import nn

from cnnwidgets.core.errors import Cancelled, InputError, TargetError, is_out_of_memory
from cnnwidgets.outputs.scores import score_tensor
from cnnwidgets.state.preserved import preserved

from .forward import run

ONE_BY_ONE = "the network takes one image at a time: batches are run one by one"
_SHAPES = re.compile("shape|size|dimension|batch|expand", re.IGNORECASE)
_SIZES = (2, 3, 4, 5, 6, 8, 10, 12, 16)
"""Fixed batch sizes that are looked for."""


def may_be_the_batch(error: BaseException) -> bool:
    """Whether fewer images at a time might have worked, although the memory was enough."""
    return not isinstance(error, Cancelled) and not is_out_of_memory(error)


def takes_one_image(model: nn.Module, images: torch.Tensor) -> bool:
    """Whether ``images`` (N, C, H, W) together fail, or give another number of rows, and the first alone does not.

    Example:
        >>> net = nn.Sequential(nn.Unflatten(0, (1, -1)), nn.Flatten(), nn.Linear(4, 2))
        >>> takes_one_image(net, torch.ones(3, 1, 2, 2)), takes_one_image(net[1:], torch.ones(3, 1, 2, 2))
        (True, False)
    """
    return len(images) > 1 and not _runs(model, images) and _runs(model, images[:1])


def fixed_batch(model: nn.Module, images: torch.Tensor, error: BaseException) -> int | None:
    """The number of images at a time that ``model`` takes, where it takes neither these nor one of them."""
    cause = error.__cause__
    if not isinstance(cause, AssertionError) and _SHAPES.search(str(cause or "")) is None:
        return None
    if _runs(model, images) or _runs(model, images[:1]):
        return None
    return next((size for size in _SIZES if _runs(model, images[:1].repeat(size, 1, 1, 1))), None)


def refuse_several(model: nn.Module, images: torch.Tensor, error: BaseException) -> None:
    """To be asked where running ``images`` raised ``error``.

    Raises:
        InputError: the network takes one image at a time, or another fixed number; says what to pass.
    """
    if takes_one_image(model, images):
        raise InputError(
            f"The network takes one image at a time, and got {len(images)}. Pass them one after the other: "
            "images[:1], images[1:2], ..."
        )
    size = fixed_batch(model, images, error)
    if size is not None:
        raise InputError(
            f"The network takes {size} images at a time, and got {len(images)}: its forward has the number written in. "
            f"Edits of an image need any number; use x.size(0), or -1, in place of {size} in its forward."
        )


def _runs(model: nn.Module, images: torch.Tensor) -> bool:
    """Whether it runs, and returns a row of scores for each image, if its outputs say of how many images they speak."""
    try:
        with torch.no_grad(), preserved(model, evaluate=True):
            scores = score_tensor(run(model, images.clone()))
    except Exception as error:
        if not may_be_the_batch(error):
            raise
        return isinstance(error, TargetError)  # it ran, and returned no tensor of scores
    return scores.ndim < 2 or len(scores) == len(images)
