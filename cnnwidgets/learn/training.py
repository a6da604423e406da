"""A network of these layers, which learns to tell digits apart in some seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnwidgets.core.arguments import checked_count
from cnnwidgets.core.errors import InputError
from cnnwidgets.core.progress import Meter, ProgressCallback

from .activations import ReLU, softmax
from .affine import Affine, Flatten
from .convolution2d import Conv2d
from .layer import Array, Layer
from .loss import CrossEntropy, checked_labels
from .optimisers import Adam, Optimiser
from .pooling import MaxPool2d

_AT_ONCE = 256


@dataclass(frozen=True)
class Epoch:
    """One look at all training images.

    Attributes:
        number: from 1.
        loss: the mean cross-entropy while it learned.
        accuracy: the share of training images that were named right while it learned, 0 to 1.
        held_out: the share of the held-out images that are named right at its end; None without such.
    """

    number: int
    loss: float
    accuracy: float
    held_out: float | None = None

    def __str__(self) -> str:
        held_out = "" if self.held_out is None else f", held out {100 * self.held_out:5.1f} %"
        return f"epoch {self.number:2}: loss {self.loss:.3f}, training {100 * self.accuracy:5.1f} %{held_out}"


class NumpyNetwork:
    """Layers one after the other, the last of which gives a score for each class.

    Args:
        layers: such as :class:`~cnnwidgets.learn.Conv2d`, in the order in which they compute.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.layers = list(layers)

    def forward(self, x: Any) -> Array:
        """The scores (N, classes) of images (N, C, H, W), as the last layer gives them: before a softmax."""
        values: Array = np.asarray(x)
        for layer in self.layers:
            values = layer.forward(values)
        return values

    def backward(self, grad: Array) -> Array:
        """From the gradient of the loss by the scores to that by the images; each layer then has its own."""
        for layer in reversed(self.layers):
            grad = layer.backward(grad)
        return grad

    def probabilities(self, x: Any) -> Array:
        """(N, classes), each row adding up to 1."""
        x = np.asarray(x)
        return softmax(np.concatenate([self.forward(x[i : i + _AT_ONCE]) for i in range(0, max(len(x), 1), _AT_ONCE)]))

    def predict(self, x: Any) -> Array:
        """(N,) ints: the class with the highest score of each image (N, C, H, W)."""
        classes: Array = self.probabilities(x).argmax(axis=1)
        return classes

    def accuracy(self, x: Any, labels: Any) -> float:
        """The share of images that are named right, 0 to 1."""
        probabilities = self.probabilities(x)
        return float((probabilities.argmax(axis=1) == checked_labels(labels, probabilities)).mean())

    def fit(
        self,
        x: Any,
        labels: Any,
        *,
        epochs: int = 15,
        batch: int = 32,
        optimiser: Optimiser | None = None,
        held_out: tuple[Any, Any] | None = None,
        seed: int = 0,
        progress: ProgressCallback | bool | None = None,
    ) -> list[Epoch]:
        """Learn: forward, loss, backward, a step of the optimiser, for one small batch of images after the other.

        Args:
            x: (N, C, H, W).
            labels: (N,) ints.
            epochs: how often all images are looked at.
            batch: images in a step.
            optimiser: by default :class:`~cnnwidgets.learn.Adam` with a rate of 0.003.
            held_out: (x, labels) that are never learned from; their accuracy is measured after each epoch.
            seed: of the order in which images come, another in each epoch.
            progress: called after each epoch, which is its ``step.partial``; raise
                :class:`~cnnwidgets.core.errors.Cancelled` in it to stop.

        Returns:
            What each epoch came to.

        Raises:
            InputError: images and labels that do not fit each other or the network.
        """
        x, labels = np.asarray(x), np.asarray(labels)
        checked_count(epochs, "epochs")
        checked_count(batch, "batch")
        if len(x) != len(labels) or not len(x):
            raise InputError(f"There are {len(x)} images and {len(labels)} labels; expected as many, and at least one.")
        optimiser = Adam(self.layers, 0.003) if optimiser is None else optimiser
        order, history = np.random.default_rng(seed), list[Epoch]()
        with Meter(progress, epochs) as meter:
            for number in range(1, epochs + 1):
                loss, accuracy = self._epoch(x, labels, order.permutation(len(x)), batch, optimiser)
                test = None if held_out is None else self.accuracy(*held_out)
                history.append(Epoch(number, loss, accuracy, test))
                meter.advance(partial=history[-1])
        return history

    def _epoch(self, x: Array, labels: Array, order: Array, batch: int, optimiser: Optimiser) -> tuple[float, float]:
        """The mean loss and accuracy over all images, each batch as it was before it was learned from."""
        criterion, losses, right = CrossEntropy(), 0.0, 0
        for start in range(0, len(x), batch):
            chunk = order[start : start + batch]
            scores = self.forward(x[chunk])
            losses += criterion.forward(scores, labels[chunk]) * len(chunk)
            right += int((scores.argmax(axis=1) == labels[chunk]).sum())
            self.backward(criterion.backward())
            optimiser.step()
        return losses / len(x), right / len(x)


def digits_network(seed: int = 0) -> NumpyNetwork:
    """A small network for the 8x8 digits of :func:`~cnnwidgets.learn.digits`: two convolutions, 6,090 weights.

    Args:
        seed: of its first weights.

    Example:
        >>> digits_network().forward(np.zeros((2, 1, 8, 8))).shape
        (2, 10)
    """
    random = np.random.default_rng(seed)
    return NumpyNetwork(
        [
            Conv2d(1, 16, 3, padding=1, seed=random),
            ReLU(),
            MaxPool2d(2),
            Conv2d(16, 32, 3, padding=1, seed=random),
            ReLU(),
            MaxPool2d(2),
            Flatten(),
            Affine(128, 10, seed=random),
        ]
    )
