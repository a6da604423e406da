"""What is the same for every edit is computed once and kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from .values.recomputable import Recomputable

_KEPT_UNUSED = 3
"""Runs that a value is kept for without being used: edits of other sizes may need other ones."""


@dataclass
class _MemoEntry:
    inputs: tuple[Any, ...]  # held, so that their ids stay theirs
    output: Any
    last_run: int


class Memo:
    """Results of operations by what went in: the very tensors, unchanged since, and equal numbers."""

    def __init__(self) -> None:
        self._entries: dict[Any, _MemoEntry] = {}
        self._originals: dict[int, tuple[torch.Tensor, Recomputable, int]] = {}
        self._run = 0

    def get(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], compute: Callable[[], Any]) -> Any:
        """What ``compute`` returned for this ``function`` and these arguments, now or earlier."""
        inputs: list[Any] = []
        try:
            by_place = _memo_key(args, inputs)
            key = (function, by_place, _memo_key(tuple(sorted(kwargs.items())), inputs) if kwargs else ())
            entry = self._entries.get(key)
        except (TypeError, RuntimeError):  # an argument without a hash, or a tensor without a version
            return compute()
        if entry is None:
            entry = self._entries[key] = _MemoEntry(tuple(inputs), compute(), self._run)
        entry.last_run = self._run
        return entry.output

    def recomputable(self, tensor: torch.Tensor) -> Recomputable:
        """The same for the same tensor, which no operation made."""
        original = self._originals.get(id(tensor))
        value = Recomputable(tensor) if original is None else original[1]
        self._originals[id(tensor)] = tensor, value, self._run
        return value

    def end_of_run(self, edits: bool = True) -> None:
        """Forget what the last few runs did not use; after a run of ``edits``, let go what none of them looked at."""
        if edits:
            for value in self.values():
                value.let_go()
        self._run += 1
        oldest = self._run - _KEPT_UNUSED
        self._entries = {key: entry for key, entry in self._entries.items() if entry.last_run >= oldest}
        self._originals = {key: inputs for key, inputs in self._originals.items() if inputs[2] >= oldest}

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._originals.clear()

    @property
    def bytes(self) -> int:
        """Of the distinct tensors kept."""
        values = [value.stored if isinstance(value, Recomputable) else value for value in self._outputs()]
        memories = [value.untyped_storage() for value in values if isinstance(value, torch.Tensor)]
        return sum({memory.data_ptr(): memory.nbytes() for memory in memories}.values())

    def values(self) -> Iterator[Recomputable]:
        """What operations made of the unedited image, whether it is at hand or not."""
        return (value for value in self._outputs() if isinstance(value, Recomputable))

    def _outputs(self) -> Iterator[Any]:
        for entry in self._entries.values():
            yield from entry.output if isinstance(entry.output, tuple | list) else (entry.output,)


def _memo_key(value: Any, inputs: list[Any]) -> Any:
    if isinstance(value, torch.Tensor):
        inputs.append(value)
        return id(value), value._version  # noqa: SLF001
    if isinstance(value, Recomputable):
        inputs.append(value)
        return id(value)
    if isinstance(value, tuple | list):
        return tuple(_memo_key(item, inputs) for item in value)
    return type(value), value
