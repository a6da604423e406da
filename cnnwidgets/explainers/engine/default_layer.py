"""Which layer to explain where nobody said which: the last with maps that the explained score depends on."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import nn
from torch.autograd.graph import GradientEdge, get_gradient_edge

from cnnwidgets.core.errors import Cancelled, TargetError, is_out_of_memory
from cnnwidgets.core.network import Network
from cnnwidgets.incremental.layer_call import calls_of
from cnnwidgets.outputs.targets import Chosen, Target, resolve
from cnnwidgets.running.forward import run
from cnnwidgets.tracing.layouts.layouts import Layouts
from cnnwidgets.tracing.layouts.memory import Memory
from cnnwidgets.tracing.layouts.plain_pass import PlainPass
from cnnwidgets.tracing.layouts.rules import is_attention

from .call_outputs import Call, Output
from .gradients import fresh_input
from .halves import part_of
from .layer_outputs import Watch
from .layers import Functions
from .which_call import rank

Choice = tuple[str | None, int | None]
"""A layer, or None if none has maps or that cannot be told yet; and which of its calls."""


def default_layer(
    model: nn.Module, images: torch.Tensor, target: Target, score: str, functions: Functions, memory: Memory
) -> Choice:
    """The last call with maps of more than one place that the score of the first image depends on.

    The autograd graph tells, whether a method needs it or not. The gradient must not be zero everywhere, as it is
    in the branch of a network that makes other classes; maps of tokens must have one at the grid: a class token
    makes the scores of many transformers, and what the other tokens are after the last attention does not matter to
    them. Where the graph is cut (a forward under ``torch.no_grad``, numpy), the layers are changed one after the
    other, from the last on, until the score moves. Whole numbers and booleans, and parts of an attention, are not
    considered; if the score depends on no layer, it is the last.
    """
    first = images[:1]
    aim = part_of(target, slice(0, 1), images)
    try:
        candidates, scores, chosen, odd = _candidates(model, first, aim, score, functions, memory)
    except TargetError:  # told where all images are run, with their number
        return None, None
    if odd or not candidates:
        return None, None
    graph = Graph(scores)
    reached = [call for call in candidates if graph.reaches(call.output)]
    speaking = (call for call in reversed(reached) if speaks(call.output, scores))
    silent = (call for call in reversed(reached) if not _has_tokens(call.output))
    for call in itertools.chain(speaking, silent):
        return _preferred(call, reached)
    if not reached:
        for call in reversed(candidates):
            if _moves(model, first, chosen, score, functions, call, scores):
                return _preferred(call, candidates)
    return candidates[-1].name, candidates[-1].index


def _preferred(call: Call, candidates: list[Call]) -> Choice:
    """Of the calls of this layer, the one that sees the image as it is."""
    same = [one for one in candidates if one.name == call.name]
    best = max(same, key=lambda one: (rank(one.output.layout), one.index))
    return best.name, best.index


class Graph:
    """The autograd graph behind scores, looked through no further than needed."""

    def __init__(self, scores: torch.Tensor) -> None:
        start = get_gradient_edge(scores) if scores.requires_grad else None
        self._reached = {(start.node, start.output_nr)} if start is not None else set()
        self._pending = [start.node] if start is not None else []
        self._visited = set(self._pending)

    def reaches(self, output: Output) -> bool:
        """Whether the scores depend on ``output`` by differentiable operations."""
        edge: GradientEdge | None = output.edge
        if edge is None:
            return False
        goal = (edge.node, edge.output_nr)
        while goal not in self._reached and self._pending:
            for earlier, number in self._pending.pop().next_functions:
                if earlier is None:
                    continue
                self._reached.add((earlier, number))
                if earlier not in self._visited:
                    self._visited.add(earlier)
                    self._pending.append(earlier)
        return goal in self._reached


def left_out(layouts: Layouts, name: str | None) -> Iterator[str]:
    """That later layers than ``name``, the one by default, hold maps which cannot be laid over the image."""
    calls = list((layouts.calls or {}).items())
    before = next((at for at, ((layer, _), _) in enumerate(calls) if layer == name), len(calls))
    moved = [(layer, layout) for (layer, _), layout in calls[before + 1 :] if "shifted" in (layout.why_not or "")]
    moved = [(layer, layout) for layer, layout in moved if len(layout.shape) == 4]
    if moved:
        layer, layout = moved[-1]
        more = f" and {len(moved) - 1} before it" if len(moved) > 1 else ""
        yield (
            f"layer {name!r} was taken by default, not the last: the later layer {layer!r}{more} returns "
            f"{layout.shape}, {layout.why_not}"
        )


def considered(output: Output, name: str, inside: set[str]) -> bool:
    """Whether a layer may be explained by default; ``inside`` names those within an attention."""
    return output.spatial and output.floating and not (_has_tokens(output) and name in inside)


def inside_attention(model: nn.Module) -> set[str]:
    """Names of the modules that are part of an attention."""
    modules = dict(Network.of(model).layers)
    around = [name for name, module in modules.items() if name and is_attention(module)]
    return {name for name in modules if any(name.startswith(f"{outer}.") for outer in around)}


def _candidates(
    model: nn.Module, image: torch.Tensor, target: Target, score: str, functions: Functions, memory: Memory
) -> tuple[list[Call], torch.Tensor, Chosen, bool]:
    """Calls with maps in order, the score and its target, and whether only a recording can tell the layouts."""
    inside = inside_attention(model)
    last: dict[int, Call] = {}

    def see(now: Call) -> None:
        if considered(now.output, now.name, inside):
            last.pop(id(now.output), None)
            last[id(now.output)] = now

    with torch.enable_grad():
        x = fresh_input(image)[1]
        plain = None if memory.answers(None) else PlainPass(x)
        watch = Watch(model, see, lambda *_: False, replace(memory.layouts, batch=1), functions, plain=plain)
        with watch.following():
            outputs = run(model, x)
        scores, chosen = resolve(target, outputs, score=score, batch=1)
    return list(last.values()), scores, chosen, plain is not None and plain.odd


def _has_tokens(output: Output) -> bool:
    form = output.layout.form
    return form is not None and form.has_tokens


def speaks(output: Output, scores: torch.Tensor) -> bool:
    """Whether the gradient at the maps is not zero everywhere."""
    edge = output.edge
    if edge is None:
        return False
    try:
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(scores.sum(), [edge], allow_unused=True, retain_graph=True)
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        return False
    return gradient is not None and bool(output.gradient(gradient).any())


def _moves(
    model: nn.Module,
    image: torch.Tensor,
    chosen: Chosen,
    score: str,
    functions: Functions,
    call: Call,
    scores: torch.Tensor,
) -> bool:
    """Whether the score is another one where the call returns other maps."""
    form = call.output.layout.form

    def changed(index: int, old: torch.Tensor | None) -> torch.Tensor | None:
        if index != call.index or old is None:
            return None
        maps = old if form is None else form.maps(old)
        noise = torch.rand(maps.shape, generator=torch.Generator().manual_seed(0)).to(maps)
        other = maps + noise * (maps.abs().nan_to_num(0, 0, 0).amax() + 1)
        return other if form is None else form.put(other, old)

    is_function = any(one.name == call.name for one in functions.values())
    layer = call.name if is_function else Network.of(model).find(call.name)[1]
    try:
        with torch.no_grad(), calls_of(Network.of(model).base, layer, functions, changed):
            moved = resolve(chosen, run(model, image.clone()), score=score, batch=1)[0]
    except Cancelled:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        return True  # the model cannot do without what it returned
    return not torch.equal(moved, scores.detach())
