"""The only place that registers hooks on a model."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from .errors import CnnWidgetsError, LayerNotFound
from .interrupts import Deferral, careful
from .names import find_layer

Enter = Callable[[nn.Module, tuple[Any, ...]], None]
"""Called as ``enter(module, inputs)`` just before a module runs."""
Leave = Callable[[nn.Module, tuple[Any, ...], Any], Any]
"""Called as ``leave(module, inputs, output)`` just after; what it returns, unless None, replaces the output."""


@careful
@contextmanager
def attached(
    modules: Iterable[nn.Module],
    *,
    enter: Enter | None = None,
    leave: Leave | None = None,
    always: Leave | None = None,
) -> Iterator[None]:
    """Watch ``modules`` while the block runs: all of them, or none if one refuses a hook.

    Only calls from this thread are seen: another may look at the same model at the same time. ``always`` is like
    ``leave`` but also runs when the module's forward raised (its output is then None) and may not replace the output.
    """
    modules = [module for module in modules if not isinstance(module, torch.jit.ScriptModule)]  # these take no hooks
    enter, leave, always = (None if hook is None else _here(hook) for hook in (enter, leave, always))
    ours = [hook for hook in (enter, leave, always) if hook is not None]
    deferral = Deferral()
    # Twice, so that an interrupt in the middle of the one is made good by the other.
    try:
        try:
            deferral.open()
            for module in modules:
                if enter is not None:
                    module.register_forward_pre_hook(enter, prepend=True)
                if leave is not None:
                    module.register_forward_hook(leave)
                if always is not None:
                    module.register_forward_hook(always, always_call=True)
            yield
        finally:
            _detach(modules, ours)
            deferral.close()
    finally:
        _detach(modules, ours)
        deferral.close()


@careful
def _detach(modules: list[nn.Module], ours: list[Callable[..., Any]]) -> None:
    """Remove ``ours`` wherever they are: an interrupt may have kept their handles from us."""
    for module in modules:
        for hooks, extras in (
            (module._forward_pre_hooks, [module._forward_pre_hooks_with_kwargs]),  # noqa: SLF001
            (module._forward_hooks, [module._forward_hooks_with_kwargs, module._forward_hooks_always_called]),  # noqa: SLF001
        ):
            for key in [key for key, hook in list(hooks.items()) if any(hook is one for one in ours)]:
                for extra in extras:
                    extra.pop(key, None)
                hooks.pop(key, None)


def _here(hook: Callable[..., Any]) -> Callable[..., Any]:
    """``hook``, deaf to the calls of other threads."""
    mine = threading.get_ident()

    def heard(*call: Any) -> Any:
        return hook(*call) if threading.get_ident() == mine else None

    return heard


def copied(value: Any) -> Any:
    """``value`` with each tensor in it copied, still in the autograd graph, safe from later in-place operations."""
    if isinstance(value, torch.Tensor):
        return value.clone()
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(copied(item) for item in value))
    if isinstance(value, list | tuple):
        return type(value)(copied(item) for item in value)
    if isinstance(value, Mapping):
        return {key: copied(item) for key, item in value.items()}
    return value


def with_replaced(output: Any, old: torch.Tensor, new: torch.Tensor) -> Any:
    """``output`` with ``new`` in place of ``old``."""
    if output is old:
        return new
    if isinstance(output, tuple) and hasattr(output, "_fields"):
        return type(output)(*(with_replaced(item, old, new) for item in output))
    if isinstance(output, list | tuple):
        return type(output)(with_replaced(item, old, new) for item in output)
    if type(output) in (dict, OrderedDict):
        return type(output)((key, with_replaced(value, old, new)) for key, value in output.items())
    return output


@contextmanager
def capture(model: nn.Module, layers: str | nn.Module | Iterable[str | nn.Module]) -> Iterator[dict[str, list[Any]]]:
    """Collect the outputs of ``layers`` while ``model`` runs inside the block.

    Args:
        model: the network; wrappers such as ``DataParallel`` or ``torch.compile`` are looked through.
        layers: dotted names as in ``named_modules()``, or the modules themselves.

    Yields:
        A mapping from layer name to its outputs, one for each call, in order. Each is a copy taken the moment the
        layer returned, so an in-place ReLU that follows does not change it; it stays in the autograd graph.

    Raises:
        LayerNotFound: before anything is attached.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(inplace=True))
        >>> with capture(net, ["0"]) as outputs:
        ...     _ = net(torch.zeros(1, 1, 5, 5))
        >>> outputs["0"][0].shape
        torch.Size([1, 2, 3, 3])
    """
    if not isinstance(layers, str | nn.Module | Iterable):
        raise LayerNotFound(f"layers is {layers!r}; expected a dotted name, a module, or several of them.")
    wanted = [layers] if isinstance(layers, str | nn.Module) else list(layers)
    found = dict(find_layer(model, layer) for layer in wanted)
    for name, module in found.items():
        if isinstance(module, torch.jit.ScriptModule):
            raise CnnWidgetsError(
                f"Layer {name!r} is a ScriptModule: it runs outside Python and cannot be looked into. "
                "Use the nn.Module that it was made from, or a layer around it."
            )
    outputs: dict[str, list[Any]] = {name: [] for name in found}
    by_module: dict[nn.Module, list[str]] = {}
    for name, module in found.items():
        by_module.setdefault(module, []).append(name)

    def leave(module: nn.Module, _: tuple[Any, ...], output: Any) -> None:
        for name in by_module[module]:
            outputs[name].append(copied(output))

    with attached(by_module, leave=leave):
        yield outputs
