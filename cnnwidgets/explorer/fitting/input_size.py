"""Which size of image a network takes, found by running it: its linear layers say how much must arrive."""

from __future__ import annotations

import bisect
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from cnnwidgets.core.errors import CnnWidgetsError
from cnnwidgets.core.nested import tensors
from cnnwidgets.running.forward import again, fitted, run
from cnnwidgets.state.preserved import preserved

DEFAULT = 224
USUAL = (
    *(28, 32, 48, 64, 84, 96, 100, 112, 128, 150, 160, 180),
    *(192, 200, 224, 227, 240, 256, 288, 299, 320, 384, 448, 512),
)
_LARGEST = 1024
_SECONDS = 3.0
_MOST_RECTANGLES = 4


@dataclass(frozen=True)
class InputSize:
    """What a network takes.

    Attributes:
        height, width: pixels.
        channels: 1 for grey, 3 for colours.
        least, most: sides of squares, in pixels, that give it as much as this size does; the same twice: only this one.
        any_larger: the size that was tried is too small, and it takes several larger ones.
    """

    height: int
    width: int
    channels: int
    least: int
    most: int
    any_larger: bool = False


@dataclass(frozen=True)
class _Outcome:
    """Of one run: whether it gave one result for the image; or how many numbers a linear layer wants, and got."""

    runs: bool
    needs: int = 0
    arrived: int = 0


def input_sizes(model: nn.Module, tensor: torch.Tensor) -> list[InputSize]:
    """What ``model`` takes, where it is not ``tensor`` (1, C, H, W); the first is the likeliest.

    Squares come alone. Without any there may be several rectangles, which the network alone does not tell apart.
    Empty: it runs on ``tensor``, or on nothing that was tried within some seconds.
    """
    search = _Search(model, tensor)
    if search.outcome(*tensor.shape[1:]).runs:
        return []
    # A picture is made grey for a network whose first convolution takes one channel; one without any may want either.
    channels = [tensor.shape[1], *({1, 3} - {tensor.shape[1]})]
    for kind in (search.default, search.by_linear_layer, search.by_trying):
        for count in channels:
            size = kind(count)
            if size is not None:
                return [size]
    return search.rectangles(tensor.shape[1])


class _Search:
    def __init__(self, model: nn.Module, tensor: torch.Tensor) -> None:
        self._model, self._tensor = model, tensor
        self._outcomes: dict[tuple[int, ...], _Outcome] = {}

    def outcome(self, channels: int, height: int, width: int) -> _Outcome:
        """Of a run on an image of this size."""
        key = (channels, height, width)
        if key not in self._outcomes:
            image = self._tensor.new_zeros(1, *key)
            try:
                with preserved(self._model, evaluate=True), torch.no_grad():
                    outputs = again(partial(run, self._model, fitted(self._model, image)))
                self._outcomes[key] = _Outcome(_batch(outputs) in (1, None))
            except CnnWidgetsError as error:
                self._outcomes[key] = _Outcome(False, *_linear_layer(error.__cause__))
            except Exception:  # out of memory, say
                self._outcomes[key] = _Outcome(False)
        return self._outcomes[key]

    def _runs(self, channels: int, side: int) -> bool:
        return self.outcome(channels, side, side).runs

    def default(self, channels: int) -> InputSize | None:
        """The usual 224 pixels, where the image was only too small."""
        if max(self._tensor.shape[2:]) < DEFAULT and self._runs(channels, DEFAULT):
            return InputSize(DEFAULT, DEFAULT, channels, DEFAULT, DEFAULT, any_larger=True)
        return None

    def by_linear_layer(self, channels: int) -> InputSize | None:
        """The squares of which just as much arrives at the linear layer that failed as it has weights for."""
        high = max(DEFAULT, *self._tensor.shape[2:])
        failed = self.outcome(channels, high, high)
        needs = failed.needs
        if not needs or not self._size_matters(channels):
            return None
        while self._arriving(channels, high, high, needs) < needs and high < _LARGEST:
            high *= 2
        least = _first(lambda side: self._arriving(channels, side, side, needs) >= needs, high)
        beyond = _first(lambda side: self._arriving(channels, side, side, needs) > needs, high + 1)
        if least >= beyond or not self._runs(channels, least):
            return None
        side = next((usual for usual in USUAL if least <= usual < beyond), least)
        return InputSize(side, side, channels, least, beyond - 1)

    def by_trying(self, channels: int) -> InputSize | None:
        """The first square that runs: the usual ones before the others. Not where the linear layer fits none."""
        own = self._tensor.shape[1]
        if self.outcome(channels, DEFAULT, DEFAULT).needs or self.outcome(own, DEFAULT, DEFAULT).needs:
            return None
        end = time.monotonic() + _SECONDS

        def runs(side: int) -> bool:
            return time.monotonic() <= end and self._runs(channels, side)

        for side in (*USUAL, *(side for side in range(8, 257) if side not in USUAL)):
            if runs(side):
                least = most = side
                while least > 2 and runs(least - 1):
                    least -= 1
                while most < 2 * side and runs(most + 1):
                    most += 1
                return InputSize(side, side, channels, least, most)
        return None

    def rectangles(self, channels: int) -> list[InputSize]:
        """Sizes that are no squares, the squarest first: sides of common pictures, at most four times the other."""
        middle = self.outcome(channels, DEFAULT, DEFAULT)
        if not middle.needs or not self._size_matters(channels):
            return []
        sides = sorted({*USUAL, *range(16, 257, 8), 40, 50, 60, 80, 120, 300, 480, 640})
        # What arrives is rows times columns times channels: two runs a side instead of one a pair.
        down = {side: self._arriving(channels, side, DEFAULT, middle.needs) for side in sides}
        across = {side: self._arriving(channels, DEFAULT, side, middle.needs) for side in sides}
        product = middle.needs * middle.arrived
        fitting = [
            (h, w) for h in sides for w in sides if down[h] * across[w] == product and max(h, w) <= 4 * min(h, w)
        ]
        # Sides that several strides of 2 divide are the usual ones.
        fitting.sort(key=lambda pair: (pair[0] % 8 + pair[1] % 8 > 0, max(pair) / min(pair), pair))
        running = [pair for pair in fitting[:12] if self.outcome(channels, *pair).runs]
        return [InputSize(height, width, channels, 0, 0) for height, width in running[:_MOST_RECTANGLES]]

    def _size_matters(self, channels: int) -> bool:
        """Whether another size sends another amount to the linear layer: not behind a global pooling."""
        half = DEFAULT // 2
        sides = ((DEFAULT, DEFAULT), (half, DEFAULT), (DEFAULT, half))
        return len({self.outcome(channels, *pair) for pair in sides}) > 1

    def _arriving(self, channels: int, height: int, width: int, needs: int) -> int:
        """How many numbers reach the layer that wants ``needs``; 0 where the network fails before it."""
        outcome = self.outcome(channels, height, width)
        if outcome.runs:
            return needs
        return outcome.arrived if outcome.needs == needs else 0


def _first(holds: Callable[[int], bool], high: int) -> int:
    """The least side from 1 to ``high`` for which ``holds``, which stays true once it is."""
    return 1 + bisect.bisect_left(range(1, high), True, key=holds)


def _linear_layer(error: BaseException | None) -> tuple[int, int]:
    """How many numbers the linear layer that ``error`` came out of wants, and got; zeros: it was another layer."""
    counts = (0, 0)
    for frame, _ in traceback.walk_tb(error.__traceback__ if error is not None else None):
        module, values = frame.f_locals.get("self"), frame.f_locals.get("input")
        if isinstance(module, nn.Linear) and isinstance(values, torch.Tensor) and values.ndim > 0:
            counts = module.in_features, values.shape[-1]
    return counts if counts[0] != counts[1] else (0, 0)


def _batch(outputs: Any) -> int | None:
    """Length of the first axis of the first tensor in ``outputs``; None: there is none, or it is one number."""
    return next((tensor.shape[0] for tensor in tensors(outputs) if tensor.ndim > 1), None)
