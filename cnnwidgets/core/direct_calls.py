"""Calls of a module that go past torch's hooks: ``module.forward(x)``, and a ``__call__`` of the class's own.

Used by :mod:`.capture` only.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

from torch import nn

from .interrupts import careful, let_go

Observe = Callable[..., Any]
"""Called as ``observe(module, level, function, *args, **kwargs)`` in place of ``function(*args, **kwargs)``."""

HOOKS = 1000
"""Torch's own calls; each class's own ``__call__`` has a lower level, the nearest class the lowest."""
FORWARD = HOOKS + 1
_INHERITED = ("__call__", "_wrapped_call_impl", "_call_impl")
"""In the order in which one leads to the next."""
_guard = threading.RLock()


class Forward:
    """Stands for ``module.forward`` while somebody observes it; is put back to what was there by the last to leave."""

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        self._is_own = "forward" in vars(module)
        self._original = module.forward
        self.observers: list[Observe] = []
        functools.update_wrapper(self, self._original, updated=())

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        return _observed_call(self.observers, self._module, FORWARD, self._original)(*args, **kwargs)

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


class OwnCall:
    """Stands for a method of a class, which calls its instances in a way of its own, while some are observed."""

    def __init__(self, owner: type, name: str) -> None:
        self.owner, self.name = owner, name
        self.original = vars(owner)[name]
        self.observed: dict[int, list[Observe]] = {}
        own, original = self, self.original

        @functools.wraps(original)
        def call(module: nn.Module, /, *args: Any, **kwargs: Any) -> Any:
            observers = own.observed.get(id(module))
            bound = functools.partial(original, module)
            if not observers:
                return bound(*args, **kwargs)
            level = 100 * _INHERITED.index(name) + type(module).__mro__.index(owner)
            return _observed_call(observers, module, level, bound)(*args, **kwargs)

        self.stand_in = call

    def put(self) -> None:
        """Take the method's place."""
        if vars(self.owner).get(self.name) is self.original:
            setattr(self.owner, self.name, self.stand_in)

    def remove(self) -> None:
        """Put the method back, unless somebody has replaced it since."""
        if vars(self.owner).get(self.name) is self.stand_in:
            setattr(self.owner, self.name, self.original)


_own_calls: dict[tuple[type, str], OwnCall] = {}


@careful
def observe_directly(module: nn.Module, observe: Observe) -> None:
    """Let ``observe`` stand between the caller and ``module``, until :func:`stop_observing`."""
    with _guard:
        for key in _overridden(type(module)):
            own = _own_calls.get(key)
            if own is None:
                own = _own_calls[key] = OwnCall(*key)
            own.observed.setdefault(id(module), []).append(observe)
            own.put()
        stand_in = vars(module).get("forward")
        if not isinstance(stand_in, Forward):
            stand_in = vars(module)["forward"] = Forward(module)
        stand_in.observers.append(observe)


@careful
def stop_observing(module: nn.Module, observe: Observe) -> None:
    """End it, as often as need be: an interrupt may have cut the beginning short."""
    let_go(_guard)
    with _guard:
        for key in _overridden(type(module)):
            _forget_call(key, module, observe)
        stand_in = vars(module).get("forward")
        if isinstance(stand_in, Forward):
            _forget_forward(stand_in, observe)


def _forget_forward(stand_in: Forward, observe: Observe) -> None:
    if observe in stand_in.observers:
        stand_in.observers.remove(observe)
    if not stand_in.observers:
        stand_in.remove()


def _forget_call(key: tuple[type, str], module: nn.Module, observe: Observe) -> None:
    own = _own_calls.get(key)
    if own is None:
        return
    observers = own.observed.get(id(module), [])
    if observe in observers:
        observers.remove(observe)
    if not observers:
        own.observed.pop(id(module), None)
    if not own.observed:
        own.remove()
        _own_calls.pop(key, None)


def _overridden(kind: type) -> list[tuple[type, str]]:
    """The methods by which instances of ``kind`` are called that are not torch's."""
    if all(getattr(kind, name) is getattr(nn.Module, name) for name in _INHERITED):
        return []
    bases = kind.__mro__[: kind.__mro__.index(nn.Module)]
    return [(base, name) for base in bases for name in _INHERITED if callable(vars(base).get(name))]


def _observed_call(observers: list[Observe], module: nn.Module, level: int, function: Callable[..., Any]) -> Any:
    """``function`` seen by all observers, the last to come being the first to be told."""
    for observe in tuple(observers):
        function = functools.partial(observe, module, level, function)
    return function


def _itself(value: Any) -> Any:
    return value
