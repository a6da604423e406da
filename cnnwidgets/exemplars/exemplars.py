"""What was found: for each channel the places of a data set that excite it most."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from cnnwidgets.core.arguments import is_whole
from cnnwidgets.core.errors import InputError, LayerNotFound
from cnnwidgets.core.network import unknown_layer

from .archive import read_archive, write_archive
from .crops import Crop, channel_maps, cut
from .images import Images
from .map_layers import DIGITS, MapLayer, MapReader
from .stored import layers_of, stored_arrays, stored_header, tally_of
from .tally import Tally, check_channel


class Exemplars:
    """The k places of a data set that excite each channel most; what :func:`find` returns.

    Attributes:
        layers: names.
        k: how many of each channel.
        count: images in the data set; None where nobody knows.
        values: layer -> (K, k) float32, the activations, from the largest on; NaN where there is none.
        images: layer -> (K, k) int64, index of the image in the data set; -1 where there is none.
        places: layer -> (K, k, 2) int64, row and column of the cell in the channel's map; -1 where there is none.
        notes: what the reader must know.
        dataset: reads the images; None where they are not at hand.
        reader: runs the network for the activations in crops; None where it is not at hand.
    """

    def __init__(
        self,
        layers: Mapping[str, MapLayer],
        tally: Tally,
        *,
        k: int,
        count: int | None = None,
        notes: Iterable[str] = (),
        reader: MapReader | None = None,
        dataset: Images | None = None,
        model: nn.Module | None = None,
    ) -> None:
        self._layers, self._tally, self._own_notes = dict(layers), tally, tuple(notes)
        self.reader, self.dataset, self._model = reader, dataset, model
        self.layers, self.k, self.count = tuple(layers), k, count

    @functools.cached_property
    def values(self) -> dict[str, npt.NDArray[np.float32]]:
        heaps = self._tally.heaps.items()
        return {name: np.where(heap.images < 0, np.float32(np.nan), heap.values) for name, heap in heaps}

    @functools.cached_property
    def images(self) -> dict[str, npt.NDArray[np.int64]]:
        return {name: heap.images for name, heap in self._tally.heaps.items()}

    @functools.cached_property
    def places(self) -> dict[str, npt.NDArray[np.int64]]:
        places = {}
        for name, heap in self._tally.heaps.items():
            cells, width = heap.cells, self._layers[name].grid[1]
            both = np.stack([cells // width, cells % width], -1)
            places[name] = np.where(cells[..., None] < 0, -1, both)
        return places

    @functools.cached_property
    def notes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*self._own_notes, *self._tally.notes, *self._found_notes()]))

    def largest(self, layer: str) -> npt.NDArray[np.float32]:
        """(K,) float32: the largest activation of each channel in the data set; NaN where there is none.

        Raises:
            LayerNotFound: the layer was not looked at.
        """
        self._layer(layer)
        return self.values[layer][:, 0]

    def indices(self, layer: str, channel: int) -> list[int]:
        """The images of a channel's exemplars, by rank; -1 where there is none.

        Raises:
            LayerNotFound, InputError: there is no such layer or channel.
        """
        check_channel(self._layer(layer), channel)
        indices: list[int] = self.images[layer][channel].tolist()
        return indices

    def box(self, layer: str, row: int, column: int) -> tuple[int, int, int, int]:
        """Top, left, bottom, right, the last two exclusive: the pixels of an image that a cell of the layer sees."""
        return self._layer(layer).box(row, column)

    def crop(self, layer: str, channel: int, rank: int = 0) -> Crop:
        """The patch that excites a channel most (``rank`` 0), second most (1), ...

        Raises:
            LayerNotFound, InputError: there is no such layer, channel or rank; or the data set cannot be read.
        """
        return self.crops(layer, channel, [rank])[0]

    def crops(
        self, layer: str, channel: int, ranks: Iterable[int] | None = None, *, activation: bool = True
    ) -> list[Crop]:
        """Several patches of a channel, for which the network runs but once.

        Args:
            ranks: from 0, the largest; None: all that there are.
            activation: run it for the activations in the patches; else they have none.

        Raises:
            LayerNotFound, InputError: as for :meth:`crop`.
        """
        spot = self._layer(layer)
        there = sum(index >= 0 for index in self.indices(layer, channel))
        ranks = list(range(there) if ranks is None else ranks)
        for rank in ranks:
            if not is_whole(rank) or not 0 <= rank < there:
                raise InputError(
                    f"rank is {rank!r}; channel {channel} of layer {layer!r} has {there} exemplars: expected an int "
                    f"from 0 to {there - 1}."
                    if there
                    else f"Channel {channel} of layer {layer!r} has no exemplar."
                )
        if self.dataset is None:
            raise InputError("These exemplars were loaded without their images: Exemplars.load(path, dataset=...).")
        indices = [self.indices(layer, channel)[rank] for rank in ranks]
        pictures = {index: self.dataset.picture(index) for index in dict.fromkeys(indices)}
        example = next((picture.tensor for picture in pictures.values()), None)
        reader = self._reader_for(example) if activation else None
        maps: Mapping[int, npt.NDArray[np.float32]] = {}
        if reader is not None:
            maps = channel_maps(reader, layer, channel, {index: each.tensor for index, each in pictures.items()})
        crops = []
        for rank, index in zip(ranks, indices, strict=True):
            row, column = self.places[layer][channel, rank].tolist()
            value = float(self.values[layer][channel, rank])
            digits = DIGITS if reader is None else reader.digits
            crops.append(cut(spot, pictures[index].pixels, maps.get(index), value, index, (row, column), digits))
        return crops

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write ``path``, an .npz file of 12 bytes an exemplar before compression; without the images.

        Raises:
            InputError: it cannot be written.
        """
        write_archive(path, self._header(), stored_arrays(self._layers, self._tally))

    @classmethod
    def load(cls, path: str | os.PathLike[str], dataset: Any = None, model: nn.Module | None = None) -> Exemplars:
        """Read what :meth:`save` wrote.

        Args:
            dataset: the data set that they are of, for the crops.
            model: the network that they are of, for the activations in the crops.

        Raises:
            InputError: the file holds no exemplars, or those of another data set.
        """
        header, arrays = read_archive(path)
        images = dataset if dataset is None or isinstance(dataset, Images) else Images(dataset, model)
        layers, count = layers_of(header, arrays), header["count"]
        if images is not None and None not in (images.count, count) and images.count != count:
            raise InputError(
                f"The exemplars in {str(path)!r} are of a data set of {count:,} images; this one has {images.count:,}."
            )
        return cls(
            layers,
            tally_of(header, arrays),
            k=header["k"],
            count=count,
            notes=header["notes"],
            dataset=images,
            model=model,
        )

    def __repr__(self) -> str:
        layers = "1 layer" if len(self.layers) == 1 else f"{len(self.layers)} layers"
        return f"<Exemplars of {layers}, {self.k} a channel, from {self._tally.count:,} images>"

    def _header(self, **more: Any) -> dict[str, Any]:
        return stored_header(self._layers, self._tally, k=self.k, count=self.count, notes=self._own_notes) | more

    def _layer(self, name: str) -> MapLayer:
        if name not in self._layers:
            raise LayerNotFound(unknown_layer(str(name), list(self.layers)))
        return self._layers[name]

    def _reader_for(self, example: torch.Tensor | None) -> MapReader | None:
        if self.reader is None and self._model is not None and example is not None:
            self.reader = MapReader(self._model, example, self.layers)
        return self.reader

    def _found_notes(self) -> Iterator[str]:
        looked_at = self._tally.count
        if self.count is not None and looked_at < self.count:
            yield f"{looked_at:,} of {self.count:,} images were looked at"
        elif looked_at < self.k:
            yield f"the data set holds {looked_at} images: not every channel has {self.k} exemplars"
        for name, holes in self._tally.holed.items():
            if holes:
                yield f"layer {name!r}: {holes:,} maps hold NaN, which counts as nothing"
        for name, heap in self._tally.heaps.items():
            endless = int((heap.values[:, 0] == np.inf).sum())
            if endless:
                yield f"layer {name!r}: the activation of {endless:,} channels is infinite"


def layer_notes(layers: Sequence[MapLayer]) -> Iterator[str]:
    """What is to be said of each layer, with its name."""
    for layer in layers:
        for note in layer.notes:
            yield note if repr(layer.name) in note else f"layer {layer.name!r}: {note}"
