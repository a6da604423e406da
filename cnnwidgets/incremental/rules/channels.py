"""Operations that mix what is at one place: layer norm over channels, linear layers over channels last, softmax."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.nn import functional

from cnnwidgets.incremental.dispatch import edits_in, wrapped
from cnnwidgets.incremental.run import EditRun
from cnnwidgets.incremental.values.edits import Edits, untouched, whole, windowed

from .pointwise import by_window
from .registry import function_rule, rule


def _spares(x: Edits, dims: list[int]) -> bool:
    """Whether neither images, rows nor columns are among ``dims``."""
    reduced = {dim % x.dim() for dim in dims}
    return 0 not in reduced and not (x.is_windowed and reduced & set(x.axes))


@rule("native_layer_norm")
def layer_norm(run: EditRun, _: Any, x: Any, shape: Any, weight: Any, bias: Any, eps: float) -> Any:
    """Layer normalisation over axes other than rows and columns, as of channels that come last."""
    if not isinstance(x, Edits) or x.is_whole or edits_in((weight, bias)):
        return NotImplemented
    if not _spares(x, list(range(-len(shape), 0))):
        return NotImplemented
    base = run.base(torch.layer_norm, x, shape, weight, bias, eps, False)
    nothing = torch.empty(0, device=x.device)
    if x.is_untouched:
        return untouched(run, base), nothing, nothing
    win = torch.layer_norm(x.win, shape, weight, bias, eps, False)
    return windowed(run, base, win, (x.y, x.x), x.reach, x.axes), nothing, nothing


@function_rule(functional.linear)
def linear_layer(run: EditRun, function: Any, x: Any, weight: Any, bias: Any = None) -> Any:
    """A linear layer over the last axis, where that is the channels."""
    if not isinstance(x, Edits) or edits_in((weight, bias)) or x.dim() < 2:
        return NotImplemented
    if x.is_whole:
        products = x.numel() // x.shape[-1] * weight.numel()
        run.work.edits(products, products // max(run.count, 1), 1, None, run.count)
        return whole(run, function(x.every, weight, bias))
    if not _spares(x, [-1]):
        return NotImplemented
    base = run.base(function, x, weight, bias)
    if x.is_untouched:
        return untouched(run, base)
    others = math.prod(size for axis, size in enumerate(x.shape[1:-1], 1) if axis not in x.axes)
    each = weight.numel() * others
    run.work.edits(x.win.numel() // x.win.shape[-1] * weight.numel(), each, x.side[0] * x.side[1], x.box, run.count)
    return windowed(run, base, function(x.win, weight, bias), (x.y, x.x), x.reach, x.axes)


@rule("_softmax", "_log_softmax", "glu", "sum", "mean", "amin", "amax", "linalg_vector_norm", "var", "cumsum", "argmax")
def over_channels(run: EditRun, function: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
    """A reduction, or normalisation: window by window over channels, on whole values over rows and columns."""
    if not isinstance(x, Edits):
        return NotImplemented
    names = [argument.name for argument in function._schema.arguments]  # noqa: SLF001
    options = {**dict(zip(names[1:], args, strict=False)), **kwargs}
    dims = options.get("dim")
    if dims is None or dims == []:
        return NotImplemented
    reduced = [dims] if isinstance(dims, int) else list(dims)
    drops_axes = "keepdim" in names and not options.get("keepdim", False)
    if _spares(x, reduced) and not x.is_whole and not (x.is_windowed and drops_axes):
        return by_window(run, function, x, *args, **kwargs)
    if 0 in {dim % max(x.dim(), 1) for dim in reduced}:
        return NotImplemented
    return wrapped(run, function(x.whole(), *args, **kwargs), [x])
