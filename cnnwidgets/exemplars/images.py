"""The images of a data set, one after the other, as a network wants them."""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import IterableDataset

from cnnwidgets.core.errors import Cancelled, InputError, is_out_of_memory, message_of
from cnnwidgets.pictures.files import SUFFIXES
from cnnwidgets.pictures.picture import Picture, image_tensor, load_picture, normalisations, transform_of
from cnnwidgets.pictures.preprocess import Preprocess, input_channels, preprocess_for

_IMAGE_KEYS = ("image", "img", "images", "pixel_values", "x", "input")
_EXPECTED = (
    "a torch Dataset, a folder of image files, a list of paths, PIL images, arrays or preprocessed tensors (C, H, W), "
    "a tensor (N, C, H, W), or an iterable of tensors such as a DataLoader"
)


class ItemError(InputError):
    """An item of a data set cannot be used; ``item`` is its index, from 0."""

    item: int = -1


class Images:
    """Reads a data set for a network; keeps none of its images.

    Args:
        dataset: a torch ``Dataset``, the path of a folder (with the folders in it), a list, a mapping from names to
            images, a tensor (N, C, H, W), or any iterable. Its items are what
            :func:`~cnnwidgets.pictures.picture.load_picture` takes; of a tuple the first entry counts, of a mapping
            the one called ``"image"`` or the like. An iterable may hold batches (N, C, H, W) as well.
        model: the network; tells the preprocessing of everything but tensors, which are taken as they are.
        preprocess: another preprocessing, as for ``load_picture``.

    Attributes:
        count: how many images there are; None where only reading all of them tells.
        about: what to say of the data set as a whole.
        notes: what was assumed, once the first image has been read.

    Raises:
        InputError: it is no data set, or an empty one.

    Example:
        >>> images = Images(torch.zeros(5, 3, 8, 8))
        >>> images.count, [(start, len(batch)) for start, batch in images.batches(0, None, 2)]
        (5, [(0, 2), (2, 2), (4, 1)])
    """

    def __init__(self, dataset: Any, model: nn.Module | None = None, preprocess: Any = None) -> None:
        self._items = _items_of(dataset)
        transform = transform_of(preprocess)
        if transform is not None and not isinstance(transform, Preprocess) and input_channels(model) == 1:
            transform = functools.partial(_grey_transform, transform)
        self._transform = transform or preprocess_for(model)
        self._indexed = _is_indexed(self._items)
        self._shape: tuple[int, ...] | None = None
        self.count: int | None = len(self._items) if self._indexed else None
        self.about: tuple[str, ...] = ()
        self.notes: tuple[str, ...] = ()
        if self.count == 0:
            raise InputError(f"The data set is empty ({_summary(dataset)}). Pass at least one image.")

    @property
    def indexed(self) -> bool:
        """Whether an image can be read by itself, without those before it."""
        return self._indexed

    def scale(self, tensors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and standard deviation, (C, 1, 1), that turn images (N, C, H, W) back into colours in [0, 1].

        0 and 1 where the preprocessing does not say it, or is only assumed and the values are colours as they stand.
        """
        channels = tensors.shape[1]
        plain = torch.zeros(channels, 1, 1), torch.ones(channels, 1, 1)
        transform = getattr(self._transform, "args", [self._transform])[0]
        is_colours = float(tensors.min()) >= 0 and float(tensors.max()) <= 1
        if getattr(transform, "source", "") == "assumed" and is_colours:
            return plain
        fitting = (both for both in normalisations(transform) if len(both[0]) in (1, channels))
        numbers = next(fitting, None)
        if numbers is None:
            return plain
        mean, std = (torch.tensor(values).view(-1, 1, 1).expand(channels, 1, 1) for values in numbers)
        return mean, std

    def first(self) -> torch.Tensor:
        """The first image, (1, C, H, W); an iterator gives it once more afterwards.

        Raises:
            InputError: there is none, or it cannot be used.
        """
        if self._indexed:
            tensor, notes = self._item(0, lambda: self._items[0])
        else:
            stream = self._stream()
            head = next(stream, None)
            if head is None:
                raise InputError("The data set is empty: it gave no image. An iterator can be read only once.")
            (_, tensor, notes), used_up = head, iter(self._items) is self._items
            if used_up:
                self._items = _Chained(tensor, stream)
        self._shape, self.notes = tuple(tensor.shape), (*self.about, *notes)
        return tensor[None]

    def batches(self, start: int, stop: int | None, size: int) -> Iterator[tuple[int, torch.Tensor]]:
        """The images from ``start`` to before ``stop``: the index of the first and (n, C, H, W), ``size`` at a time.

        Raises:
            ItemError: an image cannot be read, or has another size than the first.
        """
        if self._indexed:
            end = min(stop, len(self._items)) if stop is not None else len(self._items)
            for at in range(start, end, size):
                yield at, torch.stack([self._tensor(index) for index in range(at, min(at + size, end))])
            return
        stream = itertools.islice(self._stream(), start, stop)
        for at in itertools.count(start, size):
            tensors = [self._of_size(index, tensor) for index, tensor, _ in itertools.islice(stream, size)]
            if not tensors:
                return
            yield at, torch.stack(tensors)

    def picture(self, index: int) -> Picture:
        """One image: its tensor (1, C, H, W), and the pixels (H, W, 3) that the network sees.

        Raises:
            ItemError: it cannot be read, or not any more.
        """

        def read() -> Picture:
            if self._indexed:
                image = _image_of(self._items[index])
            elif iter(self._items) is self._items:
                raise InputError("the data set was an iterator, which is used up; pass a list or a Dataset")
            else:
                image = next(tensor for at, tensor, _ in self._stream() if at == index)
            return load_picture(image, None, self._transform)

        return _guarded(index, self._name(index), read)

    def __getstate__(self) -> dict[str, Any]:
        if not self._indexed:
            raise InputError("Only a data set that gives its images by index can be read by several processes.")
        return vars(self)

    def _tensor(self, index: int) -> torch.Tensor:
        return self._of_size(index, self._item(index, lambda: self._items[index])[0])

    def _of_size(self, index: int, tensor: torch.Tensor) -> torch.Tensor:
        """``tensor`` (C, H, W), which must be as large as the first."""
        self._shape = self._shape or tuple(tensor.shape)
        if tuple(tensor.shape) != self._shape:
            sizes = [" x ".join(map(str, shape)) for shape in (tensor.shape, self._shape)]
            error = ItemError(
                f"Item {index}{self._name(index)} of the data set is {sizes[0]}, the first {sizes[1]} (channels x "
                "height x width); expected images of one size. Resize and crop them: Images(dataset, model, "
                "preprocess=...)."
            )
            error.item = index
            raise error
        return tensor

    def _item(self, index: int, read: Callable[[], Any]) -> tuple[torch.Tensor, tuple[str, ...]]:
        """(C, H, W) of one item, and notes on how it became that."""

        def prepared() -> tuple[torch.Tensor, tuple[str, ...]]:
            image = _image_of(read())
            if isinstance(image, torch.Tensor):
                return image_tensor(image)[0], ()
            picture = load_picture(image, None, self._transform)
            return picture.tensor[0], (*getattr(self._transform, "notes", ()), *picture.notes)

        return _guarded(index, self._name(index), prepared)

    def _stream(self) -> Iterator[tuple[int, torch.Tensor, tuple[str, ...]]]:
        """Index, (C, H, W) and notes of all images of an iterable."""
        index, items = 0, iter(self._items)
        while True:
            item = _guarded(index, "", functools.partial(next, items, _END))
            if item is _END:
                return
            image = _image_of(item)
            several = isinstance(image, torch.Tensor) and image.ndim == 4
            for single in image if several else [image]:
                yield index, *self._item(index, functools.partial(_constant, single))
                index += 1

    def _name(self, index: int) -> str:
        """`` ('cat.png')``, where it is the path of a file."""
        item = self._items[index] if isinstance(self._items, list | tuple) and index < len(self._items) else None
        return f" ({Path(item).name!r})" if isinstance(item, str | os.PathLike) else ""


T = TypeVar("T")
_END: Any = object()


class _Chained:
    """An iterator whose first image was read already."""

    def __init__(self, head: torch.Tensor, stream: Iterator[tuple[int, torch.Tensor, Any]]) -> None:
        self._tensors = itertools.chain([head], (tensor for _, tensor, _ in stream))

    def __iter__(self) -> _Chained:
        return self

    def __next__(self) -> torch.Tensor:
        return next(self._tensors)


def _guarded(index: int, name: str, read: Callable[[], T]) -> T:
    """What ``read`` returns; its error says which item it was."""
    try:
        return read()
    except Exception as error:
        if isinstance(error, Cancelled | ItemError) or is_out_of_memory(error):
            raise
        kind = "" if isinstance(error, InputError) else f"{type(error).__name__}: "
        explained = ItemError(f"Item {index}{name} of the data set cannot be used: {kind}{message_of(error)}")
        explained.item = index
        raise explained from error


def _items_of(dataset: Any) -> Any:
    """What gives the items: by index, or one after the other."""
    if isinstance(dataset, str | os.PathLike):
        return _files(Path(dataset).expanduser())
    if isinstance(dataset, Mapping):
        return list(dataset.values())
    if isinstance(dataset, torch.Tensor | np.ndarray):
        return dataset if dataset.ndim == 4 else [dataset]
    if isinstance(dataset, Image.Image):
        return [dataset]
    if isinstance(dataset, nn.Module) or not (isinstance(dataset, Iterable) or hasattr(dataset, "__getitem__")):
        raise InputError(f"Got a {type(dataset).__name__} as data set; expected {_EXPECTED}.")
    return dataset


def _files(path: Path) -> list[Path]:
    try:
        if path.is_file():
            return [path]
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
        exists = path.is_dir()
    except (OSError, ValueError) as error:
        raise InputError(f"Cannot read the folder {str(path)!r}: {message_of(error)}.") from error
    if not exists:
        raise InputError(f"There is no folder {str(path)!r} (looked in {str(Path.cwd())!r}). Check the path.")
    if not files:
        raise InputError(f"The folder {str(path)!r} holds no image file ({', '.join(sorted(SUFFIXES))}).")
    return files


def _is_indexed(items: Any) -> bool:
    if isinstance(items, IterableDataset) or not hasattr(items, "__getitem__"):
        return False
    try:
        len(items)
    except TypeError:
        return False
    return True


def _image_of(item: Any) -> Any:
    """The image in an item, which may have a label beside it."""
    if isinstance(item, tuple | list) and item:
        item = item[0]
    if isinstance(item, Mapping):
        key = next((key for key in _IMAGE_KEYS if key in item), None)
        if key is None:
            raise InputError(f"it is a mapping with the keys {list(item)[:6]}; expected one of {list(_IMAGE_KEYS)}.")
        item = item[key]
    return item


def _grey_transform(transform: Callable[[Image.Image], Any], picture: Image.Image) -> Any:
    return transform(picture.convert("L"))


def _constant(value: Any) -> Any:
    return value


def _summary(dataset: Any) -> str:
    return f"a tensor {tuple(dataset.shape)}" if hasattr(dataset, "shape") else f"a {type(dataset).__name__}"
