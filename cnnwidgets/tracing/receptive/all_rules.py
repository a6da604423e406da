"""How each torch function carries receptive fields from its inputs to its outputs.

A function without a rule is taken to mix everything: the field it reports is then too large, never too small.
"""

from __future__ import annotations

from collections.abc import Sequence

from cnnwidgets.core.nested import tensors

from . import axes, moves, windows  # noqa: F401 (their rules register themselves)
from .call import RULES, NoRule, RuleCall, elementwise, is_pointwise, mixed, unplaced, words
from .field import Field, length_of, settled


def output_field(call: RuleCall, inputs: Sequence[Field]) -> Field:
    """The field of ``call.output``, of a call that read tensors with these fields."""
    shape = tuple(call.output.shape)
    rule = RULES.get(call.name)
    if rule is None and is_pointwise(call.name):
        rule = elementwise
    if rule is not None:
        try:
            field = rule(call)
            if tuple(map(length_of, field.dims)) == shape:
                return settled(field)
        except (NoRule, TypeError, ValueError, IndexError, AttributeError, ZeroDivisionError, AssertionError):
            pass  # an unforeseen way to call it: take the safe answer
    field = mixed(inputs, shape)
    return field if _stays(call) else unplaced(field)


_IN_PLACE = words(
    "group_norm instance_norm native_group_norm native_batch_norm native_layer_norm scaled_dot_product_attention",
    "multi_head_attention_forward cummax cummin logcumsumexp renorm deform_conv2d setitem tril triu",
)
_PRODUCTS = words("matmul mm bmm rmatmul baddbmm addbmm einsum")


def _stays(call: RuleCall) -> bool:
    """Whether a function that mixes positions leaves them where they were; of products, those of an attention do."""
    if call.name in _PRODUCTS:
        return all(call.lookup(value) is not None for value in tensors((call.args, call.kwargs)))
    return call.name in _IN_PLACE
