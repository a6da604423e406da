"""The layouts of a network, found out once an input shape and remembered for as long as it runs the same way."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from cnnwidgets.core.network import Network

from .layouts import Layout, Layouts, followed_layouts
from .rules import INDEPENDENT

_MOST = 8
"""Input shapes remembered for a network."""


@dataclass
class Memory:
    """What is known of a network, for one input shape.

    Attributes:
        layouts: of what its layers return.
        complete: whether those are all layers.
        modules: what the network was made of.
        signature: of the pathway of the first pass that was read by them; None until there was one.
    """

    layouts: Layouts
    complete: bool = True
    modules: tuple[tuple[str, weakref.ref[nn.Module]], ...] = ()
    signature: int | None = None

    def answers(self, name: str | None) -> bool:
        """Whether the layouts of this layer are known; None: of all."""
        return self.complete or (name is not None and (name, 0) in (self.layouts.calls or {}))

    def agrees(self, signature: int) -> bool:
        """Whether a pass went the way that the layouts are about; the first one does."""
        if self.signature is None:
            self.signature = signature
        return self.signature == signature

    def learn(self, layouts: Mapping[str, list[Layout]], signature: int, *, complete: bool) -> None:
        """Take in what a pass has shown of these layers."""
        calls = {(name, index): layout for name, of_it in layouts.items() for index, layout in enumerate(of_it)}
        before = self.layouts.calls or {}
        if signature == self.signature:
            calls = {**before, **calls}
        self.layouts = replace(self.layouts, calls=calls)
        self.complete, self.signature = complete, signature

    def forget(self) -> None:
        """The network runs another way now."""
        self.layouts = Layouts(self.layouts.batch)
        self.complete, self.signature = False, None


_memories: weakref.WeakKeyDictionary[nn.Module, dict[Any, Memory]] = weakref.WeakKeyDictionary()


def remembered(
    model: nn.Module, images: torch.Tensor, grid: tuple[int, int] | None = None, *, recorded: bool = False
) -> Memory:
    """What is known of ``model`` for such images; nothing at first.

    Args:
        grid: what tokens are said to form.
        recorded: forget what is known, and follow a recorded forward pass of one image.
    """
    network = Network.of(model)
    memories = _memories.setdefault(network.base, {})
    modules = tuple((name, weakref.ref(module)) for name, module in network.layers)
    key = (tuple(images.shape), images.dtype, images.device, grid, torch.is_grad_enabled())
    memory = memories.get(key)
    if memory is None or recorded or memory.modules != modules:
        recorded |= grid is not None
        layouts = followed_layouts(model, images, grid) if recorded else Layouts(len(images))
        if layouts.lost:
            # The image was lost on the way, in numpy say: nothing can be told of what comes behind.
            calls = {
                call: Layout(layout.shape, sure=False) if layout.why_not == INDEPENDENT else layout
                for call, layout in (layouts.calls or {}).items()
            }
            layouts = replace(layouts, calls=calls)
        memory = memories[key] = Memory(layouts, recorded, modules)
    if len(memories) > _MOST:
        del memories[next(iter(memories))]
    return memory
