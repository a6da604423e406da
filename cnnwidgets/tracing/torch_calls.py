"""See every torch call of a block of code, at the level of Python and below."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from cnnwidgets.core.capture import OperationWatch
from cnnwidgets.core.nested import tensors

from . import macs


class Watcher:
    """Is told of each torch call, with the multiply-adds and the writes that happened inside it."""

    def __init__(self) -> None:
        self.busy = False
        """Set while a call runs, and by whoever wants its own torch calls unseen."""
        self.macs = 0
        self.written: list[torch.Tensor] = []

    def begin_call(self) -> None:
        """Called just before each call."""
        self.busy, self.macs, self.written = True, 0, []

    def call(self, raw: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any) -> None:
        """Called just after; ``raw`` is the function's name."""
        raise NotImplementedError


@contextlib.contextmanager
def torch_calls(watcher: Watcher) -> Iterator[None]:
    """Tell ``watcher`` of the torch calls in the block."""
    with _Kernels(watcher), _Calls(watcher):
        yield


class _Calls(TorchFunctionMode):
    """Sees each torch function and tensor method that Python code calls."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__()
        self._watcher = watcher

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        watcher = self._watcher
        if watcher.busy:
            return func(*args, **kwargs)
        watcher.begin_call()
        try:
            output = func(*args, **kwargs)
            raw = _raw_name(func)
            if raw == "data_":  # tensor.data = other
                watcher.written.append(args[0])
            if isinstance(output, torch.Tensor | list | tuple) or watcher.written:
                watcher.call(raw, args, kwargs, output)
            return output
        finally:
            watcher.busy = False


class _Kernels(OperationWatch):  # type: ignore[no-untyped-call]
    """Sees what those calls come down to: multiply-adds, writes, and calls made outside of Python."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._watcher = watcher

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        watcher = self._watcher
        if watcher.busy:
            return self._run(func, args, kwargs)
        watcher.begin_call()
        try:
            output = self._run(func, args, kwargs)
            watcher.call(func.overloadpacket.__name__, args, kwargs, output)
        finally:
            watcher.busy = False
        return output

    def _run(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        output = NotImplemented
        if torch.is_inference_mode_enabled():
            # There, by the model's own doing, a convolution is one call: those it is made of are counted, as elsewhere.
            with self:
                output = func.decompose(*args, **kwargs)
        if output is NotImplemented:
            output = func(*args, **kwargs)
            self._watcher.macs += macs.count(func.overloadpacket, args, output)
        self._watcher.written += _written_tensors(func, args, kwargs)
        return output


def _raw_name(func: Any) -> str:
    name = getattr(func, "__name__", "") or type(func).__name__
    if name in ("__get__", "__set__"):
        return str(getattr(getattr(func, "__self__", None), "__name__", name)) + ("" if name == "__get__" else "_")
    return str(name)


def plain_name(name: str) -> str:
    """``add`` for ``add_``, ``__add__``, ``__iadd__`` and ``__radd__``.

    Example:
        >>> [plain_name(name) for name in ("relu_", "__radd__", "__getitem__", "conv2d")]
        ['relu', 'add', 'getitem', 'conv2d']
    """
    if name.startswith("__") and name.endswith("__"):
        name = name.strip("_")
        return name[1:] if name[:1] in "ir" and name[1:] in _OPERATORS else name
    return name[:-1] if name.endswith("_") and not name.endswith("__") else name


_OPERATORS = ("add", "sub", "mul", "truediv", "pow", "matmul", "floordiv", "mod", "div")


def _written_tensors(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[torch.Tensor]:
    return [
        value
        for index, name in _arguments_written(func)
        for value in tensors(args[index] if index < len(args) else kwargs.get(name))
    ]


@functools.cache
def _arguments_written(func: Any) -> tuple[tuple[int, str], ...]:
    return tuple(
        (index, argument.name)
        for index, argument in enumerate(func._schema.arguments)  # noqa: SLF001 (no public name)
        if argument.alias_info is not None and argument.alias_info.is_write
    )


# Their result has the shape of what they read, not its content.
_SHAPE_ONLY = ("new_empty", "new_zeros", "new_ones", "new_full", "new_tensor", "empty_like", "zeros_like",
               "ones_like", "full_like", "rand_like", "randn_like")  # fmt: skip
# They replace all of their first argument's content.
_OVERWRITES = ("copy_", "data_", "fill_", "zero_", "normal_", "uniform_", "bernoulli_")


def tensors_read(raw: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[torch.Tensor]:
    """The tensors whose content a call depends on."""
    if raw in _SHAPE_ONLY:
        return []
    return [
        *tensors(args[1:] if raw in _OVERWRITES else args),
        *(value for name, item in kwargs.items() if name != "out" for value in tensors(item)),
    ]
