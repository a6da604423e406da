"""Each layer's output as it was when the layer returned, with the place in the autograd graph that stands for it."""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import nn
from torch.autograd.graph import get_gradient_edge

from cnnwidgets.core.capture import attached
from cnnwidgets.core.nested import layer_tensor, tensors, version, with_replaced
from cnnwidgets.core.network import Network
from cnnwidgets.tracing.function_layers import FunctionCalls, FunctionLayer, Key, RunningModule
from cnnwidgets.tracing.layouts.layouts import Layout, Layouts
from cnnwidgets.tracing.layouts.plain_pass import PlainPass
from cnnwidgets.tracing.pathway import Pathway

from .call_outputs import Base, Call, Output


class Watch:
    """Follows a forward pass.

    Args:
        only: the layer to watch alone, which costs next to nothing; ``spatial`` then knows of it only.
        plain: reads the layouts as the pass goes, in place of ``layouts``.

    Attributes:
        calls: how often each layer was called.
        shapes: shape of what each layer returned last, None where it holds no tensor.
        spatial: names of the layers that last returned maps with more than one place, by completion.
        pathway: what the pass did that decides where maps lie.
        layouts: layer -> the layout of what each of its calls returned.
    """

    def __init__(
        self,
        model: nn.Module,
        seen: Callable[[Call], None],
        wants: Callable[[str, Output], bool],
        layouts: Layouts,
        functions: Mapping[Key, FunctionLayer] | None = None,
        only: str | None = None,
        plain: PlainPass | None = None,
    ) -> None:
        network = Network.of(model)
        self._base, layers = network.base, network.visible_layers
        self._names = {module: name for module, name in layers.items() if name or len(layers) == 1}
        self._only: nn.Module | None = None
        if only is not None and not functions:
            self._only = next((module for module, name in self._names.items() if name == only), None)
        self._seen = seen
        self._wants = wants
        self._layouts = layouts
        self._entered: Counter[str] = Counter()
        self._root = RunningModule("", 0)
        self._running: list[tuple[nn.Module, RunningModule, list[tuple[torch.Tensor, int]]]] = []
        self._last: tuple[torch.Tensor, int, Output] | None = None
        self._returned: dict[int, tuple[weakref.ref[torch.Tensor], int, Output]] = {}
        self._functions: FunctionCalls | None = None
        if functions:
            self._functions = FunctionCalls(functions, self._frame, network.tensors, self._called)
        self.calls: dict[str, int] = {}
        self.shapes: dict[str, tuple[int, ...] | None] = {}
        self.spatial: dict[str, None] = {}
        self.pathway = Pathway() if plain is None else plain
        self._plain = plain
        self.layouts: dict[str, list[Layout]] = {}

    @property
    def alone(self) -> bool:
        """Whether only one layer is watched."""
        return self._only is not None

    @property
    def order(self) -> list[str]:
        """Names of the layers that ran, by completion of their last call."""
        return list(self.shapes)

    @contextmanager
    def following(self) -> Iterator[None]:
        """Watch while the block runs."""
        try:
            with (
                attached(self._watched(), enter=self._enter, leave=self._leave),
                self.pathway,
                self._functions or nullcontext(),
            ):
                yield
        finally:
            self._running.clear()
            self._returned.clear()
            self._last = None

    def _watched(self) -> list[nn.Module]:
        return list(self._names) if self._only is None else [self._only]

    def _frame(self) -> RunningModule:
        return self._running[-1][1] if self._running else self._root

    def _enter(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        name = self._names[module]
        with torch._C.DisableTorchFunction():  # noqa: SLF001 (what only looks is not followed)
            given = [(value, version(value)) for value in tensors(inputs)]
        self._running.append((module, RunningModule(name, self._entered[name]), given))
        self._entered[name] += 1

    def _leave(self, module: nn.Module, _: tuple[Any, ...], output: Any) -> Any:
        # A layer that raised and was caught by the model has entered and never left.
        while True:
            entered, _frame, inputs = self._running.pop()
            if entered is module:
                break
        if self._functions is not None:
            self._functions.busy = True
        try:
            return self._returns(self._names[module], output, inputs)
        finally:
            if self._functions is not None:
                self._functions.busy = False

    def _called(self, name: str, output: torch.Tensor) -> None:
        """A torch call that is a layer made ``output``, or changed it in place."""
        self._returns(name, output, [])

    def _returns(self, name: str, output: Any, inputs: list[tuple[torch.Tensor, int]]) -> Any:
        """Note what a layer returned; the result, unless None, is to be returned instead."""
        self.pathway.busy = True
        # What happens here is not followed, and asking takes longer than the rest; a class of tensors has its own ways.
        plain = type(layer_tensor(output)) in (torch.Tensor, type(None))
        try:
            with torch._C.DisableTorchFunction() if plain else nullcontext():  # noqa: SLF001
                return self._noted(name, output, inputs)
        finally:
            self.pathway.busy = False

    def _noted(self, name: str, output: Any, inputs: list[tuple[torch.Tensor, int]]) -> Any:
        index = self.calls.get(name, 0)
        self.calls[name] = index + 1
        tensor = layer_tensor(output)
        self.shapes.pop(name, None)
        self.spatial.pop(name, None)
        self.shapes[name] = None if tensor is None else tuple(tensor.shape)
        if tensor is None:
            self.layouts.setdefault(name, []).append(Layout(()))
            return None
        state = (tensor, version(tensor))
        layout = self._plain.layout(tensor) if self._plain else self._layouts.of(name, index, tuple(tensor.shape))
        self.layouts.setdefault(name, []).append(layout)
        record, known = self._shared(state, inputs), self._record(state)
        replaced = None
        if record is None or record.layout != layout:
            record, replaced = self._own(state, inputs, output, layout)
            state = record.view or state
        if record.spatial:
            self.spatial[name] = None
        if record.value is None and self._wants(name, record):
            record.value = self._copied(tensor, layout, known)
        self._last = (*state, record)
        self._returned[id(state[0])] = (weakref.ref(state[0]), state[1], record)
        self._seen(Call(name, index, record))
        return replaced

    def _own(
        self, state: tuple[torch.Tensor, int], inputs: list[tuple[torch.Tensor, int]], output: Any, layout: Layout
    ) -> tuple[Output, Any]:
        """A record of this output, and what to return in its place, if anything."""
        tensor = state[0]
        record = Output(layout, floating=tensor.is_floating_point() or tensor.is_complex())
        if not tensor.requires_grad or tensor.is_inference():
            return record, None
        # Wherever the same tensor was around before, what comes after this layer needs a place of its own.
        # Of one layer that is watched alone, a part of it may have returned the tensor, and used it for something else.
        handed_on = self._only is not None and any(True for _ in self._only.children())
        again = record.stacked and (handed_on or _contains(inputs, state) or self._record(state) is not None)
        own = tensor.view_as(tensor) if again else tensor
        if not own.requires_grad:  # within a part that runs without gradients, and makes up for it itself
            return record, None
        if again and self._plain is not None:
            self._plain.same(own, tensor)
        record.own, record.base = get_gradient_edge(own), Base.of(own)
        if record.base is not None:
            record.view = (own, version(own))
        return record, with_replaced(output, tensor, own) if again else None

    def _record(self, state: tuple[torch.Tensor, int]) -> Output | None:
        """That of a layer that returned this very tensor before."""
        known = self._returned.get(id(state[0]))
        return known[2] if known is not None and known[0]() is state[0] and known[1] == state[1] else None

    def _copied(self, tensor: torch.Tensor, layout: Layout, known: Output | None) -> torch.Tensor:
        if known is not None and known.value is not None and known.layout == layout:
            return known.value.view_as(known.value)  # what hands its input on needs no memory of its own
        return layout.maps(tensor.detach()).clone()

    def _shared(self, state: tuple[torch.Tensor, int], inputs: list[tuple[torch.Tensor, int]]) -> Output | None:
        """The record of the layer that returned last, if this one is a container that hands its output on."""
        if self._last is None or _contains(inputs, state):
            return None
        tensor, version, record = self._last
        return record if tensor is state[0] and version == state[1] else None


def refusal(name: str, layout: Layout, spatial: Iterable[str]) -> str:
    """The message for a layer that returns no maps; ``spatial`` are names of those that do."""
    why_not = layout.why_not or "without height and width"
    message = f"Layer {name!r} returns {layout.shape}, {why_not}: not maps (N, C, H, W)."
    if len(layout.shape) == 3:
        message += " If it is tokens, pass tokens=, (rows, columns) of their grid or a function that makes maps of it."
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


def _contains(inputs: list[tuple[torch.Tensor, int]], state: tuple[torch.Tensor, int]) -> bool:
    """Whether the layer returned one of its inputs unchanged; an in-place ReLU returns it changed."""
    return any(tensor is state[0] and version == state[1] for tensor, version in inputs)
