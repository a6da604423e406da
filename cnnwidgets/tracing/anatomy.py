"""One recorded forward pass of a network, read by all who need one within a call."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import nn

from cnnwidgets.core.network import Network

from .graph import LayerGraph
from .recorded import Recording
from .recording import record


class Anatomy(NamedTuple):
    """What a network does with an input of one shape: a pass of it, what is a layer there, and which feeds which."""

    recording: Recording
    graph: LayerGraph

    @classmethod
    def of(cls, model: nn.Module, example: torch.Tensor | Sequence[torch.Tensor]) -> Anatomy:
        """That of ``model`` for ``example``.

        Raises:
            CnnWidgetsError: the model's forward raised.
        """
        recording = record(model, example)
        return cls(recording, LayerGraph(recording))

    @classmethod
    def shared(cls, model: nn.Module, images: torch.Tensor) -> Anatomy:
        """That for one of these images, recorded but once in a call that looks at ``model`` as one network.

        It lives as long as that :class:`~cnnwidgets.core.network.Network`: afterwards the model may do something else.
        """
        anatomies = _anatomies.setdefault(Network.of(model), {})
        key = (tuple(images.shape[1:]), images.dtype, images.device)
        if key not in anatomies:
            anatomies[key] = cls.of(model, images[:1])
        return anatomies[key]


_anatomies: weakref.WeakKeyDictionary[Network, dict[Any, Anatomy]] = weakref.WeakKeyDictionary()
