"""Which layers a call is about, torch calls that are layers included."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import nn

from cnnwidgets.core.errors import InputError, LayerNotFound
from cnnwidgets.core.network import Network, unknown_layer
from cnnwidgets.tracing.function_layers import FunctionLayer, Key, function_layers, may_have_function_layers
from cnnwidgets.tracing.layouts.layouts import Layouts
from cnnwidgets.tracing.layouts.memory import Memory, remembered
from cnnwidgets.tracing.layouts.token_layout import CustomForm, Tokens, checked_tokens

Functions = Mapping[Key, FunctionLayer]


def located(model: nn.Module, images: torch.Tensor, layer: str | nn.Module) -> tuple[str, Functions]:
    """The name of ``layer``, and the model's function layers if it is one of those.

    Raises:
        LayerNotFound: no layer has this name; names the closest.
    """
    network = Network.of(model)
    try:
        return network.find(layer)[0], {}
    except LayerNotFound:
        if not isinstance(layer, str):
            raise
        functions = function_layers(model, images)
        known = {one.name for one in functions.values()}
        if layer in known:
            return layer, functions
        raise LayerNotFound(unknown_layer(layer, [*network.names, *sorted(known)])) from None


def all_functions(model: nn.Module, images: torch.Tensor) -> Functions:
    """The model's function layers, looked for only where there may be some."""
    return function_layers(model, images) if may_have_function_layers(model) else {}


def asked_layouts(
    model: nn.Module, images: torch.Tensor, wanted: Iterable[str] | None, tokens: Tokens, *, recorded: bool = False
) -> Memory:
    """How the layers hold maps, and where those lie; ``wanted`` are those asked for, None: all.

    Args:
        recorded: by a recording.

    Raises:
        InputError: ``tokens`` is none, or a function though no layer was asked for.
    """
    given = checked_tokens(tokens)
    if not callable(given):
        return remembered(model, images, given, recorded=recorded)
    if wanted is None:
        raise InputError("tokens is a function: say with layer= for which layer it makes maps.")
    return Memory(Layouts(len(images), custom=dict.fromkeys(wanted, CustomForm(given, len(images)))))
