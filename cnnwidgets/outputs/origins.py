"""What made the numbers that a model returns: a softmax, a sigmoid, a linear layer, however they were written.

Every operation of one forward pass is seen below autograd, where ``nn.Sigmoid``, ``torch.special.expit`` and a compiled
script all come down to the same few operations. A tensor is known by its memory, so that views need no rule.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef

from cnnwidgets.core.capture import OperationWatch
from cnnwidgets.core.nested import tensors

from .origin_rules import CONSTANT, MIXING, SHARES, Made, made_by


class Origins(OperationWatch):  # type: ignore[no-untyped-call]
    """Follows the operations of the block; afterwards it is asked about tensors that are still there."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._origins: dict[int, Made] = {}
        self._from: dict[int, set[int]] = {}
        self._mixed: set[int] = set()
        # Their addresses are not given to others while these references are held; the numbers are let go.
        self._memory: dict[int, StorageWeakRef] = {}
        self._stands_for: dict[int, int] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        sources = tensors((args, kwargs))
        name = func.overloadpacket.__name__
        origin = made_by(name, args, self.of)
        writes = name.endswith("_") or "out" in kwargs
        output = func(*args, **kwargs)
        there = set() if writes else {_memory_key(source) for source in sources}
        for result in tensors(output):
            if _memory_key(result) not in there:  # else it is a view
                self._note(result, origin, sources)
                if name in MIXING:
                    self._mixed.add(_memory_key(result))
        return output

    def of(self, tensor: Any) -> Made:
        """What made ``tensor``; "constant" for what was there before the block, and for what is no tensor."""
        return self._origins.get(self._key(tensor), CONSTANT) if isinstance(tensor, torch.Tensor) else CONSTANT

    def tell(self, tensor: torch.Tensor, origin: Made) -> None:
        """What made a tensor that was there before the block."""
        self._note(tensor, origin, [])

    def stand_for(self, other: torch.Tensor, watched: torch.Tensor) -> None:
        """From now on ``other``, of a pass that was not watched, is what ``watched`` is."""
        self._stands_for[_memory_key(other)] = _memory_key(watched)

    def uses(self, later: torch.Tensor, earlier: torch.Tensor) -> bool:
        """Whether layers made ``later`` of ``earlier``, in memory of its own; squashed, scaled or sorted it is not."""
        goal, start = self._key(earlier), self._key(later)
        if goal == start:
            return False
        pending, visited = [(start, start in self._mixed)], set()
        while pending:
            now, mixed = pending.pop()
            if (now, mixed) in visited:
                continue
            visited.add((now, mixed))
            for source in self._from.get(now, ()):
                if source != goal:
                    pending.append((source, mixed or source in self._mixed))
                elif mixed:
                    return True
        return False

    def _key(self, tensor: torch.Tensor) -> int:
        key = _memory_key(tensor)
        return self._stands_for.get(key, key)

    def _note(self, result: torch.Tensor, origin: Made, sources: Iterable[torch.Tensor]) -> None:
        key = _memory_key(result)
        if key == 0:
            return
        if key in self._memory:
            origin = self._joined(result, origin, self._origins[key])
        else:
            self._memory[key] = StorageWeakRef(result.untyped_storage())  # type: ignore[no-untyped-call]
        self._origins[key] = origin
        self._from.setdefault(key, set()).update(_memory_key(source) for source in sources)

    @staticmethod
    def _joined(result: torch.Tensor, origin: Made, before: Made) -> Made:
        """What memory holds of which ``result``, a part or all, is written, or only looked at, once more."""
        whole = result.numel() * result.element_size() >= result.untyped_storage().nbytes()
        if origin == before or whole or before == CONSTANT:
            return origin
        return "sigmoid" if origin in SHARES and before in SHARES else None


_TAIL = 64
"""So many operations from the end on tell one computation of a network from another."""
_BY_GRAPH = {
    "Softmax": "softmax", "LogSoftmax": "log_softmax", "Sigmoid": "sigmoid", "Addmm": "linear", "Mm": "linear",
    "Convolution": "linear",
}  # fmt: skip
# They only arrange what another operation computed.
_ARRANGE = {"View", "UnsafeView", "Squeeze", "Unsqueeze", "Clone", "Select", "Slice", "Alias", "Expand", "Reshape"}
_ARRANGE |= {"ToCopy", "Transpose", "Permute", "T"}


def from_graph(table: torch.Tensor) -> str | None:
    """What made ``table``, as far as its last operation tells; for who was not there when it was made."""
    node = table.grad_fn
    while node is not None:
        kind = node.name().rstrip("0123456789").removesuffix("Backward")
        if kind not in _ARRANGE or not node.next_functions:
            return _BY_GRAPH.get(kind)
        node = node.next_functions[0][0]
    return None


def graph_tail(raw: Any) -> tuple[str, ...]:
    """The last operations of the graph behind a tensor, by which the same computation is known again; () if none.

    With the numbers in them that the graph keeps: bounds, factors, axes; not with those that were added.
    """
    if not isinstance(raw, torch.Tensor) or raw.grad_fn is None:
        return ()
    nodes = {raw.grad_fn: None}
    for node in (queue := [raw.grad_fn]):
        for earlier, _ in node.next_functions:
            if earlier is not None and earlier not in nodes and len(queue) < _TAIL:
                nodes[earlier] = None
                queue.append(earlier)
    return tuple(_with_numbers(node) for node in nodes)


def _with_numbers(node: Any) -> str:
    kind: Any = type(node)
    return f"{node.name()}{[getattr(node, key, None) for key in _numbers_of(kind)] or ''}"


@functools.cache
def _numbers_of(kind: type) -> tuple[str, ...]:
    """The attributes of a node that hold numbers, but for sizes, which are those of one batch."""
    attributes = set(dir(kind))
    # Tensors have a twin "_raw_saved_...", and reading one may run code of whoever packed it away.
    names = (key for key in sorted(attributes) if key.startswith("_saved_") and f"_raw{key}" not in attributes)
    return tuple(key for key in names if "size" not in key and "shape" not in key)


def _memory_key(tensor: torch.Tensor) -> int:
    """The address of its memory; 0 for what has none of its own, such as a sparse tensor."""
    try:
        return int(tensor.untyped_storage()._cdata)  # noqa: SLF001 (data_ptr is 0 for all that are empty)
    except (NotImplementedError, RuntimeError):
        return 0
