"""Which layer to explain in a network of tokens, where nobody said which."""

from __future__ import annotations

import torch
from torch import nn

from cnnwidgets.core.forward import run
from cnnwidgets.core.layout_rules import is_attention
from cnnwidgets.core.layouts import Layouts
from cnnwidgets.core.names import named_layers
from cnnwidgets.core.targets import Target, resolve

from ._gradients import fresh_input
from ._layers import Functions
from ._outputs import Call, Output
from ._watch import Watch


def last_reached(
    model: nn.Module, images: torch.Tensor, target: Target, score: str, functions: Functions, layouts: Layouts
) -> tuple[str, int] | None:
    """Name and call of the last layer whose maps the gradient reaches; if it reaches none, the last that has some.

    A class token makes the scores of many transformers; then what the other tokens are after the last attention does
    not matter to them. Queries, keys and the like, inside an attention, do not count. None if no layer has maps.
    """
    within = inside_attention(model)
    last: dict[int, Call] = {}

    def see(now: Call) -> None:
        form = now.output.layout.form
        if now.output.spatial and (form is None or not form.has_tokens or now.name not in within):
            last.pop(id(now.output), None)
            last[id(now.output)] = now

    watch = Watch(model, see, lambda *_: False, layouts, functions)
    with torch.enable_grad():
        x = fresh_input(images)[1]
        with watch.following():
            outputs = run(model, x)
        scores = resolve(target, outputs, score=score, batch=len(images))[0]
    calls = list(last.values())[::-1]
    found = next((call for call in calls if _is_reached(call.output, scores)), calls[0] if calls else None)
    return None if found is None else (found.name, found.index)


def inside_attention(model: nn.Module) -> set[str]:
    """Names of the modules that are part of an attention."""
    modules = dict(named_layers(model))
    around = [name for name, module in modules.items() if name and is_attention(module)]
    return {name for name in modules if any(name.startswith(f"{outer}.") for outer in around)}


def _is_reached(output: Output, scores: torch.Tensor) -> bool:
    if output.edge is None or not scores.requires_grad:
        return False
    try:
        (gradient,) = torch.autograd.grad(scores.sum(), [output.edge], allow_unused=True, retain_graph=True)
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        return False
    return gradient is not None and bool(output.gradient(gradient).any())
