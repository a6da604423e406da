"""The torch calls of one forward pass, with what they were inputs, to go back from a layer's output to what made it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from cnnwidgets.core.capture import attached
from cnnwidgets.core.nested import layer_tensor, tensors
from cnnwidgets.core.network import Network
from cnnwidgets.tracing.torch_calls import plain_name


@dataclass(eq=False)
class TorchCall:
    """One torch call.

    Attributes:
        function: what was called, and its ``name`` without marks of being in place.
        layer: the dotted name of the module in which it was called.
        args, kwargs: as they were inputs.
        sources: for each tensor among them, by id, the call that made it.
        value: what it returned, as it was then; of several tensors, that at ``position``.
        position: which of several tensors.
    """

    function: Any
    name: str
    layer: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    sources: dict[int, TorchCall]
    value: torch.Tensor
    position: int = 0

    def source(self, tensor: Any) -> TorchCall | None:
        """The call that made one of the arguments."""
        return self.sources.get(id(tensor))

    def before(self, tensor: torch.Tensor) -> torch.Tensor:
        """One of the arguments as it was before the call."""
        source = self.source(tensor)
        return tensor if source is None else source.value


class CallsToLayer(TorchFunctionMode):
    """Follows a pass until one call of a layer returns.

    Args:
        model: the network.
        layer: dotted name; of a module, or of the torch call that ``number`` counts.
        call: which call of it, from 0.

    Attributes:
        made_by: the torch call that made what the layer returned; None until then, or where nothing was seen.
        result: the tensor that it returned, as it was then.
    """

    def __init__(self, model: nn.Module, layer: str, call: int) -> None:
        super().__init__()
        self._names = Network.of(model).visible_layers
        self._layer, self._call = layer, call
        self._running: list[str] = []
        self._calls: Counter[str] = Counter()
        self._makers: dict[int, tuple[torch.Tensor, TorchCall]] = {}
        self.made_by: TorchCall | None = None
        self.result: torch.Tensor | None = None

    @contextmanager
    def following(self) -> Iterator[None]:
        """Watch while the block runs, and forget the pass behind it."""
        try:
            with attached(self._names, enter=self._enter, always=self._end), self:
                yield
        finally:
            self._makers.clear()

    def _enter(self, module: nn.Module, _: tuple[Any, ...]) -> None:
        self._running.append(self._names[module])

    def _end(self, module: nn.Module, _: tuple[Any, ...], output: Any) -> None:
        self._running.pop()
        name = self._names[module]
        self._calls[name] += 1
        tensor = layer_tensor(output)
        if name == self._layer and self._calls[name] == self._call + 1 and tensor is not None:
            entry = self._makers.get(id(tensor))
            self.made_by = entry[1] if entry is not None else None
            with torch._C.DisableTorchFunction():  # noqa: SLF001 (what only looks is not followed)
                self.result = tensor.detach().clone()

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        inputs = {id(value): value for value in tensors((args, dict(kwargs)))}
        sources = {key: self._makers[key][1] for key in inputs if key in self._makers}
        if _may_write(name, args, kwargs):
            for key, source in sources.items():
                if source.value is inputs[key]:
                    source.value = inputs[key].detach().clone()
        output = func(*args, **kwargs)
        if self.result is not None:  # what follows may still write to what was seen
            return output
        layer = self._running[-1] if self._running else ""
        results = [output] if isinstance(output, torch.Tensor) else tensors(output)
        for position, result in enumerate(results):
            call = TorchCall(func, plain_name(name), layer, args, kwargs, sources, result, position)
            self._makers[id(result)] = (result, call)  # held, so that no other tensor takes its id
        return output


def _may_write(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    in_place = (name.endswith("_") and not name.endswith("__")) or name.startswith(("__i", "__set"))
    return in_place or any(value is True for value in (*args, *kwargs.values())) or "out" in kwargs
