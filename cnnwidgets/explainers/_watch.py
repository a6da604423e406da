"""Each layer's output as it was when the layer returned, with the place in the autograd graph that stands for it."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.autograd.graph import GradientEdge, get_gradient_edge

from cnnwidgets.core.capture import attached
from cnnwidgets.core.names import unwrapped


@dataclass
class Output:
    """What one call of a layer returned.

    Attributes:
        shape: of the tensor.
        value: a copy made as the layer returned, or None if it was not asked for.
        own: where the gradient for what comes after this layer arrives; None if it takes part in no backward pass.
        source: where the layer handed on a tensor that was there before: where all gradient for that tensor arrives.
        handed_on: that tensor as the layer returned it, and its version then.
    """

    shape: tuple[int, ...]
    value: torch.Tensor | None = None
    own: GradientEdge | None = None
    source: GradientEdge | None = None
    handed_on: tuple[torch.Tensor, int] | None = None

    @property
    def spatial(self) -> bool:
        """Whether it is a stack of maps with more than one place."""
        return len(self.shape) == 4 and self.shape[2] * self.shape[3] > 1

    @property
    def edge(self) -> GradientEdge | None:
        """Where to take the gradient for ``value``; to be asked after the forward pass."""
        if self.handed_on is not None:
            tensor, before = self.handed_on
            # An in-place operation on a view goes round it in the graph; then only the source sees the gradient.
            if _version(tensor) != before:
                return self.source
        return self.own


@dataclass
class Call:
    """One call of a layer: its name, which of its calls this is (from 0), and what it returned."""

    name: str
    index: int
    output: Output


class Watch:
    """Follows a forward pass.

    Attributes:
        calls: how often each layer was called.
        shapes: shape of what each layer returned last, None where it holds no tensor.
    """

    def __init__(self, model: nn.Module, seen: Callable[[Call], None], wants: Callable[[str, Output], bool]) -> None:
        base = unwrapped(model)
        modules = list(base.named_modules(remove_duplicate=True))
        self._names = {module: name for name, module in modules if name or len(modules) == 1}
        self._seen = seen
        self._wants = wants
        self._inputs: list[tuple[nn.Module, list[tuple[torch.Tensor, int]]]] = []
        self._last: tuple[torch.Tensor, int, Output] | None = None
        self._returned: dict[int, tuple[weakref.ref[torch.Tensor], int]] = {}
        self.calls: dict[str, int] = {}
        self.shapes: dict[str, tuple[int, ...] | None] = {}

    @property
    def order(self) -> list[str]:
        """Names of the layers that ran, by completion of their last call."""
        return list(self.shapes)

    @contextmanager
    def following(self) -> Iterator[None]:
        """Watch while the block runs."""
        try:
            with attached(self._names, enter=self._enter, leave=self._leave):
                yield
        finally:
            self._inputs.clear()
            self._returned.clear()
            self._last = None

    def _enter(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        self._inputs.append((module, [(value, _version(value)) for value in inputs if isinstance(value, torch.Tensor)]))

    def _leave(self, module: nn.Module, _: tuple[Any, ...], output: Any) -> Any:
        # A layer that raised and was caught by the model has entered and never left.
        while True:
            entered, inputs = self._inputs.pop()
            if entered is module:
                break
        name = self._names[module]
        index = self.calls.get(name, 0)
        self.calls[name] = index + 1
        tensor = layer_tensor(output)
        self.shapes.pop(name, None)
        self.shapes[name] = None if tensor is None else tuple(tensor.shape)
        if tensor is None:
            return None
        state = (tensor, _version(tensor))
        record = self._shared(state, inputs)
        replaced = None
        if record is None:
            record = Output(tuple(tensor.shape))
            # Wherever the same tensor was around before, what comes after this layer needs a place of its own.
            again = _contains(inputs, state) or self._was_returned(state)
            if tensor.requires_grad and not tensor.is_inference():
                if again and tensor.ndim == 4:
                    own = tensor.view_as(tensor)
                    state = (own, _version(own))
                    record.own, record.source = get_gradient_edge(own), get_gradient_edge(tensor)
                    record.handed_on = state
                    replaced = with_replaced(output, tensor, own)
                else:
                    record.own = get_gradient_edge(tensor)
        if record.value is None and self._wants(name, record):
            record.value = tensor.detach().clone()
        self._last = (*state, record)
        self._returned[id(state[0])] = (weakref.ref(state[0]), state[1])
        self._seen(Call(name, index, record))
        return replaced

    def _was_returned(self, state: tuple[torch.Tensor, int]) -> bool:
        before = self._returned.get(id(state[0]))
        return before is not None and before[0]() is state[0] and before[1] == state[1]

    def _shared(self, state: tuple[torch.Tensor, int], inputs: list[tuple[torch.Tensor, int]]) -> Output | None:
        """The record of the layer that returned last, if this one is a container that hands its output on."""
        if self._last is None or _contains(inputs, state):
            return None
        tensor, version, record = self._last
        return record if tensor is state[0] and version == state[1] else None


def layer_tensor(output: Any) -> torch.Tensor | None:
    """The first stack of maps in what a layer returned, else the first tensor."""
    tensors = list(_tensors(output))
    return next((tensor for tensor in tensors if tensor.ndim == 4), tensors[0] if tensors else None)


def with_replaced(output: Any, old: torch.Tensor, new: torch.Tensor) -> Any:
    """``output`` with ``new`` in place of ``old``."""
    if output is old:
        return new
    if isinstance(output, tuple) and hasattr(output, "_fields"):
        return type(output)(*(with_replaced(item, old, new) for item in output))
    if isinstance(output, list | tuple):
        return type(output)(with_replaced(item, old, new) for item in output)
    if type(output) is dict:
        return {key: with_replaced(value, old, new) for key, value in output.items()}
    return output


def _tensors(output: Any) -> Iterator[torch.Tensor]:
    if isinstance(output, torch.Tensor):
        yield output
    elif isinstance(output, Mapping):
        for value in output.values():
            yield from _tensors(value)
    elif isinstance(output, list | tuple):
        for value in output:
            yield from _tensors(value)


def _version(tensor: torch.Tensor) -> int:
    return -1 if tensor.is_inference() else tensor._version  # noqa: SLF001


def _contains(inputs: list[tuple[torch.Tensor, int]], state: tuple[torch.Tensor, int]) -> bool:
    """Whether the layer returned one of its inputs unchanged; an in-place ReLU returns it changed."""
    return any(tensor is state[0] and version == state[1] for tensor, version in inputs)
