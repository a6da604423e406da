"""Gradients of scores, without touching any parameter's ``.grad``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.autograd.graph import Node, get_gradient_edge

from cnnwidgets.core.errors import CnnWidgetsError
from cnnwidgets.explainers.attribution import Attribution
from cnnwidgets.outputs.targets import Chosen, Target, resolve
from cnnwidgets.running.forward import run

from .relu_rules import Guidance, Rule, nodes_behind
from .values import range_notes

FLAT = "the gradient is zero everywhere: the score does not react to small changes of the input"


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


def nodes_between(scores: torch.Tensor, leaf: torch.Tensor) -> set[Node]:
    """The nodes on a path from ``scores`` back to ``leaf``: those that a backward pass to ``leaf`` visits."""
    users: dict[Node, list[Node]] = defaultdict(list)
    for node in nodes_behind(scores):
        for earlier, _ in node.next_functions:
            if earlier is not None:
                users[earlier].append(node)
    goal = get_gradient_edge(leaf).node
    between, pending = {goal}, [goal]
    while pending:
        for node in users.get(pending.pop(), []):
            if node not in between:
                between.add(node)
                pending.append(node)
    return between


@dataclass(frozen=True, eq=False)
class InputGradient:
    """A gradient of the input, still in the model's precision and on its device.

    Attributes:
        gradient: (N, C, H, W).
        scores: (N,).
        target: the class of each image, or the callable.
        notes: as in ``Attribution.notes``.
    """

    gradient: torch.Tensor
    scores: torch.Tensor
    target: Chosen
    notes: tuple[str, ...]

    def attribution(
        self, method: str, values: torch.Tensor | None = None, layer: str | None = None, *notes: str
    ) -> Attribution:
        """``values``, by default the gradient itself, as a result of ``method``; its notes come after ``notes``."""
        exact = self.gradient if values is None else values
        values = exact.float().cpu()
        all_notes = tuple(dict.fromkeys([*notes, *self.notes]))
        return Attribution(
            values, method, self.target, layer, self.scores.float().cpu(), (*all_notes, *range_notes(exact))
        )


def input_gradient(
    model: nn.Module, images: torch.Tensor, target: Target, score: str, rule: Rule = "plain"
) -> InputGradient:
    """One forward and one backward, with ``rule`` at each ReLU.

    Raises:
        TargetError: the target does not fit the model.
        CnnWidgetsError: the model failed, or no gradient reaches the input.
    """
    guidance = Guidance(rule)
    leaf, x = fresh_input(images)
    with guidance.forward():
        outputs = run(model, x)
    scores, classes = resolve(target, outputs, score=score, batch=len(images))
    with guidance.backward(scores):
        (gradient,) = differentiate(scores, [leaf])
    if gradient is None:
        raise CnnWidgetsError(
            "No gradient reaches the input: the model detaches, rounds, or runs part of its forward under "
            "torch.no_grad(). A method that needs no gradient, such as occlusion, still works."
        )
    notes = list(guidance.notes())
    if not bool(gradient.any()):
        notes.append(FLAT if rule == "plain" else f"the gradient is zero everywhere: the {rule} rule lets none by")
    return InputGradient(gradient, scores.detach(), classes, tuple(notes))
