"""Names of layers: dotted, as in ``named_modules()``, of the model under any wrapper."""

from __future__ import annotations

import difflib

import torch
from torch import nn

from .errors import CnnWidgetsError, LayerNotFound

_WRAPPERS = ("_orig_mod", "module")


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


def layer_names(model: nn.Module) -> list[str]:
    """Dotted names of every module inside ``model``, the model itself left out unless it is all there is."""
    names = [name for name, _ in unwrapped(model).named_modules() if name]
    return names or [""]


def find_layer(model: nn.Module, layer: str | nn.Module) -> tuple[str, nn.Module]:
    """The name and module of ``layer``, a dotted name or the module itself.

    Raises:
        LayerNotFound: no module has this name; names the closest ones.
    """
    base = unwrapped(model)
    if isinstance(layer, nn.Module):
        layer = unwrapped(layer)
        for name, module in base.named_modules():
            if module is layer:
                return name, module
        raise LayerNotFound(
            f"The {type(layer).__name__} given as layer is not part of this {type(base).__name__}. "
            "Pass a module of this very model, or its dotted name."
        )
    if not isinstance(layer, str):
        raise LayerNotFound(f"A layer is a dotted name or a module of the model; got {layer!r}.")
    modules = dict(base.named_modules())
    parts = layer.split(".")
    while len(parts) > 1 and parts[0] in _WRAPPERS and ".".join(parts) not in modules:
        parts = parts[1:]
    name = ".".join(parts)
    if name in modules and (name or len(modules) == 1):
        return name, modules[name]
    raise LayerNotFound(unknown_layer(layer, list(modules)))


def unknown_layer(wanted: str, names: list[str]) -> str:
    """The message for a name that no layer has."""
    known = [name for name in names if name]
    close = difflib.get_close_matches(wanted, known, n=3, cutoff=0.4) or known[:3]
    shown = ", ".join(repr(name) for name in close) if close else "none, the model has no submodules"
    quoted = repr(wanted if len(wanted) <= 120 else wanted[:117] + "...")
    return f"No layer {quoted}. Closest: {shown}. All names: trace(model, x).summary()."
