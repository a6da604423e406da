"""Tell a forward pass once on one image, and retell it for a batch without computing again what is the same for all.

A pass is told as the list of the torch calls that read anything that depends on the network's input. The content of a
tensor is *shared* while it is the same for all edits, *constant* if it does not depend on the input at all (parameters,
what is made of them), and otherwise its own for each edit. A call that reads shared and constant content only is
answered, when retold, with the first telling's result, expanded to the batch without a copy.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from cnnwidgets.core.errors import CnnWidgetsError
from cnnwidgets.core.names import unwrapped
from cnnwidgets.core.provenance import tensors

Kind = Literal["shared", "constant", "own"]


class Diverged(CnnWidgetsError):
    """The pass cannot be retold: the model does other things for a batch than for one image."""


@dataclass
class _Event:
    """One torch call.

    Attributes:
        answer: what it returned: tensors of one image, or the place of a tensor among those read; None if the call
            has to be made for the batch.
        writes: place of each tensor that it wrote to, with the content afterwards where there is an answer.
    """

    function: Any
    kinds: tuple[Kind, ...]
    answer: Any
    writes: list[tuple[int, torch.Tensor | None]]


class Story(TorchFunctionMode):
    """Follows which content is shared; see :class:`Told` and :class:`Retold`."""

    def __init__(self, model: nn.Module, image: torch.Tensor) -> None:
        super().__init__()
        self.given = image
        self._busy = False
        self._kinds: dict[int, tuple[weakref.ref[torch.Tensor], Kind]] = {}
        base = unwrapped(model)
        for value in itertools.chain(base.parameters(), base.buffers()):
            self._mark(value, "constant")
        self._mark(image, "shared")

    @contextmanager
    def unseen(self) -> Iterator[None]:
        """Torch calls in the block are no part of the story."""
        outer, self._busy = self._busy, True
        try:
            yield
        finally:
            self._busy = outer

    def diverges(self, tensor: torch.Tensor) -> None:
        """From now on the content of ``tensor`` is its own for each edit."""
        self._kinds.pop(id(tensor), None)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if self._busy:
            return func(*args, **kwargs)
        self._busy = True
        try:
            read = [*tensors(args), *tensors(tuple(kwargs.values()))]
            kinds = tuple(map(self._kind, read))
            if all(kind == "constant" for kind in kinds):
                output = func(*args, **kwargs)
                for value in tensors(output) if isinstance(output, torch.Tensor | list | tuple) else ():
                    self._mark(value, "constant")
                return output
            return self._call(func, args, kwargs, read, kinds)
        finally:
            self._busy = False

    def _call(
        self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], read: list[torch.Tensor], kinds: Any
    ) -> Any:
        raise NotImplementedError

    def _mark(self, tensor: torch.Tensor, kind: Kind) -> None:
        self._kinds[id(tensor)] = (weakref.ref(tensor), kind)

    def _kind(self, tensor: torch.Tensor) -> Kind:
        known = self._kinds.get(id(tensor))
        return known[1] if known is not None and known[0]() is tensor else "own"


class Told(Story):
    """The first telling, on one image (1, C, H, W); what it wrote down is in ``events``."""

    def __init__(self, model: nn.Module, image: torch.Tensor) -> None:
        super().__init__(model, image.clone())
        self.events: list[_Event] = []

    def _call(
        self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], read: list[torch.Tensor], kinds: Any
    ) -> Any:
        versions = [_version(value) for value in read]
        output = func(*args, **kwargs)
        written = [place for place, before in enumerate(versions) if _version(read[place]) != before]
        self._refuse_aliases([read[place] for place in written])
        answer = None
        if "own" not in kinds and all(_for_one_image(read[place]) for place in written):
            answer = _answer(output, read)
        event = _Event(func, kinds, answer, [])
        self.events.append(event)
        for place in written:
            value = read[place]
            event.writes.append((place, None if answer is None else value.clone()))
            if answer is None:
                self.diverges(value)
            else:
                self._mark(value, "shared")
        if answer is not None:
            for result in _several(output):
                if not any(result is value for value in read):
                    self._mark(result, "shared")
        return output

    def _refuse_aliases(self, written: list[torch.Tensor]) -> None:
        if not written:
            return
        places = {_storage(value) for value in written}
        for reference, kind in self._kinds.values():
            other = reference()
            if kind != "shared" or other is None or any(other is value for value in written):
                continue
            if _storage(other) in places:
                raise Diverged("A shared value is written to through a view of it.")


class Retold(Story):
    """A later telling, for ``batch`` edits; ``given`` is what to give the model."""

    def __init__(self, model: nn.Module, image: torch.Tensor, events: list[_Event], batch: int) -> None:
        super().__init__(model, _widened(image, batch))
        self._events = iter(events)
        self._batch = batch

    def finish(self) -> None:
        """To be called after the pass.

        Raises:
            Diverged: the first telling went on.
        """
        if next(self._events, None) is not None:
            raise Diverged("The model made fewer calls for the batch.")

    def _call(
        self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], read: list[torch.Tensor], kinds: Any
    ) -> Any:
        event = next(self._events, None)
        if event is None or event.function != func or event.kinds != kinds:
            raise Diverged("The model made other calls for the batch.")
        for place, after in event.writes:
            value = read[place]
            if after is not None:
                # The caller may go on with this very tensor, so it takes the new content on.
                value.set_(_widened(after, self._batch))  # type: ignore[call-overload]
                self._mark(value, "shared")
            elif kinds[place] == "shared":
                value.set_(value.clone(memory_format=torch.contiguous_format))  # type: ignore[call-overload]
                self.diverges(value)
        if event.answer is not None:
            return self._retell(event.answer, read)
        output = func(*args, **kwargs)
        for place, _ in event.writes:
            self.diverges(read[place])
        return output

    def _retell(self, answer: Any, read: list[torch.Tensor]) -> Any:
        if isinstance(answer, int):
            return read[answer]
        if isinstance(answer, torch.Tensor):
            value = _widened(answer, self._batch)
            self._mark(value, "shared")
            return value
        return type(answer)([self._retell(item, read) for item in answer])


def _answer(output: Any, read: list[torch.Tensor]) -> Any:
    """What to keep of ``output``; None if it is not all tensors whose first axis is the one image."""
    if isinstance(output, torch.Tensor):
        for place, value in enumerate(read):
            if output is value:
                return place
        return output.clone() if _for_one_image(output) else None
    if not isinstance(output, list | tuple) or not output:
        return None
    items = [_answer(item, read) if isinstance(item, torch.Tensor) else None for item in output]
    return None if any(item is None for item in items) else type(output)(items)


def _several(output: Any) -> Iterator[torch.Tensor]:
    yield from [output] if isinstance(output, torch.Tensor) else output


def _for_one_image(value: torch.Tensor) -> bool:
    return value.ndim == 0 or len(value) == 1


def _widened(value: torch.Tensor, batch: int) -> torch.Tensor:
    # Of a batch of one, expand would hand out the very tensor, for the model to write to.
    return value.clone() if value.ndim == 0 or batch == 1 else value.expand(batch, *value.shape[1:])


def _version(value: torch.Tensor) -> int:
    return -1 if value.is_inference() else value._version  # noqa: SLF001


def _storage(value: torch.Tensor) -> int:
    return int(value.untyped_storage()._cdata)  # noqa: SLF001 (the address; there is no public name)
