"""One method on many layers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from cnnwidgets.core.errors import CnnWidgetsError, LayerNotFound, NotSpatial
from cnnwidgets.core.network import Network
from cnnwidgets.outputs.choice import OutputChoice
from cnnwidgets.outputs.kinds import Kind
from cnnwidgets.outputs.targets import Target

from .attribution import Attribution
from .engine.all_layers import Observation, observe
from .engine.inputs import result_notes
from .engine.layer_notes import no_gradient
from .registry import info


def every_layer(
    method: str,
    model: nn.Module,
    images: torch.Tensor,
    target: Target = None,
    layers: str | nn.Module | Iterable[str | nn.Module] | None = None,
    *,
    outputs: Kind | None = None,
    output: OutputChoice = None,
    **options: Any,
) -> dict[str, Attribution]:
    """``method`` on each of ``layers``, by name, in the order in which they finish.

    Grad-CAM takes one forward and one backward for all of them together; other methods run layer by layer.

    Args:
        method: a registered explainer that explains a layer.
        model, images, target: as for the method.
        layers: names or modules; None for every layer whose output is spatial and that the score depends on.
        outputs, output: what the model's outputs are, and which of them holds the scores; as for the method.
        options: passed on to the method.

    Raises:
        CnnWidgetsError: the method explains no layer; or a layer that was asked for cannot be explained.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU(), nn.Flatten(), nn.Linear(4, 2))
        >>> list(every_layer("grad_cam", net, torch.ones(1, 1, 2, 2)))
        ['0', '1']
    """
    explainer = info(method)
    if not explainer.needs_layer:
        raise CnnWidgetsError(f"{method!r} explains the input, not a layer. Call explainers.{method} once instead.")
    if isinstance(layers, str | nn.Module):
        layers = [layers]
    options |= {"outputs": outputs, "output": output}
    layer_names = None if layers is None else list(dict.fromkeys(_dotted_name(model, layer) for layer in layers))
    ruled = options.get("backward", "plain") != "plain"
    if method != "grad_cam" or options.get("call", -1) != -1 or ruled:
        if layer_names is None:
            tokens = options.get("tokens")
            observation = observe(model, images, target, keep_maps=False, tokens=tokens, outputs=outputs, output=output)
            layer_names = layers_explained(observation)
        return {name: explainer.function(model, images, target, layer=name, **options) for name in layer_names}
    options.pop("call", None)
    options.pop("backward", None)
    observation = observe(model, images, target, layers=layer_names, keep_maps=False, **options)
    for name in layer_names or ():
        if name not in observation.cam:
            raise _refused(name, observation)
    return {name: attribution_of(name, observation) for name in observation.order if name in observation.cam}


def layers_explained(observation: Observation) -> list[str]:
    """The layers with maps that the score depends on, in order.

    Those that the gradient reaches; if it reaches none, because the forward runs under ``torch.no_grad``, say, all up
    to the last that moves the score.
    """
    names = [name for name in observation.order if name in observation.mapped and name not in observation.discrete]
    if observation.cam or observation.input_gradient is not None or observation.default not in names:
        return [name for name in names if name in observation.cam]
    return names[: names.index(observation.default) + 1]


def _dotted_name(model: nn.Module, layer: str | nn.Module) -> str:
    """The dotted name; a name that no module has may be that of a torch call, which only running can tell."""
    try:
        return Network.of(model).find(layer)[0]
    except LayerNotFound:
        if isinstance(layer, str):
            return layer
        raise


def attribution_of(name: str, observation: Observation) -> Attribution:
    """Grad-CAM of the layer ``name``, one of ``observation.cam``."""
    values, placement = observation.cam[name], observation.placements[name]
    attribution = Attribution(values, "grad_cam", observation.chosen, name, observation.scores, placement=placement)
    notes = (*observation.notes, *observation.cam_notes[name], *result_notes(attribution))
    return replace(attribution, notes=tuple(dict.fromkeys(notes)))


def _refused(name: str, observation: Observation) -> CnnWidgetsError:
    if name not in observation.shapes:
        return CnnWidgetsError(f"Layer {name!r} did not run in this forward pass.")
    shape = observation.shapes[name]
    if name not in observation.mapped:
        return NotSpatial(
            f"Layer {name!r} returns shape {shape}; expected maps (N, C, H, W) of more than one place, or tokens in a "
            "grid: tokens= says how to read them."
        )
    return CnnWidgetsError(no_gradient(name))
