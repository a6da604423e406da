"""Leave a model as it was found."""

from __future__ import annotations

import functools
import inspect
import random
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import CodeType
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from .errors import CnnWidgetsError, TargetError
from .names import unwrapped


@contextmanager
def preserved(model: nn.Module, *, evaluate: bool = False) -> Iterator[None]:
    """Whatever happens in the block, ``model`` and the random number generators are afterwards as before.

    Restored, also after an error or a ``KeyboardInterrupt``: the ``training`` flag of each submodule, the buffers
    (running statistics and the like), and, on the main thread, the state of torch's, numpy's and Python's generators.
    Parameters are not copied; nothing here changes them, their ``requires_grad`` or their ``grad``. Blocks on several
    threads may share a model: the last to end restores it.

    Args:
        model: any module, wrapped or not.
        evaluate: run the block in evaluation mode, set on each submodule without calling ``model.eval()``.

    Raises:
        CnnWidgetsError: a parameter or buffer has no shape yet (a lazy module that never ran).
    """
    base = unwrapped(model)
    _refuse_lazy(model)
    with _guard:
        held = _held.setdefault(base, _Held())
        held.enter(model, evaluate)
    # Elsewhere than on the main thread, going back would rewind what the user draws meanwhile.
    restore_generators = _generators() if threading.current_thread() is threading.main_thread() else None
    try:
        yield
    finally:
        with _guard:
            if held.leave():
                del _held[base]
        if restore_generators is not None:
            restore_generators()


class _Held:
    """How a model was before the first of several computations that overlap; the last to leave puts it back.

    Each restoring what it found itself, one would take the other's evaluation mode for the user's.
    """

    def __init__(self) -> None:
        self._users = 0
        self._flags: dict[nn.Module, bool] = {}
        self._buffers: list[tuple[nn.Module, str, torch.Tensor, torch.Tensor]] = []

    def enter(self, model: nn.Module, evaluate: bool) -> None:
        """Remember what has not been remembered yet."""
        self._users += 1
        for module in model.modules():
            if module not in self._flags:
                self._flags[module] = module.training
                for name, buffer in module.named_buffers(recurse=False, remove_duplicate=False):
                    self._buffers.append((module, name, buffer, _snapshot(buffer)))
            if evaluate:
                module.training = False

    def leave(self) -> bool:
        """Restore everything if nobody else needs the model; whether that was so."""
        self._users -= 1
        if self._users > 0:
            return False
        for module, flag in self._flags.items():
            module.training = flag
        for module, name, buffer, before in self._buffers:
            if getattr(module, name, None) is not buffer:
                setattr(module, name, buffer)
            _restore(buffer, before)
        return True


_guard = threading.RLock()
_held: dict[nn.Module, _Held] = {}


def in_training_mode(model: nn.Module) -> bool:
    """Whether any submodule is in training mode whose class looks at that: dropout, yes; a convolution, no."""
    kinds: set[Any] = {type(module) for module in model.modules() if module.training}
    return any(_asks_for_mode(kind) for kind in kinds)


@functools.cache
def _asks_for_mode(kind: type) -> bool:
    functions = [vars(base).get("forward") for base in kind.__mro__ if base is not nn.Module]
    return any(_mentions(function, "training") for function in functions)


def _mentions(function: Any, name: str) -> bool:
    code = getattr(inspect.unwrap(function) if callable(function) else None, "__code__", None)
    pending = [code] if code is not None else []
    while pending:
        code = pending.pop()
        if name in code.co_names:
            return True
        pending += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return False


def first_tensor(output: Any) -> torch.Tensor:
    """The tensor of scores in what a model returned.

    A tensor is itself; of a tuple or list, the first tensor; of a mapping, ``"logits"``, else ``"out"``, else the
    first tensor; of any other object, its ``logits``. A single number beside
    other tensors, such as a loss, is no score.

    Raises:
        TargetError: there is no tensor in it.

    Example:
        >>> import torch
        >>> first_tensor({"aux": torch.zeros(1), "out": torch.ones(1)})
        tensor([1.])
    """
    found = _find_tensor(output)
    if found is None:
        raise TargetError(
            f"The model returned {_described(output)}; expected a tensor of scores, or a tuple, a dict or an object "
            "with .logits that holds one. Wrap the model in a module that returns its scores."
        )
    return found


def _find_tensor(output: Any) -> torch.Tensor | None:
    if isinstance(output, torch.Tensor):
        return output
    if isinstance(output, Mapping):
        preferred = [output[key] for key in ("logits", "out") if key in output]
        inside = [*preferred, *output.values()]
    elif isinstance(output, list | tuple):
        inside = list(output)
    elif getattr(output, "logits", None) is not None:
        inside = [output.logits]
    else:
        return None
    found = [tensor for tensor in map(_find_tensor, inside) if tensor is not None]
    return next((tensor for tensor in found if tensor.ndim > 0), found[0] if found else None)


def _described(output: Any) -> str:
    if isinstance(output, Mapping):
        return f"a {type(output).__name__} with keys {list(output)[:6]}"
    if isinstance(output, list | tuple):
        return f"a {type(output).__name__} of {[type(item).__name__ for item in output[:6]]}"
    return f"a {type(output).__name__}"


def _refuse_lazy(model: nn.Module) -> None:
    for name, value in [*model.named_parameters(), *model.named_buffers()]:
        if is_lazy(value):
            raise CnnWidgetsError(f"{name!r} has no shape yet: the model is lazy. Run it once on an input first.")


def _snapshot(buffer: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode(False), torch.no_grad():
        return buffer.detach().clone()


def _restore(buffer: torch.Tensor, before: torch.Tensor) -> None:
    same_shape = buffer.shape == before.shape
    if same_shape and torch.equal(buffer, before):
        return
    # An inference tensor may only be written to in inference mode, and any other only outside of it.
    with torch.inference_mode(buffer.is_inference()), torch.no_grad():
        if same_shape:
            buffer.copy_(before)
        else:
            buffer.set_(before)  # type: ignore[call-overload]


def _generators() -> Callable[[], None]:
    """A function that puts the generators back to where they are now."""
    cpu = torch.get_rng_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None  # type: ignore[no-untyped-call]
    python = random.getstate()
    # numpy is looked up, not imported: its generator cannot have been used if nobody imported it.
    numpy = sys.modules.get("numpy")
    numpy_state = numpy.random.get_state() if numpy is not None else None

    def restore() -> None:
        torch.set_rng_state(cpu)
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)
        random.setstate(python)
        if numpy is not None and numpy_state is not None:
            numpy.random.set_state(numpy_state)

    return restore
