"""Grad-CAM: which places of a layer speak for the score."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from cnnwidgets.core.errors import CnnWidgetsError, NotSpatial
from cnnwidgets.core.forward import run
from cnnwidgets.core.layouts import Layouts, followed_layouts
from cnnwidgets.core.layouts import layouts as known_layouts
from cnnwidgets.core.results import Attribution
from cnnwidgets.core.targets import Target, resolve

from ._gradients import differentiate, fresh_input, saturation_notes
from ._layers import Functions, all_functions, located
from ._registry import register
from ._watch import Call, Output, Watch, refusal, unsure_note


@register(
    "grad_cam",
    family="cam",
    question="Which places of this layer's maps speak for the score?",
    needs_layer=True,
)
def grad_cam(
    model: nn.Module,
    images: torch.Tensor,
    target: Target = None,
    *,
    layer: str | nn.Module | None = None,
    call: int = -1,
    score: str = "logit",
) -> Attribution:
    """The layer's maps, each weighted by the mean gradient of the score over it.

    ``sum_k mean_ij(dS_c / dA_k,ij) A_k`` (Selvaraju et al. 2017, "Grad-CAM"), before its ReLU. The maps ``A`` are the
    layer's output at the moment it returned: an in-place ReLU that follows does not change them.

    Args:
        model: any module that returns scores.
        images: (N, C, H, W), preprocessed.
        target: None for the predicted class, a class, one class an image, or ``outputs -> (N,)``.
        layer: a dotted name, the module itself, or None for the last layer whose output is spatial.
        call: which call of a layer that the model uses several times; the last by default.
        score: ``"logit"`` or ``"probability"``.

    Returns:
        Values (N, h, w), signed; larger is more evidence for the target.

    Raises:
        LayerNotFound: no such layer.
        NotSpatial: its output is not (N, C, H, W), such as (N, H, W, C) or tokens.
        InputError, TargetError: the images or the target do not fit the model.
        CnnWidgetsError: the model failed, never ran the layer, or no gradient reaches it.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.Flatten(), nn.Linear(2, 1, bias=False))
        >>> _ = nn.init.constant_(net[0].weight, 2.0), nn.init.constant_(net[2].weight, 3.0)
        >>> grad_cam(net, torch.tensor([[[[1.0, -1.0]]]]), layer="0").values
        tensor([[[ 6., -6.]]])
    """
    wanted, functions = (None, all_functions(model, images)) if layer is None else located(model, images, layer)
    layouts = known_layouts(model, images)
    found = _look(model, images, wanted, functions, layouts)
    if found.watch.odd and not layouts.followed:
        del found  # and the maps it holds
        layouts = followed_layouts(model, images)
        found = _look(model, images, wanted, functions, layouts)
    watch, outputs, last = found.watch, found.outputs, found.last
    scores, chosen = resolve(target, outputs, score=score, batch=len(images))

    spatial = last.get(True) or last.get(False)
    if wanted is None:
        if spatial is None:
            raise NotSpatial("No layer of this model returns maps (N, C, H, W); a method of pixels may do: saliency.")
        shown = spatial
    else:
        shown = _called(watch, found.asked, wanted, call, spatial)
    maps = shown.output.value
    if maps is None:
        raise NotSpatial(_not_spatial(shown, spatial, watch))
    (gradient,) = differentiate(scores, [] if shown.output.edge is None else [shown.output.edge]) or [None]
    if gradient is None:
        raise CnnWidgetsError(no_gradient(shown.name))
    gradient = shown.output.gradient(gradient)
    values = weighted(maps, gradient)
    notes = [
        *reuse_notes(shown.name, shown.index, watch.calls[shown.name]),
        *map_notes(values, bool(gradient.any())),
        *layout_notes(shown.name, shown.output.layout.sure, layouts),
        *saturation_notes(outputs, score, len(images)),
    ]
    return Attribution(
        values.float().cpu(), "grad_cam", chosen, shown.name, scores.detach().float().cpu(), tuple(notes)
    )


@dataclass
class _Pass:
    """One forward pass: every call of the layer asked for, and the last call with and without maps worth a look."""

    watch: Watch
    outputs: Any
    asked: list[Call]
    last: dict[bool, Call]


def _look(model: nn.Module, images: torch.Tensor, wanted: str | None, functions: Functions, layouts: Layouts) -> _Pass:
    asked: list[Call] = []
    last: dict[bool, Call] = {}

    def see(now: Call) -> None:
        if now.name == wanted:
            asked.append(now)
        if now.output.stacked:
            previous = last.get(now.output.spatial)
            if wanted is None and previous is not None and previous.output is not now.output:
                previous.output.value = None
            last[now.output.spatial] = now

    def wants(name: str, output: Output) -> bool:
        return output.stacked and wanted in (None, name)

    watch = Watch(model, see, wants, layouts, functions)
    _, x = fresh_input(images)
    with watch.following():
        outputs = run(model, x)
    return _Pass(watch, outputs, asked, last)


def weighted(maps: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    """``sum_k mean_ij(gradient_k) maps_k`` of (N, K, h, w), in at least float32: (N, h, w)."""
    if maps.dtype in (torch.float16, torch.bfloat16):
        maps, gradient = maps.float(), gradient.float()
    return torch.einsum("nk,nkhw->nhw", gradient.mean((2, 3)), maps)


def map_notes(values: torch.Tensor, any_gradient: bool) -> Iterator[str]:
    """Why a Grad-CAM map (N, h, w) shows nothing."""
    if not any_gradient:
        yield "the gradient is zero everywhere: the score does not react to this layer"
        return
    negative = (values.amax((1, 2)) <= 0) & (values.amin((1, 2)) < 0)
    if bool(negative.any()):
        where = "" if len(values) == 1 else f" for image {', '.join(map(str, negative.nonzero().flatten().tolist()))}"
        yield f"map is negative everywhere before ReLU{where}"


def reuse_notes(name: str, index: int, calls: int) -> Iterator[str]:
    """Which call of a reused layer is shown."""
    if calls > 1:
        yield f"layer {name!r} is called {calls} times; showing call {index + 1}"


def layout_notes(name: str, sure: bool, layouts: Layouts) -> Iterator[str]:
    """Whether the layer may be something else than maps."""
    if layouts.note is not None:
        yield layouts.note
    if not sure:
        yield unsure_note(name)


def no_gradient(name: str) -> str:
    """The message where the score does not depend on a layer by differentiable operations."""
    return (
        f"No gradient reaches layer {name!r}: part of the model's forward runs under torch.no_grad(), is detached or "
        "rounded, or the score does not depend on this layer. Choose a later layer, or a method that needs no gradient."
    )


def _called(watch: Watch, seen: list[Call], name: str, call: int, spatial: Call | None) -> Call:
    if not seen:
        hint = f" Pass layer={spatial.name!r}, or None for the last spatial layer." if spatial else ""
        raise CnnWidgetsError(f"Layer {name!r} did not run in this forward pass.{hint}")
    try:
        return seen[call]
    except IndexError:
        calls = watch.calls[name]
        raise CnnWidgetsError(
            f"Layer {name!r} is called {calls} {'time' if calls == 1 else 'times'}; call={call} is out of range. "
            f"Pass 0 to {calls - 1}, or -1 for the last."
        ) from None


def _not_spatial(shown: Call, spatial: Call | None, watch: Watch) -> str:
    if len(shown.output.shape) == 4:
        return refusal(shown.name, shown.output.layout, watch.spatial)
    hint = f" The last spatial layer is {spatial.name!r}." if spatial is not None else ""
    return f"Layer {shown.name!r} returns shape {shown.output.shape}; expected maps (N, C, H, W).{hint}"
