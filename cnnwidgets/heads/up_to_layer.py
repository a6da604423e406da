"""A network that ends at one of its layers."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import torch
from torch import nn

from cnnwidgets.core.capture import LayerReached, attached
from cnnwidgets.core.errors import CnnWidgetsError
from cnnwidgets.core.nested import layer_tensor


class UpToLayer(nn.Module):
    """Runs a network until one of its layers has returned, and gives what that made.

    Args:
        network: any module.
        layer: the dotted name of a module in it.
        call: which of the layer's calls, from 0.
    """

    def __init__(self, network: nn.Module, layer: str, call: int = 0) -> None:
        super().__init__()
        self.network, self.layer, self.call = network, layer, call

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The layer's output for images ``x``."""
        outputs: list[torch.Tensor | None] = []

        def leave(_: nn.Module, __: tuple[Any, ...], output: Any) -> None:
            outputs.append(layer_tensor(output))
            if len(outputs) > self.call:
                raise LayerReached

        with attached([self.network.get_submodule(self.layer)], leave=leave), suppress(LayerReached):
            self.network(x)
        if len(outputs) <= self.call or outputs[-1] is None:
            raise CnnWidgetsError(f"Layer {self.layer!r} did not run in this forward pass.")
        return outputs[-1]

    def extra_repr(self) -> str:
        return f"layer={self.layer!r}, call={self.call}"


class ChannelsFirst(nn.Module):
    """Maps in another order of axes as (N, C, H, W)."""

    def __init__(self, order: tuple[int, ...]) -> None:
        super().__init__()
        self.order = order

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``x`` with its axes in that order."""
        return x.permute(self.order)
