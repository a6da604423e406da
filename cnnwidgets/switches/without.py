"""The model without some channels of some layers."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from cnnwidgets.core.capture import attached, never_compiled
from cnnwidgets.core.errors import InputError
from cnnwidgets.core.nested import layer_tensor, with_replaced
from cnnwidgets.core.network import Network
from cnnwidgets.incremental.scaling import Factors, scaled
from cnnwidgets.state.twin import Twin
from cnnwidgets.tracing.layouts.layouts import Layouts

from .channel_axis import axis_by_kind, layout_of_channels, layouts_for, width_of
from .selection import check_width, factors_of


@contextmanager
def without(model: nn.Module, channels: Mapping[str | nn.Module, Any]) -> Iterator[None]:
    """While the block runs, ``model`` computes without these channels, as if what makes them were zero.

    In every call of a layer, and for all that a channel holds: of tokens, the class token too. Weights are not
    touched; blocks may be nested, and gradients reach what is left. Only calls from this thread are changed, and what
    is compiled runs eagerly meanwhile.

    Args:
        model: any module; wrappers such as ``DataParallel`` or ``torch.compile`` are looked through.
        channels: layer (dotted name, or the module itself) -> a list of channels that are off; or a mapping from
            channels to factors (0 is off, 1 as it is); or a float, by which the whole layer is multiplied; or None:
            the whole layer is off.

    Raises:
        LayerNotFound: no such layer; names the closest. Before anything is attached.
        InputError: no such channels, at once or, where only the output tells how many there are, as the layer runs;
            or it is not known which axis of the output holds channels.

    Warns:
        UserWarning: the axes of an output (N, ?, ?, ?) could not be followed; the second is taken for the channels. Or
            the model ran, and a layer did not: attention, for one, may use a linear layer's weights without calling it.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Flatten())
        >>> with without(net, {"0": [1]}):
        ...     net(torch.ones(1, 1, 1, 1))[0, 1].item()
        0.0
    """
    if not isinstance(channels, Mapping):
        raise InputError(
            f"channels is {channels!r}; expected a mapping from layers to channels, as in {{'layer3': [4, 17]}}."
        )
    network = Network.of(model)
    switches: dict[nn.Module, list[tuple[str, Factors]]] = {}
    for layer, selection in channels.items():
        name, module = network.find(layer)
        factors = factors_of(name, selection, width_of(module))
        if factors != {}:
            switches.setdefault(module, []).append((name, factors))
    switchboard = _Switchboard(network.base, switches)
    modules = [network.base, *(module for module in switches if module is not network.base)] if switches else []
    with never_compiled(), attached(modules, enter=switchboard.enter, leave=switchboard.leave):
        yield
    switchboard.warn_of_idle()


class _Switchboard:
    """Changes what layers return."""

    def __init__(self, base: nn.Module, switches: dict[nn.Module, list[tuple[str, Factors]]]) -> None:
        self._base, self._switches = base, switches
        self._inputs: tuple[Any, ...] = ()
        self._calls: Counter[nn.Module] = Counter()
        self._idle: set[nn.Module] = set()
        self._layouts: dict[tuple[int, ...], Layouts] = {}
        self._looking = False

    def enter(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        """A pass of the network begins; what it is given says how its layers hold maps, where that is asked."""
        if module is self._base and not self._looking:
            self._idle = set(self._switches) if not self._inputs else self._idle
            self._inputs = inputs
            self._calls.clear()

    def leave(self, module: nn.Module, _: tuple[Any, ...], output: Any) -> Any:
        """What the layer returns without its channels."""
        if self._looking or module not in self._switches:
            return None
        self._idle.discard(module)
        index = self._calls[module]
        self._calls[module] += 1
        for name, factors in self._switches[module]:
            tensor = layer_tensor(output)
            if tensor is None:
                raise InputError(f"Layer {name!r} returns {type(output).__name__}, in which there are no channels.")
            replaced = with_replaced(output, tensor, self._changed(module, name, index, tensor, factors))
            if replaced is output:
                raise InputError(
                    f"Layer {name!r} returns {type(output).__name__}, in which channels cannot be switched off. Choose "
                    "a layer in it, or after it."
                )
            output = replaced
        return output

    def warn_of_idle(self) -> None:
        """Say which layers changed nothing, since the network ran without calling them."""
        for module in self._idle:
            name = self._switches[module][0][0]
            text = f"Layer {name!r} was not called while the model ran: switching its channels changed nothing."
            warnings.warn(text, stacklevel=4)

    def _changed(
        self, module: nn.Module, name: str, index: int, tensor: torch.Tensor, factors: Factors
    ) -> torch.Tensor:
        whole = factors == 0.0 or 0.0 in (factors.values() if isinstance(factors, dict) else ())
        if not (tensor.is_floating_point() or tensor.is_complex() or whole):
            raise InputError(f"Layer {name!r} returns {tensor.dtype}, which cannot be multiplied by a factor.")
        if isinstance(factors, float):
            return scaled(tensor, 0, factors)
        axis = self._axis(module, name, index, tensor)
        check_width(name, factors, tensor.shape[axis])
        return scaled(tensor, axis, factors)

    def _axis(self, module: nn.Module, name: str, index: int, tensor: torch.Tensor) -> int:
        axis = axis_by_kind(module, tensor.ndim)
        if axis is not None:
            return axis
        x = self._inputs[0] if len(self._inputs) == 1 else None
        if isinstance(x, torch.Tensor) and x.ndim in (3, 5) and tensor.ndim == x.ndim:
            return 1  # signals (N, C, length) and volumes stay so until they are flattened
        layouts = self._followed(x) if isinstance(x, torch.Tensor) and x.ndim == 4 else Layouts(len(tensor))
        return layout_of_channels(name, index, tuple(tensor.shape), layouts)[0]

    def _followed(self, x: torch.Tensor) -> Layouts:
        shape = tuple(x.shape)
        if shape not in self._layouts:
            self._looking = True
            try:
                # On a twin: whoever watches the network, the user's own hooks among them, is to see one pass.
                self._layouts[shape] = layouts_for(self._base, x.detach(), lambda: Twin(self._base).module)
            finally:
                self._looking = False
        return self._layouts[shape]
