"""The list of explainers, and what is the same around each of them."""

from __future__ import annotations

import difflib
import functools
import inspect
import keyword
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

import torch
from torch import nn

from cnnwidgets.core.errors import CnnWidgetsError
from cnnwidgets.core.forward import run
from cnnwidgets.core.results import Attribution
from cnnwidgets.core.state import in_training_mode, preserved
from cnnwidgets.core.targets import Target, resolve

from ._inputs import checked, input_notes, result_notes, weight_notes

Explainer = Callable[..., Attribution]
F = TypeVar("F", bound=Callable[..., Any])

_RESERVED = {"register", "unregister", "names", "get", "info", "every_layer", "observe"}


@dataclass(frozen=True)
class Info:
    """What the registry knows of an explainer.

    Attributes:
        name: as in ``explainers.NAME``.
        family: ``"gradient"``, ``"cam"``, ``"perturbation"`` or a word of the author's.
        question: one line on what its map answers.
        needs_layer: whether it explains the maps of a layer, and so takes ``layer=``.
        function: the explainer.
    """

    name: str
    family: str
    question: str
    needs_layer: bool
    function: Explainer


_registered: dict[str, Info] = {}


def register(name: str, *, family: str = "other", question: str = "", needs_layer: bool = False) -> Callable[[F], F]:
    """Make a function ``(model, images, target=None, **options)`` an explainer.

    It gets checked images on the model's device and in its precision, the model in evaluation mode, and gradients
    switched on. Afterwards the model is as it was; notes on not-a-number are added. It may return an
    :class:`~cnnwidgets.core.results.Attribution`, or only its values: a tensor (N, h, w) or (N, C, H, W).

    Args:
        name: a Python identifier, ``explainers.NAME`` from then on.
        family: see :class:`Info`.
        question: one line on what its map answers; by default the first line of the docstring.
        needs_layer: it explains a layer; the function then takes ``layer=None``.

    Raises:
        CnnWidgetsError: the name is taken or no identifier, or the function does not take what it must.

    Example:
        >>> @register("input_itself", family="baseline")
        ... def input_itself(model, images, target=None):
        ...     return images
        >>> input_itself(nn.Flatten(), torch.ones(1, 1, 1, 2)).values.tolist()
        [[[[1.0, 1.0]]]]
        >>> unregister("input_itself")
    """
    if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
        raise CnnWidgetsError(f"{name!r} cannot name an explainer; expected an identifier such as 'my_method'.")
    if name in _registered or name in _RESERVED:
        raise CnnWidgetsError(f"{name!r} is taken. Choose another name, or call explainers.unregister({name!r}) first.")

    def decorate(function: F) -> F:
        if name in _registered:
            raise CnnWidgetsError(f"{name!r} is taken. Choose another name.")
        _check_signature(name, function, needs_layer)
        explainer = _wrapped(name, function, needs_layer)
        line = question or (inspect.getdoc(function) or "").split("\n", 1)[0]
        _registered[name] = Info(name, family, line, needs_layer, explainer)
        return cast(F, explainer)

    return decorate


def unregister(name: str) -> None:
    """Forget the explainer ``name``."""
    info(name)
    del _registered[name]


def names() -> list[str]:
    """Names of all explainers, in the order in which they were registered."""
    return list(_registered)


def info(name: str) -> Info:
    """What is known of the explainer ``name``.

    Raises:
        CnnWidgetsError: there is none; names the closest.
    """
    if name in _registered:
        return _registered[name]
    close = difflib.get_close_matches(str(name), _registered, n=3, cutoff=0.4) or names()
    raise CnnWidgetsError(f"No explainer {name!r}. Closest: {', '.join(map(repr, close))}. All: explainers.names().")


def get(name: str) -> Explainer:
    """The explainer ``name``; raises as :func:`info`."""
    return info(name).function


def _check_signature(name: str, function: Callable[..., Any], needs_layer: bool) -> None:
    parameters = inspect.signature(function).parameters
    fits = list(parameters)[:3] == ["model", "images", "target"] and parameters["target"].default is None
    if not fits or (needs_layer and "layer" not in parameters):
        wanted = "(model, images, target=None, *, layer=None)" if needs_layer else "(model, images, target=None)"
        raise CnnWidgetsError(
            f"The explainer {name!r} takes {inspect.signature(function)}; its first parameters must be {wanted}."
        )


def _wrapped(name: str, function: Callable[..., Any], needs_layer: bool) -> Explainer:
    @functools.wraps(function)
    def explain(model: nn.Module, images: torch.Tensor, target: Target = None, **options: Any) -> Attribution:
        # Also under a caller's inference_mode, in which nothing can be differentiated.
        with torch.inference_mode(False), torch.enable_grad():
            images = checked(model, images)
            notes = [*input_notes(images), *weight_notes(model)]
            if in_training_mode(model):
                notes.append("model was in training mode; explained in evaluation mode")
            with preserved(model, evaluate=True):
                result = function(model, images, target, **options)
                if isinstance(result, torch.Tensor):
                    layer = options.get("layer") if needs_layer else None
                    result = _completed(name, model, images, target, result, layer)
        if not isinstance(result, Attribution):
            raise CnnWidgetsError(
                f"The explainer {name!r} returned {type(result).__name__}; expected an Attribution, or a tensor of "
                "values (N, h, w) or (N, C, H, W)."
            )
        all_notes = dict.fromkeys([*notes, *result.notes, *result_notes(result)])
        return replace(result, notes=tuple(all_notes))

    return explain


def _completed(
    name: str, model: nn.Module, images: torch.Tensor, target: Target, values: torch.Tensor, layer: Any
) -> Attribution:
    with torch.no_grad():
        scores, chosen = resolve(target, run(model, images), batch=len(images))
    shown = layer if isinstance(layer, str) else None
    return Attribution(values.detach().float().cpu(), name, chosen, shown, scores.detach().float().cpu())
