"""The graph of a forward pass without what only a gradient before the layer explained would need."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import nn

from cnnwidgets.core.errors import Cancelled, is_out_of_memory
from cnnwidgets.core.interrupts import careful

T = TypeVar("T")
Packed = tuple[torch.Tensor, int] | None


class LeanGraph:
    """Operations are recorded as ever, but until the layer has returned none of them keeps its tensors.

    A gradient for the layer's output ends there, so what comes before it need not be remembered: of a late layer,
    nearly all of the memory that a pass with gradients takes. Who does ask for it, such as a model that differentiates
    in its own forward, is told so by an error, and :func:`sparing` runs everything again with the whole graph.

    Attributes:
        fell_short: whether anybody asked for what was not kept, or the model failed.
    """

    def __init__(self) -> None:
        self.fell_short = False
        self._keeps = False

    @careful
    @contextmanager
    def recording(self) -> Iterator[None]:
        """To be around one forward pass."""
        self._keeps = False
        try:
            with torch.autograd.graph.saved_tensors_hooks(self._pack, self._unpack):
                yield
        except Exception as error:
            # Where torch refuses hooks on what is saved, the model may run without them.
            self.fell_short |= not is_out_of_memory(error) and not isinstance(error, Cancelled)
            raise

    def keep(self) -> None:
        """The layer has returned: from now on keep what is needed."""
        self._keeps = True

    def _pack(self, tensor: torch.Tensor) -> Packed:
        return (tensor.detach(), tensor._version) if self._keeps else None  # noqa: SLF001

    def _unpack(self, packed: Packed) -> torch.Tensor:
        # Torch compares no versions of what went through hooks.
        if packed is None or packed[0]._version != packed[1]:  # noqa: SLF001
            self.fell_short = True
            raise RuntimeError("this graph was recorded for the gradient at one layer only")
        return packed[0]


def sparing(base: nn.Module, look: Callable[[LeanGraph | None], T]) -> T:
    """What ``look`` returns with a lean graph to record, where that is enough; else with None, for the whole one.

    Args:
        base: the module that runs; where a lean graph fell short for it once, none is tried again.
    """
    if base not in _in_full:
        graph = LeanGraph()
        try:
            result = look(graph)
        except Exception:
            if not graph.fell_short:
                raise
        else:
            if not graph.fell_short:
                return result
            del result  # and the maps it holds
    result = look(None)
    _in_full.add(base)
    return result


_in_full: weakref.WeakSet[Any] = weakref.WeakSet()
