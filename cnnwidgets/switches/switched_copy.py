"""A copy of a network in which channels are switched off or scaled for good: whatever runs it, runs it so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from cnnwidgets.core.errors import InputError
from cnnwidgets.core.nested import layer_tensor, with_replaced
from cnnwidgets.core.network import Network
from cnnwidgets.incremental.scaling import Factors, scaled
from cnnwidgets.incremental.zeroed import channel_axis, has_channels
from cnnwidgets.state.twin import Twin
from cnnwidgets.tracing.layouts.layouts import Layout, Layouts


def switched_copy(
    model: nn.Module, factors: Mapping[str, Factors], layouts: Layouts, counts: Mapping[str, int]
) -> nn.Module:
    """What :func:`~cnnwidgets.switches.without` does while a block runs, done to a copy that shares the parameters.

    Where a layer stands in several places, as a ReLU often does, calls that return another number of channels are left
    alone.

    Args:
        model: the network; only read.
        factors: dotted layer name -> what its channels, or all of it, are multiplied by.
        layouts: how the layers of ``model`` hold their maps.
        counts: dotted layer name -> how many channels it has.

    Raises:
        LayerNotFound: no such layer; names the closest.
        InputError: the network cannot be copied.
    """
    twin = Twin(model)
    if not twin.private:
        raise InputError(twin.note)
    network = Network.of(twin.module)
    for layer, layer_factors in factors.items():
        name, module = network.find(layer)
        calls = [layout for (owner, _), layout in (layouts.calls or {}).items() if owner == name]
        # Not a hook: it stands also where a layer's forward is called past its hooks, and copies of the copy have it.
        vars(module)["forward"] = _SwitchedForward(module.forward, layer_factors, calls, counts[layer])
    return twin.module


class _SwitchedForward:
    """Stands for a layer's forward: what it returns, with channels times their factors."""

    def __init__(self, forward: Callable[..., Any], factors: Factors, calls: list[Layout], count: int) -> None:
        self._forward, self._factors, self._calls, self._count = forward, factors, calls, count

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        output = self._forward(*args, **kwargs)
        tensor = layer_tensor(output)
        layout = None if tensor is None else self._layout(tuple(tensor.shape))
        if tensor is None or layout is None or not has_channels(layout, self._factors, self._count):
            return output
        return with_replaced(output, tensor, scaled(tensor, channel_axis(layout), self._factors))

    def _layout(self, shape: tuple[int, ...]) -> Layout:
        """That of the call which returned as much for one image."""
        for layout in self._calls:
            images_at = 0 if layout.form is None else layout.form.images_at
            sizes = [[side for at, side in enumerate(sides) if at != images_at] for sides in (layout.shape, shape)]
            if sizes[0] == sizes[1]:
                return Layout(shape, layout.why_not, form=layout.form)
        return Layout(shape)
