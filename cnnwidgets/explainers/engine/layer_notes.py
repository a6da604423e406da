"""Which call of a layer is explained where nobody said, and what is said of its maps, or of a layer that has none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch

from cnnwidgets.tracing.layouts.layouts import Layout, Layouts
from cnnwidgets.tracing.layouts.rules import INDEPENDENT, SHIFTED
from cnnwidgets.tracing.placement import UNKNOWN

from .inputs import which_images

_NOTHING, _ELSEWHERE, _PART, _IMAGE = range(4)
_WHY = {
    _NOTHING: "{calls} do{es} not depend on the image",
    _ELSEWHERE: "{calls} give{s} maps that lie elsewhere",
    _PART: "{calls} see{s} a part of the image",
}


def rank(layout: Layout) -> int:
    """The larger, the rather a call that returned this is to be explained; the last of the largest is.

    A call that the image has no part in (a fixed reference), or whose maps lie elsewhere than the image (a mirror
    image of it), must not stand for the layer where another one does not.
    """
    if layout.why_not == INDEPENDENT:
        return _NOTHING
    if (layout.why_not or "").startswith(SHIFTED) or (layout.mapped and layout.placement is None and layout.sure):
        return _ELSEWHERE
    return _PART if layout.placement is not None and not layout.placement.is_everywhere else _IMAGE


def preferred(layouts: Sequence[Layout], *, several: bool = False) -> int:
    """Which of a layer's calls, from 0, is to be explained; ``several``: of those with maps of more than one place."""
    among = [index for index, layout in enumerate(layouts) if layout.mapped or not several]
    return max(among, key=lambda index: (rank(layouts[index]), index))


def call_notes(name: str, index: int, layouts: Sequence[Layout]) -> Iterator[str]:
    """Which call of a layer used several times this is, and why it is not the last."""
    if len(layouts) < 2:
        return
    reasons = []
    if index == preferred(layouts):
        for worse, why in _WHY.items():
            such = [later for later in range(index + 1, len(layouts)) if rank(layouts[later]) == worse]
            if such:
                single = len(such) == 1
                reasons.append(why.format(calls=_call_numbers(such), es="es" * single, s="s" * single))
    because = f": {', and '.join(reasons)}" if reasons else ""
    yield f"layer {name!r} is called {len(layouts)} times; showing call {index + 1}{because}"


def _call_numbers(indices: list[int]) -> str:
    if len(indices) == 1:
        return f"call {indices[0] + 1}"
    if indices == list(range(indices[0], indices[-1] + 1)):
        return f"calls {indices[0] + 1} to {indices[-1] + 1}"
    return f"calls {', '.join(str(index + 1) for index in indices)}"


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


def no_maps(layouts: dict[str, list[Layout]]) -> str:
    """The message where no layer can be explained, by what the calls of each returned."""
    last = {name: of_it[-1] for name, of_it in reversed(layouts.items())}
    for name, layout in last.items():
        if (layout.why_not or "").startswith(SHIFTED):
            return (
                f"No layer of this model returns maps that lie as the image does: {name!r} returns {layout.shape}, "
                f"{layout.why_not}. Move the image outside of the model, or use a method of pixels: saliency."
            )
    for name, layout in last.items():
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
