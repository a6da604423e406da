"""Which tensor of what a layer returned is looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch


def layer_tensor(output: Any) -> torch.Tensor | None:
    """The first stack of maps in what a layer returned, else the first tensor; None if there is no tensor.

    Example:
        >>> maps, tokens = torch.zeros(1, 2, 3, 3), torch.zeros(1, 9, 2)
        >>> layer_tensor({"tokens": tokens, "maps": [maps]}) is maps, layer_tensor((tokens, None)) is tokens
        (True, True)
    """
    tensors = list(_tensors(output))
    for tensor in tensors:
        if tensor.ndim == 4:
            first = tensors[0]
            weights = first.ndim == 3 and first.shape[1] == tensor.shape[2] == tensor.shape[3]
            return first if weights else tensor
    return tensors[0] if tensors else None


def _tensors(output: Any) -> Iterator[torch.Tensor]:
    if isinstance(output, torch.Tensor):
        yield output
    elif isinstance(output, Mapping):
        for value in output.values():
            yield from _tensors(value)
    elif isinstance(output, list | tuple):
        for value in output:
            yield from _tensors(value)
