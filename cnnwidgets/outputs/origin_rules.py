"""What one operation makes of its inputs, as far as it tells what a model's outputs are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import torch

from cnnwidgets.core.nested import tensors

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
    if plain in _FRESH or not tensors(args):
        return CONSTANT
    if plain in ("copy", "where"):
        return of(args[1]) if plain == "copy" else _together([of(one) for one in args[1:3]])
    if isinstance(first, list | tuple):
        return _together([of(one) for one in first]) if plain in ("cat", "stack", "_unsafe_index") else None
    if plain in _WITHIN and _shares_only(args, of):
        return _together([of(one) for one in tensors(args)])
    if plain == "pow":
        return _pow(args, of)
    if not isinstance(first, torch.Tensor):
        return _div(CONSTANT, args, of) if plain == "div" else None
    rule = _RULES.get(plain)
    if rule is not None:
        return rule(of(first), args, of)
    return of(first) if plain in _KEEP else None


_MAKES: dict[str, str] = {
    "_softmax": "softmax", "_safe_softmax": "softmax", "_log_softmax": "log_softmax", "sigmoid": "sigmoid",
    "hardsigmoid": "sigmoid", "log_sigmoid": "log_sigmoid", "log_sigmoid_forward": "log_sigmoid", "tanh": "tanh",
    "special_ndtr": "sigmoid", "erf": "tanh", "special_erf": "tanh", "logit": "linear", "special_logit": "linear",
    "softplus": "softplus",
}  # fmt: skip
_AFFINE = """
    convolution _convolution conv2d mkldnn_convolution cudnn_convolution native_batch_norm cudnn_batch_norm
    _native_batch_norm_legit_no_training native_layer_norm native_group_norm
"""
_MAKES |= dict.fromkeys(_AFFINE.split(), "linear")
_FRESH = frozenset(
    {"empty_like", "zeros_like", "ones_like", "full_like", "new_zeros", "new_ones", "new_empty", "new_full"}
)
_WEIGHING = """
    addmm mm bmm baddbmm addmv mv dot matmul linear linear_dynamic linear_relu _cdist_forward _euclidean_dist
    _trilinear _scaled_dot_product_flash_attention_for_cpu
"""
MIXING = frozenset([*_WEIGHING.split(), *(name for name in _AFFINE.split() if "conv" in name)])
"""Operations that make new quantities of what they get, by weights; others only squash, scale or arrange it."""
# They arrange, select or round what is there.
_KEEPING = """
    view _unsafe_view reshape _reshape_alias expand squeeze unsqueeze permute transpose t select slice clone _to_copy
    contiguous detach alias as_strided unbind split split_with_sizes chunk narrow index_select gather index flip roll
    lift_fresh repeat nan_to_num round amax amin max min max_pool2d_with_indices unfold
    diagonal masked_fill index_put
"""
_KEEP = frozenset(_KEEPING.split())
# Of shares alone they make shares.
_SHARING = """
    relu abs sqrt prod cumprod cummax cummin maximum minimum fmax fmin topk sort median nanmedian kthvalue lerp addcmul
    scatter scatter_add masked_scatter index_copy constant_pad_nd adaptive_max_pool2d adaptive_max_pool3d
    max_pool3d_with_indices upsample_nearest1d upsample_nearest2d upsample_linear1d upsample_bilinear2d
    upsample_bicubic2d _upsample_bilinear2d_aa _upsample_bicubic2d_aa
"""
_WITHIN = frozenset(_SHARING.split())

Rule = Callable[[Made, tuple[Any, ...], Callable[[Any], Made]], Made]


def _together(made: list[Made]) -> Made:
    kinds = {one for one in made if one != CONSTANT}
    if len(kinds) <= 1:
        return kinds.pop() if kinds else CONSTANT
    return "sigmoid" if kinds <= SHARES else None


def _shares_only(args: tuple[Any, ...], of: Callable[[Any], Made]) -> bool:
    """Whether shares, and what does not depend on the input, are all that goes in."""
    kinds = {of(tensor) for tensor in tensors(args)}
    return kinds <= {*SHARES, CONSTANT} and not kinds.isdisjoint(SHARES)


def _pow(args: tuple[Any, ...], of: Callable[[Any], Made]) -> Made:
    base, exponent = args[:2]
    if isinstance(exponent, torch.Tensor):  # of a number, e or another
        return "exp" if of(base) == CONSTANT and of(exponent) != CONSTANT else None
    kind, number = of(base), _number(exponent)
    if kind == "one_plus_exp":
        return "sigmoid" if number == -1 else None
    return kind if kind in SHARES and number is not None and number > 0 else None


def _clamp(first: Made, args: tuple[Any, ...], _: Callable[[Any], Made]) -> Made:
    """Sigmoids made of straight lines: cut at 0 and 1, or at 0 and 6, or at -1 and 1, to be scaled afterwards."""
    low, high = (_number(bound) for bound in (*args[1:3], None, None)[:2])
    low = 0 if first == "relu" and low is None else low
    if first in SHARES or high is None:
        return "relu" if low == 0 and high is None and first not in SHARES else first
    return _CUT.get((low, high), first)


def _bound(first: Made, args: tuple[Any, ...], of: Callable[[Any], Made]) -> Made:
    """The same with tensors for bounds, one at a time: 0 first."""
    number = _number(args[1]) if of(args[1]) == CONSTANT else None
    return "sigmoid" if first == "relu" and number == 1 else None


def _product(_: Made, args: tuple[Any, ...], of: Callable[[Any], Made]) -> Made:
    """A product of matrices, the first argument that of a bias for addmm; shares of shares may still be shares."""
    kinds = {of(tensor) for tensor in tensors(args)}
    if kinds <= SHARES:
        return _together(list(kinds))
    return None if kinds & SHARES else "linear"


def _mul(first: Made, args: tuple[Any, ...], of: Callable[[Any], Made]) -> Made:
    other = of(args[1])
    both = {first, other}
    if both <= SHARES:
        return _together([first, other])
    if CONSTANT not in both:
        return None
    kind = first if other == CONSTANT else other
    number = _number(args[1])
    if kind == "one_plus_tanh":
        return "sigmoid" if number == 0.5 else None
    if kind == "tanh":
        return "half_tanh" if number == 0.5 else None
    if kind == "relu6":
        return "sigmoid" if number is not None and abs(6 * number - 1) < _CLOSE else None
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
    if first in _DIVIDED:
        number, made = _DIVIDED[first]
        return made if _number(args[1]) == number else None
    if first in SHARES and other in (CONSTANT, *SHARES):
        return first if other == CONSTANT else "softmax"  # over their sum
    if first == "log_softmax" and _number(args[1]) == -1:
        return "negative_log_softmax"
    return first if first == "linear" and other == CONSTANT else None


def _add(first: Made, args: tuple[Any, ...], of: Callable[[Any], Made]) -> Made:
    other, kinds = of(args[1]), {first, of(args[1])}
    kind = first if other == CONSTANT else other
    if CONSTANT in kinds and kind in _ADDED:
        number, made = _ADDED[kind]
        return made if number in (_number(args[0]), _number(args[1])) else None
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


_CLOSE = 1e-6
_FEW = 4096
_CUT: dict[tuple[float | None, float], str] = {(0, 1): "sigmoid", (0, 6): "relu6", (-1, 1): "tanh"}
_DIVIDED = {"one_plus_tanh": (2, "sigmoid"), "tanh": (2, "half_tanh"), "relu6": (6, "sigmoid")}
_ADDED = {
    "exp": (1, "one_plus_exp"),
    "tanh": (1, "one_plus_tanh"),
    "half_tanh": (0.5, "sigmoid"),
    "minus_sigmoid": (1, "sigmoid"),
}
_EXP = {"log_softmax": "softmax", "log_sigmoid": "sigmoid", "minus_exp": "sigmoid"}
_LOG = {"softmax": "log_softmax", "sigmoid": "log_sigmoid", "one_plus_exp": "softplus"}
_NEG = {
    "log_softmax": "negative_log_softmax", "negative_log_softmax": "log_softmax", "linear": "linear",
    "softplus": "log_sigmoid", "exp": "minus_exp", "sigmoid": "minus_sigmoid", "minus_sigmoid": "sigmoid",
}  # fmt: skip
_LOG1P = {"exp": "softplus", "minus_sigmoid": "log_sigmoid"}
_EXPM1 = {"log_sigmoid": "minus_sigmoid", "minus_exp": "minus_sigmoid"}
_SUM = {"exp": "exp_sum", "softmax": "softmax", "sigmoid": "sigmoid", "linear": "linear", "log_sigmoid": "log_sigmoid"}
_MEAN = {name: name for name in ("softmax", "sigmoid", "linear", "log_sigmoid", CONSTANT)}
_RULES: dict[str, Rule] = {
    "exp": lambda first, *_: _EXP.get(first or "", "exp"),
    "log": lambda first, *_: _LOG.get(first or ""),
    "neg": lambda first, *_: _NEG.get(first or ""),
    "log1p": lambda first, *_: _LOG1P.get(first or ""),
    "expm1": lambda first, *_: _EXPM1.get(first or ""),
    "relu": lambda *_: "relu",
    "clamp": _clamp,
    "hardtanh": lambda first, args, _: _clamp(first, (args[0], *(*args[1:], *(-1, 1)[len(args) - 1 :])), _),
    "clamp_min": lambda first, args, _: _clamp(first, (args[0], args[1], None), _),
    "clamp_max": lambda first, args, _: _clamp(first, (args[0], None, args[1]), _),
    "maximum": lambda _, args, of: "relu" if of(args[1]) == CONSTANT and _number(args[1]) == 0 else None,
    "minimum": _bound,
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
    """The number that ``value`` is, or that all of a small tensor is; None: neither."""
    if isinstance(value, torch.Tensor):
        readable = type(value) is torch.Tensor and 0 < value.numel() <= _FEW and value.device.type == "cpu"
        if not readable or value.is_complex():
            return None
        numbers = value.detach().flatten()
        return float(numbers[0]) if bool((numbers == numbers[0]).all()) else None
    return float(value) if isinstance(value, int | float) else None
