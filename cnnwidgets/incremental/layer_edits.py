"""Scores of one image where a layer returns other maps than it does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from cnnwidgets.core.errors import Cancelled, is_out_of_memory
from cnnwidgets.running.batches_of_one import may_be_the_batch
from cnnwidgets.state.preserved import preserved
from cnnwidgets.tracing.layouts.token_layout import AnyForm

from .layer_call import Functions
from .memo import Memo
from .edited_model import EditedModel, ordinary
from .run import ReadsValues, EditRun
from .work import Work

Read = Callable[[Any, int], torch.Tensor]
"""``(outputs, B) -> (B,)``: the scores in what the model returned for B edits."""
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
        work: multiply-adds that the engine did.
        takes_one: whether the model takes one image at a time, so that the edits were run one by one.

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
        read: Read,
        functions: Functions | None = None,
        form: AnyForm | None = None,
        scale: float = 0.0,
        in_full: int = 8,
    ) -> None:
        self._model = EditedModel(model, image, layer, call, functions=functions, form=form)
        self._read, self._scale, self._in_full = read, scale, in_full
        self._memo, self.work = Memo(), Work()
        self._checked = self._alone = False
        self.reused, self.takes_one = True, False

    def scores(self, numbers: Sequence[int], maps: Maps) -> torch.Tensor:
        """The scores (B,) of the edits ``numbers``.

        Raises:
            CnnWidgetsError: the model failed.
        """
        with self._entered():
            if self.reused:
                found = self._reusing(numbers, maps)
                if found is not None:
                    return found
                self.reused, self.work = False, Work()
                self._memo.clear()
            parts = [numbers[start : start + self._in_full] for start in range(0, len(numbers), self._in_full)]
            return torch.cat([self._in_whole(part, maps) for part in parts])

    def _reusing(self, numbers: Sequence[int], maps: Maps) -> torch.Tensor | None:
        """The scores without what precedes the layer; None if that cannot be relied on."""
        try:
            found = self._by_engine(numbers, maps)
            if not self._checked:
                # One by itself: where the images of a batch influence one another, it shows.
                for places in {0}, {len(numbers) // 2, len(numbers) - 1} - {0}:
                    some = sorted(places)
                    if some and not self._agree(found[some], self._in_whole([numbers[place] for place in some], maps)):
                        return None
                self._checked = True
        except Exception as error:
            if is_out_of_memory(error) or isinstance(error, Cancelled):
                raise
            if self._alone or len(numbers) == 1:
                return None
        else:
            return found
        try:
            self._by_engine(numbers[:1], maps)
            self._in_whole(numbers[:1], maps)
        except Exception as error:
            if not may_be_the_batch(error):
                raise
            return None
        self._alone = self.takes_one = True
        return self._reusing(numbers, maps)

    def _by_engine(self, numbers: Sequence[int], maps: Maps) -> torch.Tensor:
        if self._alone and len(numbers) > 1:
            return torch.cat([self._by_engine([number], maps) for number in numbers])
        run = EditRun(len(numbers), self._memo, self.work)
        try:
            return self._read(ordinary(self._model.on_maps(run, maps(numbers))), len(numbers))
        except ReadsValues:  # the model's code decides by values that depend on the edit
            self._alone = True
        finally:
            self._memo.end_of_run()
        return self._by_engine(numbers, maps)

    def _in_whole(self, numbers: Sequence[int], maps: Maps) -> torch.Tensor:
        if self._alone and len(numbers) > 1:
            return torch.cat([self._in_whole([number], maps) for number in numbers])
        try:
            return self._read(self._model.on_pictures(maps(numbers)), len(numbers))
        except Exception as error:
            if len(numbers) == 1 or not may_be_the_batch(error):
                raise
            failed = error
        try:
            self._in_whole(numbers[:1], maps)
        except Exception as error:
            if may_be_the_batch(error):
                raise failed from failed.__cause__
            raise
        self._alone = self.takes_one = True
        return self._in_whole(numbers, maps)

    def _agree(self, quick: torch.Tensor, slow: torch.Tensor) -> bool:
        tolerance = {torch.float64: 1e-10, torch.float32: 1e-5}.get(self._model.start.dtype, 3e-2)
        scale = max(float(slow.abs().nan_to_num(0.0, 0.0, 0.0).max()), self._scale)
        return torch.allclose(quick, slow, rtol=tolerance, atol=tolerance * scale, equal_nan=True)

    @contextmanager
    def _entered(self) -> Iterator[None]:
        with torch.inference_mode(False), torch.no_grad(), preserved(self._model.module, evaluate=True):
            yield
