"""Gradients of scores, without touching any parameter's ``.grad``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.autograd.graph import get_gradient_edge

from cnnwidgets.core.errors import CnnWidgetsError
from cnnwidgets.outputs.readout import current, reading
from cnnwidgets.outputs.scores import remember

from .notes import output_notes


def fresh_input(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A leaf to differentiate for, and what to give the model: a copy, which it may change in place."""
    leaf = images.detach().clone().requires_grad_()
    return leaf, leaf.clone()


def differentiate(scores: torch.Tensor, wrt: Sequence[Any]) -> list[torch.Tensor | None]:
    """The gradient of the sum of ``scores`` for each tensor or gradient edge in ``wrt``; None where none arrives.

    Raises:
        CnnWidgetsError: the backward pass failed.
    """
    if not scores.requires_grad or not wrt:
        return [None] * len(wrt)
    try:
        return list(torch.autograd.grad(scores.sum(), list(wrt), allow_unused=True))
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        raise CnnWidgetsError(
            f"The gradient of this model cannot be computed: {error} A method that needs no gradient, such as "
            "occlusion, still works."
        ) from error


def nodes_between(scores: torch.Tensor, leaf: torch.Tensor) -> set[Any]:
    """The autograd nodes on a path from ``scores`` back to ``leaf``: those that a backward pass to ``leaf`` visits."""
    users: dict[Any, list[Any]] = {}
    pending = [get_gradient_edge(scores).node]
    seen = set(pending)
    while pending:
        node = pending.pop()
        for earlier, _ in node.next_functions:
            if earlier is not None:
                users.setdefault(earlier, []).append(node)
                if earlier not in seen:
                    seen.add(earlier)
                    pending.append(earlier)
    goal = get_gradient_edge(leaf).node
    between = {goal}
    pending = [goal]
    while pending:
        for node in users.get(pending.pop(), []):
            if node not in between:
                between.add(node)
                pending.append(node)
    return between


def saturation_notes(outputs: Any, score: str, batch: int) -> Iterator[str]:
    """What the scores of all classes say about the map of one; see :func:`~._trust.output_notes`."""
    around = current()
    with reading(around.inner()) as seen:
        remember(outputs, batch, by_function=around.by_function)
    yield from output_notes(seen, score)
