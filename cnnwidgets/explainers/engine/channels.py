"""Explain a layer by editing its maps one by one: the edits still to be scored, and the map of those that are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import torch
from torch import nn

from cnnwidgets.core.arguments import checked_count
from cnnwidgets.core.errors import CnnWidgetsError
from cnnwidgets.core.progress import Meter, ProgressCallback
from cnnwidgets.explainers.attribution import Attribution
from cnnwidgets.outputs.targets import Scorer

from .memory import Chunks
from .one_layer import LayerPass


class ChannelSweep(ABC):
    """Scores edits of a layer's maps, one edit for each map, and knows what they say by now.

    Args:
        layer_pass: what the layer returned for the images.
        channels: look only at this many maps of each image, those that vary most; None: at all.
        chunks: how many edits to score at a time.
    """

    method: str
    remaining: str
    """What is left to be done with the maps that have no score yet."""

    def __init__(
        self, model: nn.Module, images: torch.Tensor, layer_pass: LayerPass, channels: int | None, chunks: Chunks
    ) -> None:
        self._model, self._images = model, images
        self._layer_pass, self._channels, self._chunks = layer_pass, channels, chunks
        self._score_of = Scorer(layer_pass.outputs, layer_pass.target, layer_pass.score, len(layer_pass.scores))
        self._dtype = torch.float64 if layer_pass.scores.dtype == torch.float64 else torch.float32
        self._todo = [strongest(maps, channels).tolist() for maps in layer_pass.maps]
        self._left = 0

    @abstractmethod
    def of_image(self, index: int) -> Iterator[int]:
        """Score the edits of one image; yields how many more are done, after each batch."""

    @abstractmethod
    def weights(self) -> torch.Tensor:
        """(N, K), of each map, as far as they are known."""

    @abstractmethod
    def notes(self) -> Iterator[str]:
        """What the reader must know, beside what is left."""

    def run(self, progress: ProgressCallback | bool | None) -> Attribution:
        """Score all edits; ``progress`` is told after each batch, with the map by then."""
        self._left = sum(map(len, self._todo))
        with Meter(progress, self._left) as meter:
            for index in range(len(self._todo)):
                for count in self.of_image(index):
                    self._left -= count
                    meter.advance(count, self._result() if callable(progress) else None)
        return self._result()

    def _result(self) -> Attribution:
        maps = self._layer_pass.maps
        values = torch.einsum("nk,nkhw->nhw", self.weights().to(maps), maps)
        partial = [f"partial: {self._left} {self.remaining}"] if self._left else []
        if self._channels is not None and self._channels < maps.shape[1]:
            partial.append(
                f"only the {self._channels} of {maps.shape[1]} maps that vary most were used; the others count as 0"
            )
        return self._layer_pass.attribution(values, self.method, *partial, *self.notes())


def strongest(maps: torch.Tensor, channels: int | None) -> torch.Tensor:
    """Indices, ascending, of the ``channels`` maps of (K, h, w) that vary most over positions; None: of all.

    Raises:
        CnnWidgetsError: ``channels`` is no int of at least 1.
    """
    if channels is None:
        return torch.arange(len(maps))
    checked_count(channels, "channels", alternative=", or None for all", error=CnnWidgetsError)
    spread = maps.flatten(1).double().var(1, correction=0).nan_to_num(torch.inf)
    return spread.topk(min(channels, len(maps))).indices.sort().values.cpu()
