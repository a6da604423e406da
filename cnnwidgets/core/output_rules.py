"""What one operation makes of its inputs, as far as it tells what a model's outputs are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

import torch

Made: TypeAlias = str | None
"""What an operation made; None where no rule knows. "constant" does not depend on the input, as far as it was seen."""

CONSTANT = "constant"
SHARES = frozenset({"softmax", "sigmoid"})
"""What lies between 0 and 1, and may be a probability."""


def made_by(name: str, args: tuple[Any, ...], of: Callable[[Any], Made]) -> Made:
    """What the operation ``name``, as ATen calls it, makes of ``args``; ``of`` tells what made those."""
    plain = name[:-1] if name.endswith("_") and not name.endswith("__") else name
    if plain in _MAKES:
        return _MAKES[plain]
    first = args[0] if args else None
    if plain in _FRESH or next(tensors(args), None) is None:
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
    return "sigmoid" if kinds <= SHARES else None


def _product(_: Made, args: tuple[Any, ...], of: Callable[[Any], Made]) -> Made:
    """A product of matrices, the first argument that of a bias for addmm; shares of shares may still be shares."""
    return None if any(of(tensor) in SHARES for tensor in tensors(args)) else "linear"


def _mul(first: Made, args: tuple[Any, ...], of: Callable[[Any], Made]) -> Made:
    other = of(args[1])
    both = {first, other}
    if both <= SHARES:
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
    if kind in SHARES or kind in ("linear", CONSTANT) or number == 1:
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
    if first in SHARES and other in (CONSTANT, *SHARES):
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
    return "sigmoid" if kinds <= {*SHARES, CONSTANT} else None


def _rsub(first: Made, args: tuple[Any, ...], of: Callable[[Any], Made]) -> Made:
    kinds = {first, of(args[1])}
    if kinds <= {"linear", CONSTANT}:
        return first if first != CONSTANT else of(args[1])
    return "sigmoid" if kinds <= {*SHARES, CONSTANT} else None


def _sub(first: Made, args: tuple[Any, ...], of: Callable[[Any], Made]) -> Made:
    other = of(args[1])
    if first == "linear" and other in ("linear", CONSTANT):
        return "linear"
    return _rsub(first, args, of) if first == CONSTANT else first if other == CONSTANT and first in SHARES else None


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


def _number(value: Any) -> float | None:
    if isinstance(value, torch.Tensor):
        readable = type(value) is torch.Tensor and value.numel() == 1 and value.device.type == "cpu"
        return float(value.detach()) if readable and not value.is_complex() else None
    return float(value) if isinstance(value, int | float) else None


def tensors(values: Iterable[Any]) -> Iterator[torch.Tensor]:
    for value in values:
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from tensors(value)
