"""A convolutional network from plain Python: each layer forward and backward in numpy, and data to train one on.

    from cnnwidgets import learn

    train, test = learn.digits().split()
    network = learn.digits_network(seed=0)
    network.fit(train.images, train.labels)
    network.accuracy(test.images, test.labels)

Importing this imports numpy alone; the two networks in PyTorch are loaded when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .activations import ReLU, Softmax, relu, softmax
from .affine import Affine, Flatten, affine
from .convolution2d import Conv2d, conv2d
from .convolution3d import Conv3d, conv3d
from .data import LabelledImages, cifar10, digits, mnist
from .layer import Layer
from .loss import CrossEntropy, cross_entropy
from .optimisers import SGD, Adam
from .pooling import AvgPool2d, MaxPool2d, avg_pool2d, max_pool2d
from .training import Epoch, NumpyNetwork, digits_network

if TYPE_CHECKING:
    from .torch_networks import cifar_model, digits_model, max_norm

_IN_TORCH = ("cifar_model", "digits_model", "max_norm")

__all__ = [
    "SGD",
    "Adam",
    "Affine",
    "AvgPool2d",
    "Conv2d",
    "Conv3d",
    "CrossEntropy",
    "Epoch",
    "Flatten",
    "LabelledImages",
    "Layer",
    "MaxPool2d",
    "NumpyNetwork",
    "ReLU",
    "Softmax",
    "affine",
    "avg_pool2d",
    "cifar10",
    "cifar_model",
    "conv2d",
    "conv3d",
    "cross_entropy",
    "digits",
    "digits_model",
    "digits_network",
    "max_norm",
    "max_pool2d",
    "mnist",
    "relu",
    "softmax",
]


def __getattr__(name: str) -> Any:
    if name in _IN_TORCH:
        return getattr(importlib.import_module(".torch_networks", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
