"""A value of the unedited image, which can be let go and made again."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch

from cnnwidgets.core.nested import mapped

from .windows import channels_last


class Recomputable:
    """What an operation made of the unedited image, (1, ...).

    Args:
        tensor: the value.
        sources: what it was made of.
        again: makes it of the tensors of ``sources``, which are there then; None: it cannot be made again.

    Attributes:
        stored: the value, or None while it is let go.
        shape, dtype, device: of the value, whether it is there or not.
        is_read: whether edits looked at its numbers, as those do that cut windows out of it.
    """

    __slots__ = ("again", "device", "dtype", "is_read", "shape", "sources", "stored")

    def __init__(
        self,
        tensor: torch.Tensor,
        sources: tuple[Recomputable, ...] = (),
        again: Callable[[], torch.Tensor] | None = None,
    ) -> None:
        self.shape, self.dtype, self.device = tensor.shape, tensor.dtype, tensor.device
        self.stored: torch.Tensor | None = tensor
        self.sources, self.again = sources, again
        self.is_read = False

    @property
    def tensor(self) -> torch.Tensor:
        """The value, which is kept from now on."""
        self.is_read = True
        return self.now()

    def now(self) -> torch.Tensor:
        """The value, made again if it was let go."""
        todo = [self]  # no recursion: networks are deeper than Python's stack
        while todo:
            value = todo.pop()
            missing = [source for source in value.sources if source.stored is None]
            if value.stored is None and missing:
                todo += [value, *missing]
            elif value.stored is None and value.again is not None:
                value.stored = value.again()
        if self.stored is None:
            raise RuntimeError("a value that cannot be made again was let go")
        return self.stored

    def let_go(self) -> None:
        """Free the memory, unless the value was read or cannot be made again."""
        if not self.is_read and self.again is not None:
            self.stored = None


class Recipe:
    """An operation on values of the unedited image, which can be done again."""

    def __init__(self, function: Any, args: Any, kwargs: Any, count_work: Callable[[Any, Any, bool], None]) -> None:
        self._function, self._args, self._kwargs, self._count_work = function, args, kwargs, count_work
        self._sources, self._originals = list[Recomputable](), list[torch.Tensor]()
        mapped((args, kwargs), self._add_input)
        self._versions = [tensor._version for tensor in self._originals]  # noqa: SLF001

    def _add_input(self, value: Any) -> None:
        if isinstance(value, Recomputable):
            self._sources.append(value)
        elif isinstance(value, torch.Tensor):
            self._originals.append(value)

    def first(self) -> Any:
        """What the operation returns, with :class:`Recomputable` in the place of tensors."""
        output = self._run(again=False)
        if isinstance(output, torch.Tensor):
            return self._recomputable(_laid(output), lambda: _laid(self._run()))
        if isinstance(output, tuple | list):
            return [self._recomputable(item, functools.partial(self._part, at)) for at, item in enumerate(output)]
        return output

    def _recomputable(self, item: Any, again: Callable[[], torch.Tensor]) -> Any:
        return Recomputable(item, tuple(self._sources), again) if isinstance(item, torch.Tensor) else item

    def _part(self, at: int) -> Any:
        return self._run()[at]

    def _run(self, *, again: bool = True) -> Any:
        if self._versions != [tensor._version for tensor in self._originals]:  # noqa: SLF001
            raise RuntimeError("the model has written to what a value was made of")
        args, kwargs = mapped((self._args, self._kwargs), _current)
        output = self._function(*args, **kwargs)
        self._count_work(args, output, again)
        return output


def _current(value: Any) -> Any:
    return value.now() if isinstance(value, Recomputable) else value


def _laid(output: torch.Tensor) -> torch.Tensor:
    return channels_last(output) if output.dim() == 4 else output
