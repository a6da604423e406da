"""Lets a gradient through ReLUs that are closed everywhere, so that a unit asleep on a noise image can be woken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from cnnwidgets.explainers.engine.relu_rules import Gradients, Relu, node_kind, nodes_behind, relu_of

_UPPER = {"Hardtanh": "_saved_max_val", "Clamp": "_saved_max"}


@contextmanager
def redirected(activations: torch.Tensor) -> Iterator[None]:
    """In this block a backward pass from ``activations`` goes through closed ReLUs, in the direction that opens them.

    At a ReLU, for an image whose whole gradient there is zero, the gradient of the output is taken for that of the
    input, but where the input is below the ReLU's range and the step would lower it, or above it (ReLU6) and the step
    would raise it: the rule of lucid ("redirected ReLU"), wherever and however the ReLU is computed. The step is one
    that raises ``activations``.
    """
    handles = []
    try:
        for node in nodes_behind(activations):
            relu = relu_of(node)
            if relu is not None:
                handles.append(node.register_hook(_rule(node, relu)))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _rule(node: Any, relu: Relu) -> Callable[[Gradients, Gradients], Gradients | None]:
    def act(arriving: Gradients, leaving: Gradients) -> Gradients | None:
        later, result = leaving[0], arriving[relu.position]
        if later is None or result is None:
            return None
        closed = ~(result.flatten(1) != 0).any(1) if result.ndim > 1 else result == 0
        if not bool(closed.any()):
            return None
        below, above = _outside(node, relu)
        through = later.masked_fill((below & (later < 0)) | (above & (later > 0)), 0)
        result = torch.where(closed.view(-1, *[1] * (result.ndim - 1)), through, result)
        return (*arriving[: relu.position], result, *arriving[relu.position + 1 :])

    return act


def _outside(node: Any, relu: Relu) -> tuple[torch.Tensor, torch.Tensor]:
    """Where the input is at or below the ReLU's range, and above it."""
    values = next(
        getattr(node, name)
        for name in ("_saved_result", relu.saved, "_saved_self")
        if getattr(node, name, None) is not None
    )
    kind = node_kind(node)
    upper = getattr(node, _UPPER[kind], None) if kind in _UPPER else None
    above = torch.zeros_like(values, dtype=torch.bool) if upper is None else values >= upper
    return values <= 0, above
