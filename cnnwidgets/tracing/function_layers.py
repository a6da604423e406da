"""Layers that are torch calls rather than modules, such as ``F.conv2d`` on a parameter, found again in each run.

Their names, ``"conv2d_1"`` or ``"block.relu"``, are those of the
:class:`~cnnwidgets.tracing.architecture.Architecture`.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from cnnwidgets.core.nested import tensors, version
from cnnwidgets.core.network import Network

from .anatomy import Anatomy
from .recorded import Op
from .torch_calls import plain_name


class Key(NamedTuple):
    """One torch call: the ``number``-th of ``function`` within the ``call``-th call of the module ``module``."""

    module: str
    call: int
    function: str
    number: int


class FunctionLayer(NamedTuple):
    """The name that a torch call has as a layer, and the shape of its result for one image."""

    name: str
    shape: tuple[int, ...]


@dataclass
class RunningModule:
    """A module that is running, and how often it has called each function."""

    module: str
    call: int
    numbers: Counter[str] = field(default_factory=Counter)


def may_have_function_layers(model: nn.Module) -> bool:
    """Whether it is worth a recorded forward pass to look for layers that are no modules."""
    network = Network.of(model)
    holders = (nn.ParameterList, nn.ParameterDict)
    for _, module in network.layers:
        if type(module).__module__.startswith("torch.nn.") and module is not network.base:
            continue
        inner = list(module.children())
        parameter_lists = [child for child in inner if isinstance(child, holders)]
        owned = (
            value
            for owner in (module, *parameter_lists)
            for value in (*owner.parameters(recurse=False), *owner.buffers(recurse=False))
        )
        if sum(value.ndim >= 3 for value in owned) >= 2 or (
            module is network.base and len(parameter_lists) == len(inner)
        ):
            return True
    return False


def function_layers(model: nn.Module, images: torch.Tensor) -> dict[Key, FunctionLayer]:
    """The torch calls of ``model`` that are layers, by where they happen in a forward pass."""
    recording, graph = Anatomy.shared(model, images)
    calls: Counter[str] = Counter()
    keys: dict[int, Key] = {}
    for module_call in recording.frames:
        name, numbers = module_call.name, Counter[str]()
        for op in module_call.ops:
            keys[op.id] = Key(name, calls[name], op.name, numbers[op.name])
            numbers[op.name] += 1
        calls[name] += 1
    return {
        keys[call.event.id]: FunctionLayer(call.layer, call.event.output_shape)
        for call in graph.calls
        if isinstance(call.event, Op) and call.event.id in keys
    }


class FunctionCalls(TorchFunctionMode):
    """Tells ``seen`` of each torch call that is a layer, with the tensor it made, the moment it returns.

    Args:
        layers: as from :func:`function_layers`.
        frame: the module that is running.
        independent: tensors that do not depend on the network's input, such as its parameters.
    """

    def __init__(
        self,
        layers: Mapping[Key, FunctionLayer],
        frame: Callable[[], RunningModule],
        independent: Iterable[torch.Tensor],
        on_layer: Callable[[str, torch.Tensor], None],
    ) -> None:
        super().__init__()
        self._layers = layers
        self._frame = frame
        self._on_layer = on_layer
        self.busy = False
        self._independent = {id(tensor): weakref.ref(tensor) for tensor in independent}

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if self.busy:
            return func(*args, **kwargs)
        read = tensors((args, kwargs))
        versions = [version(tensor) for tensor in read]
        output = func(*args, **kwargs)
        # As when it was recorded: a call counts if it reads what depends on the input, and makes or writes a tensor.
        written = [tensor for tensor, before in zip(read, versions, strict=True) if version(tensor) != before]
        results = tensors(output) if isinstance(output, torch.Tensor | list | tuple) else []
        new = [result for result in results if not any(result is tensor for tensor in read)]
        if all(self._is_independent(tensor) for tensor in read):
            self._independent.update({id(tensor): weakref.ref(tensor) for tensor in new})
        elif new or written:
            for tensor in written:
                self._independent.pop(id(tensor), None)
            self._called(plain_name(getattr(func, "__name__", "")), new[0] if new else written[0])
        return output

    def _called(self, function: str, main: torch.Tensor) -> None:
        frame = self._frame()
        layer = self._layers.get(Key(frame.module, frame.call, function, frame.numbers[function]))
        frame.numbers[function] += 1
        if layer is not None and tuple(main.shape[1:]) == layer.shape[1:]:
            self.busy = True
            try:
                self._on_layer(layer.name, main)
            finally:
                self.busy = False

    def _is_independent(self, tensor: torch.Tensor) -> bool:
        reference = self._independent.get(id(tensor))
        return reference is not None and reference() is tensor
