"""Scores of one image where a layer returns other maps than it does."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn

from cnnwidgets.running.batches_of_one import ONE_BY_ONE
from cnnwidgets.tracing.layouts.token_layout import AnyForm

from .agreement import difference, tolerance
from .edited_model import EditedModel
from .engine import EditBatch, Engine, EngineFailed, ReadScores
from .layer_call import Functions
from .work import Work

Maps = Callable[[Sequence[int]], torch.Tensor]
"""The edits with these numbers, as maps (B, C, H, W) that nobody else holds."""


class LayerEdits:
    """A model as a function of all that one call of a layer returns, for one image.

    What does not depend on the layer is computed once, by the engine of :class:`~.edited.Edited`. The first scores
    are compared with those of the whole model, which takes over where they differ.

    Args:
        image: (1, C, H, W).
        layer: the layer's dotted name, or that of a torch call.
        call: which of its calls, from 0.
        read: what to take of the model's output.
        functions: the model's torch calls that are layers, if the layer may be one of them.
        form: how the layer's output holds the maps, if not as they are.
        scale: a size of scores, of which rounding may be a share; that of the scores themselves counts too.
        in_full: edits at a time where the whole model runs.

    Attributes:
        reused: whether what precedes the layer is not computed again.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Flatten(), nn.Linear(2, 1, bias=False))
        >>> _ = net[2].weight.data.copy_(torch.tensor([[3.0, 1.0]]))
        >>> edits = LayerEdits(net, torch.zeros(1, 1, 1, 1), "0", 0, read=lambda outputs, _: outputs[:, 0])
        >>> edits.scores([0, 1], lambda now: torch.eye(2)[now, :, None, None])
        tensor([3., 1.])
    """

    def __init__(
        self,
        model: nn.Module,
        image: torch.Tensor,
        layer: str,
        call: int,
        *,
        read: ReadScores,
        functions: Functions | None = None,
        form: AnyForm | None = None,
        scale: float = 0.0,
        in_full: int = 8,
    ) -> None:
        self._engine = Engine(EditedModel(model, image, layer, call, functions=functions, form=form), read)
        self._scale, self._in_full = scale, in_full
        self._checked, self.reused = False, True

    @property
    def work(self) -> Work:
        """Multiply-adds that the engine did."""
        return self._engine.work

    @property
    def takes_one(self) -> bool:
        """Whether the model takes one image at a time, so that the edits were run one by one."""
        return self._engine.one_by_one == ONE_BY_ONE

    def scores(self, numbers: Sequence[int], maps: Maps) -> torch.Tensor:
        """The scores (B,) of the edits ``numbers``.

        Raises:
            CnnWidgetsError: the model failed.
        """
        model = self._engine.model
        edits = EditBatch(
            np.array(numbers, np.int64),
            lambda run, now: model.on_maps(run, maps(now.tolist())),
            lambda now: model.on_pictures(maps(now.tolist())),
        )
        with self._engine.entered():
            scores = self._reusing(edits) if self.reused else None
            if scores is not None:
                return scores
            if self.reused:
                self.reused = False
                self._engine.give_up()
            starts = range(0, len(edits), self._in_full)
            parts = [edits.some(slice(start, start + self._in_full)) for start in starts]
            return torch.cat([self._engine.in_full(part) for part in parts])

    def _reusing(self, edits: EditBatch) -> torch.Tensor | None:
        """The scores without what precedes the layer; None if that cannot be relied on."""
        try:
            scores, _ = self._engine.scores(edits)
        except EngineFailed:
            return None
        if not self._checked:
            # The first by itself: where the images of a batch influence one another, it shows.
            for indices in [0], sorted({len(edits) // 2, len(edits) - 1} - {0}):
                if indices and not self._agree(scores[indices], self._engine.in_full(edits.some(indices))):
                    return None
            self._checked = True
        return scores

    def _agree(self, scores: torch.Tensor, in_full: torch.Tensor) -> bool:
        size = max(float(in_full.double().abs().nan_to_num(0.0, 0.0, 0.0).max()), self._scale)
        start = self._engine.model.start
        return difference(scores, in_full) <= tolerance(size, start.dtype, start.device)
