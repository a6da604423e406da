"""A model some of whose feature maps are zero or scaled, and its scores of one image."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from cnnwidgets.core.capture import attached
from cnnwidgets.core.errors import InputError
from cnnwidgets.core.nested import layer_tensor, with_replaced
from cnnwidgets.core.network import Network
from cnnwidgets.outputs.choice import OutputChoice
from cnnwidgets.running.forward import again, fitted
from cnnwidgets.running.forward import run as forward
from cnnwidgets.tracing.layouts.layouts import Layout, Layouts
from cnnwidgets.tracing.layouts.token_layout import TokenLayout

from .agreement import difference, limit
from .edited_model import EditedModel
from .engine import EditBatch, Engine
from .run import EditRun
from .scaling import Factors, scaled, switches_key
from .score_reader import ScoreReader
from .values.edits import Edits, untouched, whole
from .values.sharing import strides_like
from .values.windows import channels_last
from .work import Work

Off = Mapping[str, Sequence[int] | Factors]
"""Dotted layer name -> its maps that are zero; or what each of them, or the whole layer, is multiplied by."""
Change = Callable[[torch.Tensor], torch.Tensor]
"""Makes a copy of what a layer returned, in which some of its maps are zero or scaled."""


@contextmanager
def zeroed(
    model: nn.Module,
    channels: Off,
    *,
    layouts: Layouts | None = None,
    counts: Mapping[str, int] | None = None,
    through: Callable[[torch.Tensor, Change], torch.Tensor] | None = None,
) -> Iterator[None]:
    """While the block runs, the maps ``channels`` of each layer are zero, or scaled, in every call of the layer.

    With all that a channel holds: of tokens, the class token too.

    Args:
        model: the network; its weights are not touched.
        channels: dotted layer name -> indices of maps, or factors.
        layouts: how the layers hold their maps; None: all as (N, C, H, W).
        counts: dotted layer name -> how many maps it has. Where a layer stands in several places, as a ReLU often does,
            calls that return another number of them are left alone; without a count there must be no such call.
        through: for a model that runs on tensors that stand for others: given one, and what makes the change to
            another, it returns what stands for the changed one.

    Raises:
        LayerNotFound: before anything is attached.
        InputError: a layer has no such maps: while the model runs, or, with ``counts``, when the block ends.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Flatten())
        >>> with zeroed(net, {"0": [1]}):
        ...     net(torch.ones(1, 1, 1, 1))[0, 1].item()
        0.0
    """
    network = Network.of(model)
    zeros: dict[nn.Module, tuple[str, Factors]] = {}
    for name, off in channels.items():
        full_name, module = network.find(name)
        factors = off if isinstance(off, float | dict) else dict.fromkeys(off, 0.0)
        if factors != {}:
            zeros[module] = (full_name, factors)
    calls: Counter[str] = Counter()
    refused: dict[str, InputError | None] = {}

    def leave(module: nn.Module, _: tuple[Any, ...], output: Any) -> Any:
        name, factors = zeros[module]
        count = None if counts is None else counts.get(name)
        tensor = layer_tensor(output)
        layout = None
        if tensor is not None:
            shape = tuple(tensor.shape)
            layout = layouts.of(name, calls[name], shape) if layouts is not None else Layout(shape)
        calls[name] += 1
        if tensor is None or layout is None or not has_channels(layout, factors, count):
            returned = "no tensor" if tensor is None else f"shape {tuple(tensor.shape)}"
            maps = "maps" if isinstance(factors, float) else f"maps {list(factors)}"
            error = InputError(f"Layer {name!r} returns {returned}; {maps} cannot be switched off there.")
            if count is None:
                raise error
            refused.setdefault(name, error)
            return None
        refused[name] = None
        change = partial(scaled, axis=channel_axis(layout), factors=factors)
        without = change(tensor) if through is None else through(tensor, change)
        replaced = with_replaced(output, tensor, without)
        if replaced is output:
            raise InputError(f"Layer {name!r} returns {type(output).__name__}, in which maps cannot be switched off.")
        return replaced

    with attached(zeros, leave=leave):
        yield
    for error in refused.values():
        if error is not None:
            raise error


def has_channels(layout: Layout, factors: Factors, count: int | None) -> bool:
    """Whether an output that is laid out so, holds ``count`` maps, and those that are changed."""
    if not layout.stacked:
        return False
    maps = layout.shape[channel_axis(layout)]
    return count in (None, maps) and (isinstance(factors, float) or all(0 <= index < maps for index in factors))


def channel_axis(layout: Layout) -> int:
    """Which axis of a tensor that is, or holds, a stack of maps, holds the channels."""
    return layout.form.order.index("c") if isinstance(layout.form, TokenLayout) else 1


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
    return scores.shape == in_full.shape and difference(scores, in_full) <= limit(in_full, scores)
