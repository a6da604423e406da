"""Occlusion: what the model says when a part of the image is covered."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import nn

from cnnwidgets.core.arguments import checked_batch, is_number
from cnnwidgets.core.errors import CnnWidgetsError, InputError
from cnnwidgets.core.progress import Meter, ProgressCallback
from cnnwidgets.explainers.engine.patches import Pair, checked_pair, filling, starts
from cnnwidgets.explainers.registry import register
from cnnwidgets.outputs.targets import Target

from .cover import Covering, mask_of
from .result import Occlusion
from .sweep import APPROXIMATE_SHARE, Plan, Sweep

__all__ = ["Occlusion", "occlusion"]

Score = Literal["probability", "logit"]
Fill = float | Sequence[float] | torch.Tensor | Literal["mean", "blur"]


@register(
    "occlusion",
    family="perturbation",
    question="Which parts does the score need: what if they are covered?",
    unit="drop of the score when hidden",
)
def occlusion(
    model: nn.Module,
    images: torch.Tensor,
    target: Target = None,
    *,
    patch: int | Pair = 16,
    stride: int | Pair = 8,
    fill: Fill = 0.0,
    score: Score = "probability",
    shape: Any = "square",
    engine: str = "auto",
    order: Literal["coarse", "rows"] = "coarse",
    approximate: bool | float = False,
    tolerance: float | None = None,
    batch: int | None = None,
    progress: ProgressCallback | bool | None = None,
) -> Occlusion:
    """Slide a patch over the image and note the score.

    ``values[y, x] = S(image) - mean of S(image with a patch) over the patches that cover (y, x)``
    (after Zeiler and Fergus 2014, "Visualizing and understanding convolutional networks", section 4.2).
    The scores of all classes are kept: :meth:`Occlusion.for_target` gives the map of another class at no cost.

    Args:
        model: any module that returns scores.
        images: (N, C, H, W), preprocessed.
        target: None for the predicted class, a class, one class an image, or ``outputs -> (N,)``, which is called on
            batches of edited images; then its score alone is kept.
        patch: pixels, an int or (height, width).
        stride: pixels, an int or (height, width). Places begin at 0; a last one is put flush with the edge, so that
            every pixel is covered when ``stride <= patch``. With a larger stride, pixels in between are NaN.
        fill: what the patch shows, in the units of the model's input: a number, one number a channel, a picture
            (C, H, W) that is seen through the patch, "mean" (of each channel of the image) or "blur" (the image under
            a Gaussian with a sigma of half the patch).
        score: "probability" or "logit". A callable target decides by itself.
        shape: "square", "disc", or a mask (height, width) of booleans, True where the patch replaces the image.
        engine: "incremental" recomputes only what a patch changes (see :class:`~cnnwidgets.incremental.Edited`) and
            raises where the model does not allow it; "full" runs the whole model for each place; "auto" tries the
            first and falls back to the second, with a note. The scores are the same.
        order: "coarse": a sparse grid first, then where neighbours disagree. "rows": row by row.
        approximate: measure only this share of the places, True for 0.4, chosen where they are hard to predict, and
            estimate the others by kriging; the estimated error is in ``notes``. On maps of an EfficientNet-Lite0 with
            patches of 16 and a stride of 8, True gave a structural similarity to the exact grid of about 0.9.
            Grids of fewer than 25 places are always measured.
        tolerance: instead, measure until the estimated error of the others (root mean square) is at most this share of
            the largest change of the score, 0.05, say, or until ``approximate``'s share, if that is given, is reached.
        batch: edited images at a time; None: by the engine. Halved when memory runs out.
        progress: a callback, given a :class:`~cnnwidgets.core.progress.Step` after each batch; its ``partial`` is the
            Occlusion so far, interpolated where nothing is ``known`` yet. It may raise ``Cancelled``; the last
            ``partial`` stays valid. True: a tqdm bar.

    Raises:
        InputError: an option is out of range, or the patch is larger than the image.
        CnnWidgetsError: the model failed, or the images of a batch influence one another in it.
        TargetError: the target does not fit the model.

    Example:
        >>> net = nn.Sequential(nn.Flatten(), nn.Linear(4, 1, bias=False))
        >>> _ = net[1].weight.data.copy_(torch.tensor([[1.0, 2.0, 3.0, 4.0]]))
        >>> occlusion(net, torch.ones(1, 1, 2, 2), patch=1, stride=1).values
        tensor([[[1., 2.],
                 [3., 4.]]])
    """
    if engine not in ("auto", "incremental", "full"):
        raise CnnWidgetsError(f'engine is {engine!r}; expected "auto", "incremental" or "full".')
    if order not in ("coarse", "rows"):
        raise InputError(f'order is {order!r}; expected "coarse" or "rows".')
    size, patch = (images.shape[2], images.shape[3]), checked_pair(patch, "patch")
    if patch[0] > size[0] or patch[1] > size[1]:
        raise InputError(
            f"The patch is {patch[0]}x{patch[1]} pixels (height x width), larger than the image, {size[0]}x{size[1]}. "
            "Pass a smaller patch."
        )
    share, tolerance = _checked_share(approximate), _checked_tolerance(tolerance)
    stride = checked_pair(stride, "stride")
    tops, lefts = (starts(*sides) for sides in zip(size, patch, stride, strict=True))
    plan = Plan(
        covering=Covering(tops, lefts, patch, mask_of(shape, patch), size),
        stride=stride,
        score=score,
        engine=engine,
        batch=checked_batch(batch),
        share=share,
        tolerance=tolerance,
        # Nobody looks on: then neighbours are run together, which is a little faster.
        by_rows=share == 1 and tolerance is None and (order == "rows" or not callable(progress)),
    )
    sweep = Sweep(model, images, target, filling(images, fill, patch), plan)
    with Meter(progress, plan.most * len(images)) as meter:
        for index in range(len(images)):
            before = meter.done
            for more in sweep.of_image(index):
                meter.advance(more, sweep.result() if callable(progress) else None)
            if skipped := before + plan.most - meter.done:  # the tolerance was reached
                meter.total -= skipped
    return replace(sweep.result(), fill=_fill_in_words(fill))


def _fill_in_words(fill: Any) -> str:
    """A ``fill`` for a reader."""
    if isinstance(fill, str):
        return fill
    if isinstance(fill, int | float):
        return f"{fill:g}"
    numbers = torch.as_tensor(fill)
    return "a picture" if numbers.ndim > 1 else ", ".join(f"{value:g}" for value in numbers.reshape(-1).tolist())


def _checked_share(approximate: Any) -> float:
    if isinstance(approximate, bool):
        return APPROXIMATE_SHARE if approximate else 1.0
    if not isinstance(approximate, int | float) or not 0 < approximate <= 1:
        raise InputError(f"approximate is {approximate!r}; expected True, False, or a share of the places, 0 to 1.")
    return float(approximate)


def _checked_tolerance(tolerance: Any) -> float | None:
    if tolerance is None:
        return None
    if not is_number(tolerance) or not 0 <= tolerance < math.inf:
        raise InputError(f"tolerance is {tolerance!r}; expected a share of the largest change, such as 0.05, or None.")
    return float(tolerance)
