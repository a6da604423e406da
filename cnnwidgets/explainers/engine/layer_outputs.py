"""Each layer's output as it was when the layer returned, with the position in the autograd graph that stands for it."""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.autograd.graph import GradientEdge, get_gradient_edge

from cnnwidgets.core.capture import attached
from cnnwidgets.core.interrupts import careful
from cnnwidgets.core.nested import layer_tensor, tensors, version, with_replaced
from cnnwidgets.core.network import Network
from cnnwidgets.tracing.function_layers import FunctionCalls, FunctionLayer, Key, RunningModule
from cnnwidgets.tracing.layouts.layouts import Layout, Layouts
from cnnwidgets.tracing.layouts.plain_pass import PlainPass
from cnnwidgets.tracing.pathway import Pathway

from .layer_notes import rank

NO_TENSOR = Layout(())
"""Of an output that holds no tensor."""
State = tuple[torch.Tensor, int]
"""A tensor, and how often it had been written to."""


@dataclass
class Output:
    """What one call of a layer returned.

    Attributes:
        layout: what its axes are.
        value: a copy of its maps (N, C, h, w), made as the layer returned, or None if it was not asked for.
        own: where the gradient for what comes after this layer arrives; None if it takes part in no backward pass.
        base: of a tensor that is a view, the tensor that it is a view of.
        view: the tensor as the layer returned it, if it is a view, and its version then.
        floating: whether its numbers are real, neither whole numbers nor booleans nor complex.
    """

    layout: Layout
    value: torch.Tensor | None = None
    own: GradientEdge | None = None
    base: Base | None = None
    view: State | None = None
    floating: bool = True

    @property
    def edge(self) -> GradientEdge | None:
        """Where to take the gradient for ``value``, to be given to :meth:`gradient`; to be asked after the forward."""
        return self.base.edge if self.base is not None and self._written_to() else self.own

    def gradient(self, arrived: torch.Tensor) -> torch.Tensor:
        """The gradient for ``value``, from what arrived at :attr:`edge`."""
        return self.layout.maps(self.base.part(arrived) if self.base is not None and self._written_to() else arrived)

    def _written_to(self) -> bool:
        # An in-place operation on a view goes round it in the graph; then only its base sees the gradient.
        return self.view is not None and version(self.view[0]) != self.view[1]


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
class WatchedCall:
    """One call of a layer: its name, which of its calls this is (from 0), and what it returned."""

    name: str
    index: int
    output: Output


class Watch:
    """Follows a forward pass.

    Args:
        slot: in which slot a call is kept, None: in none. A later call takes the slot of an earlier one, unless both
            are of one layer and the earlier is rather to be explained (:func:`~.layer_notes.rank`).
        copies: whether an output's maps are copied as the layer returns.
        only: the layer to watch alone, which costs next to nothing; ``spatial`` then knows of it only.
        plain: reads the layouts as the pass goes, in place of ``layouts``.

    Attributes:
        layouts: layer -> the layout of what each of its calls returned; in the order in which they returned last.
        calls: slot -> the call that is kept in it; in the order in which they returned.
        pathway: what the pass did that decides where maps lie.
        alone: whether only one layer is watched.
    """

    def __init__(
        self,
        model: nn.Module,
        layouts: Layouts,
        slot: Callable[[WatchedCall], Hashable | None],
        copies: Callable[[str, Output], bool],
        functions: Mapping[Key, FunctionLayer] | None = None,
        only: str | None = None,
        plain: PlainPass | None = None,
    ) -> None:
        network = Network.of(model)
        layers = network.visible_layers
        self._names = {module: name for module, name in layers.items() if name or len(layers) == 1}
        self._modules = list(self._names)
        if only is not None and not functions:
            self._modules = [module for module, name in self._names.items() if name == only] or self._modules
        self.alone = len(self._modules) < len(self._names)
        self._slot, self._copies, self._known_layouts, self._plain = slot, copies, layouts, plain
        self._entered: Counter[str] = Counter()
        self._root = RunningModule("", 0)
        self._running: list[tuple[nn.Module, RunningModule, list[State]]] = []
        self._last: Output | None = None
        self._returned: dict[int, tuple[weakref.ref[torch.Tensor], int, Output]] = {}
        self._functions: FunctionCalls | None = None
        if functions:
            self._functions = FunctionCalls(functions, self._frame, network.tensors, self._called)
        self.pathway = Pathway() if plain is None else plain
        self._watchers = (self.pathway, *((self._functions,) if self._functions else ()))
        self.layouts: dict[str, list[Layout]] = {}
        self.calls: dict[Hashable, WatchedCall] = {}

    @property
    def spatial(self) -> list[str]:
        """Names of the layers that last returned maps with more than one position, by completion."""
        return [name for name, layouts in self.layouts.items() if layouts[-1].mapped]

    @contextmanager
    def following(self) -> Iterator[None]:
        """Watch while the block runs."""
        try:
            with (
                attached(self._modules, enter=self._enter, leave=self._leave),
                self.pathway,
                self._functions or nullcontext(),
            ):
                yield
        finally:
            self._running.clear()
            self._returned.clear()
            self._last = None

    def _frame(self) -> RunningModule:
        return self._running[-1][1] if self._running else self._root

    @careful  # else an interrupt may leave torch with its functions out of everybody's sight
    def _enter(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        name = self._names[module]
        with torch._C.DisableTorchFunction():  # noqa: SLF001 (what only looks is not followed)
            states = [(value, version(value)) for value in tensors(inputs)]
        self._running.append((module, RunningModule(name, self._entered[name]), states))
        self._entered[name] += 1

    def _leave(self, module: nn.Module, _: tuple[Any, ...], output: Any) -> Any:
        # A layer that raised and was caught by the model has entered and never left.
        while True:
            entered, _frame, inputs = self._running.pop()
            if entered is module:
                break
        return self._returns(self._names[module], output, inputs)

    def _called(self, name: str, output: torch.Tensor) -> None:
        """A torch call that is a layer made ``output``, or changed it in place."""
        self._returns(name, output, [])

    @careful
    def _returns(self, name: str, output: Any, inputs: list[State]) -> Any:
        """Note what a layer returned; the result, unless None, is to be returned instead."""
        for watcher in self._watchers:
            watcher.busy = True
        # What happens here is not followed, and asking takes longer than the rest; a class of tensors has its own ways.
        plain = type(layer_tensor(output)) in (torch.Tensor, type(None))
        try:
            with torch._C.DisableTorchFunction() if plain else nullcontext():  # noqa: SLF001
                return self._record(name, output, inputs)
        finally:
            for watcher in self._watchers:
                watcher.busy = False

    def _record(self, name: str, output: Any, inputs: list[State]) -> Any:
        tensor = layer_tensor(output)
        layouts = self.layouts[name] = self.layouts.pop(name, [])  # by completion of the last call
        index = len(layouts)
        if tensor is None:
            layouts.append(NO_TENSOR)
            return None
        shape = tuple(tensor.shape)
        layout = self._plain.layout(tensor) if self._plain else self._known_layouts.of(name, index, shape)
        layouts.append(layout)
        state = (tensor, version(tensor))
        record, earlier, replacement = self._handed_on(state, inputs), self._returned_before(state), None
        if record is None or record.layout != layout:
            record, replacement = self._output(state, inputs, output, layout)
            state = record.view or state
        if record.value is None and self._copies(name, record):
            record.value = self._copied(tensor, layout, earlier)
        self._last = record
        self._returned[id(state[0])] = (weakref.ref(state[0]), state[1], record)
        self._keep(WatchedCall(name, index, record))
        return replacement

    def _keep(self, call: WatchedCall) -> None:
        slot = self._slot(call)
        if slot is None:
            return
        earlier = self.calls.get(slot)
        if earlier is not None:
            if earlier.name == call.name and rank(call.output.layout) < rank(earlier.output.layout):
                return
            del self.calls[slot]
            if not any(earlier.output is other.output for other in (call, *self.calls.values())):
                earlier.output.value = None  # the memory is needed
        self.calls[slot] = call

    def _output(self, state: State, inputs: list[State], output: Any, layout: Layout) -> tuple[Output, Any]:
        """A record of this output, and what to return in its stead, if anything."""
        tensor = state[0]
        record = Output(layout, floating=tensor.is_floating_point() or tensor.is_complex())
        if not layout.stacked or not tensor.requires_grad or tensor.is_inference():
            return record, None
        # Wherever the same tensor was around before, what comes after this layer needs a node of its own.
        # Of one layer that is watched alone, a part of it may have returned the tensor, and used it for something else.
        again = _contains(inputs, state) or self._returned_before(state) is not None
        again = again or (self.alone and any(True for _ in self._modules[0].children()))
        own = tensor.view_as(tensor) if again else tensor
        if not own.requires_grad:  # within a part that runs without gradients, and makes up for it itself
            return record, None
        if again and self._plain is not None:
            self._plain.same(own, tensor)
        record.own, record.base = get_gradient_edge(own), Base.of(own)
        if record.base is not None:
            record.view = (own, version(own))
        return record, with_replaced(output, tensor, own) if again else None

    def _returned_before(self, state: State) -> Output | None:
        """That of a layer that returned this very tensor before."""
        entry = self._returned.get(id(state[0]))
        return entry[2] if entry is not None and entry[0]() is state[0] and entry[1] == state[1] else None

    def _copied(self, tensor: torch.Tensor, layout: Layout, earlier: Output | None) -> torch.Tensor:
        if earlier is not None and earlier.value is not None and earlier.layout == layout:
            return earlier.value.view_as(earlier.value)  # what hands its input on needs no memory of its own
        return layout.maps(tensor.detach()).clone()

    def _handed_on(self, state: State, inputs: list[State]) -> Output | None:
        """The record of the layer that returned last, if this one is a container that hands its output on."""
        record = self._returned_before(state)
        return record if record is self._last and not _contains(inputs, state) else None


def _contains(inputs: list[State], state: State) -> bool:
    """Whether the layer returned one of its inputs unchanged; an in-place ReLU returns it changed."""
    return any(tensor is state[0] and written == state[1] for tensor, written in inputs)
