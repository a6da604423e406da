"""The scores of one edited image after another, by whichever engine is faster on this model."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch
from torch import nn

from cnnwidgets.incremental import Edited
from cnnwidgets.incremental.patches import Patch

_TRIES = 3


class Fastest:
    """Recomputing only what changes saves multiply-adds, but for a single edit not always time: both are tried first.

    The two agree, so that a reader does not see which one answers.

    Args:
        model: any module that returns scores.
        image: (1, C, H, W), preprocessed.
        clock: seconds from any origin.

    Raises:
        InputError, CnnWidgetsError: as :class:`~cnnwidgets.incremental.Edited`.

    Example:
        >>> net = nn.Sequential(nn.Flatten(), nn.Linear(4, 1, bias=False))
        >>> _ = net[1].weight.data.copy_(torch.tensor([[1.0, 2.0, 3.0, 4.0]]))
        >>> Fastest(net, torch.ones(1, 1, 2, 2)).scores_of([(torch.zeros(1, 1, 2), 0, 0)])
        tensor([7.])
    """

    def __init__(
        self, model: nn.Module, image: torch.Tensor, *, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._clock = clock
        first = Edited(model, image)
        self._engines = {first.engine: first}
        self._times: dict[str, list[float]] = {name: [] for name in ("incremental", "full")}
        self._model, self._image = model, image

    def scores_of(self, edit: Sequence[Patch]) -> torch.Tensor:
        """The scores (classes,) of the image with these patches on it, the later on top."""
        name = self.engine
        if name not in self._engines:
            self._engines[name] = Edited(self._model, self._image, engine=name)
        began = self._clock()
        edited = self._engines[name]
        scores = edited.scores_of([edit])[0]
        if edited.engine != name:  # it fell back, and says so in its notes
            self._engines = {edited.engine: edited}
        times = self._times[name]
        if len(times) < _TRIES:
            times.append(self._clock() - began)
        return scores

    @property
    def engine(self) -> str:
        """The one that scores the next edit: "incremental" or "full"."""
        if "incremental" not in self._engines:
            return "full"
        for name, times in self._times.items():
            if len(times) < _TRIES:
                return name
        return min(self._times, key=lambda name: min(self._times[name]))

    @property
    def notes(self) -> list[str]:
        """What the reader of the scores must know."""
        return list(dict.fromkeys(note for edited in self._engines.values() for note in edited.notes))

    def close(self) -> None:
        """Free what is kept of the image's values."""
        for edited in self._engines.values():
            edited.close()
