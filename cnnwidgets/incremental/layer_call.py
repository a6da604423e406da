"""The calls of one layer, a module or a torch call, while a model runs."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from cnnwidgets.core.capture import attached
from cnnwidgets.core.errors import NotSpatial
from cnnwidgets.core.nested import layer_tensor, with_replaced
from cnnwidgets.core.network import Network
from cnnwidgets.tracing.function_layers import FunctionCalls, FunctionLayer, Key, RunningModule

from .values.edits import Edits
from .values.sharing import take_over

Functions = Mapping[Key, FunctionLayer]
"""Torch calls of a model that are layers, from :func:`~cnnwidgets.tracing.function_layers.function_layers`."""
See = Callable[[int, torch.Tensor | None], torch.Tensor | None]
"""Told of a call of the layer, from 0, and the tensor in what it returned; the result, unless None, replaces it."""


@contextmanager
def calls_of(model: nn.Module, layer: nn.Module | str, functions: Functions, see: See) -> Iterator[None]:
    """While the block runs, ``see`` is told of each call of ``layer``: a module, or a name in ``functions``.

    Raises:
        NotSpatial: the model runs, and what the layer returns takes no other tensor.
    """
    count = itertools.count()

    def leave(_: nn.Module, __: tuple[Any, ...], output: Any) -> Any:
        tensor = layer_tensor(output)
        new = see(next(count), tensor)
        if new is None or tensor is None:
            return None
        replaced = with_replaced(output, tensor, new)
        if replaced is output:
            raise NotSpatial(
                f"The layer returns {type(output).__name__}, in which its maps cannot be replaced. Choose a layer in "
                "it, or after it."
            )
        return replaced

    def called(name: str, tensor: torch.Tensor) -> None:
        if name != layer:
            return
        new = see(next(count), tensor)
        if new is not None:
            _take_content(tensor, new)

    if isinstance(layer, nn.Module):
        with attached([layer], leave=leave):
            yield
        return
    running = _Running(model)
    with (
        attached(running.names, enter=running.enter, always=running.leave),
        FunctionCalls(functions, running.frame, Network.of(model).tensors, called),
    ):
        yield


def _take_content(tensor: torch.Tensor, new: torch.Tensor) -> None:
    """The caller goes on with the very tensor that the torch call returned, so it takes the new content on."""
    if isinstance(tensor, Edits) and isinstance(new, Edits):
        tensor.family, tensor.path = None, ()
        take_over(tensor, new)
    else:
        tensor.set_(new)  # type: ignore[call-overload]


class _Running:
    """Which module's code runs."""

    def __init__(self, model: nn.Module) -> None:
        self.names = Network.of(model).visible_layers
        self._entered: Counter[str] = Counter()
        self._frames = [RunningModule("", 0)]

    def frame(self) -> RunningModule:
        return self._frames[-1]

    def enter(self, module: nn.Module, _: tuple[Any, ...]) -> None:
        name = self.names[module]
        self._frames.append(RunningModule(name, self._entered[name]))
        self._entered[name] += 1

    def leave(self, _: nn.Module, __: tuple[Any, ...], ___: Any) -> None:
        self._frames.pop()
