"""SmoothGrad: the gradient, averaged over noisy copies of the image."""

from __future__ import annotations

import math

import torch
from torch import nn

from cnnwidgets.core.arguments import checked_count, is_number, is_whole
from cnnwidgets.core.errors import InputError
from cnnwidgets.core.progress import ProgressCallback
from cnnwidgets.outputs.targets import Target, resolve
from cnnwidgets.running.forward import run

from .attribution import Attribution
from .engine.gradients import FLAT
from .engine.mean_gradient import mean_gradient
from .engine.values import precise
from .registry import register

MOST_SAMPLES = 1_000_000


@register(
    "smooth_grad",
    family="gradient",
    question="Which pixels is the score sensitive to, whatever small noise is on the image?",
    label="SmoothGrad",
    unit="mean gradient of the score",
)
def smooth_grad(
    model: nn.Module,
    images: torch.Tensor,
    target: Target = None,
    *,
    samples: int = 25,
    noise: float = 0.15,
    seed: int = 0,
    score: str = "logit",
    progress: ProgressCallback | bool | None = None,
    batch: int | None = None,
) -> Attribution:
    """The mean gradient of the score over copies of the image with normal noise.

    ``mean_s dS_c / dx at x + n_s`` (Smilkov et al. 2017, "SmoothGrad"), where ``c`` is the class of the image without
    noise. The noise depends on ``seed`` alone: not on the batch size, nor on the other images; torch's own generators
    are left alone.

    Args:
        model: any module that returns scores.
        images: (N, C, H, W), preprocessed.
        target: None for the predicted class, a class, one class an image, or ``outputs -> (N,)``, called with the
            outputs for as many noisy copies as are run at a time.
        samples: noisy copies of each image.
        noise: standard deviation of the noise, as a share of the image's range (largest minus smallest value).
        seed: of the noise.
        score: ``"logit"`` or ``"probability"``.
        progress: called with a :class:`~cnnwidgets.core.progress.Step` after each batch; its ``partial`` is the mean
            so far. It may raise ``Cancelled``. True: a tqdm bar.
        batch: noisy copies at a time; None: by the image's size. Halved when memory runs out.

    Returns:
        Values (N, C, H, W), signed: how fast the score grows with each input value.

    Raises:
        InputError, TargetError: the images, the target or an option do not fit.
        CnnWidgetsError: the model failed, or no gradient reaches the input.

    Example:
        >>> net = nn.Sequential(nn.Flatten(), nn.Linear(2, 1, bias=False))
        >>> _ = nn.init.constant_(net[1].weight, 3.0)
        >>> smooth_grad(net, torch.zeros(1, 1, 1, 2)).values
        tensor([[[[3., 3.]]]])
    """
    checked_count(samples, "samples", most=MOST_SAMPLES)
    if not is_number(noise) or not 0 <= noise < math.inf:
        raise InputError(f"noise is {noise!r}; expected a number of at least 0, a share of the image's range.")
    if not is_whole(seed):
        raise InputError(f"seed is {seed!r}; expected an int.")
    with torch.no_grad():
        scores, classes = resolve(target, run(model, images.clone()), score=score, batch=len(images))
    scores = scores.float().cpu()
    plain = precise(images)
    spread = noise * (plain.amax((1, 2, 3)) - plain.amin((1, 2, 3)))
    seeds = torch.randint(2**62, (samples,), generator=torch.Generator().manual_seed(seed)).tolist()

    def noisy(index: int, number: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seeds[number])
        drawn = torch.randn(plain.shape[1:], generator=generator, dtype=torch.float64)
        return plain[index] + spread[index] * drawn.to(plain)

    def result(mean: torch.Tensor, notes: tuple[str, ...]) -> Attribution:
        return Attribution(mean.float().cpu(), "smooth_grad", classes, None, scores, notes)

    mean, notes = mean_gradient(
        model, images, classes, score, noisy, [1.0] * samples, batch=batch, progress=progress, result=result
    )
    return result(mean, (*notes, *(() if bool(mean.any()) else (FLAT,))))
