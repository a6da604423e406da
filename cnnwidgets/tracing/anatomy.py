"""One recorded forward pass of a network, read by all who need one within a call."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from cnnwidgets.core.network import Network

from .graph import LayerGraph, build
from .recorded import Recording
from .recording import record


class Anatomy:
    """What a network does with an input of one shape, recorded when somebody first asks."""

    def __init__(self, model: nn.Module, example: torch.Tensor | Sequence[torch.Tensor]) -> None:
        self._model, self._example = model, example

    @classmethod
    def of(cls, model: nn.Module, images: torch.Tensor) -> Anatomy:
        """That of ``model`` for one of these images, recorded but once in a call that looks at it as one network.

        It lives as long as that :class:`~cnnwidgets.core.network.Network`: afterwards the model may do something else.
        """
        anatomies = _anatomies.setdefault(Network.of(model), {})
        key = (tuple(images.shape[1:]), images.dtype, images.device)
        return anatomies.setdefault(key, cls(model, images[:1]))

    @functools.cached_property
    def recording(self) -> Recording:
        """The recorded pass.

        Raises:
            CnnWidgetsError: the model's forward raised.
        """
        return record(self._model, self._example)

    @functools.cached_property
    def graph(self) -> LayerGraph:
        """What is a layer in it, and which layer feeds which."""
        return build(self.recording)


_anatomies: weakref.WeakKeyDictionary[Network, dict[Any, Anatomy]] = weakref.WeakKeyDictionary()
