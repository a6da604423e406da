"""What is the same around each explainer: its images checked, the model left as it was, and what there is to say."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from cnnwidgets.core.errors import CnnWidgetsError, is_out_of_memory
from cnnwidgets.core.interrupts import Deferral
from cnnwidgets.core.network import walked_once
from cnnwidgets.outputs.readout import current, reading, readout_of
from cnnwidgets.outputs.targets import Target, resolve
from cnnwidgets.running.forward import again, run
from cnnwidgets.state.preserved import generators_now, have_moved, preserved

from .attribution import Attribution
from .engine.inputs import checked, input_notes, result_notes, weight_notes
from .engine.memory import in_parts
from .engine.notes import change_notes, model_notes, output_notes, random_notes

Explainer = Callable[..., Attribution]

OPTIONS = {
    "outputs": "what the model's outputs are, one of ``core.output_kinds.KINDS``; None: found out",
    "output": "which of several outputs holds the scores: an index, a name, or a function ``raw -> (N, K)``; None: "
    "found out, and said where it is not plain",
}
"""What every explainer takes, whoever wrote it: how the model's outputs are read."""
_WRITTEN = (
    "the model or the explainer writes to its input: if the explainer used it afterwards, the map is of another image; "
    "call model(images.clone())"
)


def as_explainer(name: str, function: Callable[..., Any], *, needs_layer: bool, trusted: bool) -> Explainer:
    """``function`` as an explainer; ``trusted``: it does not write to its images."""
    usual_score = inspect.signature(function).parameters.get("score")
    default = usual_score.default if usual_score is not None else "logit"

    def once(model: nn.Module, images: torch.Tensor, target: Target, options: dict[str, Any]) -> Attribution:
        before = [*input_notes(images), *model_notes(model)]
        with preserved(model, evaluate=True) as preservation, reading(current().inner()) as readout:
            generators = generators_now()
            # A foreign function, or the model in its hands, may write to what it is passed.
            own_images = images if trusted else images.clone()
            version = own_images._version  # noqa: SLF001 (torch counts writes under this name only)
            try:
                result = function(model, own_images, target, **options)
            except Exception as error:
                if not isinstance(error, CnnWidgetsError) and not is_out_of_memory(error):
                    error.add_note(f"It was raised in the explainer {name!r}.")
                raise
            if own_images._version != version:  # noqa: SLF001
                before.append(_WRITTEN)
            if isinstance(result, torch.Tensor):
                layer = options.get("layer") if needs_layer else None
                result = _completed(name, model, images.clone(), target, result, layer)
            random = [*random_notes(model, images)] if have_moved(generators) else []
        if not isinstance(result, Attribution):
            raise CnnWidgetsError(
                f"The explainer {name!r} returned {type(result).__name__}; expected an Attribution, or a tensor of "
                "values (N, h, w) or (N, C, H, W)."
            )
        after = [*result_notes(result)]
        finite = readout.table is not None and bool(readout.table.isfinite().all())
        weights = weight_notes(model, doubtful=bool(before or after) or not finite)
        outputs = output_notes(readout, options.get("score", default))
        notes = [*before, *weights, *result.notes, *outputs, *random, *change_notes(preservation.changed), *after]
        return dataclasses.replace(result, notes=tuple(dict.fromkeys(notes)))

    @functools.wraps(function)
    def explain(model: nn.Module, images: torch.Tensor, target: Target = None, **options: Any) -> Attribution:
        readout = readout_of(model, **{option: options.pop(option, None) for option in reads})
        # Also under a caller's inference_mode, in which nothing can be differentiated.
        with Deferral(), torch.inference_mode(False), torch.enable_grad(), reading(readout), walked_once():
            ready = checked(model, images)
            return again(lambda: in_parts(once, model, ready, target, options))

    reads = _add_options(explain, function)
    return explain


def _add_options(explain: Callable[..., Any], function: Callable[..., Any]) -> tuple[str, ...]:
    """Put :data:`OPTIONS` into the signature and the docstring of ``explain``, which wraps ``function``.

    Returns:
        Their names, without those that ``function`` has for something of its own.
    """
    signature = inspect.signature(function)
    names = tuple(name for name in OPTIONS if name not in signature.parameters)
    parameters = list(signature.parameters.values())
    end = len(parameters) - bool(parameters and parameters[-1].kind is inspect.Parameter.VAR_KEYWORD)
    added = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None) for name in names]
    explain.__signature__ = signature.replace(parameters=[*parameters[:end], *added, *parameters[end:]])  # type: ignore[attr-defined]
    lines = [f"    {name}: {OPTIONS[name]}." for name in names]
    explain.__doc__ = "\n".join([inspect.cleandoc(function.__doc__ or ""), "", "Every explainer takes:", *lines])
    return names


def _completed(
    name: str, model: nn.Module, images: torch.Tensor, target: Target, values: torch.Tensor, layer: Any
) -> Attribution:
    """Values alone as a result, with the scores that they are about."""
    with torch.no_grad():
        scores, classes = resolve(target, run(model, images), batch=len(images))
    layer_name = layer if isinstance(layer, str) else None
    return Attribution(values.detach().float().cpu(), name, classes, layer_name, scores.detach().float().cpu())
