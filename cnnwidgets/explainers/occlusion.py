"""Occlusion: what the model says when a part of the image is covered."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from cnnwidgets.core.errors import CnnWidgetsError, InputError, TargetError
from cnnwidgets.core.forward import run
from cnnwidgets.core.progress import Meter, ProgressCallback
from cnnwidgets.core.results import Attribution
from cnnwidgets.core.targets import Target, are_probabilities, class_scores, resolve

from ._batches import Batches, Place, estimated_batch
from ._patches import Pair, coarse_to_fine, cover, covering_mean, filling, pair, starts
from ._registry import register

Score = Literal["probability", "logit"]
NO_REACTION = 1e-5
"""Changes of the score below this share of it are reported: the map then shows little but rounding."""
Fill = float | Sequence[float] | Literal["mean", "blur"]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Occlusion(Attribution):
    """An occlusion map, and what was measured for it.

    Attributes:
        values: (N, H, W) float32: the score of the whole image minus the mean score of the patches that cover a pixel.
            Positive: covering it costs the target score. NaN where no patch was (yet) put.
        grid: (N, rows, cols) float32, the target's score with the patch at each place; NaN where not (yet) known.
        predicted: (N, rows, cols) int64, the class with the highest score there; -1 where not (yet) known.
        baseline: (N,) float32, the target's score for the whole image; the same as ``scores``.
        positions: (top, left) in pixels of each place, row by row: place (r, c) is ``positions[r * cols + c]``.
        patch: (height, width) in pixels.
    """

    grid: torch.Tensor
    predicted: torch.Tensor
    baseline: torch.Tensor
    positions: tuple[Place, ...]
    patch: Pair

    @property
    def counts(self) -> dict[int, torch.Tensor]:
        """Class -> at how many places it was predicted, an int64 tensor (N,); the most frequent class first."""
        known = self.predicted.flatten(1)
        total = Counter(known[known >= 0].tolist())
        return {index: (known == index).sum(1) for index, _ in total.most_common()}


@register("occlusion", family="perturbation", question="Which parts does the score need: what if they are covered?")
def occlusion(
    model: nn.Module,
    images: torch.Tensor,
    target: Target = None,
    *,
    patch: int | Pair = 16,
    stride: int | Pair = 8,
    fill: Fill = 0.0,
    score: Score = "probability",
    engine: str = "auto",
    progress: ProgressCallback | bool | None = None,
    batch: int | None = None,
) -> Occlusion:
    """Slide a patch over the image and note the score.

    ``values[y, x] = S(image) - mean of S(image with a patch) over the patches that cover (y, x)``
    (after Zeiler and Fergus 2014, "Visualizing and understanding convolutional networks", section 4.2).

    Args:
        model: any module that returns scores.
        images: (N, C, H, W), preprocessed.
        target: None for the predicted class, a class, one class an image, or ``outputs -> (N,)``, which is called on
            batches of edited images.
        patch: pixels, an int or (height, width).
        stride: pixels, an int or (height, width). Places begin at 0; a last one is put flush with the edge, so that
            every pixel is covered when ``stride <= patch``. With a larger stride, pixels in between are NaN.
        fill: what the patch shows, in the units of the model's input: a number, one number a channel, "mean" (of each
            channel of the image) or "blur" (the image under a Gaussian with a sigma of half the patch).
        score: "probability" or "logit". A callable target decides by itself.
        engine: "full" runs the whole model for each place; "auto" chooses, in this version always "full".
        progress: a callback, given a :class:`~cnnwidgets.core.progress.Step` after each batch; its ``partial`` is the
            Occlusion so far, coarse places first. It may raise ``Cancelled``. True: a tqdm bar.
        batch: edited images at a time; None: by the image's size. Halved when memory runs out.

    Raises:
        InputError: an option is out of range, or the patch is larger than the image.
        CnnWidgetsError, TargetError: the model failed, or the target does not fit it.

    Example:
        >>> net = nn.Sequential(nn.Flatten(), nn.Linear(4, 1, bias=False))
        >>> _ = net[1].weight.data.copy_(torch.tensor([[1.0, 2.0, 3.0, 4.0]]))
        >>> occlusion(net, torch.ones(1, 1, 2, 2), patch=1, stride=1).values
        tensor([[[1., 2.],
                 [3., 4.]]])
    """
    if engine not in ("auto", "full"):
        known = " is not in this version" if engine == "incremental" else ""
        raise CnnWidgetsError(f'engine is {engine!r}, which{known or " is not known"}; pass "auto" or "full".')
    sweep = _Sweep(model, images, target, score, pair(patch, "patch"), pair(stride, "stride"))
    fillings = filling(images, fill, sweep.patch)
    places, live = len(sweep.places), callable(progress)
    batches = Batches(_batch_size(batch, images, places))
    order = coarse_to_fine(*sweep.grid.shape[1:]) if live else list(range(places))
    with Meter(progress, places * len(images)) as meter:
        for index, image in enumerate(images):
            visits = [sweep.places[place] for place in order]
            measure = functools.partial(sweep.measure, index)
            for part, (scores, classes) in batches.sweep(image, fillings[index], visits, sweep.patch, measure):
                sweep.learn(index, order[part], scores, classes)
                meter.advance(len(scores), sweep.result() if live else None)
    return sweep.result()


def _batch_size(batch: Any, images: torch.Tensor, places: int) -> int:
    if batch is None:
        return estimated_batch(images[0], places)
    if not isinstance(batch, int) or isinstance(batch, bool) or batch < 1:
        raise InputError(f"batch is {batch!r}; expected an int of at least 1, or None.")
    return min(batch, places)


class _Sweep:
    """What is asked of the model, and what it has answered so far."""

    def __init__(
        self, model: nn.Module, images: torch.Tensor, target: Target, score: Score, patch: Pair, stride: Pair
    ) -> None:
        height, width = images.shape[2:]
        if patch[0] > height or patch[1] > width:
            raise InputError(
                f"The patch is {patch[0]}x{patch[1]} pixels (height x width), larger than the image, {height}x{width}. "
                "Pass a smaller patch."
            )
        tops, lefts = starts(height, patch[0], stride[0]), starts(width, patch[1], stride[1])
        self.model, self.patch = model, patch
        self.places: list[Place] = [(top, left) for top in tops for left in lefts]
        self.rows, self.cols = cover(tops, patch[0], height), cover(lefts, patch[1], width)
        self.grid = torch.full((len(images), len(tops), len(lefts)), torch.nan)
        self.predicted = torch.full(self.grid.shape, -1)
        self.known = torch.zeros(self.grid.shape, dtype=torch.bool)
        with torch.no_grad():
            outputs = run(model, images.clone())
            scores, self.chosen = resolve(target, outputs, score=score, batch=len(images))
        self.baseline = scores.float().cpu()
        try:
            table = class_scores(outputs, batch=len(images))
        except TargetError:  # a segmentation map, say, explained by a callable
            self.has_classes = self.softmax = False
        else:
            # Decided once: a batch of edits whose logits happen to look like probabilities must not switch it.
            self.has_classes, several = True, table.shape[1] > 1
            self.softmax = score == "probability" and several and not are_probabilities(table)

    def measure(self, index: int, edited: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Scores and predicted classes, (B,) each, of edits (B, C, H, W) of image ``index``."""
        with torch.no_grad():
            outputs = run(self.model, edited)
            classes = torch.full((len(edited),), -1)
            if self.has_classes:
                table = class_scores(outputs, batch=len(edited))
                classes = table.argmax(1).cpu()
            if callable(self.chosen):
                scores, _ = resolve(self.chosen, outputs, batch=len(edited))
            else:
                if self.softmax:
                    table = table.softmax(1, dtype=None if table.dtype == torch.float64 else torch.float32)
                scores = table[:, self.chosen[index]]
            return scores.float().cpu(), classes

    def learn(self, index: int, places: list[int], scores: torch.Tensor, classes: torch.Tensor) -> None:
        """Keep the answers for some places (row-major) of image ``index``."""
        self.grid[index].view(-1)[places] = scores
        self.predicted[index].view(-1)[places] = classes
        self.known[index].view(-1)[places] = True

    def result(self) -> Occlusion:
        """The map of what is known by now; later answers do not change it."""
        grid = self.grid.clone()
        return Occlusion(
            values=(
                self.baseline.double()[:, None, None] - covering_mean(grid, self.known, self.rows, self.cols)
            ).float(),
            method="occlusion",
            target=self.chosen,
            layer=None,
            scores=self.baseline,
            notes=tuple(self._notes()),
            grid=grid,
            predicted=self.predicted.clone(),
            baseline=self.baseline,
            positions=tuple(self.places),
            patch=self.patch,
        )

    def _notes(self) -> Iterator[str]:
        unknown = int((~self.known).sum())
        if unknown:
            yield f"partial: {self.grid.numel() - unknown} of {self.grid.numel()} places are known"
        if not self.has_classes:
            yield "the model returns no class scores, so no predicted classes are given"
        missed = int((~(self.rows.any(0)[:, None] & self.cols.any(0))).sum())
        if missed:
            yield f"the stride is larger than the patch: {missed} pixels are never covered and have no value (NaN)"
        if not unknown:
            change = (self.grid - self.baseline[:, None, None]).flatten(1).abs().amax(1)
            for index in (change <= NO_REACTION * self.baseline.abs()).nonzero().flatten().tolist():
                which = f" of image {index}" if len(change) > 1 else ""
                yield f"covering parts{which} hardly changes the score: by {float(change[index]):.2g} at most"
