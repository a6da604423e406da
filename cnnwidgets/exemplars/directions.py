"""The patches that excite a layer most in given directions: weighted sums of its channels."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from cnnwidgets.core.errors import InputError
from cnnwidgets.core.interrupts import Deferral
from cnnwidgets.core.progress import Meter, ProgressCallback
from cnnwidgets.explainers.engine.memory import estimated_batch
from cnnwidgets.pictures.preprocess import preprocess_for

from .crops import Crop, cut
from .demo_crops import demo_crops
from .heaps import Heap, map_peaks
from .images import Images
from .map_layers import MapReader

_MOST_AT_A_TIME = 256


def direction_crops(
    model: nn.Module,
    layer: str | nn.Module,
    directions: torch.Tensor,
    dataset: Any = None,
    *,
    k: int = 3,
    progress: ProgressCallback | bool | None = None,
) -> list[list[Crop]]:
    """For each direction the ``k`` patches, each of another image, where the sum of weight times activation is largest.

    Args:
        model: the network; left as it was.
        layer: one that returns maps.
        directions: (D, K), a weight for each of the layer's channels: a group of :func:`~cnnwidgets.concepts.factor`.
        dataset: what :class:`Images` reads, or an :class:`Images`; None: crops of the demo's photographs.
        k: how many a direction.
        progress: told after each batch; True for a bar.

    Returns:
        D lists of at most ``k`` crops, the largest first; their ``activation`` is the weighted sum.

    Raises:
        LayerNotFound, NotSpatial: there is no such layer, or it returns no maps.
        InputError: the directions do not fit, or an image cannot be used.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False))
        >>> _ = net[0].weight.data.copy_(torch.tensor([1.0, 3.0]).view(2, 1, 1, 1))
        >>> images = torch.arange(32.0).view(2, 1, 4, 4)
        >>> [crop.value for crop in direction_crops(net, "0", torch.tensor([[1.0, -1.0]]), images)[0]]
        [0.0, -32.0]
    """
    images = dataset if isinstance(dataset, Images) else None
    if images is None:
        images = demo_crops(preprocess_for(model)) if dataset is None else Images(dataset, model)
    with Deferral(), torch.inference_mode(False), torch.no_grad():
        example = images.first()
        reader = MapReader(model, example, [layer])
        ((name, spot),) = reader.layers.items()
        if directions.ndim != 2 or directions.shape[1] != spot.channels or not bool(directions.isfinite().all()):
            raise InputError(
                f"The directions are {tuple(directions.shape)}; expected finite numbers (D, {spot.channels}), one for "
                f"each channel of layer {name!r}."
            )

        def projected(maps: torch.Tensor) -> torch.Tensor:
            return torch.einsum("nchw,dc->ndhw", maps.float(), directions.to(maps.device, torch.float32))

        heap = Heap.empty(len(directions), k)
        with Meter(progress, images.count or 0) as meter, reader.ready():
            for start, batch in images.batches(0, images.count, estimated_batch(example[0], _MOST_AT_A_TIME)):
                sums = reader.read(batch, lambda _, maps: projected(maps))[name]
                heap = heap.grown(sums, map_peaks(sums)[0], start, distinct=True)
                meter.advance(len(batch))
            return _crops(images, reader, name, heap, projected)


def _crops(images: Images, reader: MapReader, name: str, heap: Heap, projected: Any) -> list[list[Crop]]:
    spot, width = reader.layers[name], reader.layers[name].grid[1]
    indices = [index for index in dict.fromkeys(heap.images.ravel().tolist()) if index >= 0]
    pictures = {index: images.picture(index) for index in indices}
    maps: dict[int, Any] = {}
    for index, picture in pictures.items():
        sums = reader.read(picture.tensor, lambda _, values: projected(values)[0].cpu().numpy())[name]
        maps[index] = np.asarray(sums, np.float32)
    crops: list[list[Crop]] = []
    for direction in range(len(heap.images)):
        ranks = [rank for rank, index in enumerate(heap.images[direction].tolist()) if index >= 0]
        crops.append([])
        for rank in ranks:
            index, cell = int(heap.images[direction, rank]), divmod(int(heap.cells[direction, rank]), width)
            value = float(heap.values[direction, rank])
            activation = maps[index][direction]
            crops[-1].append(cut(spot, pictures[index].pixels, activation, value, index, cell, reader.digits))
    return crops
