"""Each layer's output as it was when the layer returned, with the place in the autograd graph that stands for it."""

from __future__ import annotations

import itertools
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.autograd.graph import GradientEdge, get_gradient_edge

from cnnwidgets.core.capture import attached
from cnnwidgets.core.function_layers import Frame, FunctionCalls, FunctionLayer, Key
from cnnwidgets.core.layouts import Layout, Layouts
from cnnwidgets.core.names import unwrapped


@dataclass
class Output:
    """What one call of a layer returned.

    Attributes:
        layout: what its axes are.
        value: a copy made as the layer returned, or None if it was not asked for.
        own: where the gradient for what comes after this layer arrives; None if it takes part in no backward pass.
        base: of a tensor that is a view, the tensor that it is a view of.
        view: the tensor as the layer returned it, if it is a view, and its version then.
    """

    layout: Layout
    value: torch.Tensor | None = None
    own: GradientEdge | None = None
    base: Base | None = None
    view: tuple[torch.Tensor, int] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The tensor's."""
        return self.layout.shape

    @property
    def stacked(self) -> bool:
        """Whether it is a stack of maps."""
        return len(self.shape) == 4 and self.layout.why_not is None

    @property
    def spatial(self) -> bool:
        """Whether it is a stack of maps with more than one place."""
        return self.layout.spatial

    @property
    def edge(self) -> GradientEdge | None:
        """Where to take the gradient for ``value``, to be given to :meth:`gradient`; to be asked after the forward."""
        return self.base.edge if self.base is not None and self._written_to() else self.own

    def gradient(self, arrived: torch.Tensor) -> torch.Tensor:
        """The gradient for ``value``, from what arrived at :attr:`edge`."""
        return self.base.part(arrived) if self.base is not None and self._written_to() else arrived

    def _written_to(self) -> bool:
        # An in-place operation on a view goes round it in the graph; then only its base sees the gradient.
        return self.view is not None and _version(self.view[0]) != self.view[1]


@dataclass(frozen=True)
class Base:
    """The tensor that a layer's output is a view of, as it was when the layer returned."""

    edge: GradientEdge
    layout: tuple[tuple[int, ...], tuple[int, ...]]
    window: tuple[tuple[int, ...], tuple[int, ...], int]

    @classmethod
    def of(cls, view: torch.Tensor) -> Base | None:
        """The base of ``view``; None if it is not a view of something with a gradient."""
        base = view._base  # noqa: SLF001
        if base is None or not base.requires_grad:
            return None
        offset = int(view.storage_offset() - base.storage_offset())
        return cls(get_gradient_edge(base), (base.shape, base.stride()), (view.shape, view.stride(), offset))

    def part(self, gradient: torch.Tensor) -> torch.Tensor:
        """The part of the base's gradient that belongs to the view."""
        laid_out = gradient.new_empty_strided(*self.layout).copy_(gradient)
        return laid_out.as_strided(*self.window)


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
        spatial: names of the layers that last returned maps with more than one place, by completion.
        odd: whether something was seen that calls for :func:`~cnnwidgets.core.layouts.followed_layouts`.
    """

    def __init__(
        self,
        model: nn.Module,
        seen: Callable[[Call], None],
        wants: Callable[[str, Output], bool],
        layouts: Layouts,
        functions: Mapping[Key, FunctionLayer] | None = None,
    ) -> None:
        self._base = unwrapped(model)
        modules = list(self._base.named_modules())
        self._names = {module: name for name, module in modules if name or len(modules) == 1}
        self._seen = seen
        self._wants = wants
        self._layouts = layouts
        self._entered: Counter[str] = Counter()
        self._root = Frame("", 0)
        self._running: list[tuple[nn.Module, Frame, list[tuple[torch.Tensor, int]]]] = []
        self._last: tuple[torch.Tensor, int, Output] | None = None
        self._returned: dict[int, tuple[weakref.ref[torch.Tensor], int]] = {}
        self._functions: FunctionCalls | None = None
        if functions:
            own = itertools.chain(self._base.parameters(), self._base.buffers())
            self._functions = FunctionCalls(functions, self._frame, own, self._called)
        self.calls: dict[str, int] = {}
        self.shapes: dict[str, tuple[int, ...] | None] = {}
        self.spatial: dict[str, None] = {}
        self.odd = False

    @property
    def order(self) -> list[str]:
        """Names of the layers that ran, by completion of their last call."""
        return list(self.shapes)

    @contextmanager
    def following(self) -> Iterator[None]:
        """Watch while the block runs."""
        try:
            with attached(self._names, enter=self._enter, leave=self._leave), self._functions or nullcontext():
                yield
        finally:
            self._running.clear()
            self._returned.clear()
            self._last = None

    def _frame(self) -> Frame:
        return self._running[-1][1] if self._running else self._root

    def _enter(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        name = self._names[module]
        given = [(value, _version(value)) for value in inputs if isinstance(value, torch.Tensor)]
        self._running.append((module, Frame(name, self._entered[name]), given))
        self._entered[name] += 1

    def _leave(self, module: nn.Module, _: tuple[Any, ...], output: Any) -> Any:
        # A layer that raised and was caught by the model has entered and never left.
        while True:
            entered, _frame, inputs = self._running.pop()
            if entered is module:
                break
        if isinstance(module, nn.Linear) and isinstance(output, torch.Tensor) and output.ndim == 4:
            self.odd = True
        if self._functions is None:
            return self._returns(self._names[module], output, inputs)
        self._functions.busy = True
        try:
            return self._returns(self._names[module], output, inputs)
        finally:
            self._functions.busy = False

    def _called(self, name: str, output: torch.Tensor) -> None:
        """A torch call that is a layer made ``output``, or changed it in place."""
        self._returns(name, output, [])

    def _returns(self, name: str, output: Any, inputs: list[tuple[torch.Tensor, int]]) -> Any:
        """Note what a layer returned; the result, unless None, is to be returned instead."""
        index = self.calls.get(name, 0)
        self.calls[name] = index + 1
        tensor = layer_tensor(output)
        self.shapes.pop(name, None)
        self.spatial.pop(name, None)
        self.shapes[name] = None if tensor is None else tuple(tensor.shape)
        if tensor is None:
            return None
        state = (tensor, _version(tensor))
        record = self._shared(state, inputs)
        replaced = None
        if record is None:
            layout = self._layouts.of(name, index, tuple(tensor.shape))
            record, replaced = self._own(state, inputs, output, layout)
            self.odd |= tensor.ndim == 4 and (layout.why_not is not None or _turned(tensor))
            state = record.view or state
        if record.spatial:
            self.spatial[name] = None
        if record.value is None and self._wants(name, record):
            record.value = tensor.detach().clone()
        self._last = (*state, record)
        self._returned[id(state[0])] = (weakref.ref(state[0]), state[1])
        self._seen(Call(name, index, record))
        return replaced

    def _own(
        self, state: tuple[torch.Tensor, int], inputs: list[tuple[torch.Tensor, int]], output: Any, layout: Layout
    ) -> tuple[Output, Any]:
        """A record of this output, and what to return in its place, if anything."""
        tensor = state[0]
        record = Output(layout)
        if not tensor.requires_grad or tensor.is_inference():
            return record, None
        # Wherever the same tensor was around before, what comes after this layer needs a place of its own.
        again = tensor.ndim == 4 and (_contains(inputs, state) or self._was_returned(state))
        own = tensor.view_as(tensor) if again else tensor
        record.own, record.base = get_gradient_edge(own), Base.of(own)
        if record.base is not None:
            record.view = (own, _version(own))
        return record, with_replaced(output, tensor, own) if again else None

    def _was_returned(self, state: tuple[torch.Tensor, int]) -> bool:
        known = self._returned.get(id(state[0]))
        return known is not None and known[0]() is state[0] and known[1] == state[1]

    def _shared(self, state: tuple[torch.Tensor, int], inputs: list[tuple[torch.Tensor, int]]) -> Output | None:
        """The record of the layer that returned last, if this one is a container that hands its output on."""
        if self._last is None or _contains(inputs, state):
            return None
        tensor, version, record = self._last
        return record if tensor is state[0] and version == state[1] else None


def refusal(name: str, layout: Layout, spatial: Iterable[str]) -> str:
    """The message for a layer that returns no maps though it has four axes; ``spatial`` are names of those that do."""
    message = f"Layer {name!r} returns {layout.shape}, {layout.why_not}: not maps (N, C, H, W)."
    known = list(spatial)
    around = name
    while "." in around:
        around = around.rpartition(".")[0]
        if around in known:
            return f"{message} Choose {around!r}, the block around it."
    return f"{message} The last layer that returns maps is {known[-1]!r}." if known else message


def unsure_note(name: str) -> str:
    """The note where only the shape says that a layer returns maps."""
    return f"the axes of layer {name!r} could not be followed; read as (N, C, H, W)"


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


def _turned(tensor: torch.Tensor) -> bool:
    """Whether its last two axes lie in memory as no stack of maps lays rows and columns."""
    if tensor.layout != torch.strided:
        return False
    rows, columns = tensor.shape[2:]
    return rows > 1 and columns > 1 and tensor.stride(2) < tensor.stride(3)


def _version(tensor: torch.Tensor) -> int:
    return -1 if tensor.is_inference() else tensor._version  # noqa: SLF001


def _contains(inputs: list[tuple[torch.Tensor, int]], state: tuple[torch.Tensor, int]) -> bool:
    """Whether the layer returned one of its inputs unchanged; an in-place ReLU returns it changed."""
    return any(tensor is state[0] and version == state[1] for tensor, version in inputs)
