"""Scores of one image by a model some of whose maps are switched off."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from cnnwidgets.outputs.choice import OutputChoice
from cnnwidgets.outputs.readout import reading, readout_of
from cnnwidgets.outputs.scores import class_scores
from cnnwidgets.running.forward import fitted
from cnnwidgets.running.forward import run as forward
from cnnwidgets.running.own_gradients import again
from cnnwidgets.state.preserved import preserved
from cnnwidgets.tracing.layouts.layouts import Layouts

from . import agreement as checks
from .memo import Memo
from .edited_model import EditedModel, ordinary
from .run import EditRun
from .switched_off import Change, switched_off
from .values.edits import Edits, untouched, whole
from .values.sharing import strides_like
from .values.windows import laid
from .work import Work

Off = Mapping[str, Sequence[int]]
"""Dotted layer name -> its maps that are zero."""


class Switched:
    """What a model says of one image without some of its maps; what precedes them is computed once.

    The first time that maps of certain layers are off, the whole model runs. The engine of :class:`~.edited.Edited`
    takes over once it has come to the same scores.

    Args:
        model: any module that returns scores; run in evaluation mode and left as it was.
        image: (1, C, H, W), preprocessed.
        layouts: how the layers hold their maps.
        output: which of several outputs holds the scores; None: found out.

    Attributes:
        reuses: whether the engine is used; False once it has come to other scores than the whole model, or failed.
        work: multiply-adds that the engine did.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Flatten(), nn.Linear(2, 1, bias=False))
        >>> _ = [nn.init.constant_(value, number) for value, number in zip(net.parameters(), (1.0, 0.0, 3.0))]
        >>> switched = Switched(net, torch.ones(1, 1, 1, 1), Layouts(1))
        >>> switched.scores({"0": [1]}, {"0": 2}), switched.scores({"0": [0]}, {"0": 2})
        (tensor([[3.]]), tensor([[3.]]))
    """

    def __init__(self, model: nn.Module, image: torch.Tensor, layouts: Layouts, *, output: OutputChoice = None) -> None:
        self._readout = readout_of(model, None, output).inner()
        self._image = fitted(model, image.detach().clone())
        self._model, self._layouts = EditedModel(model, self._image), layouts
        self._memo, self.work, self._lock = Memo(), Work(), threading.Lock()
        self._stamp: Any = None
        self._known: dict[frozenset[str], tuple[Off, torch.Tensor]] = {}
        self._agreed: set[frozenset[str]] = set()
        self.reuses = True

    def scores(self, off: Off, counts: Mapping[str, int]) -> torch.Tensor:
        """The scores (1, classes); arguments as for :func:`~cnnwidgets.incremental.switched_off.switched_off`.

        Raises:
            LayerNotFound, InputError: there are no such maps.
            CnnWidgetsError: the model failed.
        """
        model, layers = self._model.module, frozenset(off)
        with (
            self._lock,
            torch.inference_mode(False),
            torch.no_grad(),
            preserved(model, evaluate=True),
            reading(self._readout),
        ):
            self._forget_if_changed()
            if self.reuses and layers in self._known and layers not in self._agreed:
                before, expected = self._known[layers]
                found = self._by_engine(before, counts)
                self.reuses = found is not None and _agree(found, expected)
                self._agreed.add(layers)
                if not self.reuses:
                    self._memo.clear()
            found = self._by_engine(off, counts) if self.reuses and layers in self._known else None
            if found is not None:
                return found
            found = again(lambda: self._in_full(off, counts))
            self._known[layers] = {layer: list(maps) for layer, maps in off.items()}, found
            return found

    def _in_full(self, off: Off, counts: Mapping[str, int]) -> torch.Tensor:
        with switched_off(self._model.module, off, layouts=self._layouts, counts=counts):
            return self._read(forward(self._model.module, self._image.clone()))

    def _by_engine(self, off: Off, counts: Mapping[str, int]) -> torch.Tensor | None:
        """The scores without what precedes the layers; None if the engine cannot run the model."""
        run = EditRun(1, self._memo, self.work)

        def through(held: torch.Tensor, change: Change) -> torch.Tensor:
            if not isinstance(held, Edits):
                return change(held)
            return whole(run, laid(change(held.whole())), strides=strides_like(held))

        try:
            with switched_off(self._model.module, off, layouts=self._layouts, counts=counts, through=through):
                return self._read(ordinary(self._model.on_edits(run, untouched(run, self._image))))
        except Exception:  # if the whole model fails too, that says why
            self.reuses = False
            self._memo.clear()
            return None
        finally:
            self._memo.end_of_run()

    def _read(self, outputs: Any) -> torch.Tensor:
        if not self._readout.asked:
            self._readout.settle(outputs, 1)
        return class_scores(outputs, batch=1)

    def _forget_if_changed(self) -> None:
        stamp = self._model.stamp()
        if stamp != self._stamp:
            self._stamp = stamp
            self._memo.clear()
            self._known.clear()
            self._agreed.clear()


def _agree(found: torch.Tensor, expected: torch.Tensor) -> bool:
    return found.shape == expected.shape and checks.difference(found, expected) <= checks.limit(expected, found)
