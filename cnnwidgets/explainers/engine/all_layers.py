"""One forward and one backward for all layers together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.autograd.graph import GradientEdge

from cnnwidgets.core.errors import CnnWidgetsError, NotSpatial
from cnnwidgets.core.interrupts import Deferral
from cnnwidgets.core.network import walked_once
from cnnwidgets.outputs.choice import OutputChoice
from cnnwidgets.outputs.kinds import Kind
from cnnwidgets.outputs.readout import current, reading, readout_of
from cnnwidgets.outputs.targets import Chosen, Target
from cnnwidgets.running.batches_of_one import may_be_the_batch, refuse_several
from cnnwidgets.running.forward import again
from cnnwidgets.state.preserved import generators_now, have_moved, preserved
from cnnwidgets.tracing.layouts.layouts import Layout, Layouts
from cnnwidgets.tracing.layouts.token_layout import Tokens
from cnnwidgets.tracing.placement import Placement

from .default_layer import considered, default_layer, has_tokens, inside_attention, last_that_counts, left_out
from .forward_pass import Question
from .gradients import differentiate, nodes_between
from .inputs import checked, input_notes, weight_notes
from .layer_notes import call_notes, layout_notes, map_notes, placement_notes, refusal
from .layer_outputs import NO_TENSOR, Output, Watch, WatchedCall
from .notes import change_notes, model_notes, output_notes, random_notes
from .values import for_display, precise


@dataclass(frozen=True, eq=False)
class Observation:
    """What every spatial layer did, for the last call that sees the image as it is. All tensors: float32 on the CPU.

    A container and the child whose output it hands on share one tensor; treat them as read-only.

    Attributes:
        maps: name -> (N, C, h, w), the output as it was when the layer returned; empty without ``keep_maps``.
        cam: name -> (N, h, w), Grad-CAM before its ReLU; lacks layers that no gradient reaches.
        contribution: name -> (N, C), sum over the map of gradient times activation; keys as ``cam``.
        cam_notes: name -> what the reader must know of its ``cam`` beside ``notes``; keys as ``cam``.
        calls: name -> how often the layer ran; all layers that ran, spatial or not.
        shapes: name -> shape of its last output, None if it holds no tensor; all layers that ran.
        order: names of all layers that ran, by completion of their last call.
        outputs: (N, classes), or None where the model returns no such table (the target is then a callable).
        scores: (N,), the score explained.
        chosen: the class of each image, or the callable.
        input_gradient: (N, C, H, W), the saliency of the same pass; None without gradients.
        notes: as in ``Attribution.notes``.
        mapped: names of the layers asked for that return maps, or hold them in another order.
        placements: name -> where its maps lie in the image, None where that is not known; keys as ``mapped``.
        whereabouts: name -> notes on that, and on which of several calls this is; keys as ``mapped``.
        default: the layer that ``layer=None`` stands for; None if no layer has maps.
        discrete: names in ``mapped`` of layers that return whole numbers or booleans.
        layouts: how what the layers return holds their maps.
        kind: what the numbers in ``outputs`` are; "number" where there are none.
        changes: name -> how its ``maps`` differ from what the layer returned: the modulus of complex values, say.
    """

    maps: dict[str, torch.Tensor]
    cam: dict[str, torch.Tensor]
    contribution: dict[str, torch.Tensor]
    cam_notes: dict[str, tuple[str, ...]]
    calls: dict[str, int]
    shapes: dict[str, tuple[int, ...] | None]
    order: list[str]
    outputs: torch.Tensor | None
    scores: torch.Tensor
    chosen: Chosen
    input_gradient: torch.Tensor | None
    notes: tuple[str, ...]
    mapped: frozenset[str]
    placements: dict[str, Placement | None]
    whereabouts: dict[str, tuple[str, ...]]
    default: str | None
    discrete: frozenset[str]
    layouts: Layouts
    kind: Kind
    changes: dict[str, str]


def observe(
    model: nn.Module,
    images: torch.Tensor,
    target: Target = None,
    *,
    layers: Iterable[str | nn.Module] | None = None,
    keep_maps: bool = True,
    gradients: bool = True,
    score: str = "logit",
    tokens: Tokens = None,
    outputs: Kind | None = None,
    output: OutputChoice = None,
) -> Observation:
    """Run ``model`` once, and its backward once, and keep what the layers' maps and gradients say.

    Gradients are reduced to Grad-CAM maps and contributions as they arrive, and dropped.

    Args:
        model, images, target, score, tokens: as for :func:`~cnnwidgets.explainers.grad_cam.grad_cam`.
        layers: names or modules to look at; None for every layer that returns maps with more than one place, channels
            last and tokens included.
        keep_maps: keep the maps themselves.
        gradients: run the backward pass.
        outputs, output: what the model's outputs are, and which of them holds the scores; as for explainers.

    Raises:
        LayerNotFound, InputError, TargetError: as for Grad-CAM.
        NotSpatial: a layer asked for returns something with four axes that holds no maps.
        CnnWidgetsError: the model failed. A layer that no gradient reaches is no error here.
    """
    readout = readout_of(model, outputs, output).inner()
    with Deferral(), torch.inference_mode(False), torch.set_grad_enabled(gradients), reading(readout), walked_once():
        images = checked(model, images)
        notes = [*input_notes(images), *model_notes(model)]
        layers = None if layers is None else list(layers)

        def once() -> Observation:
            question = Question(model, images, target, score, layers, tokens)
            return _observed(question, keep_maps=keep_maps, gradients=gradients)

        with preserved(model, evaluate=True) as preservation:
            generators = generators_now()
            try:
                observation = again(once)
            except CnnWidgetsError as error:
                if may_be_the_batch(error):
                    refuse_several(model, images, error)
                raise
            drawn = [*random_notes(model, images)] if have_moved(generators) else []
        numbers = observation.scores if observation.outputs is None else observation.outputs
        notes += weight_notes(model, doubtful=bool(notes) or not bool(numbers.isfinite().all()))
        if observation.outputs is not None and readout.choice:
            notes.append(readout.choice)  # also where a function is explained: these are the class scores beside it
        notes += [*observation.notes, *drawn, *change_notes(preservation.changed)]
        return replace(observation, notes=tuple(dict.fromkeys(notes)))


def _observed(question: Question, *, keep_maps: bool, gradients: bool) -> Observation:
    """The observation without what is to be said of the model as such."""
    names = question.names
    forward_pass = question.settled(
        lambda: question.watched(
            lambda call: call.name if names is None or call.name in names else None,
            lambda name, output: output.layout.mapped and (names is None or name in names),
        )
    )
    watch, readout = forward_pass.watch, current()
    scores, classes = forward_pass.resolved
    layers = _calls_with_maps(watch, named=names is not None)
    distinct = {id(call.output): call.output for call in layers.values()}
    reducers = {key: _Reducer(output, keep_maps) for key, output in distinct.items()}
    watch.calls.clear()
    leaf = forward_pass.leaf
    input_gradient = _backward(scores, leaf, [*reducers.values()]) if gradients and scores.requires_grad else None
    by_name = {name: reducers[id(call.output)] for name, call in layers.items()}
    layouts = {name: call.output.layout for name, call in layers.items()}
    whereabouts = {
        name: (*call_notes(name, call.index, watch.layouts[name]), *placement_notes(layouts[name]))
        for name, call in layers.items()
    }
    default = _default(question, list(layers.values()), by_name)
    cam = {name: reducer.cam for name, reducer in by_name.items() if reducer.cam is not None}
    return Observation(
        maps={name: reducer.maps for name, reducer in by_name.items() if reducer.maps is not None},
        cam=cam,
        contribution={n: r.contribution for n, r in by_name.items() if r.contribution is not None},
        cam_notes={
            name: (*whereabouts[name], *_cam_notes(question, name, layouts[name], by_name[name])) for name in cam
        },
        calls={name: len(its_layouts) for name, its_layouts in watch.layouts.items()},
        shapes={name: None if every[-1] is NO_TENSOR else every[-1].shape for name, every in watch.layouts.items()},
        order=list(watch.layouts),
        outputs=None if readout.table is None else readout.table.float().cpu(),
        scores=scores.detach().float().cpu(),
        chosen=classes,
        input_gradient=None if input_gradient is None else input_gradient.float().cpu(),
        notes=tuple(_notes_of_pass(question, by_name, default, gradients=gradients)),
        mapped=frozenset(by_name),
        placements={name: layout.placement for name, layout in layouts.items()},
        whereabouts=whereabouts,
        default=default,
        discrete=frozenset(name for name, call in layers.items() if not call.output.floating),
        layouts=question.memory.layouts,
        kind=readout.kind or "number",
        changes={name: reducer.change for name, reducer in by_name.items() if reducer.change},
    )


def _calls_with_maps(watch: Watch, *, named: bool) -> dict[str, WatchedCall]:
    """The calls that returned maps, by layer; ``named``: they were asked for, so axes of another kind are refused."""
    for call in watch.calls.values():
        layout = call.output.layout
        if named and len(layout.shape) == 4 and not layout.stacked:
            raise NotSpatial(refusal(call.name, layout, watch.spatial))
    calls = (call for call in watch.calls.values() if call.output.value is not None and call.output.layout.mapped)
    return {call.name: call for call in calls}


def _default(question: Question, layers: list[WatchedCall], by_name: dict[str, _Reducer]) -> str | None:
    """What :func:`~.default_layer.default_layer` would say, as far as the gradients that are there tell it."""
    with_tokens = {call.name for call in layers if has_tokens(call.output.layout)}
    inside = inside_attention(question.model) if with_tokens else set()
    able = [call for call in layers if considered(call.output, call.name, inside)]
    last = last_that_counts(able, lambda call: by_name[call.name].reacts)
    if last is None:
        return default_layer(question)[0] if question.names is None else None
    return last.name


def _cam_notes(question: Question, name: str, layout: Layout, reducer: _Reducer) -> Iterator[str]:
    if reducer.cam is not None:
        yield from map_notes(reducer.cam, bool(reducer.reacts))
        yield from layout_notes(name, layout, question.memory.layouts)


def _notes_of_pass(
    question: Question, by_name: dict[str, _Reducer], default: str | None, *, gradients: bool
) -> Iterator[str]:
    yield from output_notes(current(), question.score)
    yield from question.drift
    if question.memory.layouts.note is not None:
        yield question.memory.layouts.note
    missing = sum(reducer.cam is None for reducer in by_name.values())
    if gradients and missing:
        yield f"no gradient reaches {missing} of {len(by_name)} layers; they have no map for the class"
    if question.names is None:
        yield from left_out(question.memory.layouts, default)


def _backward(scores: torch.Tensor, leaf: torch.Tensor, reducers: list[_Reducer]) -> torch.Tensor | None:
    """Reduce each layer's gradient, and return that of the input."""
    between = nodes_between(scores, leaf)
    passed = [(reducer, reducer.edge) for reducer in reducers if reducer.edge and reducer.edge.node in between]
    # Behind a cut, such as a part that runs under no_grad, a pass back to the input does not come by.
    aside = [(reducer, reducer.edge) for reducer in reducers if reducer.edge and reducer.edge.node not in between]
    handles = []
    try:
        for reducer, edge in passed:
            handles.append(reducer.listen(edge))
        input_gradient, *others = differentiate(scores, [leaf, *(edge for _, edge in aside)])
    finally:
        for handle in handles:
            handle.remove()
    for (reducer, _), gradient in zip(aside, others, strict=True):
        reducer.reduce(gradient)
    return input_gradient


class _Reducer:
    """Turns one layer's gradient into its Grad-CAM map and contributions the moment it arrives."""

    def __init__(self, output: Output, keep_maps: bool) -> None:
        self.edge = output.edge
        self._to_own = output.gradient
        self._value, output.value = output.value, None
        self.maps: torch.Tensor | None = None
        self.change = ""
        if keep_maps and self._value is not None:
            self.maps, self.change = for_display(self._value)
        self.cam: torch.Tensor | None = None
        self.contribution: torch.Tensor | None = None
        self.reacts: bool | None = None

    def listen(self, edge: GradientEdge) -> torch.utils.hooks.RemovableHandle:
        """Take the gradient as the backward pass comes by."""
        return edge.node.register_prehook(lambda gradients: self.reduce(gradients[edge.output_nr]))

    def reduce(self, gradient: torch.Tensor | None) -> None:
        """Keep the map and the contributions, and let go of everything else."""
        maps, self._value, self.edge = self._value, None, None
        if gradient is None or maps is None:
            return
        with torch.no_grad():
            gradient = self._to_own(gradient)
            maps, gradient = precise(maps), precise(gradient)
            weights = gradient.mean((2, 3))
            # Of complex maps the real part, which is what a change of both parts adds to the score.
            cam: torch.Tensor = torch.einsum("nk,nkhw->nhw", weights.conj(), maps).real
            contribution: torch.Tensor = torch.einsum("nkhw,nkhw->nk", gradient.conj(), maps).real
            self.cam, self.contribution = cam.float().cpu(), contribution.float().cpu()
            self.reacts = bool(weights.any()) or bool(gradient.any())  # the short question first
