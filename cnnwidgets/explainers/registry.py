"""The list of explainers."""

from __future__ import annotations

import difflib
import importlib.metadata
import inspect
import keyword
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from cnnwidgets.core.errors import CnnWidgetsError

from .labels import described, label_of
from .wrapper import Explainer, as_explainer

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
        needs_target: whether its map depends on the class explained.
    """

    name: str
    family: str
    question: str
    needs_layer: bool
    function: Explainer
    label: str
    unit: str
    needs_target: bool = True

    @property
    def tells_progress(self) -> bool:
        """Whether it takes ``progress=``: it makes many passes."""
        return "progress" in inspect.signature(self.function).parameters


_registered: dict[str, Info] = {}
_own: set[str] = set()
_listeners: list[Callable[[], object]] = []
_others_waiting = [True]
ENTRY_POINTS = "cnnwidgets.explainers"
"""The group of entry points by which another package brings its explainers along."""


def register(
    name: str,
    *,
    family: str = "other",
    question: str = "",
    label: str = "",
    unit: str = "",
    needs_layer: bool = False,
    needs_target: bool = True,
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
        needs_target: its map depends on the class explained; where it does not, no title of the map names a class.
        replace: take the place of the explainer registered before under this name, as when a cell is run again.

    Raises:
        CnnWidgetsError: the name is taken or no identifier, or the function does not take what it must.

    Example:
        >>> import torch
        >>> @register("input_itself", family="baseline")
        ... def input_itself(model, images, target=None):
        ...     return images
        >>> input_itself(torch.nn.Flatten(), torch.ones(1, 1, 1, 2)).values.tolist()
        [[[[1.0, 1.0]]]]
        >>> unregister("input_itself")
    """
    if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
        raise CnnWidgetsError(f"{name!r} cannot name an explainer; expected an identifier such as 'my_method'.")
    _refuse_taken(name, replace)

    def decorate(function: F) -> F:
        _refuse_taken(name, replace)
        _check_signature(name, function, needs_layer)
        code = getattr(function, "__code__", None)
        if code is not None and Path(__file__).parent in Path(code.co_filename).parents:
            _own.add(name)
        explainer = as_explainer(name, function, needs_layer=needs_layer, trusted=name in _own)
        line = question or (inspect.getdoc(function) or "").split("\n", 1)[0]
        described[name] = label, unit, needs_target
        _registered[name] = Info(name, family, line, needs_layer, explainer, label_of(name), unit, needs_target)
        _tell()
        return cast(F, explainer)

    return decorate


def _refuse_taken(name: str, replacing: bool) -> None:
    if name in _RESERVED or name in _own:
        raise CnnWidgetsError(f"{name!r} is taken by cnnwidgets itself. Choose another name.")
    if name in _registered and not replacing:
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
    del described[name]
    _tell()


def _load_others() -> None:
    """Import, once, what installed packages name as entry points of the group ``cnnwidgets.explainers``.

    Each is a module that registers explainers when it is imported, or a function that does so. What fails is a warning.
    """
    while _others_waiting:
        _others_waiting.pop()
        for entry in importlib.metadata.entry_points(group=ENTRY_POINTS):
            package = entry.dist.name if entry.dist is not None else "unknown package"
            try:
                plugin = entry.load()
                if callable(plugin) and not isinstance(plugin, type):
                    plugin()
            except Exception as error:  # somebody else's code
                warnings.warn(
                    f"The explainers {entry.name!r} of {package} ({entry.value}) could not be loaded: "
                    f"{type(error).__name__}: {error}",
                    RuntimeWarning,
                    stacklevel=3,
                )


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
    """Names of all explainers, in the order in which they were registered; those of other packages come last."""
    _load_others()
    return list(_registered)


def info(name: str) -> Info:
    """What is known of the explainer ``name``.

    Raises:
        CnnWidgetsError: there is none; names the closest.
    """
    if name not in _registered:
        _load_others()
    if name in _registered:
        return _registered[name]
    close = difflib.get_close_matches(str(name), _registered, n=_SHOWN, cutoff=0.4)
    word, some = ("Closest", close) if close else ("Among others", names()[:_SHOWN])
    raise CnnWidgetsError(f"No explainer {name!r}. {word}: {', '.join(map(repr, some))}. All: explainers.names().")


def get(name: str) -> Explainer:
    """The explainer ``name``; raises as :func:`info`."""
    return info(name).function


def _check_signature(name: str, function: Callable[..., Any], needs_layer: bool) -> None:
    expected = "(model, images, target=None, *, layer=None)" if needs_layer else "(model, images, target=None)"
    if not callable(function):
        raise CnnWidgetsError(f"The explainer {name!r} is {function!r}; expected a function {expected}.")
    parameters = inspect.signature(function).parameters
    fits = list(parameters)[:3] == ["model", "images", "target"] and parameters["target"].default is None
    if not fits or (needs_layer and "layer" not in parameters):
        raise CnnWidgetsError(
            f"The explainer {name!r} takes {inspect.signature(function)}; its first parameters must be {expected}."
        )
    required = [
        option.name
        for option in list(parameters.values())[3:]
        if option.default is option.empty and option.kind not in (option.VAR_POSITIONAL, option.VAR_KEYWORD)
    ]
    if required:
        raise CnnWidgetsError(
            f"The explainer {name!r} cannot be called without {', '.join(map(repr, required))}; all its parameters "
            f"after {expected} must have defaults."
        )
