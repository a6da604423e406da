"""Which layer to explain where nobody said which: the last with maps that the explained score depends on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import nn

from cnnwidgets.core.errors import TargetError
from cnnwidgets.core.network import Network
from cnnwidgets.incremental.layer_call import calls_of
from cnnwidgets.outputs.readout import current, reading
from cnnwidgets.outputs.targets import Chosen, resolve
from cnnwidgets.running.batches_of_one import may_be_the_batch
from cnnwidgets.running.forward import run
from cnnwidgets.tracing.layouts.layouts import Layout, Layouts
from cnnwidgets.tracing.layouts.plain_pass import PlainPass
from cnnwidgets.tracing.layouts.rules import is_attention

from .forward_pass import Question
from .layer_notes import rank
from .layer_outputs import Output, WatchedCall
from .memory import part_of

Choice = tuple[str | None, int | None]
"""A layer, or None if none has maps or that cannot be told yet; and which of its calls."""


def default_layer(question: Question) -> Choice:
    """The last call with maps of more than one position that the score of the first image depends on.

    The autograd graph tells, whether a method needs it or not. The gradient must not be zero everywhere, as it is
    in the branch of a network that makes other classes; maps of tokens must have one at the grid: a class token
    makes the scores of many transformers, and what the other tokens are after the last attention does not matter to
    them. Where the graph is cut (a forward under ``torch.no_grad``, numpy), the layers are changed one after the
    other, from the last on, until the score moves. Whole numbers and booleans, and parts of an attention, are not
    considered; if the score depends on no layer, it is the last.
    """
    with reading(current().inner()):  # a look at one image, not the scores that the call is about
        try:
            candidates, score, target = _candidates(question)
        except TargetError:  # told where all images are run, with their number
            return None, None
        if not candidates:
            return None, None
        last = last_that_counts(candidates, lambda call: reacts(call.output, score))
        if last is None:
            moving = (call for call in reversed(candidates) if _moves(question, call, score, target))
            last = next(moving, candidates[-1])
    # Of the calls of this layer, the one that sees the image as it is.
    calls = [call for call in candidates if call.name == last.name]
    calls = [call for call in calls if reacts(call.output, score) is not None] or calls
    best = max(calls, key=lambda call: (rank(call.output.layout), call.index))
    return best.name, best.index


def last_that_counts(calls: Sequence[WatchedCall], answer: Callable[[WatchedCall], bool | None]) -> WatchedCall | None:
    """The last call that the score reacts to; else the last that it depends on, if not of tokens; None: on none."""
    silent = None
    for call in reversed(calls):
        reaction = answer(call)
        if reaction:
            return call
        if reaction is not None and silent is None and not has_tokens(call.output.layout):
            silent = call
    return silent


def _candidates(question: Question) -> tuple[list[WatchedCall], torch.Tensor, Chosen]:
    """Calls with maps in order, none where only a recording can tell the layouts; and the score with its target."""
    image, inside = question.images[:1], inside_attention(question.model)
    target = part_of(question.target, slice(0, 1), question.images)
    with torch.enable_grad():
        forward_pass = question.watched(
            lambda call: id(call.output) if considered(call.output, call.name, inside) else None,
            lambda *_: False,
            images=image,
        )
        score, classes = resolve(target, forward_pass.outputs, score=question.score, batch=1)
    pathway = forward_pass.watch.pathway
    odd = isinstance(pathway, PlainPass) and pathway.odd
    return [] if odd else list(forward_pass.watch.calls.values()), score, classes


def left_out(layouts: Layouts, name: str | None) -> Iterator[str]:
    """That later layers than ``name``, the one by default, hold maps which cannot be laid over the image."""
    calls = list((layouts.calls or {}).items())
    before = next((at for at, ((layer, _), _) in enumerate(calls) if layer == name), len(calls))
    later = [(layer, layout) for (layer, _), layout in calls[before + 1 :] if len(layout.shape) == 4]
    moved = [(layer, layout) for layer, layout in later if "shifted" in (layout.why_not or "")]
    if moved:
        layer, layout = moved[-1]
        more = f" and {len(moved) - 1} before it" if len(moved) > 1 else ""
        yield (
            f"layer {name!r} was taken by default, not the last: the later layer {layer!r}{more} returns "
            f"{layout.shape}, {layout.why_not}"
        )


def considered(output: Output, name: str, inside: set[str]) -> bool:
    """Whether a layer may be explained by default; ``inside`` names those within an attention."""
    return output.layout.mapped and output.floating and not (has_tokens(output.layout) and name in inside)


def inside_attention(model: nn.Module) -> set[str]:
    """Names of the modules that are part of an attention."""
    modules = dict(Network.of(model).layers)
    around = [name for name, module in modules.items() if name and is_attention(module)]
    return {name for name in modules if any(name.startswith(f"{outer}.") for outer in around)}


def has_tokens(layout: Layout) -> bool:
    """Whether the maps lie in it as tokens."""
    return layout.form is not None and layout.form.has_tokens


def reacts(output: Output, scores: torch.Tensor) -> bool | None:
    """Whether the gradient at the maps is not zero everywhere; None: none arrives there."""
    edge = output.edge
    if edge is None or not scores.requires_grad:
        return None
    try:
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(scores.sum(), [edge], allow_unused=True, retain_graph=True)
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        return False
    return None if gradient is None else bool(output.gradient(gradient).any())


def _moves(question: Question, call: WatchedCall, score: torch.Tensor, target: Chosen) -> bool:
    """Whether the score is another one where the call returns other maps."""
    network, form = Network.of(question.model), call.output.layout.form

    def changed(index: int, old: torch.Tensor | None) -> torch.Tensor | None:
        if index != call.index or old is None:
            return None
        maps = old if form is None else form.maps(old)
        noise = torch.rand(maps.shape, generator=torch.Generator().manual_seed(0)).to(maps)
        other = maps + noise * (maps.abs().nan_to_num(0, 0, 0).amax() + 1)
        return other if form is None else form.put(other, old)

    is_function = any(function.name == call.name for function in question.functions.values())
    layer = call.name if is_function else network.find(call.name)[1]
    try:
        with torch.no_grad(), calls_of(network.base, layer, question.functions, changed):
            outputs = run(question.model, question.images[:1].clone())
            moved = resolve(target, outputs, score=question.score, batch=1)[0]
    except Exception as error:
        if not may_be_the_batch(error):
            raise
        return True  # the model cannot do without what it returned
    return not torch.equal(moved, score.detach())
