"""One forward pass, and a backward pass where the method needs it, seen from one call of one layer."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from cnnwidgets.core.errors import CnnWidgetsError, InputError, NotSpatial
from cnnwidgets.core.forward import run
from cnnwidgets.core.layouts import Layout, Layouts, followed_layouts
from cnnwidgets.core.results import Attribution
from cnnwidgets.core.targets import Chosen, Target, resolve
from cnnwidgets.core.tokens import AnyForm, Form, Tokens

from ._default_layer import Graph, considered, default_layer, inside_attention, left_out
from ._gradients import differentiate, fresh_input, saturation_notes
from ._inputs import which_images
from ._layers import Functions, all_functions, asked_layouts, located
from ._outputs import Call, Output, moves_axes
from ._rules import Guidance, Rule
from ._watch import Watch, refusal, unsure_note


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

    def attribution(self, values: torch.Tensor, method: str, *notes: str) -> Attribution:
        """``values`` (N, h, w) as the result of ``method``, with what there is to say about them."""
        reacts = self.gradient.numel() == 0 or bool(self.gradient.any())
        all_notes = [
            *reuse_notes(self.name, self.index, self.calls),
            *map_notes(values, reacts),
            *notes,
            *self.notes,
            *saturation_notes(self.outputs, self.score, len(values)),
        ]
        return Attribution(
            values.detach().float().cpu(), method, self.chosen, self.name, self.scores.float().cpu(), tuple(all_notes)
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
    if not isinstance(call, int) or isinstance(call, bool):
        raise CnnWidgetsError(f"call is {call!r}; expected an int: 0 for the first call of the layer, -1 for the last.")
    if layer is None and call != -1:
        raise CnnWidgetsError(f"call={call} counts the calls of one layer; say which with layer=.")
    wanted, functions = (None, all_functions(model, images)) if layer is None else located(model, images, layer)
    layouts = asked_layouts(model, images, None if wanted is None else [wanted], tokens)
    # The graph of the only forward tells by itself whether the score depends on the last layer with maps.
    graph = gradient or (layer is None and len(images) == 1)
    if layer is None and (layouts.has_tokens or not graph):
        wanted, call, layouts = default_layer(model, images, target, score, functions, layouts)
    with torch.set_grad_enabled(graph):
        found = _look(model, images, wanted, functions, layouts, backward, alone=gradient or layouts.followed)
        if not layouts.followed and (found.watch.odd or (found.alone and _is_turned(found.asked))):
            del found  # and the maps it holds
            layouts = followed_layouts(model, images)
            if layer is None and layouts.has_tokens:
                wanted, call, layouts = default_layer(model, images, target, score, functions, layouts)
            found = _look(model, images, wanted, functions, layouts, backward, alone=True)
        if found.alone and not (found.asked and found.asked[-1].output.value is not None):
            del found  # to say which other layers there are
            found = _look(model, images, wanted, functions, layouts, backward, alone=False)
        scores, chosen = resolve(target, found.outputs, score=score, batch=len(images))
        if wanted is None and True in found.last and not Graph(scores).reaches(found.last[True].output):
            del found
            wanted, call, layouts = default_layer(model, images, target, score, functions, layouts)
            found = _look(model, images, wanted, functions, layouts, backward, alone=False)
            scores, chosen = resolve(target, found.outputs, score=score, batch=len(images))
    if not gradient:
        found.outputs = _detached(found.outputs)

    spatial = found.last.get(True) or found.last.get(False)
    if wanted is None:
        if spatial is None:
            raise NotSpatial(
                "No layer of this model returns maps (N, C, H, W), or tokens whose grid can be told. If it works on "
                "tokens, pass tokens=(rows, columns) of their grid; else a method of pixels may do: saliency."
            )
        shown = spatial
    else:
        shown = _called(found.watch, found.asked, wanted, call, spatial)
    maps = shown.output.value
    if maps is None:
        others = dict.fromkeys([*found.watch.spatial, *([spatial.name] if spatial else [])])
        raise NotSpatial(refusal(shown.name, shown.output.layout, others))
    form = shown.output.layout.form
    if layer is not None and layouts.given and isinstance(form, Form) and form.grid != layouts.given:
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
    notes = (
        *found.guidance.notes(shown, f"layer {shown.name!r}"),
        *layout_notes(shown.name, shown.output.layout, layouts),
        *(left_out(layouts, shown.name) if layer is None else ()),
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
    )


@dataclass
class _Forward:
    """One forward pass: every call of the layer asked for, and the last call with and without maps worth a look.

    ``alone`` where only the layer asked for was watched.
    """

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
    functions: Functions,
    layouts: Layouts,
    rule: Rule,
    *,
    alone: bool,
) -> _Forward:
    asked: list[Call] = []
    last: dict[bool, Call] = {}
    guidance = Guidance(rule)
    inside = inside_attention(model) if wanted is None and layouts.has_tokens else set()

    def see(now: Call) -> None:
        guidance.reached(now)
        if now.name == wanted:
            asked.append(now)
        if wanted is None and now.output.spatial and not considered(now.output, now.name, inside):
            return
        if now.output.stacked:
            previous = last.get(now.output.spatial)
            if wanted is None and previous is not None and previous.output is not now.output:
                previous.output.value = None
            last[now.output.spatial] = now

    def wants(name: str, output: Output) -> bool:
        return output.stacked and (output.floating if wanted is None else name == wanted)

    watch = Watch(model, see, wants, layouts, functions, wanted if alone else None)
    x = fresh_input(images)[1] if torch.is_grad_enabled() else images.clone()
    with guidance.forward(), watch.following():
        outputs = run(model, x)
    return _Forward(watch, guidance, outputs, asked, last, watch.alone)


def _detached(outputs: Any) -> Any:
    """``outputs`` without the graph behind them, which holds what every layer made."""
    if isinstance(outputs, torch.Tensor):
        return outputs.detach()
    if isinstance(outputs, tuple) and hasattr(outputs, "_fields"):
        return type(outputs)(*map(_detached, outputs))
    if type(outputs) in (tuple, list):
        return type(outputs)(map(_detached, outputs))
    if type(outputs) in (dict, OrderedDict):
        return type(outputs)((key, _detached(value)) for key, value in outputs.items())
    return outputs


def _is_turned(asked: list[Call]) -> bool:
    return any(moves_axes(call.output.own) for call in asked)


def map_notes(values: torch.Tensor, any_gradient: bool) -> Iterator[str]:
    """Why a map (N, h, w) shows nothing."""
    if not any_gradient:
        yield "the gradient is zero everywhere: the score does not react to this layer"
        return
    negative = (values.amax((1, 2)) <= 0) & (values.amin((1, 2)) < 0)
    if bool(negative.any()):
        yield f"map is negative everywhere before ReLU{which_images(negative)}"


def reuse_notes(name: str, index: int, calls: int) -> Iterator[str]:
    """Which call of a reused layer is shown."""
    if calls > 1:
        yield f"layer {name!r} is called {calls} times; showing call {index + 1}"


def layout_notes(name: str, layout: Layout, layouts: Layouts) -> Iterator[str]:
    """Whether the layer may be something else than maps, and which tokens were dropped."""
    if layouts.note is not None:
        yield layouts.note
    if not layout.sure:
        yield unsure_note(name)
    if layout.form is not None:
        yield from layout.form.notes()


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
