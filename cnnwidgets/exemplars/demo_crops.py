"""Images at hand where nobody gives any: crops of the demo's photographs."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from PIL import Image

from cnnwidgets.demo import photographs
from cnnwidgets.pictures.preprocess import Preprocess, preprocess_for

from .images import Images

_PARTS = (1, 2, 3)
"""How many squares beside each other a photograph is cut into, each way."""


class _Crops(Sequence[Image.Image]):
    """Each photograph as a square, cut into 2 x 2 squares, and into 3 x 3."""

    def __init__(self, pictures: Sequence[Image.Image]) -> None:
        self._pictures = list(pictures)
        self._cells = [(part, row, column) for part in _PARTS for row in range(part) for column in range(part)]

    def __len__(self) -> int:
        return len(self._pictures) * len(self._cells)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        number, cell = divmod(index % len(self), len(self._cells))
        picture, (part, row, column) = self._pictures[number], self._cells[cell]
        side = min(picture.size)
        left, top, step = (picture.width - side) // 2, (picture.height - side) // 2, side / part
        edges = left + column * step, top + row * step, left + (column + 1) * step, top + (row + 1) * step
        return picture.crop(tuple(map(round, edges)))


def demo_crops(preprocess: Any = None) -> Images:
    """Crops of the demo's photographs, scikit-image's and scikit-learn's; and foolbox's, where that is installed.

    Of each photograph the square in its centre, its 4 quarters and its 9 ninths: 84 images, or 364.

    Args:
        preprocess: as for :class:`Images`.

    Raises:
        CnnWidgetsError: the demo's packages are not installed.
    """
    pictures = [*photographs().values(), *_labelled()]
    transform = preprocess_for(None) if preprocess is None else preprocess
    if isinstance(transform, Preprocess):
        transform = replace(transform, enlarge=True)  # a ninth of a photograph is as large as the whole
    images = Images(_Crops(pictures), preprocess=transform)
    source = f"{images.count} crops of the demo's {len(pictures)} photographs"
    images.about = (f"the images are {source}: pass a data set of your own for exemplars that mean more",)
    return images


@functools.cache
def _labelled() -> tuple[Image.Image, ...]:
    """foolbox's photographs of ImageNet, found without importing it; none where it is not installed."""
    spec = find_spec("foolbox")
    folders = (spec.submodule_search_locations or []) if spec is not None else []
    files = sorted(file for folder in folders for file in Path(folder, "data").glob("imagenet_*.jpg"))
    return tuple(Image.open(file).convert("RGB") for file in files)
