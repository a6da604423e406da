"""The only place that registers hooks on a model."""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from .errors import LayerNotFound
from .interrupts import Deferral, careful, let_go
from .nested import copied
from .network import Network

Enter = Callable[[nn.Module, tuple[Any, ...]], None]
"""Called as ``enter(module, inputs)`` just before a module runs; arguments given by name follow the others."""
Leave = Callable[[nn.Module, tuple[Any, ...], Any], Any]
"""Called as ``leave(module, inputs, output)`` just after; what it returns, unless None, replaces the output."""

Observe = Callable[..., Any]
"""Called as ``observe(module, function, *args, **kwargs)`` in place of ``function(*args, **kwargs)``."""


class LayerReached(BaseException):
    """Ends a forward pass where a layer has returned. No Exception, which a network may catch."""


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

    However a module is called, it is seen once: as ``module(x)``, with arguments by name, or as ``module.forward(x)``,
    which goes past torch's hooks. Only calls from this thread are seen: another may look at the same model at the
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
        observer.forget()
        deferral.close()


@careful
def _detach(modules: list[nn.Module], observer: _Observer) -> None:
    """Remove what ``observer`` attached, wherever it is: an interrupt may have kept the handles from us."""
    for module in modules:
        for hooks, extras in (
            (module._forward_pre_hooks, [module._forward_pre_hooks_with_kwargs]),  # noqa: SLF001
            (module._forward_hooks, [module._forward_hooks_with_kwargs, module._forward_hooks_always_called]),  # noqa: SLF001
        ):
            for key in [key for key, hook in list(hooks.items()) if any(hook is own for own in observer.hooks)]:
                for extra in extras:
                    extra.pop(key, None)
                hooks.pop(key, None)
        _stop_observing(module, observer.observe)


class _Observer:
    """Tells of the calls of modules on this thread, each once, by whichever way they come."""

    def __init__(self, enter: Enter | None, leave: Leave | None, always: Leave | None) -> None:
        self._enter, self._leave, self._always = enter, leave, always
        self._thread = threading.get_ident()
        self._announced: set[nn.Module] = set()
        # The very objects that are attached, by which they are known again.
        self.hooks = self._before, self._after, self._ended
        self.observe = self._around

    def __deepcopy__(self, memo: object) -> _Observer:
        return self  # a copy of the model, made meanwhile by another thread, has the same hooks

    def forget(self) -> None:
        """Let go whom it tells: it holds its own methods, and would keep them until Python tidies up."""
        self._enter = self._leave = self._always = None
        self._announced.clear()

    def attach(self, module: nn.Module) -> None:
        """See the calls that torch makes, and those that go past it."""
        before, after, ended = self.hooks
        module.register_forward_pre_hook(before, prepend=True, with_kwargs=True)
        if self._leave is not None:
            module.register_forward_hook(after, with_kwargs=True)
        if self._always is not None:
            module.register_forward_hook(ended, with_kwargs=True, always_call=True)
        _observe_forward(module, self.observe)

    # On another thread torch calls a hook that is just coming or going without the keyword arguments.
    def _before(self, module: nn.Module, *passed: Any) -> None:
        if threading.get_ident() != self._thread:
            return
        args, kwargs = passed
        self._announced.add(module)
        if self._enter is not None:
            self._enter(module, (*args, *kwargs.values()))

    def _after(self, module: nn.Module, *passed: Any) -> Any:
        if self._leave is None or threading.get_ident() != self._thread:
            return None
        args, kwargs, output = passed
        return self._leave(module, (*args, *kwargs.values()), output)

    def _ended(self, module: nn.Module, *passed: Any) -> None:
        if threading.get_ident() != self._thread:
            return
        args, kwargs, output = passed
        self._announced.discard(module)
        if self._always is not None:
            self._always(module, (*args, *kwargs.values()), output)

    def _around(self, module: nn.Module, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call ``function``, the forward of ``module``: past the hooks, or what the hooks lead to."""
        if threading.get_ident() != self._thread:
            return function(*args, **kwargs)
        if module in self._announced:
            self._announced.discard(module)
            return function(*args, **kwargs)
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


class Forward:
    """Stands for ``module.forward`` while somebody observes it; is put back to what was there by the last to leave."""

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        self._is_own = "forward" in vars(module)
        self._original = module.forward
        self.observers: list[Observe] = []
        functools.update_wrapper(self, self._original, updated=())

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        function = self._original
        for observe in tuple(self.observers):  # the last to come is the first to be told
            function = functools.partial(observe, self._module, function)
        return function(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in ("__self__", "__func__", "__code__"):
            raise AttributeError(name)
        return getattr(self._original, name)

    def __reduce__(self) -> Any:
        # A copy of the module, made meanwhile, has a forward of its own, not one that runs this module.
        if self._is_own:
            return _itself, (self._original,)
        return getattr, (self._module, "forward")

    def remove(self) -> None:
        """Put back what was there, unless somebody has replaced it since."""
        if vars(self._module).get("forward") is not self:
            return
        if self._is_own:
            vars(self._module)["forward"] = self._original
        else:
            del vars(self._module)["forward"]


_guard = threading.RLock()


@careful
def _observe_forward(module: nn.Module, observe: Observe) -> None:
    """Let ``observe`` stand between the caller and the forward of ``module``, until :func:`_stop_observing`."""
    with _guard:
        stand_in = vars(module).get("forward")
        if not isinstance(stand_in, Forward):
            stand_in = vars(module)["forward"] = Forward(module)
        stand_in.observers.append(observe)


@careful
def _stop_observing(module: nn.Module, observe: Observe) -> None:
    """End it, as often as need be: an interrupt may have cut the beginning short."""
    let_go(_guard)
    with _guard:
        stand_in = vars(module).get("forward")
        if isinstance(stand_in, Forward):
            if observe in stand_in.observers:
                stand_in.observers.remove(observe)
            if not stand_in.observers:
                stand_in.remove()


def _itself(value: Any) -> Any:
    return value


def is_watching(hook: Any) -> bool:
    """Whether ``hook`` belongs to somebody who has :func:`attached` it."""
    return isinstance(getattr(hook, "__self__", None), _Observer)


@contextmanager
def never_compiled() -> Iterator[None]:
    """Run what was compiled as the Python that it was compiled from, so that the calls inside are seen."""
    # The compiler is asked only if something has already loaded it.
    if "torch._dynamo" not in sys.modules:
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield


class OperationWatch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Base of what sees each single operation of a block, in ``__torch_dispatch__``."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else torch loads its compiler, 150 MB in two seconds, to keep it out of these methods


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
    requested = [layers] if isinstance(layers, str | nn.Module) else list(layers)
    network = Network.of(model)
    modules = dict(network.find(layer) for layer in requested)
    outputs: dict[str, list[Any]] = {name: [] for name in modules}
    by_module: dict[nn.Module, list[str]] = {}
    for name, module in modules.items():
        by_module.setdefault(module, []).append(name)

    def leave(module: nn.Module, _: tuple[Any, ...], output: Any) -> None:
        for name in by_module[module]:
            outputs[name].append(copied(output))

    with never_compiled(), attached(by_module, leave=leave):
        yield outputs
