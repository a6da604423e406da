"""Functions of torch that treat each image by itself, in ways that the operations they are made of do not show."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from cnnwidgets.incremental.dispatch import edits_in, once_for_all, replaced
from cnnwidgets.incremental.run import EditRun
from cnnwidgets.incremental.values.edits import Edits, untouched, whole
from cnnwidgets.incremental.values.recomputable import Recomputable

from .registry import function_rule


@function_rule(functional.scaled_dot_product_attention, functional.group_norm, functional.instance_norm)
def by_image(run: EditRun, function: Any, *args: Any, **kwargs: Any) -> Any:
    """Once for all where no edit has come.

    ATen's operations are told the number of images, take their maps for the channels of one, or count as random.
    """
    if all(value.is_untouched for value in edits_in(args, kwargs)):
        output = once_for_all(run, function, args, kwargs)
        if output is not NotImplemented:
            return output
    if function is not functional.scaled_dot_product_attention:
        return NotImplemented
    run.mixes_batch = True
    output = function(*replaced(args, Edits.whole), **replaced(kwargs, Edits.whole))
    return whole(run, output, strides=output.stride())


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
