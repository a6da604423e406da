"""A value of the unedited image, which can be let go and made again."""

from __future__ import annotations

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


def recomputables(function: Any, args: Any, kwargs: Any, count_work: Callable[[Any, Any, bool], None]) -> Any:
    """What an operation on values of the unedited image returns, with :class:`Recomputable` in the place of tensors."""
    inputs: list[Any] = []
    mapped((args, kwargs), inputs.append)
    sources = tuple(value for value in inputs if isinstance(value, Recomputable))
    originals = [value for value in inputs if isinstance(value, torch.Tensor)]
    versions = [tensor._version for tensor in originals]  # noqa: SLF001

    def run(again: bool = True) -> Any:
        if versions != [tensor._version for tensor in originals]:  # noqa: SLF001
            raise RuntimeError("the model has written to what a value was made of")
        real_args, real_kwargs = mapped(
            (args, kwargs), lambda value: value.now() if isinstance(value, Recomputable) else value
        )
        output = function(*real_args, **real_kwargs)
        count_work(real_args, output, again)
        return output

    def recomputable(item: Any, again: Callable[[], torch.Tensor]) -> Any:
        return Recomputable(item, sources, again) if isinstance(item, torch.Tensor) else item

    output = run(again=False)
    if isinstance(output, tuple | list):
        return [recomputable(item, lambda at=at: run()[at]) for at, item in enumerate(output)]  # type: ignore[misc]
    return recomputable(_laid(output), lambda: _laid(run()))


def _laid(output: Any) -> Any:
    return channels_last(output) if isinstance(output, torch.Tensor) and output.dim() == 4 else output
