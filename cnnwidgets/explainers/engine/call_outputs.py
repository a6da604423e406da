"""What a call of a layer returned, with the place in the autograd graph that stands for it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.autograd.graph import GradientEdge, get_gradient_edge

from cnnwidgets.core.nested import version
from cnnwidgets.tracing.layouts.layouts import Layout


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
    view: tuple[torch.Tensor, int] | None = None
    floating: bool = True

    @property
    def shape(self) -> tuple[int, ...]:
        """The tensor's."""
        return self.layout.shape

    @property
    def stacked(self) -> bool:
        """Whether it is or holds a stack of maps."""
        return self.layout.stacked

    @property
    def spatial(self) -> bool:
        """Whether it is or holds a stack of maps with more than one place."""
        return self.layout.mapped

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
class Call:
    """One call of a layer: its name, which of its calls this is (from 0), and what it returned."""

    name: str
    index: int
    output: Output
