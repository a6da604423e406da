"""The only place that registers hooks on a model."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from .direct_calls import FORWARD, HOOKS, observe_directly, stop_observing
from .errors import LayerNotFound
from .interrupts import Deferral, careful
from .nested import copied
from .network import Network

Enter = Callable[[nn.Module, tuple[Any, ...]], None]
"""Called as ``enter(module, inputs)`` just before a module runs; arguments given by name follow the others."""
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

    However a module is called, it is seen once: as ``module(x)``, with arguments by name, as ``module.forward(x)``, or
    through a ``__call__`` of its own. Only calls from this thread are seen: another may look at the same model at the
    same time. ``always`` is like ``leave`` but also runs when the module's forward raised (its output is then None)
    and may not replace the output.
    """
    modules = [module for module in modules if not isinstance(module, torch.jit.ScriptModule)]  # these take no hooks
    observer, deferral = _Observer(enter, leave, always), Deferral()
    # Twice, so that an interrupt in the middle of the one is made good by the other.
    try:
        try:
            deferral.open()
            for module in modules:
                observer.attach(module)
            yield
        finally:
            _detach(modules, observer)
            deferral.close()
    finally:
        _detach(modules, observer)
        deferral.close()


@careful
def _detach(modules: list[nn.Module], observer: _Observer) -> None:
    """Remove what ``observer`` attached, wherever it is: an interrupt may have kept the handles from us."""
    for module in modules:
        for hooks, extras in (
            (module._forward_pre_hooks, [module._forward_pre_hooks_with_kwargs]),  # noqa: SLF001
            (module._forward_hooks, [module._forward_hooks_with_kwargs, module._forward_hooks_always_called]),  # noqa: SLF001
        ):
            for key in [key for key, hook in list(hooks.items()) if any(hook is one for one in observer.hooks)]:
                for extra in extras:
                    extra.pop(key, None)
                hooks.pop(key, None)
        stop_observing(module, observer.observe)


class _Observer:
    """Tells of the calls of modules on this thread, each once, by whichever way they come."""

    def __init__(self, enter: Enter | None, leave: Leave | None, always: Leave | None) -> None:
        self._enter, self._leave, self._always = enter, leave, always
        self._thread = threading.get_ident()
        # Calls that hooks do not see, innermost last: the module, and how far into it the call has come.
        self._inside: list[tuple[nn.Module, int]] = []
        self._announced: set[nn.Module] = set()
        # The very objects that are attached, by which they are known again.
        self.hooks = self._before, self._after, self._ended
        self.observe = self._around

    def __deepcopy__(self, memo: object) -> _Observer:
        return self  # a copy of the model, made meanwhile by another thread, has the same hooks

    def attach(self, module: nn.Module) -> None:
        """See the calls that torch makes, and those that go past it."""
        before, after, ended = self.hooks
        module.register_forward_pre_hook(before, prepend=True, with_kwargs=True)
        if self._leave is not None:
            module.register_forward_hook(after, with_kwargs=True)
        if self._always is not None:
            module.register_forward_hook(ended, with_kwargs=True, always_call=True)
        observe_directly(module, self.observe)

    def _before(self, module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        if threading.get_ident() != self._thread or self._is_part(module, HOOKS):
            return
        self._announced.add(module)
        if self._enter is not None:
            self._enter(module, (*args, *kwargs.values()))

    def _after(self, module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any) -> Any:
        if self._leave is None or threading.get_ident() != self._thread or self._is_part(module, HOOKS):
            return None
        return self._leave(module, (*args, *kwargs.values()), output)

    def _ended(self, module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any) -> None:
        if threading.get_ident() != self._thread or self._is_part(module, HOOKS):
            return
        self._announced.discard(module)
        if self._always is not None:
            self._always(module, (*args, *kwargs.values()), output)

    def _around(self, module: nn.Module, level: int, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call ``function``, which is how ``module`` is called past the hooks, or what the hooks lead to."""
        if threading.get_ident() != self._thread:
            return function(*args, **kwargs)
        announced = level == FORWARD and module in self._announced
        self._announced.discard(module)
        part = announced or self._is_part(module, level)
        self._inside.append((module, level))
        try:
            return function(*args, **kwargs) if part else self._told(module, function, args, kwargs)
        finally:
            self._inside.pop()

    def _is_part(self, module: nn.Module, level: int) -> bool:
        """Whether a call of ``module`` that is under way has come to ``level``, rather than another one begun."""
        return bool(self._inside) and self._inside[-1][0] is module and self._inside[-1][1] < level

    def _told(
        self, module: nn.Module, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        inputs, output = (*args, *kwargs.values()), None
        if self._enter is not None:
            self._enter(module, inputs)
        try:
            output = function(*args, **kwargs)
            replaced = None if self._leave is None else self._leave(module, inputs, output)
            output = output if replaced is None else replaced
            return output
        finally:
            if self._always is not None:
                self._always(module, inputs, output)


def is_watching(hook: Any) -> bool:
    """Whether ``hook`` belongs to somebody who has :func:`attached` it."""
    return isinstance(getattr(hook, "__self__", None), _Observer)


@contextmanager
def never_compiled() -> Iterator[None]:
    """Run what was compiled as the Python that it was compiled from, so that the calls inside are seen."""
    # The compiler is asked only if something has already loaded it.
    if "torch._dynamo" not in sys.modules or not hasattr(torch.compiler, "set_stance"):
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield


@contextmanager
def capture(model: nn.Module, layers: str | nn.Module | Iterable[str | nn.Module]) -> Iterator[dict[str, list[Any]]]:
    """Collect the outputs of ``layers`` while ``model`` runs inside the block, which what is compiled does eagerly.

    Args:
        model: the network; wrappers such as ``DataParallel`` or ``torch.compile`` are looked through.
        layers: dotted names as in ``named_modules()``, or the modules themselves.

    Yields:
        A mapping from layer name to its outputs, one for each call, in order. Each is a copy taken the moment the
        layer returned, so an in-place ReLU that follows does not change it; it stays in the autograd graph.

    Raises:
        LayerNotFound: before anything is attached.
        CnnWidgetsError: a layer runs outside Python (a ScriptModule).

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
    network = Network.of(model)
    found = dict(network.find(layer) for layer in wanted)
    outputs: dict[str, list[Any]] = {name: [] for name in found}
    by_module: dict[nn.Module, list[str]] = {}
    for name, module in found.items():
        by_module.setdefault(module, []).append(name)

    def leave(module: nn.Module, _: tuple[Any, ...], output: Any) -> None:
        for name in by_module[module]:
            outputs[name].append(copied(output))

    with never_compiled(), attached(by_module, leave=leave):
        yield outputs
