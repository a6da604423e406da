"""Leave a model as it was found."""

from __future__ import annotations

import functools
import inspect
import random
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import CodeType
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from cnnwidgets.core.errors import CnnWidgetsError
from cnnwidgets.core.held_modules import dotted
from cnnwidgets.core.interrupts import Deferral, careful, let_go
from cnnwidgets.core.network import Network

from .attributes import Attributes, Contents
from .tables import Buffers, NewHooks, OrdinaryWeights


@dataclass
class Restored:
    """What :func:`preserved` found when its block had ended.

    Attributes:
        changed: dotted names of the buffers that it put back. Empty while another block on the model still runs.
    """

    changed: tuple[str, ...] = ()


@careful
@contextmanager
def preserved(model: nn.Module, *, evaluate: bool = False) -> Iterator[Restored]:
    """Whatever happens in the block, ``model`` and the random number generators are afterwards as before.

    Restored, also after an error or a ``KeyboardInterrupt`` at any moment: the ``training`` flag of each submodule,
    the buffers (running statistics and the like), the attributes of its modules (an activation kept, a weight made
    anew from its norm, a counter; containers too), the hooks, of which new ones are removed, and, on the main
    thread, the state of torch's, numpy's and Python's generators. Parameters are not copied; nothing here changes
    them, their ``requires_grad`` or their ``grad``. Blocks on several threads may share a model: the last to end
    restores it.

    Args:
        model: any module, wrapped or not.
        evaluate: run the block in evaluation mode, set on each submodule without calling ``model.eval()``.

    Yields:
        What there is to say afterwards.

    Raises:
        CnnWidgetsError: a parameter or buffer has no shape yet (a lazy module that never ran).
    """
    base = Network.of(model).base
    modules = _all_modules(model)
    _refuse_lazy(base)
    # Elsewhere than on the main thread, going back would rewind what the user draws meanwhile.
    on_main = threading.current_thread() is threading.main_thread()
    block = _Block(base, Deferral(), generators() if on_main else lambda: None)
    # Twice, so that an interrupt in the middle of the one is made good by the other.
    try:
        try:
            block.begin(modules, evaluate)
            yield block.restored
        finally:
            block.end()
    finally:
        block.end()


class _Block:
    """One use of :func:`preserved`."""

    def __init__(self, base: nn.Module, deferral: Deferral, restore_generators: Callable[[], None]) -> None:
        self.restored = Restored()
        self._base, self._deferral, self._restore_generators = base, deferral, restore_generators
        self._ended = False

    @careful
    def begin(self, modules: list[nn.Module], evaluate: bool) -> None:
        """Remember, and only then change."""
        self._deferral.open()
        with _guard:
            _states.setdefault(self._base, _ModelState()).enter(self, modules, evaluate)

    @careful
    def end(self) -> None:
        """Put back; repeated where an interrupt came in between."""
        let_go(_guard)
        if self._ended:
            return
        with _guard:
            state = _states.get(self._base)
            changed = None if state is None else state.leave(self)
            if changed is not None:
                _states.pop(self._base, None)
                self.restored.changed = _names(self._base, changed)
        self._restore_generators()
        self._deferral.close()
        self._ended = True


class _ModelState:
    """How a model was before the first of several computations that overlap; the last to leave puts it back.

    Each restoring what it found itself, one would take the other's evaluation mode for the user's.
    """

    def __init__(self) -> None:
        self._users: set[_Block] = set()
        self._flags: dict[nn.Module, bool] = {}
        self._buffers: list[Buffers] = []
        self._weights: list[OrdinaryWeights] = []
        self._attributes: list[Attributes] = []
        self._hooks: list[NewHooks] = []

    def enter(self, user: _Block, modules: Iterable[nn.Module], evaluate: bool) -> None:
        """Remember what has not been remembered yet."""
        self._users.add(user)
        new = [module for module in modules if module not in self._flags]
        if new:
            contents = Contents(new)
            every = [*new, *(module for module in contents.modules if module not in self._flags)]
            self._attributes.append(Attributes(every, contents))
            self._weights.append(OrdinaryWeights(every))
            self._weights[-1].swap()
            self._buffers.append(Buffers(every))
            self._hooks.append(NewHooks(every))
            self._flags.update({module: module.training for module in every})
        if evaluate:
            for module in modules:
                if module.training:
                    module.training = False

    def leave(self, user: _Block) -> list[tuple[nn.Module, str]] | None:
        """Restore everything if nobody else needs the model: the buffers that had changed; else None."""
        if self._users - {user}:
            self._users.discard(user)
            return None
        for module, flag in self._flags.items():
            if module.training is not flag:
                module.training = flag
        for hooks in self._hooks:
            hooks.remove()
        for attributes in self._attributes:
            attributes.restore()
        changed = [entry for buffers in self._buffers for entry in buffers.restore()]
        for weights in self._weights:
            weights.restore()
        self._users.discard(user)
        return changed


def _names(base: nn.Module, changed: list[tuple[nn.Module, str]]) -> tuple[str, ...]:
    if not changed:
        return ()
    paths = {module: f"{path}." if path else "" for path, module in Network.of(base).layers}
    return tuple(f"{paths.get(module, '')}{name}" for module, name in changed)


_WITH_SHAPE = frozenset({nn.Parameter, torch.Tensor})
_guard = threading.RLock()
_states: dict[nn.Module, _ModelState] = {}


def in_training_mode(model: nn.Module) -> bool:
    """Whether any submodule is in training mode whose class looks at that: dropout, yes; a convolution, no."""
    kinds: set[Any] = {type(module) for _, module in Network.of(model).layers if module.training}
    return any(_asks_for_mode(kind) for kind in kinds)


@functools.cache
def _asks_for_mode(kind: type) -> bool:
    functions = (vars(base).get("forward") for base in kind.__mro__ if base is not nn.Module)
    pending: list[Any] = [getattr(inspect.unwrap(function), "__code__", None) for function in functions if function]
    while pending:
        code = pending.pop()
        if isinstance(code, CodeType):
            if "training" in code.co_names:
                return True
            pending += code.co_consts
    return False


def _all_modules(model: nn.Module) -> list[nn.Module]:
    """Every module of ``model``, wrappers and those that are kept without being registered included."""
    modules = {model: None}
    for module in (pending := [model]):  # as modules(), which takes several times as long
        for child in module._modules.values():  # noqa: SLF001
            if child is not None and child not in modules:
                modules[child] = None
                pending.append(child)
    return list(modules | {module: None for _, module in Network.of(model).layers})


def _refuse_lazy(base: nn.Module) -> None:
    for path, module in Network.of(base).layers:
        for table in (module._parameters, module._buffers):  # noqa: SLF001
            for name, value in table.items():
                if value is None or type(value) in _WITH_SHAPE or not is_lazy(value):
                    continue
                lazy = dotted(path, name)
                raise CnnWidgetsError(f"{lazy!r} has no shape yet: the model is lazy. Run it once on an input first.")


def generators_now() -> tuple[Any, ...]:
    """The states of torch's, numpy's and Python's global generators, to be compared with :func:`have_moved`."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]
    # numpy is looked up, not imported: its generator cannot have been used if nobody imported it.
    numpy = sys.modules.get("numpy")
    return torch.get_rng_state(), cuda, random.getstate(), None if numpy is None else numpy.random.get_state()


def have_moved(before: tuple[Any, ...]) -> bool:
    """Whether anybody, on any thread, drew from a global generator since ``before``."""
    cpu, cuda, python, numpy = generators_now()
    old_cpu, old_cuda, old_python, old_numpy = before
    if not torch.equal(cpu, old_cpu) or python != old_python:
        return True
    if len(cuda) == len(old_cuda) and not all(map(torch.equal, cuda, old_cuda)):
        return True
    if not isinstance(numpy, tuple) or not isinstance(old_numpy, tuple):  # never imported, or a generator of its own
        return False
    return bool(numpy[2:] != old_numpy[2:] or (numpy[1] != old_numpy[1]).any())


def generators() -> Callable[[], None]:
    """A function that puts the global generators back to where they are now."""
    cpu, cuda, python, numpy_state = generators_now()

    def restore() -> None:
        torch.set_rng_state(cpu)
        if cuda:
            torch.cuda.set_rng_state_all(cuda)
        random.setstate(python)
        if numpy_state is not None:
            sys.modules["numpy"].random.set_state(numpy_state)

    return restore
