"""What made the numbers that a model returns: a softmax, a sigmoid, a linear layer, however they were written.

Every operation of one forward pass is seen below autograd, where ``nn.Sigmoid``, ``torch.special.expit`` and a compiled
script all come down to the same few operations. A tensor is known by its memory, so that views need no rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

Made = str | None
"""What an operation made; None where no rule knows. "constant" does not depend on the input, as far as it was seen."""

CONSTANT = "constant"
_SHARES = frozenset({"softmax", "sigmoid"})


class Origins(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows the operations of the block; afterwards it is asked about tensors that are still there."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._made: dict[int, Made] = {}
        self._from: dict[int, set[int]] = {}
        # Their addresses are not given to others while these references are held; the numbers are let go.
        self._held: dict[int, StorageWeakRef] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        sources = [*_tensors(args), *_tensors(kwargs.values())]
        name = func.overloadpacket.__name__
        made = made_by(name, args, self.of)
        writes = name.endswith("_") or "out" in kwargs
        output = func(*args, **kwargs)
        there = set() if writes else {_key(source) for source in sources}
        for result in _tensors((output,)):
            if _key(result) not in there:  # else it is a view
                self._note(result, made, sources)
        return output

    def of(self, tensor: Any) -> Made:
        """What made ``tensor``; "constant" for what was there before the block, and for what is no tensor."""
        return self._made.get(_key(tensor), CONSTANT) if isinstance(tensor, torch.Tensor) else CONSTANT

    def tell(self, tensor: torch.Tensor, made: Made) -> None:
        """What made a tensor that was there before the block."""
        self._note(tensor, made, [])

    def uses(self, later: torch.Tensor, earlier: torch.Tensor) -> bool:
        """Whether ``earlier``, in memory of its own, went into ``later``."""
        goal, pending = _key(earlier), [_key(later)]
        if goal == pending[0]:
            return False
        reached: set[int] = set()
        while pending:
            now = pending.pop()
            if now == goal:
                return True
            if now not in reached:
                reached.add(now)
                pending += self._from.get(now, ())
        return False

    def _note(self, result: torch.Tensor, made: Made, sources: Iterable[torch.Tensor]) -> None:
        key = _key(result)
        if key == 0:
            return
        if key in self._held:
            made = self._joined(result, made, self._made[key])
        else:
            self._held[key] = StorageWeakRef(result.untyped_storage())  # type: ignore[no-untyped-call]
        self._made[key] = made
        self._from.setdefault(key, set()).update(_key(source) for source in sources)

    @staticmethod
    def _joined(result: torch.Tensor, made: Made, before: Made) -> Made:
        """What memory holds of which ``result``, a part or all, is written, or only looked at, once more."""
        whole = result.numel() * result.element_size() >= result.untyped_storage().nbytes()
        if made == before or whole or before == CONSTANT:
            return made
        return "sigmoid" if made in _SHARES and before in _SHARES else None


def made_by(name: str, args: tuple[Any, ...], of: Callable[[Any], Made]) -> Made:
    """What the operation ``name``, as ATen calls it, makes of ``args``; ``of`` tells what made those."""
    plain = name[:-1] if name.endswith("_") and not name.endswith("__") else name
    if plain in _MAKES:
        return _MAKES[plain]
    first = args[0] if args else None
    if plain in _FRESH or next(_tensors(args), None) is None:
        return CONSTANT
    if plain in ("copy", "where"):
        return of(args[1]) if plain == "copy" else _together([of(one) for one in args[1:3]])
    if isinstance(first, list | tuple):
        return _together([of(one) for one in first]) if plain in ("cat", "stack", "_unsafe_index") else None
    if not isinstance(first, torch.Tensor):
        return None
    rule = _RULES.get(plain)
    if rule is not None:
        return rule(of(first), args, of)
    return of(first) if plain in _KEEP else None


_MAKES: dict[str, str] = {
    "_softmax": "softmax", "_safe_softmax": "softmax", "_log_softmax": "log_softmax", "sigmoid": "sigmoid",
    "hardsigmoid": "sigmoid", "log_sigmoid": "log_sigmoid", "log_sigmoid_forward": "log_sigmoid", "tanh": "tanh",
}  # fmt: skip
_AFFINE = """
    convolution _convolution conv2d mkldnn_convolution cudnn_convolution native_batch_norm cudnn_batch_norm
    _native_batch_norm_legit_no_training native_layer_norm
"""
_MAKES |= dict.fromkeys(_AFFINE.split(), "linear")
_FRESH = frozenset(
    {"empty_like", "zeros_like", "ones_like", "full_like", "new_zeros", "new_ones", "new_empty", "new_full"}
)
# They arrange, select or round what is there.
_KEEPING = """
    view _unsafe_view reshape _reshape_alias expand squeeze unsqueeze permute transpose t select slice clone _to_copy
    contiguous detach alias as_strided unbind split split_with_sizes chunk narrow index_select gather index flip roll
    lift_fresh repeat nan_to_num clamp clamp_min clamp_max round amax amin max min max_pool2d_with_indices unfold
    diagonal masked_fill index_put
"""
_KEEP = frozenset(_KEEPING.split())

Rule = Callable[[Made, tuple[Any, ...], Callable[[Any], Made]], Made]


def _together(made: list[Made]) -> Made:
    kinds = {one for one in made if one != CONSTANT}
    if len(kinds) <= 1:
        return kinds.pop() if kinds else CONSTANT
    return "sigmoid" if kinds <= _SHARES else None


def _product(_: Made, args: tuple[Any, ...], of: Callable[[Any], Made]) -> Made:
    """A product of matrices, the first argument that of a bias for addmm; shares of shares may still be shares."""
    return None if any(of(tensor) in _SHARES for tensor in _tensors(args)) else "linear"


def _mul(first: Made, args: tuple[Any, ...], of: Callable[[Any], Made]) -> Made:
    other = of(args[1])
    both = {first, other}
    if both <= _SHARES:
        return "sigmoid"
    if CONSTANT not in both:
        return None
    kind = first if other == CONSTANT else other
    number = _number(args[1])
    if kind == "one_plus_tanh":
        return "sigmoid" if number == 0.5 else None
    if kind == "log_softmax" and number == -1:
        return "negative_log_softmax"
    if kind == "negative_log_softmax" and number == -1:
        return "log_softmax"
    if kind in _SHARES or kind in ("linear", CONSTANT) or number == 1:
        return kind
    return None


def _div(first: Made, args: tuple[Any, ...], of: Callable[[Any], Made]) -> Made:
    other = of(args[1])
    if first == "exp":
        return {"exp_sum": "softmax", "one_plus_exp": "sigmoid"}.get(other or "")
    if first == CONSTANT and other == "one_plus_exp":
        return "sigmoid"
    if first == "one_plus_tanh":
        return "sigmoid" if _number(args[1]) == 2 else None
    if first in _SHARES and other in (CONSTANT, *_SHARES):
        return first if other == CONSTANT else "softmax"  # over their sum
    if first == "log_softmax" and _number(args[1]) == -1:
        return "negative_log_softmax"
    return first if first == "linear" and other == CONSTANT else None


def _add(first: Made, args: tuple[Any, ...], of: Callable[[Any], Made]) -> Made:
    other, kinds = of(args[1]), {first, of(args[1])}
    kind = first if other == CONSTANT else other
    if kinds in ({"exp", CONSTANT}, {"tanh", CONSTANT}):
        one = 1 in (_number(args[0]), _number(args[1]))
        return f"one_plus_{kind}" if one else None
    if kinds <= {"linear", CONSTANT}:
        return kind
    if kinds <= {"softmax", CONSTANT}:
        return "softmax"
    return "sigmoid" if kinds <= {*_SHARES, CONSTANT} else None


def _rsub(first: Made, args: tuple[Any, ...], of: Callable[[Any], Made]) -> Made:
    kinds = {first, of(args[1])}
    if kinds <= {"linear", CONSTANT}:
        return first if first != CONSTANT else of(args[1])
    return "sigmoid" if kinds <= {*_SHARES, CONSTANT} else None


def _sub(first: Made, args: tuple[Any, ...], of: Callable[[Any], Made]) -> Made:
    other = of(args[1])
    if first == "linear" and other in ("linear", CONSTANT):
        return "linear"
    return _rsub(first, args, of) if first == CONSTANT else first if other == CONSTANT and first in _SHARES else None


_EXP = {"log_softmax": "softmax", "log_sigmoid": "sigmoid"}
_LOG = {"softmax": "log_softmax", "sigmoid": "log_sigmoid"}
_NEG = {"log_softmax": "negative_log_softmax", "negative_log_softmax": "log_softmax", "linear": "linear"}
_SUM = {"exp": "exp_sum", "softmax": "softmax", "sigmoid": "sigmoid", "linear": "linear"}
_MEAN = {name: name for name in ("softmax", "sigmoid", "linear", CONSTANT)}
_RULES: dict[str, Rule] = {
    "exp": lambda first, *_: _EXP.get(first or "", "exp"),
    "log": lambda first, *_: _LOG.get(first or ""),
    "neg": lambda first, *_: _NEG.get(first or ""),
    "sum": lambda first, *_: _SUM.get(first or ""),
    **dict.fromkeys(("mean", "_adaptive_avg_pool2d", "avg_pool2d"), lambda first, *_: _MEAN.get(first or "")),
    "reciprocal": lambda first, *_: "sigmoid" if first == "one_plus_exp" else None,
    "mul": _mul,
    "div": _div,
    "add": _add,
    "sub": _sub,
    "rsub": _rsub,
    **dict.fromkeys(("addmm", "mm", "bmm", "baddbmm", "addmv", "mv", "dot", "matmul", "linear"), _product),
}


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


def _number(value: Any) -> float | None:
    if isinstance(value, torch.Tensor):
        readable = type(value) is torch.Tensor and value.numel() == 1 and value.device.type == "cpu"
        return float(value.detach()) if readable and not value.is_complex() else None
    return float(value) if isinstance(value, int | float) else None


def _tensors(values: Iterable[Any]) -> Iterator[torch.Tensor]:
    for value in values:
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from _tensors(value)


def _key(tensor: torch.Tensor) -> int:
    """The address of its memory; 0 for what has none of its own, such as a sparse tensor."""
    try:
        return int(tensor.untyped_storage()._cdata)  # noqa: SLF001 (data_ptr is 0 for all that are empty)
    except (NotImplementedError, RuntimeError):
        return 0
