"""One forward pass, and a backward pass where the method needs it, seen from one call of one layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from cnnwidgets.core.arguments import is_whole
from cnnwidgets.core.errors import CnnWidgetsError, InputError, NotSpatial
from cnnwidgets.core.nested import detached
from cnnwidgets.explainers.attribution import Attribution
from cnnwidgets.outputs.targets import Chosen, Target, resolve
from cnnwidgets.running.forward import run
from cnnwidgets.tracing.layouts.layouts import Layout, Layouts
from cnnwidgets.tracing.layouts.memory import Memory
from cnnwidgets.tracing.layouts.plain_pass import PlainPass
from cnnwidgets.tracing.layouts.rules import INDEPENDENT, SHIFTED
from cnnwidgets.tracing.layouts.token_layout import AnyForm, TokenLayout, Tokens
from cnnwidgets.tracing.placement import UNKNOWN, Placement

from .call_outputs import Call, Output
from .default_layer import Graph, considered, default_layer, inside_attention, left_out, speaks
from .followed import looked
from .gradients import differentiate, fresh_input, saturation_notes
from .inputs import which_images
from .layer_outputs import Watch, refusal, unsure_note
from .layers import Functions, all_functions, asked_layouts, located
from .relu_rules import Guidance, Rule
from .values import COMPLEX, range_notes, real_channels
from .which_call import call_notes, preferred, rank


@dataclass(eq=False)
class LayerPass:
    """What one call of a layer returned, and what the model made of it.

    Attributes:
        name: the layer's dotted name.
        index: which of its calls this is, from 0.
        calls: how often the layer ran.
        maps: (N, K, h, w), a copy made as the layer returned; float32 where the model is in half precision.
        gradient: of each image's score for ``maps``, same shape and type; empty if it was not asked for.
        outputs: what the model returned.
        scores: (N,), the score explained, out of the graph.
        chosen: the class of each image, or the callable.
        score: "logit" or "probability".
        functions: the model's function layers, where they were looked for.
        form: how the layer's output holds the maps, if not as they are.
        notes: what the rule for the backward pass did not reach, and whether the layer may be no maps.
        whereabouts: notes on which call this is, and where in the images its maps lie.
        placement: where the maps lie in the images; None if that is not known.
    """

    name: str
    index: int
    calls: int
    maps: torch.Tensor
    gradient: torch.Tensor
    outputs: Any
    scores: torch.Tensor
    chosen: Chosen
    score: str
    functions: Functions
    form: AnyForm | None = None
    notes: tuple[str, ...] = ()
    whereabouts: tuple[str, ...] = ()
    placement: Placement | None = None

    def attribution(self, values: torch.Tensor, method: str, *notes: str) -> Attribution:
        """``values`` (N, h, w) as the result of ``method``, with what there is to say about them."""
        reacts = self.gradient.numel() == 0 or bool(self.gradient.any())
        all_notes = [
            *self.whereabouts,
            *map_notes(values, reacts),
            *notes,
            *self.notes,
            *range_notes(values),
            *saturation_notes(self.outputs, self.score, len(values)),
        ]
        return Attribution(
            values.detach().float().cpu(),
            method,
            self.chosen,
            self.name,
            self.scores.float().cpu(),
            tuple(all_notes),
            self.placement,
        )


def layer_pass(
    model: nn.Module,
    images: torch.Tensor,
    target: Target,
    layer: str | nn.Module | None,
    call: int,
    score: str,
    tokens: Tokens = None,
    *,
    gradient: bool = True,
    backward: Rule = "plain",
) -> LayerPass:
    """Run ``model`` and look at one layer; arguments as for :func:`~cnnwidgets.explainers.grad_cam.grad_cam`.

    With ``layer`` None it is that of :func:`~._default_layer.default_layer`.

    Raises:
        LayerNotFound, NotSpatial, InputError, TargetError: as for Grad-CAM.
        CnnWidgetsError: the model failed, never ran the layer, or no gradient reaches it though one is needed.
    """
    if not is_whole(call):
        raise CnnWidgetsError(f"call is {call!r}; expected an int: 0 for the first call of the layer, -1 for the last.")
    if layer is None and call != -1:
        raise CnnWidgetsError(f"call={call} counts the calls of one layer; say which with layer=.")
    wanted, functions = (None, all_functions(model, images)) if layer is None else located(model, images, layer)
    asked = wanted
    # The graph of the only forward tells by itself whether the score depends on the last layer with maps.
    graph = gradient or (layer is None and len(images) == 1)

    def look(memory: Memory) -> _Forward:
        name: str | None = asked
        index: int | None = None if call == -1 else call
        if layer is None and (memory.layouts.has_tokens or not graph):
            name, index = default_layer(model, images, target, score, functions, memory)
        return _look(model, images, name, index, functions, memory, backward, alone=True)

    with torch.set_grad_enabled(graph):
        found, memory, drift = looked(
            look,
            lambda recorded: asked_layouts(
                model, images, None if asked is None else [asked], tokens, recorded=recorded
            ),
        )
        last = found.last.get(True) or found.last.get(False)
        if found.wanted is None and last is not None:
            again = last.name, preferred(found.watch.layouts[last.name], several=last.output.spatial)
            if again[1] != last.index:
                del found, last  # and the maps they hold
                found = _look(model, images, *again, functions, memory, backward, alone=True)
        wanted = found.wanted
        if found.alone and not _has_maps(found):
            asked_for = found.index
            del found  # to say which other layers there are
            found = _look(model, images, wanted, asked_for, functions, memory, backward, alone=False)
        scores, chosen = resolve(target, found.outputs, score=score, batch=len(images))
        if layer is None and not _is_reached(found, scores):
            del found
            choice = default_layer(model, images, target, score, functions, memory)
            found = _look(model, images, *choice, functions, memory, backward, alone=False)
            scores, chosen = resolve(target, found.outputs, score=score, batch=len(images))
    layouts, wanted = memory.layouts, found.wanted
    if not gradient:
        found.outputs = detached(found.outputs)  # the graph behind it holds what every layer made

    spatial = found.last.get(True) or found.last.get(False)
    if wanted is None:
        if spatial is None:
            raise NotSpatial(_no_maps(found.watch))
        shown = spatial
    else:
        shown = _called(found.watch, found.asked, wanted, found.index, spatial)
    maps = shown.output.value
    if maps is None:
        others = dict.fromkeys([*found.watch.spatial, *([spatial.name] if spatial else [])])
        raise NotSpatial(refusal(shown.name, shown.output.layout, others))
    form = shown.output.layout.form
    if layer is not None and layouts.given and isinstance(form, TokenLayout) and form.grid != layouts.given:
        raise InputError(
            f"tokens is {layouts.given}, but the output of layer {shown.name!r}, {shown.output.shape}, is a grid of "
            f"{form.grid}, as far as its axes were followed. Leave tokens out, or pass a function that makes maps."
        )
    if gradient:
        with found.guidance.backward(scores):
            slope = _gradient(shown, scores)
    else:
        slope = maps.new_empty(0)
    if maps.dtype in (torch.float16, torch.bfloat16):
        maps, slope = maps.float(), slope.float()
    is_complex = maps.is_complex()
    maps, slope = real_channels(maps), real_channels(slope)
    notes = (
        *((COMPLEX,) if is_complex else ()),
        *found.guidance.notes(shown, f"layer {shown.name!r}"),
        *layout_notes(shown.name, shown.output.layout, layouts),
        *(left_out(layouts, shown.name) if layer is None else ()),
    )
    whereabouts = (
        *call_notes(shown.name, shown.index, found.watch.layouts[shown.name]),
        *placement_notes(shown.output.layout),
        *drift,
    )
    return LayerPass(
        shown.name,
        shown.index,
        found.watch.calls[shown.name],
        maps,
        slope,
        found.outputs,
        scores.detach(),
        chosen,
        score,
        functions,
        form,
        notes,
        whereabouts,
        shown.output.layout.placement,
    )


@dataclass
class _Forward:
    """One forward pass: every call of the layer asked for, and the last call with and without maps worth a look.

    ``wanted`` is the layer asked for, ``index`` which of its calls, the preferred if None; ``alone`` where only that
    layer was watched.
    """

    wanted: str | None
    index: int | None

    watch: Watch
    guidance: Guidance
    outputs: Any
    asked: list[Call]
    last: dict[bool, Call]
    alone: bool


def _look(
    model: nn.Module,
    images: torch.Tensor,
    wanted: str | None,
    index: int | None,
    functions: Functions,
    memory: Memory,
    rule: Rule,
    *,
    alone: bool,
) -> _Forward:
    asked: list[Call] = []
    last: dict[bool, Call] = {}
    guidance = Guidance(rule)
    inside = inside_attention(model) if wanted is None and memory.layouts.has_tokens else set()

    def see(now: Call) -> None:
        guidance.reached(now)
        if now.name == wanted:
            asked.append(now)
        if wanted is None and now.output.spatial and not considered(now.output, now.name, inside):
            return
        if now.output.stacked:
            previous = last.get(now.output.spatial)
            if (
                previous is not None
                and previous.name == now.name
                and rank(now.output.layout) < rank(previous.output.layout)
            ):
                return
            if wanted is None and previous is not None and previous.output is not now.output:
                previous.output.value = None
            last[now.output.spatial] = now

    def wants(name: str, output: Output) -> bool:
        return output.stacked and (output.floating if wanted is None else name == wanted)

    x = fresh_input(images)[1] if torch.is_grad_enabled() else images.clone()
    plain = None if memory.answers(wanted if alone else None) else PlainPass(x)
    watch = Watch(model, see, wants, memory.layouts, functions, wanted if alone else None, plain)
    with guidance.forward(), watch.following():
        outputs = run(model, x)
    return _Forward(wanted, index, watch, guidance, outputs, asked, last, watch.alone)


def _no_maps(watch: Watch) -> str:
    """The message where no layer can be explained."""
    for name in reversed(watch.order):
        layout = watch.layouts[name][-1]
        if (layout.why_not or "").startswith(SHIFTED):
            return (
                f"No layer of this model returns maps that lie as the image does: {name!r} returns {layout.shape}, "
                f"{layout.why_not}. Move the image outside of the model, or use a method of pixels: saliency."
            )
    for name in reversed(watch.order):
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


def _is_reached(found: _Forward, scores: torch.Tensor) -> bool:
    """Whether the scores depend on the layer that nobody chose, as far as the graph of this pass tells."""
    if not scores.requires_grad:
        return found.wanted is not None
    calls = found.asked[_index(found.asked, found.index) :] if found.wanted is not None else []
    output = calls[0].output if calls else found.last[True].output if True in found.last else None
    return output is None or (Graph(scores).reaches(output) and speaks(output, scores[:1]))


def _has_maps(found: _Forward) -> bool:
    index = _index(found.asked, found.index)
    return -len(found.asked) <= index < len(found.asked) and found.asked[index].output.value is not None


def _index(asked: list[Call], index: int | None) -> int:
    """Which of the calls is meant; None: the one to be preferred."""
    if index is not None or not asked:
        return index or 0
    return preferred([call.output.layout for call in asked])


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
        yield unsure_note(name)
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


def _gradient(shown: Call, scores: torch.Tensor) -> torch.Tensor:
    edge = shown.output.edge
    (gradient,) = differentiate(scores, [] if edge is None else [edge]) or [None]
    if gradient is None:
        raise CnnWidgetsError(no_gradient(shown.name))
    return shown.output.gradient(gradient)


def _called(watch: Watch, seen: list[Call], name: str, call: int | None, spatial: Call | None) -> Call:
    if not seen:
        hint = f" Pass layer={spatial.name!r}, or None for the last spatial layer." if spatial else ""
        raise CnnWidgetsError(f"Layer {name!r} did not run in this forward pass.{hint}")
    try:
        return seen[_index(seen, call)]
    except IndexError:
        calls = watch.calls[name]
        raise CnnWidgetsError(
            f"Layer {name!r} is called {calls} {'time' if calls == 1 else 'times'}; call={call} is out of range. "
            f"Pass 0 to {calls - 1}, or -1 for the last."
        ) from None
