"""The networks of the tutorials in PyTorch, and the constraint on their weights."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from cnnwidgets.core.arguments import checked_count, is_number
from cnnwidgets.core.errors import InputError

_WEIGHTED = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)


def digits_model(*, channels: int = 1, size: int = 28, classes: int = 10, seed: int | None = None) -> nn.Sequential:
    """A network for handwritten digits: 1,199,882 parameters.

    Convolution 32 3x3, convolution 64 3x3, max pooling 2x2, dropout 0.25, dense 128, dropout 0.5, dense
    ``classes``, with ReLUs between them. Its outputs are scores before a softmax, as ``nn.CrossEntropyLoss`` takes
    them.

    Args:
        channels: of the images; 1 is grey.
        size: of their sides in pixels, at least 6.
        classes: how many there are.
        seed: of the first weights, which leaves torch's own random numbers as they were; None: those are drawn from.

    Raises:
        InputError: an argument is out of its range.

    Example:
        >>> model = digits_model()
        >>> sum(p.numel() for p in model.parameters())
        1199882
    """
    _check_counts(channels=channels, classes=classes)
    side = (checked_count(size, "size", least=6) - 4) // 2
    with _seeded(seed):
        return nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(channels, 32, 3),
                relu1=nn.ReLU(),
                conv2=nn.Conv2d(32, 64, 3),
                relu2=nn.ReLU(),
                pool=nn.MaxPool2d(2),
                dropout1=nn.Dropout(0.25),
                flatten=nn.Flatten(),
                dense1=nn.Linear(64 * side * side, 128),
                relu3=nn.ReLU(),
                dropout2=nn.Dropout(0.5),
                dense2=nn.Linear(128, classes),
            )
        )


def cifar_model(*, channels: int = 3, size: int = 32, classes: int = 10, seed: int | None = None) -> nn.Sequential:
    """A network for the small photographs of CIFAR-10: 4,210,090 parameters.

    Convolution 32 3x3, dropout 0.3, convolution 32 3x3, both with padding, max pooling 2x2, dense 512, dropout 0.5,
    dense ``classes``, with ReLUs between them. It is trained with :func:`max_norm` after each step.

    Args:
        channels: of the images; 3 are colours.
        size: of their sides in pixels, at least 2.
        classes, seed: as for :func:`digits_model`.

    Raises:
        InputError: an argument is out of its range.

    Example:
        >>> sum(p.numel() for p in cifar_model().parameters())
        4210090
    """
    _check_counts(channels=channels, classes=classes)
    side = checked_count(size, "size", least=2) // 2
    with _seeded(seed):
        return nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(channels, 32, 3, padding=1),
                relu1=nn.ReLU(),
                dropout1=nn.Dropout(0.3),
                conv2=nn.Conv2d(32, 32, 3, padding=1),
                relu2=nn.ReLU(),
                pool=nn.MaxPool2d(2),
                flatten=nn.Flatten(),
                dense1=nn.Linear(32 * side * side, 512),
                relu3=nn.ReLU(),
                dropout2=nn.Dropout(0.5),
                dense2=nn.Linear(512, classes),
            )
        )


@torch.no_grad()
def max_norm(model: nn.Module, limit: float = 3.0) -> None:
    """Shrink what has grown too long: no filter of a convolution or linear layer keeps a norm above ``limit``.

    Call it after each ``optimizer.step()``. A filter's norm is the root of the summed squares of all weights that make
    one output; biases do not count. Filters that are short enough stay as they are, to the bit (Srivastava et al. 2014,
    "Dropout", section 5.1).

    Args:
        model: whose convolution and linear layers are meant, itself included.
        limit: the longest norm, above 0.

    Raises:
        InputError: ``limit`` is no number above 0.

    Example:
        >>> layer = nn.Linear(2, 1)
        >>> _ = layer.weight.data.copy_(torch.tensor([[30.0, 40.0]]))
        >>> max_norm(layer, 5.0)
        >>> layer.weight.data.round(decimals=4)
        tensor([[3., 4.]])
    """
    if not is_number(limit) or not limit > 0:
        raise InputError(f"limit is {limit!r}; expected a number above 0, as 3.0.")
    for module in model.modules():
        if isinstance(module, _WEIGHTED):
            norms = module.weight.flatten(1).norm(dim=1)
            long = norms > limit
            shape = (-1, *(1,) * (module.weight.ndim - 1))
            module.weight[long] *= (limit / norms[long]).reshape(shape)


def _check_counts(**counts: int) -> None:
    for name, count in counts.items():
        checked_count(count, name)


@contextmanager
def _seeded(seed: int | None) -> Iterator[None]:
    """Torch's generator of the CPU, on which layers are made, starts at ``seed`` and is put back."""
    if seed is None:
        yield
        return
    checked_count(seed, "seed", least=0, alternative=", or None")
    before = torch.default_generator.get_state()
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        torch.default_generator.set_state(before)
