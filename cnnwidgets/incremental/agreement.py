"""Does what the engine computes equal the full forward, and does the model allow the comparison?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from cnnwidgets.core.errors import CnnWidgetsError
from cnnwidgets.core.nested import tensors
from cnnwidgets.running.batches_of_one import may_be_the_batch
from cnnwidgets.running.rounding import product_rounding

from .edited_model import EditedModel
from .engine import Engine
from .patches import PatchEdits, PatchLayer
from .run import EditRun
from .score_reader import ScoreReader

SHARE = 1e-4
"""The largest difference allowed, as a share of the score range."""
_ROUNDINGS = 64
_ROUNDINGS_OF_TF32 = 2.5
"""Five times what most networks' scores differ by on a GPU in batches of another size; others magnify rounding more."""
MORE_ROUNDING = 4
"""By how much two ways of computing may differ more than two others, where a network magnifies rounding."""


def tolerance(size: float, dtype: torch.dtype, device: torch.device) -> float:
    """The largest difference that is taken for rounding between scores of ``size``, in ``dtype``, of a ``device``."""
    roundings = _ROUNDINGS if dtype.itemsize < 4 else _ROUNDINGS_OF_TF32
    return size * max(SHARE, roundings * product_rounding(dtype, device))


def limit(base: torch.Tensor, scores: torch.Tensor, device: torch.device) -> float:
    """The same for two computations of ``scores`` (K, classes), of an image whose own scores are ``base``."""
    values = torch.cat([base, scores]).double()
    values = values[values.isfinite().all(1)]
    if not len(values):
        return 0.0
    spread = float((values.amax(1) - values.amin(1)).max()) or float(values.abs().max())
    return tolerance(spread, scores.dtype, device)


def difference(scores: torch.Tensor, others: torch.Tensor) -> float:
    """The largest, where not both are the same infinity or not-a-number."""
    left, right = scores.double(), others.double()
    apart = (left - right).abs()
    same = (left == right) | (left.isnan() & right.isnan())
    return float(apart.masked_fill(same, 0.0).nan_to_num(nan=torch.inf).max()) if apart.numel() else 0.0


def outputs_differ(outputs: Any, others: Any) -> float | None:
    """The largest difference between what a model returned in two ways that is no rounding; None: there is none.

    Whole numbers and booleans are not compared: rounding decides between neighbours.
    """
    return next((apart for apart, allowed in _differences(outputs, others) if apart > allowed), None)


def _differences(outputs: Any, others: Any) -> Iterator[tuple[float, float]]:
    """Of each tensor the largest difference, and how much of it may be rounding."""
    pairs = [[value for value in tensors(each) if value.is_floating_point()] for each in (outputs, others)]
    if [value.shape for value in pairs[0]] != [value.shape for value in pairs[1]]:
        yield torch.inf, 0.0
        return
    for left, right in zip(*pairs, strict=True):
        finite = (left.isfinite() & right.isfinite()).flatten()
        row, other = left.flatten()[None], right.flatten()[None]
        allowed = limit(row[:, finite], other[:, finite], row.device) if bool(finite.any()) else 0.0
        yield difference(row, other), allowed


INFLUENCE_ONE_ANOTHER = (
    "The images of a batch influence one another in this model, also in evaluation mode: a score differs by {:.2g} "
    "when another image is in the batch (batch normalisation with batch statistics does this). Edits cannot be "
    "compared this way; use the running statistics, as model.eval() does for nn.BatchNorm2d."
)
NOT_DETERMINISTIC = (
    "the model is not deterministic in evaluation mode: two runs on the same image differ by {:.2g} (dropout left in "
    "training mode does this); differences between edits include that noise"
)


class SelfCheck:
    """Runs of the whole model that the engine's scores are held against.

    Attributes:
        noise: what to say of a model that is not deterministic.
    """

    def __init__(self, model: EditedModel, reader: ScoreReader) -> None:
        self._model, self._reader = model, reader
        self.noise: str | None = None

    def alone(self) -> Any:
        """What the model returns for the unedited image, run in full."""
        return self._model.on_pictures(self._model.start.clone())

    def is_deterministic(self, base: torch.Tensor) -> bool:
        """Whether another run in full gives the scores ``base`` (1, classes) of the image again."""
        repeated = self._reader.table(self.alone(), 1)
        apart = difference(base, repeated)
        return self._is_silent(apart if apart > self._limit(base, repeated) else None)

    def returns_again(self, outputs: Any) -> bool:
        """The same for all that the model returned for the image, whether scores are known or not."""
        read = self._reader.compared
        return self._is_silent(outputs_differ(read(outputs), read(self.alone())))

    def _is_silent(self, noise: float | None) -> bool:
        if noise is not None:
            self.noise = NOT_DETERMINISTIC.format(noise)
        return noise is None

    def distance(
        self, engine: Engine, edits: PatchEdits, scores: torch.Tensor, run: EditRun, base: torch.Tensor
    ) -> float | None:
        """How far two edits, or the only one, are from the full forward; None: no farther than by rounding.

        Args:
            scores, run: (B, classes) of ``edits`` by the engine, and the run that gave them.
            base: (1, classes), of the unedited image.
        """
        count = len(edits)
        sample = [0, count // 2] if count > 1 else [0]
        if run.mixes_batch and not run.reads:
            # In a model whose images meet, unlike neighbours move the scores; so does another size of the batch.
            unlike = [self._unlike()] * (3 if count == len(sample) + 3 else 2)
            start = self._model.start
            images = torch.cat([self._unlike(), edits.some(np.array(sample)).images(start), *unlike])
            corner = np.zeros(len(images), np.int64)
            in_full = engine.in_full(PatchEdits([PatchLayer(images, corner, corner)]).batch(self._model))[
                1 : 1 + len(sample)
            ]
        else:
            batch = edits.batch(self._model)
            in_full = torch.cat([engine.in_full(batch.some([index])) for index in sample])
        apart = difference(scores[sample], in_full)
        return None if apart <= self._limit(base, in_full) else apart

    def may_be_rounding(self, apart: float) -> bool:
        """Whether the whole model's outputs move as much with the layout in memory: some networks magnify rounding."""
        read = self._reader.compared
        by_layout = _differences(read(self.alone()), read(self._model.otherwise_laid()))
        return apart <= MORE_ROUNDING * max((moved for moved, _ in by_layout), default=0.0)

    def refuse_if_images_meet(self, base: torch.Tensor) -> None:
        """Score the image, whose scores are ``base`` (1, classes), beside another one.

        Raises:
            CnnWidgetsError: the images of a batch influence one another.
        """
        for index in (0, 1):  # some look at what stands before only
            pair = [self._unlike(), self._unlike()]
            pair[index] = self._model.start
            try:
                scores = self._in_pair(pair, index)
            except Exception as error:
                if not may_be_the_batch(error):
                    raise
                return  # it takes one image at a time
            apart = difference(base, scores)
            if self.noise is None and apart > self._limit(base, base) and not self._rounds(base, scores, index):
                raise CnnWidgetsError(INFLUENCE_ONE_ANOTHER.format(apart))

    def _rounds(self, base: torch.Tensor, scores: torch.Tensor, index: int) -> bool:
        """Whether ``scores``, beside another image, are those beside itself, and ``base`` is no farther than rounding.

        Batches of two sizes may be computed in two ways.
        """
        beside_itself, allowed = self._in_pair([self._model.start] * 2, index), self._limit(base, base)
        apart = difference(base, beside_itself)
        return difference(beside_itself, scores) <= allowed and (apart <= allowed or self.may_be_rounding(apart))

    def _in_pair(self, pair: list[torch.Tensor], index: int) -> torch.Tensor:
        return self._reader.table(self._model.on_pictures(torch.cat(pair)), 2)[index : index + 1]

    def _limit(self, base: torch.Tensor, scores: torch.Tensor) -> float:
        return limit(base, scores, self._model.start.device)

    def _unlike(self) -> torch.Tensor:
        """Another image, very different from this one."""
        return 1 - 2 * self._model.start.flip(-1)
