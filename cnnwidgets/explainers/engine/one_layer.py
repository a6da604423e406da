"""One forward pass, and a backward pass where the method needs it, seen from one call of one layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from cnnwidgets.core.arguments import is_whole
from cnnwidgets.core.errors import CnnWidgetsError, InputError, NotSpatial
from cnnwidgets.core.nested import detached
from cnnwidgets.core.network import Network
from cnnwidgets.explainers.attribution import Attribution
from cnnwidgets.outputs.targets import Chosen, Target
from cnnwidgets.tracing.layouts.token_layout import AnyForm, TokenLayout, Tokens
from cnnwidgets.tracing.placement import Placement

from .default_layer import Choice, considered, default_layer, inside_attention, left_out, reacts
from .forward_pass import ForwardPass, Functions, Question
from .gradients import differentiate
from .layer_notes import call_notes, layout_notes, map_notes, no_gradient, no_maps, placement_notes, preferred, refusal
from .layer_outputs import Watch, WatchedCall
from .lean_graph import LeanGraph, sparing
from .relu_rules import Rule
from .values import COMPLEX, precise, range_notes, real_channels


@dataclass(eq=False)
class LayerPass:
    """What one call of a layer returned, and what the model made of it.

    Attributes:
        name: the layer's dotted name.
        index: which of its calls this is, from 0.
        maps: (N, K, h, w), a copy made as the layer returned; float32 where the model is in half precision.
        gradient: of each image's score for ``maps``, same shape and type; empty if it was not asked for.
        outputs: what the model returned.
        scores: (N,), the score explained, out of the graph.
        target: the class of each image, or the callable.
        score: "logit" or "probability".
        functions: the model's function layers, where they were looked for.
        form: how the layer's output holds the maps, if not as they are.
        placement: where the maps lie in the images; None if that is not known.
        whereabouts: notes on which call this is, and where in the images its maps lie.
        notes: what the rule for the backward pass did not reach, and whether the layer may be no maps.
    """

    name: str
    index: int
    maps: torch.Tensor
    gradient: torch.Tensor
    outputs: Any
    scores: torch.Tensor
    target: Chosen
    score: str
    functions: Functions
    form: AnyForm | None
    placement: Placement | None
    whereabouts: tuple[str, ...]
    notes: tuple[str, ...]

    def attribution(self, values: torch.Tensor, method: str, *notes: str) -> Attribution:
        """``values`` (N, h, w) as the result of ``method``, with what there is to say about them."""
        any_gradient = self.gradient.numel() == 0 or bool(self.gradient.any())
        all_notes = (*self.whereabouts, *map_notes(values, any_gradient), *notes, *self.notes, *range_notes(values))
        values, scores = values.detach().float().cpu(), self.scores.float().cpu()
        return Attribution(values, method, self.target, self.name, scores, all_notes, self.placement)


def one_layer(
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

    With ``layer`` None it is that of :func:`~.default_layer.default_layer`.

    Raises:
        LayerNotFound, NotSpatial, InputError, TargetError: as for Grad-CAM.
        CnnWidgetsError: the model failed, never ran the layer, or no gradient reaches it though one is needed.
    """
    if not is_whole(call):
        raise CnnWidgetsError(f"call is {call!r}; expected an int: 0 for the first call of the layer, -1 for the last.")
    if layer is None and call != -1:
        raise CnnWidgetsError(f"call={call} counts the calls of one layer; say which with layer=.")
    question = Question(model, images, target, score, None if layer is None else [layer], tokens)
    # The graph of the only forward tells by itself whether the score depends on the last layer with maps.
    with torch.set_grad_enabled(gradient or (layer is None and len(images) == 1)):
        if question.names is None:
            forward_pass, layer_call = _by_default(question, backward)
            return _answer(question, forward_pass, layer_call, gradient=gradient)
        name, index = question.names[0], None if call == -1 else call

        def look(graph: LeanGraph | None) -> LayerPass:
            question.graph = graph
            forward_pass = question.settled(lambda: _of_layer(question, name, backward))
            forward_pass, layer_call = _call_of_layer(question, forward_pass, name, index, backward)
            _check_grid(question, layer_call)
            return _answer(question, forward_pass, layer_call, gradient=gradient)

        # The rules for ReLUs read what each of them keeps.
        return sparing(Network.of(model).base, look) if gradient and backward == "plain" else look(None)


def _of_layer(question: Question, name: str, rule: Rule, *, alone: bool = True) -> ForwardPass:
    """A pass that keeps each call of one layer, by its number."""
    return question.watched(
        lambda call: call.index if call.name == name else None,
        lambda its_name, output: its_name == name and output.layout.stacked,
        only=name if alone else None,
        rule=rule,
    )


def _call_of_layer(
    question: Question, forward_pass: ForwardPass, name: str, index: int | None, rule: Rule
) -> tuple[ForwardPass, WatchedCall]:
    """The call ``index`` of layer ``name`` in a pass that kept those; None: the one to be preferred."""
    layer_call = _kept_call(forward_pass, index)
    if layer_call is None or layer_call.output.value is None:
        _ = forward_pass.resolved  # what does not fit is told before anything that is said of layers
        if forward_pass.watch.alone:
            forward_pass = _of_layer(question, name, rule, alone=False)  # to say which other layers there are
            layer_call = _kept_call(forward_pass, index)
    if layer_call is None:
        raise _no_such_call(forward_pass, name, index)
    return forward_pass, layer_call


def _kept_call(forward_pass: ForwardPass, index: int | None) -> WatchedCall | None:
    calls = list(forward_pass.watch.calls.values())
    if index is None and calls:
        index = preferred([call.output.layout for call in calls])
    return calls[index] if index is not None and -len(calls) <= index < len(calls) else None


def _no_such_call(forward_pass: ForwardPass, name: str, index: int | None) -> CnnWidgetsError:
    calls, others = len(forward_pass.watch.calls), _with_maps(forward_pass.watch)
    if calls:
        return CnnWidgetsError(
            f"Layer {name!r} is called {calls} {'time' if calls == 1 else 'times'}; call={index} is out of range. "
            f"Pass 0 to {calls - 1}, or -1 for the last."
        )
    hint = f" Pass layer={others[-1]!r}, or None for the last spatial layer." if others else ""
    return CnnWidgetsError(f"Layer {name!r} did not run in this forward pass.{hint}")


def _with_maps(watch: Watch) -> list[str]:
    """Names of layers with maps of more than one position; if there are none, of the last with a single one."""
    mapped = [name for name, layouts in watch.layouts.items() if any(layout.mapped for layout in layouts)]
    stacked = [name for name, layouts in watch.layouts.items() if any(layout.stacked for layout in layouts)]
    return list(dict.fromkeys([*watch.spatial, *(mapped or stacked)[-1:]]))


def _by_default(question: Question, rule: Rule) -> tuple[ForwardPass, WatchedCall]:
    """The layer that nobody asked for, and a pass that kept it."""
    inside = inside_attention(question.model)
    choice: Choice = None, None

    def look() -> ForwardPass:
        nonlocal choice
        unsure = question.memory.layouts.has_tokens or not torch.is_grad_enabled()
        choice = default_layer(question) if unsure else (None, None)
        return _of_last_layer(question, inside, rule) if choice[0] is None else _of_layer(question, choice[0], rule)

    forward_pass = question.settled(look)
    name, index = choice
    if name is None:
        calls = forward_pass.watch.calls
        layer_call = calls.get(True) or calls.get(False)
        scores, _ = forward_pass.resolved
        if layer_call is None:
            raise NotSpatial(no_maps(forward_pass.watch.layouts))
        layouts = forward_pass.watch.layouts[layer_call.name]
        index = preferred(layouts, several=layer_call.output.layout.mapped)
        if index == layer_call.index and (not torch.is_grad_enabled() or reacts(layer_call.output, scores[:1])):
            return forward_pass, layer_call
        name, its_index = default_layer(question)
        name, index = (layer_call.name, index) if name is None else (name, its_index)
        del forward_pass, layer_call, calls, scores  # and the maps they hold
        forward_pass = _of_layer(question, name, rule)
    return _call_of_layer(question, forward_pass, name, index, rule)


def _of_last_layer(question: Question, inside: set[str], rule: Rule) -> ForwardPass:
    """A pass that keeps the last call worth a look, and the last with maps of a single position."""

    def slot(call: WatchedCall) -> bool | None:
        layout = call.output.layout
        worthy = considered(call.output, call.name, inside) if layout.mapped else layout.stacked
        return layout.mapped if worthy else None

    return question.watched(slot, lambda _, output: output.layout.stacked and output.floating, rule=rule)


def _check_grid(question: Question, layer_call: WatchedCall) -> None:
    """That a grid of tokens which the user passes for a layer is the one that its axes form."""
    layout, grid = layer_call.output.layout, question.memory.layouts.given
    if grid and isinstance(layout.form, TokenLayout) and layout.form.grid != grid:
        raise InputError(
            f"tokens is {grid}, but the output of layer {layer_call.name!r}, {layout.shape}, is a grid of "
            f"{layout.form.grid}, as far as its axes were followed. Leave tokens out, or pass a function that makes "
            "maps."
        )


def _answer(question: Question, forward_pass: ForwardPass, layer_call: WatchedCall, *, gradient: bool) -> LayerPass:
    name, output, layouts = layer_call.name, layer_call.output, question.memory.layouts
    scores, classes = forward_pass.resolved
    maps = output.value
    if maps is None:
        raise NotSpatial(refusal(name, output.layout, _with_maps(forward_pass.watch)))
    slope = maps.new_empty(0)
    if gradient:
        with forward_pass.guidance.backward(scores):
            slope = _gradient(layer_call, scores)
    calls = forward_pass.watch.layouts[name]
    notes = (
        *((COMPLEX,) if maps.is_complex() else ()),
        *forward_pass.guidance.notes(layer_call, f"layer {name!r}"),
        *layout_notes(name, output.layout, layouts),
        *(left_out(layouts, name) if question.names is None else ()),
    )
    return LayerPass(
        name=name,
        index=layer_call.index,
        maps=real_channels(precise(maps)),
        gradient=real_channels(precise(slope)),
        # The graph behind them holds what every layer made.
        outputs=forward_pass.outputs if gradient else detached(forward_pass.outputs),
        scores=scores.detach(),
        target=classes,
        score=question.score,
        functions=question.functions,
        form=output.layout.form,
        placement=output.layout.placement,
        whereabouts=(*call_notes(name, layer_call.index, calls), *placement_notes(output.layout), *question.drift),
        notes=notes,
    )


def _gradient(layer_call: WatchedCall, scores: torch.Tensor) -> torch.Tensor:
    edge = layer_call.output.edge
    (gradient,) = differentiate(scores, [] if edge is None else [edge]) or [None]
    if gradient is None:
        raise CnnWidgetsError(no_gradient(layer_call.name))
    return layer_call.output.gradient(gradient)
