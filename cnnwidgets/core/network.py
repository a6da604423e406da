"""The network in a model: the module under its wrappers, and its layers by name, dotted, as in ``named_modules()``."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import nn
from torch.nn.utils.parametrize import ParametrizationList

from .errors import CnnWidgetsError, LayerNotFound
from .held_modules import dotted, held_modules
from .interrupts import Deferral, careful

_COMPILED = "_orig_mod"
_WRAPPERS = (_COMPILED, "module")


class Network:
    """A model, looked at through ``DataParallel``, ``DistributedDataParallel`` and ``torch.compile``.

    For one call only: the model may be another afterwards.

    Attributes:
        base: the user's own module.
    """

    def __init__(self, base: nn.Module) -> None:
        self.base = base
        self._layers: list[tuple[str, nn.Module]] = []
        self._tables: list[dict[str, Any]] = []
        self._sizes: list[tuple[int, int]] = []

    @classmethod
    def of(cls, model: nn.Module) -> Network:
        """The network in ``model``, with or without wrappers.

        Raises:
            CnnWidgetsError: it is no module, or one that runs outside Python.
        """
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
        base = _without_wrappers(model)
        networks = _networks.get()
        if networks is None:
            return cls(base)
        return networks.setdefault(base, cls(base))

    @property
    def layers(self) -> list[tuple[str, nn.Module]]:
        """The name and module of the network itself, ``""``, and of each module in it, once.

        First those of ``named_modules()``, in its order and with its names, but for modules wrapped in
        ``torch.compile``: the name is that of the module inside. Then those that are kept without being registered, in
        lists, closures, helper objects and the like, by the path to them: ``"blocks.0"``.

        Example:
            >>> net = nn.Sequential(nn.ReLU())
            >>> net.others = [nn.Tanh(), nn.Sequential(nn.ELU())]
            >>> [name for name, _ in Network.of(net).layers]
            ['', '0', 'others.0', 'others.1', 'others.1.0']
        """
        # A forward may have added or removed modules since.
        if not self._layers or self._sizes != _sizes(self._tables):
            self._layers = list(_walked(self.base))
            self._tables = [vars(module) for _, module in self._layers]
            self._sizes = _sizes(self._tables)
        return self._layers

    @property
    def names(self) -> list[str]:
        """Of every layer, the network itself left out unless it is all there is."""
        return [name for name, _ in self.layers if name] or [""]

    @property
    def visible_layers(self) -> dict[nn.Module, str]:
        """The modules that are layers to a reader, with their names: not those that only compute another's weight."""
        layers = self.layers
        lists = [module for _, module in layers if isinstance(module, ParametrizationList)]
        hidden = {inner for module in lists for inner in module.modules()}
        return {module: name for name, module in layers if module not in hidden}

    @property
    def weights(self) -> list[tuple[str, nn.Parameter]]:
        """The name and value of each parameter, once; those of modules that are not registered included."""
        named: dict[int, tuple[str, nn.Parameter]] = {}
        for name, module in self.layers:
            for own, value in module._parameters.items():  # noqa: SLF001 (named_parameters takes several times as long)
                if value is not None:
                    named.setdefault(id(value), (dotted(name, own), value))
        return list(named.values())

    @property
    def tensors(self) -> list[torch.Tensor]:
        """Every parameter and buffer; those of modules that are not registered included."""
        tables = (table for _, module in self.layers for table in (module._parameters, module._buffers))  # noqa: SLF001
        return [value for table in tables for value in table.values() if value is not None]

    def find(self, layer: str | nn.Module) -> tuple[str, nn.Module]:
        """The name and module of ``layer``, a dotted name or the module itself.

        Raises:
            LayerNotFound: no module has this name; names the closest ones.
            CnnWidgetsError: it is a ScriptModule.
        """
        if isinstance(layer, nn.Module):
            layer = Network.of(layer).base
            for name, module in self.layers:
                if module is layer:
                    return name, module
            raise LayerNotFound(
                f"The {type(layer).__name__} given as layer is not part of this {type(self.base).__name__}. "
                "Pass a module of this very model, or its dotted name."
            )
        if not isinstance(layer, str):
            raise LayerNotFound(f"A layer is a dotted name or a module of the model; got {layer!r}.")
        modules = dict(self.layers)
        for name in _spellings(layer):
            named = modules[name] if name in modules else _registered(self.base, name)
            # Where it is registered more than once, the name that comes first.
            name = next((own for own, module in modules.items() if module is named), "")
            if named is not None and (name or len(modules) == 1):
                if isinstance(named, torch.jit.ScriptModule):
                    raise CnnWidgetsError(
                        f"Layer {name!r} is a ScriptModule: it runs outside Python and cannot be looked into. "
                        "Use the nn.Module that it was made from, or a layer around it."
                    )
                return name, named
        raise LayerNotFound(unknown_layer(layer, list(modules)))


_networks: ContextVar[dict[nn.Module, Network] | None] = ContextVar("networks", default=None)


@careful
@contextmanager
def walked_once() -> Iterator[None]:
    """Look through each model but once in this block, which takes milliseconds for a big one; it is not rebuilt."""
    if _networks.get() is not None:
        yield
        return
    with Deferral():
        token = _networks.set({})
        try:
            yield
        finally:
            _networks.reset(token)


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
            _list(inner, free_name(dotted(listed[owner], path), names), listed)
            new = list(listed.items())[before:]
            names.update(name for _, name in new)
            waiting += [module for module, _ in new]
            yield from ((name, module) for module, name in new)


def _without_wrappers(model: nn.Module) -> nn.Module:
    while True:
        if isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
            model = model.module
        elif isinstance(getattr(model, _COMPILED, None), nn.Module):
            model = model._orig_mod  # type: ignore[assignment]  # noqa: SLF001
        else:
            return model


def _sizes(tables: list[dict[str, Any]]) -> list[tuple[int, int]]:
    """How much the modules with these attributes hold, whether their calls are watched meanwhile or not."""
    return [(len(table) - ("forward" in table), len(table.get("_modules", ()))) for table in tables]


def _list(module: nn.Module, name: str, listed: dict[nn.Module, str]) -> None:
    """Enter ``module`` and all that is registered in it."""
    module = _inside(module)
    if module in listed:
        return
    listed[module] = name
    for own, child in module._modules.items():  # noqa: SLF001
        if child is not None:
            _list(child, dotted(name, own), listed)


def _inside(module: nn.Module) -> nn.Module:
    """The module under ``torch.compile``."""
    while _COMPILED in module._modules:  # noqa: SLF001
        module = module._modules[_COMPILED]  # type: ignore[assignment]  # noqa: SLF001
    return module


def free_name(name: str, used_names: set[str]) -> str:
    """``name``, with a number behind it where others are called so."""
    number, candidate = 0, name
    while candidate in used_names:
        number += 1
        candidate = f"{name}_{number}"
    return candidate


def _spellings(layer: str) -> Iterator[str]:
    """``layer``, and what it is without the wrappers that the caller has around the model or parts of it."""
    parts = layer.split(".")
    yield layer
    parts = [part for part in parts if part != _COMPILED]
    yield ".".join(parts)
    while len(parts) > 1 and parts[0] in _WRAPPERS:
        parts = parts[1:]
        yield ".".join(parts)


def _registered(base: nn.Module, name: str) -> nn.Module | None:
    try:
        return _inside(base.get_submodule(name))
    except AttributeError:
        return None


def unknown_layer(layer: str, names: list[str]) -> str:
    """The message for a name that no layer has."""
    named = [name for name in names if name]
    close = difflib.get_close_matches(layer, named, n=3, cutoff=0.4) or named[:3]
    closest = ", ".join(repr(name) for name in close) if close else "none, the model has no submodules"
    quoted = repr(layer if len(layer) <= 120 else layer[:117] + "...")
    return f"No layer {quoted}. Closest: {closest}. All names: trace(model, x).summary()."
