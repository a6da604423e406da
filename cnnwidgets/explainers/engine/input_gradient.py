"""The gradient of a score for the input."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from cnnwidgets.core.errors import CnnWidgetsError
from cnnwidgets.explainers.attribution import Attribution
from cnnwidgets.outputs.targets import Chosen, Target, resolve
from cnnwidgets.running.forward import run

from .gradients import differentiate, fresh_input
from .relu_rules import Guidance, Rule
from .values import range_notes


@dataclass(frozen=True, eq=False)
class InputGradient:
    """A gradient of the input, still in the model's precision and on its device.

    Attributes:
        gradient: (N, C, H, W).
        scores: (N,).
        chosen: the class of each image, or the callable.
        notes: as in ``Attribution.notes``.
    """

    gradient: torch.Tensor
    scores: torch.Tensor
    chosen: Chosen
    notes: tuple[str, ...]

    def attribution(
        self, method: str, values: torch.Tensor | None = None, layer: str | None = None, *notes: str
    ) -> Attribution:
        """``values``, by default the gradient itself, as a result of ``method``; its notes come after ``notes``."""
        exact = self.gradient if values is None else values
        values = exact.float().cpu()
        all_notes = tuple(dict.fromkeys([*notes, *self.notes]))
        return Attribution(
            values, method, self.chosen, layer, self.scores.float().cpu(), (*all_notes, *range_notes(exact))
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
    scores, chosen = resolve(target, outputs, score=score, batch=len(images))
    with guidance.backward(scores):
        (gradient,) = differentiate(scores, [leaf])
    if gradient is None:
        raise CnnWidgetsError(
            "No gradient reaches the input: the model detaches, rounds, or runs part of its forward under "
            "torch.no_grad(). A method that needs no gradient, such as occlusion, still works."
        )
    notes = list(guidance.notes())
    if not bool(gradient.any()):
        what = "the score does not react to small changes of the input"
        notes.append(f"the gradient is zero everywhere: {what if rule == 'plain' else f'the {rule} rule lets none by'}")
    return InputGradient(gradient, scores.detach(), chosen, tuple(notes))


def precise(values: torch.Tensor) -> torch.Tensor:
    """``values`` in at least float32."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values
