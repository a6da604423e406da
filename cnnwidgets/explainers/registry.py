"""The list of explainers, and what is the same around each of them."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import inspect
import keyword
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from torch import nn

from cnnwidgets.core.errors import CnnWidgetsError, is_out_of_memory
from cnnwidgets.core.interrupts import Deferral
from cnnwidgets.core.network import walked_once
from cnnwidgets.outputs.readout import current, reading, readout_of
from cnnwidgets.outputs.targets import Target, resolve
from cnnwidgets.running.forward import run
from cnnwidgets.running.own_gradients import again
from cnnwidgets.state.preserved import generators_now, have_moved, preserved

from .attribution import Attribution
from .engine.halves import in_halves
from .engine.inputs import checked, input_notes, result_notes, weight_notes
from .engine.notes import change_notes, model_notes, output_notes, random_notes
from .engine.options import describe
from .labels import describe_method, label_of

Explainer = Callable[..., Attribution]
F = TypeVar("F", bound=Callable[..., Any])

_RESERVED = {"register", "unregister", "names", "get", "info", "every_layer", "observe", "on_change", "targets"}
_SHOWN = 3
"""How many names an error lists."""


@dataclass(frozen=True)
class Info:
    """What the registry knows of an explainer.

    Attributes:
        name: as in ``explainers.NAME``.
        family: ``"gradient"``, ``"cam"``, ``"perturbation"`` or a word of the author's.
        question: one line on what its map answers.
        needs_layer: whether it explains the maps of a layer, and so takes ``layer=``.
        function: the explainer.
        label: its name for a reader, as in menus.
        unit: what the numbers of its maps measure; empty where nobody said it.
    """

    name: str
    family: str
    question: str
    needs_layer: bool
    function: Explainer
    label: str
    unit: str


_registered: dict[str, Info] = {}
_own: set[str] = set()
_WRITTEN = (
    "the model or the explainer writes to its input: if the explainer used it afterwards, the map is of another image; "
    "call model(images.clone())"
)
_listeners: list[Callable[[], object]] = []


def register(
    name: str,
    *,
    family: str = "other",
    question: str = "",
    label: str = "",
    unit: str = "",
    needs_layer: bool = False,
    replace: bool = False,
) -> Callable[[F], F]:
    """Make a function ``(model, images, target=None, **options)`` an explainer.

    It gets checked images on the model's device and in its precision, the model in evaluation mode, and gradients
    switched on. Afterwards the model is as it was. Notes are added on not-a-number, on a model that draws random
    numbers, and on what :func:`~cnnwidgets.outputs.targets.resolve` is given. Where memory is short, halves of the
    images are explained one after the other. It may return an
    :class:`~cnnwidgets.explainers.attribution.Attribution`, or only its values: a tensor (N, h, w) or (N, C, H, W).

    Args:
        name: a Python identifier, ``explainers.NAME`` from then on.
        family: see :class:`Info`.
        question: one line on what its map answers; by default the first line of the docstring.
        label: its name for a reader, as in menus; by default made of ``name``.
        unit: what the numbers of its maps measure, such as "gradient of the score".
        needs_layer: it explains a layer; the function then takes ``layer=None``.
        replace: take the place of the explainer registered before under this name, as when a cell is run again.

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
    _refuse_taken(name, replace)

    def decorate(function: F) -> F:
        _refuse_taken(name, replace)
        _check_signature(name, function, needs_layer)
        explainer = _wrapped(name, function, needs_layer)
        line = question or (inspect.getdoc(function) or "").split("\n", 1)[0]
        describe_method(name, label, unit)
        _registered[name] = Info(name, family, line, needs_layer, explainer, label_of(name), unit)
        code = getattr(function, "__code__", None)
        if code is not None and Path(__file__).parent in Path(code.co_filename).parents:
            _own.add(name)
        _tell()
        return cast(F, explainer)

    return decorate


def _refuse_taken(name: str, replacing: bool) -> None:
    known = _registered.get(name)
    if name in _RESERVED or name in _own:
        raise CnnWidgetsError(f"{name!r} is taken by cnnwidgets itself. Choose another name.")
    if known is not None and not replacing:
        raise CnnWidgetsError(
            f"{name!r} is taken. Choose another name, or put yours in its place with register({name!r}, replace=True)."
        )


def unregister(name: str) -> None:
    """Forget the explainer ``name``.

    Raises:
        CnnWidgetsError: there is none, or it is one of the package's own.
    """
    info(name)
    if name in _own:
        raise CnnWidgetsError(f"{name!r} is one of cnnwidgets' own explainers; only those that you register can go.")
    del _registered[name]
    describe_method(name, "", "")
    _tell()


def on_change(callback: Callable[[], object]) -> Callable[[], None]:
    """Have ``callback`` called after each :func:`register` and :func:`unregister`, on the thread that called it.

    Returns:
        A function that ends this; until then the callback is kept alive.

    Example:
        >>> stop = on_change(lambda: print("now", len(names()) - before))
        >>> before = len(names())
        >>> _ = register("as_it_is")(lambda model, images, target=None: images)
        now 1
        >>> stop()
        >>> unregister("as_it_is")
    """
    entry: Callable[[], object] = lambda: callback()  # noqa: E731 (one of its own for each call)
    _listeners.append(entry)

    def stop() -> None:
        if entry in _listeners:
            _listeners.remove(entry)

    return stop


def _tell() -> None:
    for listener in _listeners.copy():  # one of them may stop listening
        listener()


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
    close = difflib.get_close_matches(str(name), _registered, n=_SHOWN, cutoff=0.4)
    word, some = ("Closest", close) if close else ("Among others", names()[:_SHOWN])
    raise CnnWidgetsError(f"No explainer {name!r}. {word}: {', '.join(map(repr, some))}. All: explainers.names().")


def get(name: str) -> Explainer:
    """The explainer ``name``; raises as :func:`info`."""
    return info(name).function


def _check_signature(name: str, function: Callable[..., Any], needs_layer: bool) -> None:
    wanted = "(model, images, target=None, *, layer=None)" if needs_layer else "(model, images, target=None)"
    if not callable(function):
        raise CnnWidgetsError(f"The explainer {name!r} is {function!r}; expected a function {wanted}.")
    parameters = inspect.signature(function).parameters
    fits = list(parameters)[:3] == ["model", "images", "target"] and parameters["target"].default is None
    if not fits or (needs_layer and "layer" not in parameters):
        raise CnnWidgetsError(
            f"The explainer {name!r} takes {inspect.signature(function)}; its first parameters must be {wanted}."
        )
    required = [
        one.name
        for one in list(parameters.values())[3:]
        if one.default is one.empty and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
    ]
    if required:
        raise CnnWidgetsError(
            f"The explainer {name!r} cannot be called without {', '.join(map(repr, required))}; all its parameters "
            f"after {wanted} must have defaults."
        )


def _wrapped(name: str, function: Callable[..., Any], needs_layer: bool) -> Explainer:
    usual_score = inspect.signature(function).parameters.get("score")
    default = usual_score.default if usual_score is not None else "logit"

    def once(model: nn.Module, images: torch.Tensor, target: Target, options: dict[str, Any]) -> Attribution:
        notes = [*input_notes(images), *model_notes(model)]
        with preserved(model, evaluate=True) as kept, reading(current().inner()) as seen:
            generators = generators_now()
            # A foreign function, or the model in its hands, may write to what it is given.
            given = images if name in _own else images.clone()
            before = given._version  # noqa: SLF001 (torch counts writes under this name only)
            result = _called(name, function, model, given, target, options)
            if given._version != before:  # noqa: SLF001
                notes.append(_WRITTEN)
            if isinstance(result, torch.Tensor):
                layer = options.get("layer") if needs_layer else None
                result = _completed(name, model, images.clone(), target, result, layer)
            drawn = [*random_notes(model, images)] if have_moved(generators) else []
        if not isinstance(result, Attribution):
            raise CnnWidgetsError(
                f"The explainer {name!r} returned {type(result).__name__}; expected an Attribution, or a tensor of "
                "values (N, h, w) or (N, C, H, W)."
            )
        afterwards = [*result_notes(result)]
        known = seen.table is not None and bool(seen.table.isfinite().all())
        weights = weight_notes(model, doubtful=bool(notes or afterwards) or not known)
        told = output_notes(seen, options.get("score", default))
        every = [*notes, *weights, *result.notes, *told, *drawn, *change_notes(kept.changed), *afterwards]
        return dataclasses.replace(result, notes=tuple(dict.fromkeys(every)))

    @functools.wraps(function)
    def explain(model: nn.Module, images: torch.Tensor, target: Target = None, **options: Any) -> Attribution:
        said = {name: options.pop(name, None) for name in reads}
        readout = readout_of(model, **said)
        # Also under a caller's inference_mode, in which nothing can be differentiated.
        with Deferral(), torch.inference_mode(False), torch.enable_grad(), reading(readout), walked_once():
            ready = checked(model, images)
            return again(lambda: in_halves(once, model, ready, target, options))

    reads = describe(explain, function)
    return explain


def _called(
    name: str, function: Callable[..., Any], model: nn.Module, images: torch.Tensor, target: Target, options: Any
) -> Any:
    try:
        return function(model, images, target, **options)
    except Exception as error:
        if not isinstance(error, CnnWidgetsError) and not is_out_of_memory(error):
            error.add_note(f"It was raised in the explainer {name!r}.")
        raise


def _completed(
    name: str, model: nn.Module, images: torch.Tensor, target: Target, values: torch.Tensor, layer: Any
) -> Attribution:
    with torch.no_grad():
        scores, chosen = resolve(target, run(model, images), batch=len(images))
    shown = layer if isinstance(layer, str) else None
    return Attribution(values.detach().float().cpu(), name, chosen, shown, scores.detach().float().cpu())
