"""Functions of torch that treat each image by itself, in ways that the operations they are made of do not show."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from cnnwidgets.incremental.dispatch import edits_in, replaced
from cnnwidgets.incremental.run import EditRun
from cnnwidgets.incremental.values.edits import Edits, untouched, whole
from cnnwidgets.incremental.values.recomputable import Recomputable

from .registry import function_rule


@function_rule(functional.scaled_dot_product_attention)
def attention(
    run: EditRun,
    function: Any,
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    **options: Any,
) -> Any:
    """Attention, once for all where no edit has come; ATen's operations count as random, and look at the layout."""
    operands = (query, key, value, attn_mask)
    of_edits = [isinstance(value, Edits) and value.is_untouched for value in operands]
    an_edit_each = isinstance(attn_mask, torch.Tensor) and attn_mask.dim() > 3 and attn_mask.shape[0] > 1
    if all(of_edits[:3]) and (of_edits[3] or (not isinstance(attn_mask, Edits) and not an_edit_each)) and not dropout_p:
        return untouched(run, run.base(function, *operands, dropout_p, is_causal, **options))
    run.mixes_batch = True
    output = function(*replaced(operands, Edits.whole), dropout_p, is_causal, **options)
    return whole(run, output, strides=output.stride())


@function_rule(functional.group_norm)
def group_norm(run: EditRun, function: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
    """Group normalisation, whose operation is told the number of images."""
    if not isinstance(x, Edits) or not x.is_untouched or edits_in(args, kwargs):
        return NotImplemented
    return untouched(run, run.base(function, x, *args, **kwargs))


@function_rule(functional.instance_norm)
def instance_norm(run: EditRun, function: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
    """Instance normalisation, whose operation takes all images' maps for the channels of one."""
    learns = args[4] if len(args) > 4 else kwargs.get("use_input_stats", True)
    statistics = [*args[:2], kwargs.get("running_mean"), kwargs.get("running_var")]
    if learns and any(value is not None for value in statistics):  # it writes to them
        return NotImplemented
    return group_norm(run, function, x, *args, **kwargs)


@function_rule(torch.cat, torch.concat, torch.concatenate)
def joined(run: EditRun, function: Any, parts: Any = None, dim: Any = 0, **kwargs: Any) -> Any:
    """A class token, say, that was expanded to the batch, beside tokens of the image."""
    if kwargs or not isinstance(dim, int) or all(isinstance(part, Edits) for part in parts):
        return NotImplemented
    return function([_same_for_all(run, part) for part in parts], dim)


def _same_for_all(run: EditRun, part: Any) -> Any:
    """What repeats one value for every edit without a copy, as a value that no edit reaches."""
    value = None if isinstance(part, Edits) or part.dim() == 0 else part._base  # noqa: SLF001
    if value is None or part.shape[0] != run.count or (run.count > 1 and part.stride(0) != 0):
        return part
    key = (value, tuple(part.shape[1:]), part.stride()[1:], part.storage_offset())
    return untouched(run, run.memo.get("expanded", key, {}, lambda: Recomputable(part[:1].clone())))
