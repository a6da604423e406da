"""Names of layers: dotted, as in ``named_modules()``, of the model under any wrapper."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import nn
from torch.nn.utils.parametrize import ParametrizationList

from .errors import CnnWidgetsError, LayerNotFound
from .held_modules import held_modules
from .interrupts import Deferral, careful

_COMPILED = "_orig_mod"
_WRAPPERS = (_COMPILED, "module")


def unwrapped(model: nn.Module) -> nn.Module:
    """The user's own module under ``DataParallel``, ``DistributedDataParallel`` or ``torch.compile``."""
    if isinstance(model, torch.jit.ScriptModule):
        raise CnnWidgetsError(
            f"Got a {type(model).__name__}: a scripted model runs outside Python and cannot be looked into. "
            "Pass the nn.Module it was made from."
        )
    if not isinstance(model, nn.Module):
        raise CnnWidgetsError(
            f"Expected a torch.nn.Module, got {type(model).__module__}.{type(model).__qualname__}. "
            "Pass the model itself, not its class, its name or its weights."
        )
    while True:
        if isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
            model = model.module
        elif isinstance(getattr(model, "_orig_mod", None), nn.Module):
            model = model._orig_mod  # type: ignore[assignment]  # noqa: SLF001
        else:
            return model


def named_layers(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The name and module of the model itself, ``""``, and of each module in it, once.

    First those of ``named_modules()``, in its order and with its names, but for modules wrapped in ``torch.compile``:
    the name is that of the module inside. Then those that are kept without being registered, in lists, closures,
    helper objects and the like, by the path to them: ``"blocks.0"``.

    Example:
        >>> net = nn.Sequential(nn.ReLU())
        >>> net.others = [nn.Tanh(), nn.Sequential(nn.ELU())]
        >>> [name for name, _ in named_layers(net)]
        ['', '0', 'others.0', 'others.1', 'others.1.0']
    """
    base, walks = unwrapped(model), _walks.get()
    if walks is None:
        yield from _walked(base)
        return
    if base not in walks or not walks[base].holds():
        walks[base] = _Walk(list(_walked(base)))
    yield from walks[base].layers


class _Walk:
    """The layers of a model, and how much each of its modules held then."""

    def __init__(self, layers: list[tuple[str, nn.Module]]) -> None:
        self.layers = layers
        self._sizes = self._now()

    def holds(self) -> bool:
        """Whether nothing was added or taken away since."""
        return self._now() == self._sizes

    def _now(self) -> list[tuple[int, int]]:
        return [(len(vars(module)), len(module._modules)) for _, module in self.layers]  # noqa: SLF001


_walks: ContextVar[dict[nn.Module, _Walk] | None] = ContextVar("walks", default=None)


@careful
@contextmanager
def walked_once() -> Iterator[None]:
    """Look through each model but once in this block, which takes milliseconds for a big one; it is not rebuilt."""
    if _walks.get() is not None:
        yield
        return
    with Deferral():
        token = _walks.set({})
        try:
            yield
        finally:
            _walks.reset(token)


def _walked(base: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    listed: dict[nn.Module, str] = {}
    _list(base, "", listed)
    yield from ((name, module) for module, name in listed.items())
    waiting = list(listed)
    names = set(listed.values())
    of_classes: dict[type, list[tuple[str, nn.Module]]] = {}
    while waiting:
        owner = waiting.pop(0)
        for path, module in held_modules(owner, of_classes):
            inner = _inside(module)
            if inner in listed:
                continue
            before = len(listed)
            _list(inner, _free(_joined(listed[owner], path), names), listed)
            new = list(listed.items())[before:]
            names.update(name for _, name in new)
            waiting += [module for module, _ in new]
            yield from ((name, module) for module, name in new)


def all_modules(model: nn.Module) -> list[nn.Module]:
    """Every module of ``model``, wrappers and those that are kept without being registered included."""
    return list(dict.fromkeys([*model.modules(), *(module for _, module in named_layers(model))]))


def visible_layers(model: nn.Module) -> dict[nn.Module, str]:
    """The modules that are layers to a reader, with their names: not those that only compute another one's weight."""
    layers = list(named_layers(model))
    hidden = {inner for _, module in layers if isinstance(module, ParametrizationList) for inner in module.modules()}
    return {module: name for name, module in layers if module not in hidden}


def named_weights(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """The name and value of each parameter, once; those of modules that are not registered included."""
    yielded = set[int]()
    for name, module in named_layers(model):
        for own, value in module._parameters.items():  # noqa: SLF001 (named_parameters takes several times as long)
            if value is not None and id(value) not in yielded:
                yielded.add(id(value))
                yield _joined(name, own), value


def own_tensors(model: nn.Module) -> Iterator[torch.Tensor]:
    """Every parameter and buffer; those of modules that are not registered included."""
    for _, module in named_layers(model):
        for table in (module._parameters, module._buffers):  # noqa: SLF001
            yield from (value for value in table.values() if value is not None)


def _list(module: nn.Module, name: str, listed: dict[nn.Module, str]) -> None:
    """Enter ``module`` and all that is registered in it."""
    module = _inside(module)
    if module in listed:
        return
    listed[module] = name
    for own, child in module._modules.items():  # noqa: SLF001
        if child is not None:
            _list(child, _joined(name, own), listed)


def _inside(module: nn.Module) -> nn.Module:
    """The module under ``torch.compile``."""
    while (inner := _child(module, _COMPILED)) is not None:
        module = inner
    return module


def _child(module: nn.Module, name: str) -> nn.Module | None:
    children = module._modules  # noqa: SLF001 (of a ScriptModule no dict)
    return children[name] if name in children else None  # noqa: SIM401


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path and name else path or name


def _free(name: str, taken: set[str]) -> str:
    number, candidate = 0, name
    while candidate in taken:
        number += 1
        candidate = f"{name}_{number}"
    return candidate


def layer_names(model: nn.Module) -> list[str]:
    """Dotted names of every module inside ``model``, the model itself left out unless it is all there is."""
    names = [name for name, _ in named_layers(model) if name]
    return names or [""]


def find_layer(model: nn.Module, layer: str | nn.Module) -> tuple[str, nn.Module]:
    """The name and module of ``layer``, a dotted name or the module itself.

    Raises:
        LayerNotFound: no module has this name; names the closest ones.
        CnnWidgetsError: it is a ScriptModule, or the model is.
    """
    base = unwrapped(model)
    if isinstance(layer, nn.Module):
        layer = unwrapped(layer)
        for name, module in named_layers(base):
            if module is layer:
                return name, module
        raise LayerNotFound(
            f"The {type(layer).__name__} given as layer is not part of this {type(base).__name__}. "
            "Pass a module of this very model, or its dotted name."
        )
    if not isinstance(layer, str):
        raise LayerNotFound(f"A layer is a dotted name or a module of the model; got {layer!r}.")
    modules = dict(named_layers(base))
    for name in _spellings(layer):
        named = modules[name] if name in modules else _at(base, name)
        if named is not None and (name or len(modules) == 1):
            name = next(own for own, module in modules.items() if module is named)
            if isinstance(named, torch.jit.ScriptModule):
                raise CnnWidgetsError(
                    f"Layer {name!r} is a ScriptModule: it runs outside Python and cannot be looked into. "
                    "Use the nn.Module that it was made from, or a layer around it."
                )
            return name, named
    raise LayerNotFound(unknown_layer(layer, list(modules)))


def _spellings(layer: str) -> Iterator[str]:
    """``layer``, and what it is without the wrappers that the caller has around the model or parts of it."""
    parts = layer.split(".")
    yield layer
    parts = [part for part in parts if part != _COMPILED]
    yield ".".join(parts)
    while len(parts) > 1 and parts[0] in _WRAPPERS:
        parts = parts[1:]
        yield ".".join(parts)


def _at(base: nn.Module, name: str) -> nn.Module | None:
    """The module that is registered as ``name``, also where it has another name that comes first."""
    module = base
    for part in name.split("."):
        inner = _child(module, part)
        if inner is None:
            return None
        module = _inside(inner)
    return module


def unknown_layer(wanted: str, names: list[str]) -> str:
    """The message for a name that no layer has."""
    known = [name for name in names if name]
    close = difflib.get_close_matches(wanted, known, n=3, cutoff=0.4) or known[:3]
    shown = ", ".join(repr(name) for name in close) if close else "none, the model has no submodules"
    quoted = repr(wanted if len(wanted) <= 120 else wanted[:117] + "...")
    return f"No layer {quoted}. Closest: {shown}. All names: trace(model, x).summary()."
