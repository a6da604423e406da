"""A value of the unedited image, which can be let go and made again."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch

from cnnwidgets.core.nested import mapped

from .windows import laid


class Kept:
    """What an operation made of the unedited image, (1, ...).

    Args:
        tensor: the value.
        sources: what it was made of.
        again: makes it of the tensors of ``sources``, which are there then; None: it cannot be made again.

    Attributes:
        held: the value, or None while it is let go.
        shape, dtype, device: of the value, whether it is there or not.
        wanted: whether edits looked at its numbers, as those do that cut windows out of it.
    """

    __slots__ = ("again", "device", "dtype", "held", "shape", "sources", "wanted")

    def __init__(
        self, tensor: torch.Tensor, sources: tuple[Kept, ...] = (), again: Callable[[], torch.Tensor] | None = None
    ) -> None:
        self.shape, self.dtype, self.device = tensor.shape, tensor.dtype, tensor.device
        self.held: torch.Tensor | None = tensor
        self.sources, self.again = sources, again
        self.wanted = False

    @property
    def tensor(self) -> torch.Tensor:
        """The value, which is kept from now on."""
        self.wanted = True
        return self.now()

    def now(self) -> torch.Tensor:
        """The value, made again if it was let go."""
        todo = [self]  # no recursion: networks are deeper than Python's stack
        while todo:
            value = todo.pop()
            missing = [source for source in value.sources if source.held is None]
            if value.held is None and missing:
                todo += [value, *missing]
            elif value.held is None and value.again is not None:
                value.held = value.again()
        if self.held is None:
            raise RuntimeError("a value that cannot be made again was let go")
        return self.held

    def let_go(self) -> None:
        """Free the memory, unless the value was wanted or cannot be made again."""
        if not self.wanted and self.again is not None:
            self.held = None

    @property
    def memory(self) -> torch.UntypedStorage | None:
        """Of the value, if it is there and has memory of the usual kind."""
        try:
            return None if self.held is None else self.held.untyped_storage()
        except NotImplementedError:
            return None


class Step:
    """An operation on values of the unedited image, which can be done again."""

    def __init__(self, function: Any, args: Any, kwargs: Any, done: Callable[[Any, Any, bool], None]) -> None:
        self._function, self._args, self._kwargs, self._done = function, args, kwargs, done
        self._sources, self._given = list[Kept](), list[torch.Tensor]()
        _sort((args, kwargs), self._sources, self._given)
        self._versions = [tensor._version for tensor in self._given]  # noqa: SLF001

    def first(self) -> Any:
        """What the operation returns, with :class:`Kept` in the place of tensors."""
        output = self._run(again=False)
        if isinstance(output, torch.Tensor):
            return self._kept(_laid(output), lambda: _laid(self._run()))
        if isinstance(output, tuple | list):
            return [self._kept(item, functools.partial(self._part, at)) for at, item in enumerate(output)]
        return output

    def _kept(self, item: Any, again: Callable[[], torch.Tensor]) -> Any:
        return Kept(item, tuple(self._sources), again) if isinstance(item, torch.Tensor) else item

    def _part(self, at: int) -> Any:
        return self._run()[at]

    def _run(self, *, again: bool = True) -> Any:
        if self._versions != [tensor._version for tensor in self._given]:  # noqa: SLF001
            raise RuntimeError("the model has written to what a value was made of")
        args, kwargs = mapped((self._args, self._kwargs), _real)
        output = self._function(*args, **kwargs)
        self._done(args, output, again)
        return output


def _sort(value: Any, sources: list[Kept], given: list[torch.Tensor]) -> None:
    if isinstance(value, Kept):
        sources.append(value)
    elif isinstance(value, torch.Tensor):
        given.append(value)
    elif isinstance(value, tuple | list):
        for item in value:
            _sort(item, sources, given)
    elif isinstance(value, dict):
        _sort(tuple(value.values()), sources, given)


def _real(value: Any) -> Any:
    return value.now() if isinstance(value, Kept) else value


def _laid(output: torch.Tensor) -> torch.Tensor:
    return laid(output) if output.dim() == 4 else output
