"""What is said of a layer's maps, and of a layer that has none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch

from cnnwidgets.tracing.layouts.layouts import Layout, Layouts
from cnnwidgets.tracing.layouts.rules import INDEPENDENT, SHIFTED
from cnnwidgets.tracing.placement import UNKNOWN

from .inputs import which_images
from .layer_outputs import Watch


def map_notes(values: torch.Tensor, any_gradient: bool) -> Iterator[str]:
    """Why a map (N, h, w) shows nothing."""
    if not any_gradient:
        yield "the gradient is zero everywhere: the score does not react to this layer"
        return
    negative = (values.amax((1, 2)) <= 0) & (values.amin((1, 2)) < 0)
    if bool(negative.any()):
        yield f"map is negative everywhere before ReLU{which_images(negative)}"


def layout_notes(name: str, layout: Layout, layouts: Layouts) -> Iterator[str]:
    """Whether the layer may be something else than maps, and which tokens were dropped."""
    if layouts.note is not None:
        yield layouts.note
    if not layout.sure:
        yield f"the axes of layer {name!r} could not be followed; read as (N, C, H, W)"
    if layout.form is not None:
        yield from layout.form.notes()


def placement_notes(layout: Layout) -> tuple[str, ...]:
    """What to say of where maps lie in the image, if they do not just cover it."""
    if layout.placement is not None:
        return layout.placement.notes()
    return (UNKNOWN,) if layout.mapped else ()


def no_gradient(name: str) -> str:
    """The message where the score does not depend on a layer by differentiable operations."""
    return (
        f"No gradient reaches layer {name!r}: part of the model's forward runs under torch.no_grad(), is detached or "
        "rounded, or the score does not depend on this layer. Choose a later layer, or a method that needs no gradient."
    )


def refusal(name: str, layout: Layout, spatial: Iterable[str]) -> str:
    """The message for a layer that returns no maps; ``spatial`` are names of those that do."""
    why_not = layout.why_not or "without height and width"
    message = f"Layer {name!r} returns {layout.shape}, {why_not}: not maps (N, C, H, W)."
    if len(layout.shape) == 3:
        message += " If it is tokens, pass tokens=, (rows, columns) of their grid or a function that makes maps of it."
    others = list(spatial)
    around = name
    while "." in around:
        around = around.rpartition(".")[0]
        if around in others:
            return f"{message} Choose {around!r}, the block around it."
    return f"{message} The last layer that returns maps is {others[-1]!r}." if others else message


def no_maps(watch: Watch) -> str:
    """The message where no layer can be explained."""
    for name in reversed(watch.layouts):
        layout = watch.layouts[name][-1]
        if (layout.why_not or "").startswith(SHIFTED):
            return (
                f"No layer of this model returns maps that lie as the image does: {name!r} returns {layout.shape}, "
                f"{layout.why_not}. Move the image outside of the model, or use a method of pixels: saliency."
            )
    for name in reversed(watch.layouts):
        layout = watch.layouts[name][-1]
        if layout.why_not and len(layout.shape) == 4 and layout.why_not != INDEPENDENT and min(layout.shape[2:]) > 1:
            return (
                f"No layer of this model returns maps (N, C, H, W) of the images: {name!r} returns {layout.shape}, "
                f"{layout.why_not}. Pass layer={name!r} and tokens=, a function that makes maps of what it returns; "
                "else a method of pixels may do: saliency."
            )
    return (
        "No layer of this model returns maps (N, C, H, W), or tokens whose grid can be told. If it works on "
        "tokens, pass tokens=(rows, columns) of their grid; else a method of pixels may do: saliency."
    )
