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
        return of(args[1]) if plain == "copy" else _together([of(argument) for argument in args[1:3]])
    if isinstance(first, list | tuple):
        return _together([of(argument) for argument in first]) if plain in ("cat", "stack", "_unsafe_index") else None
    if plain in _WITHIN:
        kinds = [of(tensor) for tensor in tensors(args)]
        # Shares, and what does not depend on the input, are all that goes in.
        if {*kinds} <= {*SHARES, CONSTANT} and not SHARES.isdisjoint(kinds):
            return _together(kinds)
    if not isinstance(first, torch.Tensor):
        return _div(CONSTANT, args, of) if plain == "div" else None
    rule = _RULES.get(plain)
    if rule is not None:
        return rule(of(first), args, of)
    return of(first) if plain in _KEEP else None


_MAKES: dict[str, str] = {
    "_softmax": "softmax", "_safe_softmax": "softmax", "_log_softmax": "log_softmax", "sigmoid": "sigmoid",
    "hardsigmoid": "sigmoid", "log_sigmoid": "log_sigmoid", "log_sigmoid_forward": "log_sigmoid", "tanh": "tanh",
    "logit": "linear", "special_logit": "linear", "softplus": "softplus",
}  # fmt: skip
_AFFINE = """
    convolution _convolution conv2d mkldnn_convolution cudnn_convolution native_batch_norm cudnn_batch_norm
    miopen_batch_norm _native_batch_norm_legit_no_training native_layer_norm native_group_norm
"""
_MAKES |= dict.fromkeys(_AFFINE.split(), "linear")
_FRESH = frozenset(
    {"empty_like", "zeros_like", "ones_like", "full_like", "new_zeros", "new_ones", "new_empty", "new_full"}
)
_WEIGHING = """
    addmm mm bmm baddbmm addmv mv dot matmul linear linear_dynamic linear_relu _cdist_forward _euclidean_dist
    _trilinear _scaled_dot_product_flash_attention_for_cpu _scaled_dot_product_flash_attention
    _scaled_dot_product_efficient_attention _scaled_dot_product_cudnn_attention
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


def _together(origins: list[Made]) -> Made:
    kinds = {origin for origin in origins if origin != CONSTANT}
    if len(kinds) <= 1:
        return kinds.pop() if kinds else CONSTANT
    return "sigmoid" if kinds <= SHARES else None


def _bounded(first: Made, *_: Any) -> Made:
    """Of straight lines it may have made a hard sigmoid."""
    return None if first == "linear" else first


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
    if first in SHARES and other in (CONSTANT, *SHARES):
        return first if other == CONSTANT else "softmax"  # over their sum
    if first == "log_softmax" and _number(args[1]) == -1:
        return "negative_log_softmax"
    return first if first == "linear" and other == CONSTANT else None


def _add(first: Made, args: tuple[Any, ...], of: Callable[[Any], Made]) -> Made:
    other, kinds = of(args[1]), {first, of(args[1])}
    kind = first if other == CONSTANT else other
    if CONSTANT in kinds and kind == "exp":
        return "one_plus_exp" if 1 in (_number(args[0]), _number(args[1])) else None
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
    if first in ("linear", CONSTANT):
        return _rsub(first, args, of)
    return first if first in SHARES and of(args[1]) == CONSTANT else None


_FEW = 4096
_EXP = {"log_softmax": "softmax", "log_sigmoid": "sigmoid"}
_LOG = {"softmax": "log_softmax", "sigmoid": "log_sigmoid", "one_plus_exp": "softplus"}
_NEG = {
    "log_softmax": "negative_log_softmax", "negative_log_softmax": "log_softmax", "linear": "linear",
    "softplus": "log_sigmoid",
}  # fmt: skip
_SUM = {"exp": "exp_sum", "softmax": "softmax", "sigmoid": "sigmoid", "linear": "linear", "log_sigmoid": "log_sigmoid"}
_MEAN = {name: name for name in ("softmax", "sigmoid", "linear", "log_sigmoid", CONSTANT)}
_RULES: dict[str, Rule] = {
    "exp": lambda first, *_: _EXP.get(first or "", "exp"),
    "log": lambda first, *_: _LOG.get(first or ""),
    "neg": lambda first, *_: _NEG.get(first or ""),
    "log1p": lambda first, *_: "softplus" if first == "exp" else None,
    **dict.fromkeys(("clamp", "clamp_min", "clamp_max", "hardtanh"), _bounded),
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
