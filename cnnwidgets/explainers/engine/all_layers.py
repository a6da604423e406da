"""One forward and one backward for all layers together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn
from torch.autograd.graph import GradientEdge

from cnnwidgets.core.errors import CnnWidgetsError, NotSpatial, TargetError
from cnnwidgets.core.interrupts import Deferral
from cnnwidgets.core.network import walked_once
from cnnwidgets.outputs.choice import OutputChoice
from cnnwidgets.outputs.kinds import Kind
from cnnwidgets.outputs.readout import reading, readout_of
from cnnwidgets.outputs.targets import Chosen, Target, class_scores, resolve
from cnnwidgets.running.batches_of_one import may_be_the_batch, refuse_several
from cnnwidgets.running.forward import run
from cnnwidgets.running.own_gradients import again
from cnnwidgets.state.preserved import generators_now, have_moved, preserved
from cnnwidgets.tracing.function_layers import FunctionLayer, Key
from cnnwidgets.tracing.layouts.layouts import Layouts
from cnnwidgets.tracing.layouts.memory import Memory
from cnnwidgets.tracing.layouts.plain_pass import PlainPass
from cnnwidgets.tracing.layouts.token_layout import Tokens
from cnnwidgets.tracing.placement import Placement

from .call_outputs import Call, Output
from .default_layer import considered, default_layer, inside_attention, left_out
from .followed import looked
from .gradients import differentiate, fresh_input, nodes_between, saturation_notes
from .inputs import checked, input_notes, weight_notes
from .layer_outputs import Watch, refusal
from .layers import Functions, all_functions, asked_layouts, located
from .notes import change_notes, model_notes, random_notes
from .values import for_display
from .which_call import call_notes, rank


@dataclass(frozen=True, eq=False)
class Observation:
    """What every spatial layer did, for the last call that sees the image as it is. All tensors: float32 on the CPU.

    A container and the child whose output it hands on share one tensor; treat them as read-only.

    Attributes:
        maps: name -> (N, C, h, w), the output as it was when the layer returned; empty without ``keep_maps``.
        cam: name -> (N, h, w), Grad-CAM before its ReLU; lacks layers that no gradient reaches.
        contribution: name -> (N, C), sum over the map of gradient times activation; keys as ``cam``.
        reacts: names of the layers in ``cam`` whose gradient is not zero everywhere.
        calls: name -> how often the layer ran; all layers that ran, spatial or not.
        shapes: name -> shape of its last output, None if it holds no tensor; all layers that ran.
        order: names of all layers that ran, by completion of their last call.
        outputs: (N, classes), or None where the model returns no such table (the target is then a callable).
        scores: (N,), the score explained.
        chosen: the class of each image, or the callable.
        input_gradient: (N, C, H, W), the saliency of the same pass; None without gradients.
        notes: as in ``Attribution.notes``.
        mapped: names of the layers asked for that return maps, or hold them in another order.
        unsure: names in ``maps`` and ``cam`` of which only the shape says that they are (N, C, H, W).
        tokens: name -> notes on the tokens that its maps are made of, where there is something to say.
        called: name -> notes on which of several calls this is.
        placements: name -> where its maps lie in the image, None where that is not known; keys as ``mapped``.
        default: the layer that ``layer=None`` stands for; None if no layer has maps.
        discrete: names in ``mapped`` of layers that return whole numbers or booleans.
        layouts: how what the layers return holds their maps.
        kind: what the numbers in ``outputs`` are; "number" where there are none.
        changes: name -> how its ``maps`` differ from what the layer returned: the modulus of complex values, say.
    """

    maps: dict[str, torch.Tensor]
    cam: dict[str, torch.Tensor]
    contribution: dict[str, torch.Tensor]
    reacts: frozenset[str]
    calls: dict[str, int]
    shapes: dict[str, tuple[int, ...] | None]
    order: list[str]
    outputs: torch.Tensor | None
    scores: torch.Tensor
    chosen: Chosen
    input_gradient: torch.Tensor | None
    notes: tuple[str, ...]
    mapped: frozenset[str] = frozenset()
    unsure: frozenset[str] = frozenset()
    tokens: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    called: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    placements: Mapping[str, Placement | None] = field(default_factory=dict)
    default: str | None = None
    discrete: frozenset[str] = frozenset()
    layouts: Layouts = field(default_factory=lambda: Layouts(1))
    kind: Kind = "logits"
    changes: Mapping[str, str] = field(default_factory=dict)


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
        with preserved(model, evaluate=True) as kept:
            generators = generators_now()
            try:
                found = again(lambda: _observe(model, images, target, layers, keep_maps, gradients, score, tokens))
            except CnnWidgetsError as error:
                if may_be_the_batch(error):
                    refuse_several(model, images, error)
                raise
            drawn = [*random_notes(model, images)] if have_moved(generators) else []
        seen = found.scores if found.outputs is None else found.outputs
        notes += weight_notes(model, doubtful=bool(notes) or not bool(seen.isfinite().all()))
        if found.outputs is not None and readout.choice:
            notes.append(readout.choice)  # also where a function is explained: these are the class scores beside it
        notes += [*found.notes, *drawn, *change_notes(kept.changed)]
        return replace(found, notes=tuple(dict.fromkeys(notes)), kind=readout.kind or "number")


def _observe(
    model: nn.Module,
    images: torch.Tensor,
    target: Target,
    layers: Iterable[str | nn.Module] | None,
    keep_maps: bool,
    gradients: bool,
    score: str,
    tokens: Tokens,
) -> Observation:
    functions: dict[Key, FunctionLayer] = {}
    wanted: set[str] | None = None
    if layers is None:
        functions.update(all_functions(model, images))
    else:
        wanted = set()
        for layer in layers:
            name, its_functions = located(model, images, layer)
            wanted.add(name)
            functions.update(its_functions)
    found, memory, drift = looked(
        lambda memory: _look(model, images, wanted, functions, memory, gradients),
        lambda recorded: asked_layouts(model, images, wanted, tokens, recorded=recorded),
    )
    layouts = memory.layouts
    watch, raw, last = found.watch, found.raw, found.last
    for name in wanted or ():
        if name in last and len(last[name].shape) == 4 and not last[name].stacked:
            raise NotSpatial(refusal(name, last[name].layout, watch.spatial))
    scores, chosen = resolve(target, raw, score=score, batch=len(images))
    notes = [*saturation_notes(raw, score, len(images)), *drift]
    if layouts.note is not None:
        notes.append(layouts.note)

    chosen_layers = {
        name: output
        for name, output in last.items()
        if output.value is not None and output.spatial and (wanted is None or name in wanted)
    }
    unsure = frozenset(name for name, output in chosen_layers.items() if not output.layout.sure)
    forms = {name: output.layout.form for name, output in chosen_layers.items() if output.layout.form is not None}
    distinct = {id(output): output for output in chosen_layers.values()}
    reducers = {key: _Reducer(output, keep_maps) for key, output in distinct.items()}
    last.clear()
    input_gradient = None
    if gradients and scores.requires_grad:
        input_gradient = _backward(scores, found.leaf, list(reducers.values()))
    inside = inside_attention(model) if any(form.has_tokens for form in forms.values()) else set()
    able = [name for name, output in chosen_layers.items() if considered(output, name, inside)]
    by_name = {name: reducers[id(output)] for name, output in chosen_layers.items()}
    reached = {name: reducer for name, reducer in by_name.items() if reducer.cam is not None}
    missing = len(by_name) - len(reached)
    if gradients and missing:
        notes.append(f"no gradient reaches {missing} of {len(by_name)} layers; they have no map for the class")
    reacts = frozenset(name for name, reducer in reached.items() if reducer.reacts)
    # As default_layer has it.
    of_tokens = {name for name, form in forms.items() if form.has_tokens}
    silent = [name for name in able if name in reached and name not in of_tokens]
    default = next(reversed([name for name in able if name in reacts] or silent), None)
    if default is None and wanted is None:
        default = default_layer(model, images, target, score, functions, memory)[0]
    if wanted is None:
        notes += left_out(layouts, default)
    return Observation(
        maps={name: reducer.maps for name, reducer in by_name.items() if reducer.maps is not None},
        cam={name: reducer.cam for name, reducer in reached.items() if reducer.cam is not None},
        contribution={n: r.contribution for n, r in reached.items() if r.contribution is not None},
        reacts=reacts,
        calls=dict(watch.calls),
        shapes=dict(watch.shapes),
        order=watch.order,
        outputs=_table(raw, len(images)),
        scores=scores.detach().float().cpu(),
        chosen=chosen,
        input_gradient=None if input_gradient is None else input_gradient.float().cpu(),
        notes=tuple(notes),
        mapped=frozenset(chosen_layers),
        unsure=unsure,
        tokens={name: form.notes() for name, form in forms.items() if form.notes()},
        called={name: tuple(call_notes(name, found.indices[name], watch.layouts[name])) for name in chosen_layers},
        placements={name: output.layout.placement for name, output in chosen_layers.items()},
        default=default,
        discrete=frozenset(name for name, output in chosen_layers.items() if not output.floating),
        layouts=layouts,
        changes={name: reducer.change for name, reducer in by_name.items() if reducer.change},
    )


@dataclass
class _Pass:
    """One forward pass: what the model returned for ``leaf``, and an output of each layer that ran.

    ``indices`` tells which of the layer's calls made it.
    """

    watch: Watch
    leaf: torch.Tensor
    raw: Any
    last: dict[str, Output]
    indices: dict[str, int]


def _look(
    model: nn.Module,
    images: torch.Tensor,
    wanted: set[str] | None,
    functions: Functions,
    memory: Memory,
    gradients: bool,
) -> _Pass:
    last: dict[str, Output] = {}
    indices: dict[str, int] = {}

    def see(now: Call) -> None:
        before = last.get(now.name)
        if before is not None and rank(now.output.layout) < rank(before.layout):
            return
        last.pop(now.name, None)
        last[now.name], indices[now.name] = now.output, now.index

    def wants(name: str, output: Output) -> bool:
        return output.spatial and (wanted is None or name in wanted)

    leaf, x = fresh_input(images) if gradients else (images, images.clone())
    watch = Watch(model, see, wants, memory.layouts, functions, plain=None if memory.answers(None) else PlainPass(x))
    with watch.following():
        raw = run(model, x)
    return _Pass(watch, leaf, raw, last, indices)


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
        self.reacts = False

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
            if maps.dtype in (torch.float16, torch.bfloat16):
                maps, gradient = maps.float(), gradient.float()
            weights = gradient.mean((2, 3))
            # Of complex maps the real part, which is what a change of both parts adds to the score.
            cam: torch.Tensor = torch.einsum("nk,nkhw->nhw", weights.conj(), maps).real
            contribution: torch.Tensor = torch.einsum("nkhw,nkhw->nk", gradient.conj(), maps).real
            self.cam, self.contribution = cam.float().cpu(), contribution.float().cpu()
            self.reacts = bool(weights.any()) or bool(gradient.any())  # the short question first


def _table(raw: object, batch: int) -> torch.Tensor | None:
    try:
        table: torch.Tensor = class_scores(raw, batch=batch).detach().float().cpu()
    except TargetError:
        return None  # only a callable target gets this far
    return table
