"""Integrated gradients: the score's change since a baseline image, shared out among the input values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from cnnwidgets.core.arguments import checked_count
from cnnwidgets.core.errors import InputError
from cnnwidgets.core.progress import ProgressCallback
from cnnwidgets.outputs.targets import Target, resolve
from cnnwidgets.running.forward import run

from .attribution import Attribution
from .engine.mean_gradient import mean_gradient
from .engine.patches import blurred
from .engine.values import precise
from .registry import register

Baseline = float | Sequence[float] | torch.Tensor | Literal["mean", "blur"]
MOST_STEPS = 2_000
"""The rule's points are the eigenvalues of a matrix of steps x steps."""
LARGE_GAP = 0.05
"""From this share of the score's change on, more steps are advised."""


@register(
    "integrated_gradients",
    family="gradient",
    question="What does each input value add to the score, compared with a baseline image?",
    unit="part of the score's change",
)
def integrated_gradients(
    model: nn.Module,
    images: torch.Tensor,
    target: Target = None,
    *,
    baseline: Baseline = 0.0,
    steps: int = 50,
    score: str = "logit",
    progress: ProgressCallback | bool | None = None,
    batch: int | None = None,
) -> Attribution:
    """The mean gradient on the straight way from a baseline to the image, times their difference.

    ``(x - b) * integral over a in [0, 1] of dS_c / dx at b + a (x - b)`` (Sundararajan et al. 2017, "Axiomatic
    attribution for deep networks"), with the Gauss-Legendre rule of ``steps`` points. Exactly integrated, the values
    add up to ``S_c(x) - S_c(b)``; by how much they do not is in the notes.

    Args:
        model: any module that returns scores.
        images: (N, C, H, W), preprocessed.
        target: None for the predicted class, a class, one class an image, or ``outputs -> (N,)``, called with the
            outputs for as many points as are run at a time.
        baseline: a number in units of the model's input; one number a channel; a tensor (C, H, W) or (N, C, H, W);
            ``"mean"``, the mean colour of each image; or ``"blur"``, each image under a Gaussian of an eighth of its
            shorter side.
        steps: points on the way, 2,000 at most.
        score: ``"logit"`` or ``"probability"``.
        progress: called with a :class:`~cnnwidgets.core.progress.Step` after each batch; its ``partial`` is the
            estimate so far. It may raise ``Cancelled``. True: a tqdm bar.
        batch: points at a time; None: by the image's size. Halved when memory runs out.

    Returns:
        Values (N, C, H, W), signed, in units of the score.

    Raises:
        InputError, TargetError: the images, the target or an option do not fit.
        CnnWidgetsError: the model failed, or no gradient reaches the input.

    Example:
        >>> net = nn.Sequential(nn.Flatten(), nn.Linear(2, 1, bias=False))
        >>> _ = nn.init.constant_(net[1].weight, 3.0)
        >>> result = integrated_gradients(net, torch.tensor([[[[2.0, -1.0]]]]), baseline=1.0)
        >>> result.values.round(decimals=4)
        tensor([[[[ 3., -6.]]]])
        >>> result.notes
        ('sum of attributions differs from the score difference by 0 %',)
    """
    checked_count(steps, "steps", most=MOST_STEPS)
    begin = _baseline(images, baseline)
    difference = precise(images) - begin
    with torch.no_grad():
        scores, classes = resolve(target, run(model, images.clone()), score=score, batch=len(images))
        before, _ = resolve(classes, run(model, begin.to(images.dtype).clone()), score=score, batch=len(images))
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    points: list[float] = ((nodes + 1) / 2).tolist()

    def on_the_way(index: int, number: int) -> torch.Tensor:
        return begin[index] + points[number] * difference[index]

    def result(mean: torch.Tensor, notes: tuple[str, ...]) -> Attribution:
        values = (difference * mean).float().cpu()
        return Attribution(values, "integrated_gradients", classes, None, scores.float().cpu(), notes)

    mean, notes = mean_gradient(
        model, images, classes, score, on_the_way, weights.tolist(), batch=batch, progress=progress, result=result
    )
    total = (difference * mean).sum((1, 2, 3), dtype=torch.float64).cpu()
    change = scores.double().cpu() - before.double().cpu()
    return result(mean, (*notes, *_gap(total, change, scores)))


def _gap(total: torch.Tensor, change: torch.Tensor, scores: torch.Tensor) -> list[str]:
    """How far the values are from adding up, for the worst image."""
    gaps = (total - change).abs()
    # Below this, the two scores are the same but for rounding, and a share of their difference means nothing.
    resolution = 8 * torch.finfo(scores.dtype).eps * scores.double().abs().cpu()
    shares = gaps / change.abs()
    usable = shares.isfinite()
    if not bool(usable.any()):
        finite = gaps[gaps.isfinite()]
        return [_unchanged_note(float(finite.max()))] if len(finite) else []
    worst = int(shares.masked_fill(~usable, -1.0).argmax())
    if float(change[worst].abs()) <= float(resolution[worst]):
        return [_unchanged_note(float(gaps[worst]))]
    share = float(shares[worst])
    which = f" for image {worst}, the most" if len(shares) > 1 else ""
    advice = "; more steps would bring them closer" if share > LARGE_GAP else ""
    percent = "0" if share < 1e-6 else f"{100 * share:.2g}" if share < 1 else f"{100 * share:.0f}"
    return [f"sum of attributions differs from the score difference by {percent} %{which}{advice}"]


def _unchanged_note(gap: float) -> str:
    return f"the baseline has the same score as the image; the sum of attributions differs from 0 by {gap:.2g}"


def _baseline(images: torch.Tensor, baseline: Any) -> torch.Tensor:
    """(N, C, H, W), in at least float32."""
    plain = precise(images)
    if isinstance(baseline, str):
        if baseline == "mean":
            return plain.mean((2, 3), keepdim=True).expand_as(plain)
        if baseline == "blur":
            soft: torch.Tensor = blurred(plain, min(plain.shape[2:]) / 8)
            return soft
        raise InputError(f'baseline is {baseline!r}; expected "mean", "blur", numbers or a tensor.')
    try:
        values = torch.as_tensor(baseline, dtype=plain.dtype, device=plain.device).detach()
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            f'baseline is {baseline!r}; expected a number, one number a channel, a tensor, "mean" or "blur".'
        ) from error
    if values.ndim == 1 and len(values) in (1, plain.shape[1]):
        values = values[:, None, None]
    fits = values.shape in (torch.Size(()), torch.Size((1, 1, 1)), plain.shape, plain.shape[1:])
    if not fits and values.shape not in ((plain.shape[1], 1, 1), (1, *plain.shape[1:])):
        raise InputError(
            f"baseline has shape {tuple(values.shape)}, the images {tuple(plain.shape)}; expected a number, one number "
            "a channel, or a tensor (C, H, W) or (N, C, H, W) of the same size as the images."
        )
    if not bool(values.isfinite().all()):
        raise InputError("baseline holds NaN or infinite values; expected finite numbers, in units of the input.")
    return values.expand_as(plain)
