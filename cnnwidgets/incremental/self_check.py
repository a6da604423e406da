"""The engine beside the whole model, and whether the model allows them to be compared."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from cnnwidgets.running.batches_of_one import may_be_the_batch

from .agreement import MORE_ROUNDING, NOT_DETERMINISTIC, difference, limit, outputs_differ, refuse_if_edits_meet
from .edited_model import EditedModel
from .engine import Engine
from .patches import PatchEdits, PatchLayer
from .run import EditRun
from .score_reader import ScoreReader


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
        return self._is_silent(apart if apart > limit(base, repeated) else None)

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
            in_full = engine.in_full(PatchEdits([PatchLayer(images, corner, corner)]))[1 : 1 + len(sample)]
        else:
            in_full = torch.cat([engine.in_full(edits.some(np.array([index]))) for index in sample])
        apart = difference(scores[sample], in_full)
        return None if apart <= limit(base, in_full) else apart

    def may_be_rounding(self, apart: float) -> bool:
        """Whether the whole model's outputs move as much with the layout in memory: some networks magnify rounding."""
        read = self._reader.compared
        by_layout = outputs_differ(read(self.alone()), read(self._model.otherwise_laid()))
        return apart <= MORE_ROUNDING * (by_layout or 0.0)

    def refuse_if_images_meet(self, base: torch.Tensor) -> None:
        """Score the image, whose scores are ``base`` (1, classes), beside another one.

        Raises:
            CnnWidgetsError: the images of a batch influence one another.
        """
        for index in (0, 1):  # some look at what stands before only
            pair = [self._unlike(), self._unlike()]
            pair[index] = self._model.start
            try:
                together = self._reader.table(self._model.on_pictures(torch.cat(pair)), 2)
            except Exception as error:
                if not may_be_the_batch(error):
                    raise
                return  # it takes one image at a time
            if self.noise is None:
                refuse_if_edits_meet(base, base, together[index : index + 1])

    def _unlike(self) -> torch.Tensor:
        """Another image, very different from this one."""
        return 1 - 2 * self._model.start.flip(-1)
