"""Multiply-accumulate operations, counted on the ATen calls that a forward pass comes down to.

Products only: biases, normalisation and activations count as nothing, as is usual.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

Args = tuple[Any, ...]
_Count = Callable[[Args, Any], int]


def count(packet: Any, args: Args, output: Any) -> int:
    """Multiply-adds of one ATen call; 0 for calls that multiply no matrices.

    Args:
        packet: the operation, as in ``torch.ops.aten.mm``.
        args: its positional arguments.
        output: what it returned.
    """
    rule = _RULES.get(packet)
    return rule(args, output) if rule is not None else 0


def _convolution_macs(args: Args, output: Any) -> int:
    x, weight = args[0], args[1]
    transposed = args[6] if len(args) > 6 and isinstance(args[6], bool) else False
    # weight is (out, in / groups, *kernel); (in, out / groups, *kernel) when transposed, applied at each input place.
    places = x if transposed else output
    per_place = math.prod(weight.shape[1:])
    return int(places.numel() * per_place)


def _matrix_product(at: int) -> _Count:
    """A product of matrices, the first of which is argument ``at``."""
    return lambda args, output: int(output.numel() * args[at].shape[-1])


def _vector_product(at: int) -> _Count:
    return lambda args, _: int(args[at].numel())


def _attention(args: Args, _: Any) -> int:
    query, key, value = args[:3]
    rows = math.prod(query.shape[:-1])
    return int(rows * key.shape[-2] * (query.shape[-1] + value.shape[-1]))


def _recurrent(args: Args, _: Any) -> int:
    x, *weights = args[:3]
    return int(math.prod(x.shape[:-1]) * sum(weight.numel() for weight in weights))


_NAMED: dict[str, _Count] = {
    **dict.fromkeys(("convolution", "_convolution", "mkldnn_convolution"), _convolution_macs),
    **dict.fromkeys(("mm", "bmm", "linear", "mkldnn_linear"), _matrix_product(0)),
    **dict.fromkeys(("addmm", "baddbmm", "_addmm_activation"), _matrix_product(1)),
    **dict.fromkeys(("mv", "dot", "vdot"), _vector_product(0)),
    "addmv": _vector_product(1),
    "mkldnn_rnn_layer": _recurrent,
    "_scaled_dot_product_flash_attention_for_cpu": _attention,
    "_scaled_dot_product_flash_attention": _attention,
    "_scaled_dot_product_efficient_attention": _attention,
    "_scaled_dot_product_cudnn_attention": _attention,
    "_scaled_dot_product_attention_math_for_mps": _attention,
}
_RULES = {getattr(torch.ops.aten, name): rule for name, rule in _NAMED.items() if hasattr(torch.ops.aten, name)}
