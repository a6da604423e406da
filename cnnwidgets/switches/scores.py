"""The scores of one image without some of the network's feature maps, each computed once."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from cnnwidgets.incremental.agreement import difference, limit
from cnnwidgets.incremental.edited_model import EditedModel
from cnnwidgets.incremental.engine import EditBatch, Engine
from cnnwidgets.incremental.run import EditRun
from cnnwidgets.incremental.scaling import switches_key
from cnnwidgets.incremental.score_reader import ScoreReader
from cnnwidgets.incremental.values.edits import Edits, untouched, whole
from cnnwidgets.incremental.values.sharing import strides_like
from cnnwidgets.incremental.values.windows import channels_last
from cnnwidgets.incremental.work import Work
from cnnwidgets.incremental.zeroed import Change, Off, zeroed
from cnnwidgets.outputs.choice import OutputChoice
from cnnwidgets.running.forward import again, fitted
from cnnwidgets.running.forward import run as forward
from cnnwidgets.tracing.layouts.layouts import Layouts


class ZeroedScores:
    """What a model says of one image without some of its maps; what precedes them is computed once.

    The first time that maps of certain layers are off, the whole model runs. The engine of :class:`~.edited.Edited`
    takes over once it has come to the same scores. What was computed already is not computed again.

    Args:
        model: any module that returns scores; run in evaluation mode and left as it was.
        image: (1, C, H, W), preprocessed.
        layouts: how the layers hold their maps.
        output: which of several outputs holds the scores; None: found out.

    Attributes:
        reuses: whether the engine is used; False once it has come to other scores than the whole model, or failed.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Flatten(), nn.Linear(2, 1, bias=False))
        >>> _ = [nn.init.constant_(value, number) for value, number in zip(net.parameters(), (1.0, 0.0, 3.0))]
        >>> without = ZeroedScores(net, torch.ones(1, 1, 1, 1), Layouts(1))
        >>> without.scores({"0": [1]}, {"0": 2}), without.scores({"0": [0]}, {"0": 2})
        (tensor([[3.]]), tensor([[3.]]))
    """

    def __init__(self, model: nn.Module, image: torch.Tensor, layouts: Layouts, *, output: OutputChoice = None) -> None:
        self._reader = ScoreReader(model, output=output)
        self._image = fitted(model, image.detach().clone())
        self._engine = Engine(EditedModel(model, self._image), self._reader.table)
        self._layouts, self._lock = layouts, threading.Lock()
        self._answers: dict[frozenset[str], tuple[Off, torch.Tensor]] = {}
        self._all_scores: dict[Hashable, torch.Tensor] = {}
        self._agreed: set[frozenset[str]] = set()
        self.reuses = True

    @property
    def work(self) -> Work:
        """Multiply-adds that the engine did."""
        return self._engine.work

    def scores(self, off: Off, counts: Mapping[str, int]) -> torch.Tensor:
        """The scores (1, classes); arguments as for :func:`zeroed`.

        Raises:
            LayerNotFound, InputError: there are no such maps.
            CnnWidgetsError: the model failed.
        """
        layers = frozenset(off)
        with self._lock, self._engine.entered():
            if self._engine.is_stale:
                for stored in (self._engine.memo, self._answers, self._agreed, self._all_scores):
                    stored.clear()
                self._engine.renew()
            key = switches_key(off)
            if key in self._all_scores:
                return self._all_scores[key].clone()
            if layers in self._answers and layers not in self._agreed:
                before, in_full = self._answers[layers]
                scores = self._by_engine(before, counts)
                self._agreed.add(layers)
                if scores is None or not _agree(scores, in_full):
                    self._stop_reusing()
            scores = self._by_engine(off, counts) if layers in self._answers else None
            if scores is None:
                outputs = self._reader.settled(lambda: again(lambda: self._in_full(off, counts)))
                scores = self._reader.table(outputs, 1)
                self._answers[layers] = dict(off), scores
            self._all_scores[key] = scores.clone()
            return scores

    def known(self, off: Off) -> torch.Tensor | None:
        """The scores (1, classes) if they are computed already; nothing is waited for."""
        if not self._lock.acquire(blocking=False):
            return None
        try:
            scores = None if self._engine.is_stale else self._all_scores.get(switches_key(off))
            return None if scores is None else scores.clone()
        finally:
            self._lock.release()

    def _in_full(self, off: Off, counts: Mapping[str, int]) -> Any:
        """What the whole model returns."""
        with zeroed(self._engine.model.module, off, layouts=self._layouts, counts=counts):
            return forward(self._engine.model.module, self._image.clone())

    def _without(self, run: EditRun, off: Off, counts: Mapping[str, int]) -> Any:
        """What the model returns, without what precedes the layers."""

        def through(output: torch.Tensor, change: Change) -> torch.Tensor:
            if not isinstance(output, Edits):
                return change(output)
            return whole(run, channels_last(change(output.whole())), strides=strides_like(output))

        model = self._engine.model
        with zeroed(model.module, off, layouts=self._layouts, counts=counts, through=through):
            return model.on_edits(run, untouched(run, self._image))

    def _by_engine(self, off: Off, counts: Mapping[str, int]) -> torch.Tensor | None:
        """The scores without what precedes the layers; None if the engine cannot run the model."""
        if not self.reuses:
            return None
        try:
            edit = EditBatch(
                np.arange(1), lambda run, _: self._without(run, off, counts), lambda _: self._in_full(off, counts)
            )
            return self._engine.scores(edit)[0]
        except Exception:  # if the whole model fails too, that says why
            self._stop_reusing()
            return None

    def _stop_reusing(self) -> None:
        self.reuses = False
        self._engine.memo.clear()


def _agree(scores: torch.Tensor, in_full: torch.Tensor) -> bool:
    return scores.shape == in_full.shape and difference(scores, in_full) <= limit(in_full, scores, scores.device)
